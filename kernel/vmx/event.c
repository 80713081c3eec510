/* Events between the neutral struct event and the words of the VMCS: injection at the next VM
   entry, and delivery that an exit cut short. When an event may be injected is left to policy. */
#include "kernel/vmx/vmx.h"

/* Types whose delivery pushes the address after the instruction, so that its length counts. */
#define TYPES_WITH_LENGTH                                                                          \
	(BIT(INTERRUPTION_SOFTWARE) | BIT(INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION) |            \
		BIT(INTERRUPTION_SOFTWARE_EXCEPTION))

_Static_assert((int)EVENT_INTERRUPT == (int)INTERRUPTION_EXTERNAL, "numbered as in the VMCS");
_Static_assert((int)EVENT_NMI == (int)INTERRUPTION_NMI, "numbered as in the VMCS");
_Static_assert(
	(int)EVENT_EXCEPTION == (int)INTERRUPTION_HARDWARE_EXCEPTION, "numbered as in the VMCS");
_Static_assert((int)EVENT_SOFTWARE == (int)INTERRUPTION_SOFTWARE, "numbered as in the VMCS");

/* Puts vcpu->inject, which is valid, into the fields from which VM entry delivers it ("VM-Entry
   Controls for Event Injection"; INTERRUPTION_*), and makes it invalid: information word with valid
   bit, type and vector; the error code where the event has one, which in real mode (GUEST_CR0 has
   PE 0) none has; the instruction's length for the types that push the address behind it
   (TYPES_WITH_LENGTH). */
void vmx_event_inject(struct vcpu *vcpu)
{
	const struct event *event = &vcpu->inject;
	bool has_error = event->has_error && (vmread(VMCS_GUEST_CR0) & CR0_PE);

	if (has_error)
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR_CODE, event->error);
	if (BIT(event->type) & TYPES_WITH_LENGTH)
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, event->len);
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(event->type, INTERRUPTION_TYPE) |
			(has_error ? INTERRUPTION_HAS_ERROR : 0) | event->vector);
	vcpu->inject.valid = false;
}

/* An event as an interruption-information field has it, but for error code and length. */
static struct event decode_event(uint64_t info)
{
	return (struct event){
		.valid = true,
		.type = FIELD_GET(info, INTERRUPTION_TYPE),
		.vector = FIELD_GET(info, INTERRUPTION_VECTOR),
		.has_error = info & INTERRUPTION_HAS_ERROR,
	};
}

struct event vmx_event_of_exit(uint64_t info)
{
	struct event event = decode_event(info);

	if (event.has_error)
		event.error = vmread(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
	if (BIT(event.type) & TYPES_WITH_LENGTH)
		event.len = vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	return event;
}

/* "Information for VM Exits That Occur During Event Delivery" */
void vmx_event_put_back(struct vcpu *vcpu, uint64_t info)
{
	struct event event = decode_event(info);

	if (event.has_error)
		event.error = vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	if (BIT(event.type) & TYPES_WITH_LENGTH)
		event.len = vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
	/* An NMI under delivery blocks NMIs; it is not to block itself. */
	if (event.type == EVENT_NMI)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
			vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) & ~INTERRUPTIBILITY_NMI);
	vcpu->inject = event;
}

void vmx_event_block_nmi(void)
{
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE,
		vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_NMI);
}
