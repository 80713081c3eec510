/* Creating a vCPU: its VMCB with the guest state of a CPU after reset, and the controls. What
   changes while it runs is left to guest.c and event.c. */
#include "kernel/svm/control.h"
#include "kernel/svm/explain.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

const struct backend svm_backend = {
	.name = "AMD-V",
	.stage2_format = &svm_stage2_format,
	.check = svm_check,
	.cpu_on = svm_cpu_on,
	.cpu_off = svm_cpu_off,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.load = svm_load,
	.enter = svm_enter,
	.get = svm_get,
	.set = svm_set,
	.advance = svm_advance,
	.irq_window = svm_irq_window,
	.stage2_flush = svm_stage2_flush,
	.explain = svm_explain,
	.explain_test = svm_explain_test,
};

/* Segment attributes after reset ("Processor Initialization State"): present, accessed. */
#define ATTRIBUTES_CODE (SVM_SEGMENT_P | SVM_SEGMENT_S | 11) /* execute, read, accessed */
#define ATTRIBUTES_DATA (SVM_SEGMENT_P | SVM_SEGMENT_S | 3)  /* read, write, accessed */
#define ATTRIBUTES_LDT  (SVM_SEGMENT_P | 2)
#define ATTRIBUTES_TSS  (SVM_SEGMENT_P | 11) /* 32-bit or 64-bit TSS, busy */
#define LIMIT_64K       0xffff

struct vmcb_value {
	enum svm_vmcb_index field;
	uint64_t value;
};

/* A guest starts as a CPU does after reset; what is not in the table is 0. */
static const struct vmcb_value reset_state[] = {
	{ VMCB_RIP, 0xfff0 },
	{ VMCB_RFLAGS, RFLAGS_FIXED },
	{ VMCB_DR6, DR6_RESET },
	{ VMCB_DR7, DR7_RESET },
	{ VMCB_G_PAT, PAT_RESET },
	{ VMCB_CS_SELECTOR, 0xf000 },
	{ VMCB_CS_BASE, 0xffff0000 },
	{ VMCB_CS_LIMIT, LIMIT_64K },
	{ VMCB_CS_ATTRIBUTES, ATTRIBUTES_CODE },
	{ VMCB_SS_LIMIT, LIMIT_64K },
	{ VMCB_SS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_DS_LIMIT, LIMIT_64K },
	{ VMCB_DS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_ES_LIMIT, LIMIT_64K },
	{ VMCB_ES_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_FS_LIMIT, LIMIT_64K },
	{ VMCB_FS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_GS_LIMIT, LIMIT_64K },
	{ VMCB_GS_ATTRIBUTES, ATTRIBUTES_DATA },
	{ VMCB_LDTR_LIMIT, LIMIT_64K },
	{ VMCB_LDTR_ATTRIBUTES, ATTRIBUTES_LDT },
	{ VMCB_TR_LIMIT, LIMIT_64K },
	{ VMCB_TR_ATTRIBUTES, ATTRIBUTES_TSS },
	{ VMCB_GDTR_LIMIT, LIMIT_64K },
	{ VMCB_IDTR_LIMIT, LIMIT_64K },
};

/* Guest state, with the control registers through the filter that set() is. */
static void write_guest_state(struct vcpu *vcpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(reset_state); i++)
		svm_vmcb_write(&vcpu->svm->vmcb, reset_state[i].field, reset_state[i].value);
	svm_set(vcpu, REG_EFER, 0);
	svm_set(vcpu, REG_CR0, CR0_CD | CR0_NW | CR0_ET);
	svm_set(vcpu, REG_CR4, 0);
}

int svm_vcpu_create(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = page_alloc_zeroed(SVM_VCPU_ORDER);
	bool stage2 = vcpu->vm->use_stage2;

	if (!svm)
		return -ENOMEM;
	svm->pcpu = svm_pcpu_this();
	svm->host = svm->pcpu->host;
	svm->features = cpuid(CPUID_EXT_SVM, 0).edx;
	svm->flush = stage2 ? &vcpu->vm->stage2.flush : &svm->no_stage2_flush;
	vcpu->svm = svm;
	svm_control_write(&svm->vmcb, stage2, (uint64_t)vcpu->vm->stage2.root);
	write_guest_state(vcpu);
	return 0;
}

void svm_vcpu_destroy(struct vcpu *vcpu)
{
	page_free(vcpu->svm, SVM_VCPU_ORDER);
	vcpu->svm = NULL;
}

void svm_load(struct vcpu *vcpu)
{
	svm_asid_load(vcpu->svm);
	/* The timer may have fired for somebody else: arm it anew. */
	vcpu->svm->armed = 0;
}
