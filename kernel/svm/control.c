/* The control area of a VMCB, from one const table: what makes a guest exit. The permission maps
   that some intercepts refer to are left to permission.c, the ASID to asid.c. */
#include "kernel/svm/control.h"

#include "kernel/svm/permission.h"

/* What is not named does not exit. A CPU ignores the bits of intercepts that it does not have. */
static const uint8_t intercepts[] = {
	/* The host's: they end a run. */
	INTERCEPT_INTR,
	INTERCEPT_NMI,
	INTERCEPT_SMI,
	INTERCEPT_INIT,
	/* A machine check is the machine's: it must not end up in a guest. */
	INTERCEPT_EXCP + VECTOR_MC,
	/* A guest whose handler of one of these raises it again would never reach an instruction's
	   end, and no interrupt of the host's would get through. */
	INTERCEPT_EXCP + VECTOR_DB,
	INTERCEPT_EXCP + VECTOR_AC,
	/* The guest can take an interrupt: only with V_INTR_IRQ, see svm_irq_window(). */
	INTERCEPT_VINTR,
	INTERCEPT_SHUTDOWN,
	/* What the hypervisor answers. Reads of CR0 only while they would show too little: guest.c.
	 */
	INTERCEPT_CPUID,
	INTERCEPT_HLT,
	INTERCEPT_IOIO,
	INTERCEPT_MSR,
	INTERCEPT_CR0_SEL_WRITE,
	INTERCEPT_CR_WRITE + 4,
	INTERCEPT_XSETBV,
	INTERCEPT_VMMCALL,
	/* What would reach the machine's caches. */
	INTERCEPT_INVD,
	INTERCEPT_WBINVD,
	/* What the CPUID that the guest sees does not offer. VMRUN requires its own. */
	INTERCEPT_VMRUN,
	INTERCEPT_VMLOAD,
	INTERCEPT_VMSAVE,
	INTERCEPT_STGI,
	INTERCEPT_CLGI,
	INTERCEPT_SKINIT,
	INTERCEPT_INVLPGA,
	INTERCEPT_MONITOR,
	INTERCEPT_MWAIT,
	INTERCEPT_RDPMC,
	INTERCEPT_RDPRU,
	INTERCEPT_INVLPGB,
	INTERCEPT_INVLPGB_ILLEGAL,
	INTERCEPT_MCOMMIT,
	INTERCEPT_TLBSYNC,
};

void svm_control_write(struct svm_vmcb *vmcb, bool stage2, uint64_t n_cr3)
{
	for (size_t i = 0; i < ARRAY_SIZE(intercepts); i++)
		svm_intercept(vmcb, intercepts[i], true);
	vmcb->iopm_base_pa = (uint64_t)svm_permission_io(stage2);
	vmcb->msrpm_base_pa = (uint64_t)svm_permission_msr();
	/* The guest's RFLAGS.IF and CR8 hold back its own interrupts only, not the host's. */
	vmcb->v_intr = V_INTR_MASKING;
	if (stage2) {
		vmcb->nested_control = NESTED_NP_ENABLE;
		vmcb->n_cr3 = n_cr3;
	}
}
