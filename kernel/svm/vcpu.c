/* Creating a vCPU: its VMCB, filled by control.c and state.c. What changes while it runs is left to
   guest.c and event.c. */
#include "kernel/svm/control.h"
#include "kernel/svm/explain.h"
#include "kernel/svm/state.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

static const char *name_exit(const struct exit *exit)
{
	return svm_exit_name(exit->raw);
}

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
	.exit_name = name_exit,
	.explain = svm_explain,
	.explain_test = svm_explain_test,
};

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
	svm_state_write_guest(vcpu);
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
