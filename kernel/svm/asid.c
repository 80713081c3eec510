/* Address space identifiers ("TLB Control"): which guest's translations in a CPU's TLB are whose,
   and when they must be forgotten. The tables that they come from are stage2.c's. */
#include "kernel/guest_memory.h"
#include "kernel/svm/svm.h"

/* When a CPU's ASIDs have run out, all of them are given away anew, and the next VMRUN forgets
   everything that was remembered under them. A vCPU notices at its next load that its ASID is of
   an old generation. */
void svm_asid_load(struct svm_vcpu *svm)
{
	struct svm_pcpu *pcpu = svm->pcpu;

	if (likely(svm->asid_generation == pcpu->generation && pcpu->generation != 0))
		return;
	if (pcpu->next_asid >= pcpu->asids) {
		pcpu->generation++;
		pcpu->next_asid = 1; /* 0 is the host's */
	}
	svm->asid_generation = pcpu->generation;
	svm->vmcb.guest_asid = pcpu->next_asid++;
	svm_asid_flush(svm);
}

/* Whoever changed a register or a table that translations depend on, or gave the vCPU an ASID that
   another may have had in an old generation, has this called before the next VMRUN ("TLB Flush").
 */
void svm_asid_order_flush(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->svm;

	svm->flushed = __atomic_load_n(svm->flush, __ATOMIC_ACQUIRE);
	svm->vmcb.tlb_control = svm->features & SVM_EDX_FLUSH_BY_ASID ? TLB_CONTROL_FLUSH_ASID
								      : TLB_CONTROL_FLUSH_ALL;
	guest_fetch_cache_forget(&vcpu->fetch);
}
