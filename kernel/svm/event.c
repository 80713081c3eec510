/* Events between the neutral struct event and the words of the VMCB: injection at the next VMRUN,
   and delivery that an exit cut short. When an event may be injected is left to policy. */
#include "kernel/svm/svm.h"

_Static_assert((int)EVENT_INTERRUPT == (int)SVM_EVENT_INTR, "numbered as in the VMCB");
_Static_assert((int)EVENT_NMI == (int)SVM_EVENT_NMI, "numbered as in the VMCB");
_Static_assert((int)EVENT_EXCEPTION == (int)SVM_EVENT_EXCEPTION, "numbered as in the VMCB");
_Static_assert((int)EVENT_SOFTWARE == (int)SVM_EVENT_SOFTWARE, "numbered as in the VMCB");

/* Puts vcpu->inject, which is valid, into EVENTINJ, from which VMRUN delivers it ("Event
   Injection"; EVENT_*), and makes it invalid: valid bit, vector, type; the error code where the
   event has one, which in real mode (CR0.PE is 0) none has. INT1, INT3 and INTO are exceptions
   here. An event with a length is an instruction's: it pushes the address behind the instruction,
   which RIP and next-RIP must therefore be. */
void svm_event_inject(struct vcpu *vcpu)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;
	const struct event *event = &vcpu->inject;
	uint64_t type = event->type, word = EVENT_VALID | event->vector;

	if (type == EVENT_PRIVILEGED_SOFTWARE || type == EVENT_SOFTWARE_EXCEPTION)
		type = SVM_EVENT_EXCEPTION;
	if (event->len) {
		vmcb->rip += event->len;
		vmcb->nrip = vmcb->rip;
	}
	word |= type << EVENT_TYPE_SHIFT;
	if (event->has_error && (vmcb->cr0 & CR0_PE))
		word |= EVENT_HAS_ERROR | (uint64_t)event->error << EVENT_ERROR_SHIFT;
	vmcb->eventinj = word;
	vcpu->inject.valid = false;
}

/* Did the guest's own instruction raise this event? Then RIP still points at it, and it raises the
   event again: INTn, INT3, INTO. */
static bool is_raised_again(uint64_t event)
{
	uint64_t type = (event & EVENT_TYPE) >> EVENT_TYPE_SHIFT;
	uint64_t vector = event & EVENT_VECTOR;

	return type == SVM_EVENT_SOFTWARE ||
	       (type == SVM_EVENT_EXCEPTION && (vector == VECTOR_BP || vector == VECTOR_OF));
}

/* "Intercepts During IDT Interrupt Delivery". What was injected is put back whatever it is: RIP
   is behind its instruction already. */
void svm_event_put_back(struct vcpu *vcpu)
{
	uint64_t event = vcpu->svm->vmcb.exitintinfo;
	const struct svm_entered *entered = &vcpu->svm->entered;
	bool was_injected = entered->known && (uint32_t)event == (uint32_t)entered->eventinj;

	if (!was_injected && is_raised_again(event))
		return;
	vcpu->inject = (struct event){
		.valid = true,
		.type = (uint8_t)((event & EVENT_TYPE) >> EVENT_TYPE_SHIFT),
		.vector = (uint8_t)(event & EVENT_VECTOR),
		.has_error = (event & EVENT_HAS_ERROR) != 0,
		.error = (uint32_t)(event >> EVENT_ERROR_SHIFT),
	};
}
