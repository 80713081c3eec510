/* The guest state of a new VMCB: a CPU after reset. What changes while the guest runs is left to
   guest.c; the host's state needs no words here, for VMRUN and VMSAVE save it. */
#include "kernel/svm/state.h"

#include "kernel/svm/svm.h"
#include "runtime/x86.h"
#include "spec/reset.h"

/* Segment attributes after reset ("Processor Initialization State"): present, accessed. */
#define ATTRIBUTES_CODE (SVM_SEGMENT_P | SVM_SEGMENT_S | RESET_TYPE_CODE)
#define ATTRIBUTES_DATA (SVM_SEGMENT_P | SVM_SEGMENT_S | RESET_TYPE_DATA)
#define ATTRIBUTES_LDT  (SVM_SEGMENT_P | RESET_TYPE_LDT)
#define ATTRIBUTES_TSS  (SVM_SEGMENT_P | RESET_TYPE_TSS)

struct vmcb_value {
	enum svm_vmcb_index field;
	uint64_t value;
};

/* A guest starts as a CPU does after reset; what is not in the table is 0. */
static const struct vmcb_value reset_state[] = {
	{ VMCB_RIP, RESET_RIP },
	{ VMCB_RFLAGS, RFLAGS_FIXED },
	{ VMCB_DR6, DR6_RESET },
	{ VMCB_DR7, DR7_RESET },
	{ VMCB_G_PAT, RESET_PAT },
	{ VMCB_CS_SELECTOR, RESET_CS_SELECTOR },
	{ VMCB_CS_BASE, RESET_CS_BASE },
	{ VMCB_CS_LIMIT, RESET_LIMIT },
	{ VMCB_CS_ATTRIBUTES, ATTRIBUTES_CODE },
	{ VMCB_SS_LIMIT, RESET_LIMIT },
	{ VMCB_SS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_DS_LIMIT, RESET_LIMIT },
	{ VMCB_DS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_ES_LIMIT, RESET_LIMIT },
	{ VMCB_ES_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_FS_LIMIT, RESET_LIMIT },
	{ VMCB_FS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_GS_LIMIT, RESET_LIMIT },
	{ VMCB_GS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_LDTR_LIMIT, RESET_LIMIT },
	{ VMCB_LDTR_ATTRIBUTES, ATTRIBUTES_LDT },
	{ VMCB_TR_LIMIT, RESET_LIMIT },
	{ VMCB_TR_ATTRIBUTES, ATTRIBUTES_TSS },
	{ VMCB_GDTR_LIMIT, RESET_LIMIT },
	{ VMCB_IDTR_LIMIT, RESET_LIMIT },
};

void svm_state_write_guest(struct vcpu *vcpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(reset_state); i++)
		svm_vmcb_write(&vcpu->svm->vmcb, reset_state[i].field, reset_state[i].value);
	svm_set(vcpu, REG_EFER, 0);
	svm_set(vcpu, REG_CR0, RESET_CR0);
	svm_set(vcpu, REG_CR4, 0);
}
