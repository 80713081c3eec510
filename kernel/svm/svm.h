/* What the files of the AMD-V back end share: the part of a vCPU that is AMD-V's own, and the
   functions that one file offers to the others. Everybody else sees kernel/backend.h only. */
#ifndef KERNEL_SVM_SVM_H
#define KERNEL_SVM_SVM_H

#include "kernel/backend.h"
#include "kernel/vcpu.h"
#include "spec/svm.h"

/* What belongs to a physical CPU. */
struct svm_pcpu {
	struct svm_vmcb *host; /* what VMSAVE saved of the host: FS, GS, TR, LDTR, system-call MSRs */
	void *save_area;       /* the page that VM_HSAVE_PA names: the CPU's own */
	uint64_t armed;	       /* the deadline that the APIC's timer is armed for; 0: none */
	uint64_t generation;   /* of ASIDs: a new one begins when they have run out */
	uint32_t next_asid;    /* the next one of this generation */
	uint32_t asids;	       /* how many the CPU has, the host's 0 among them */
};

/* What belongs to a vCPU. */
struct svm_vcpu {
	struct svm_vmcb *vmcb;
	struct svm_pcpu *pcpu;	  /* of the CPU that it runs on, for good */
	const uint64_t *flush;	  /* the stage-2 map's flush count; differs from flushed: flush */
	uint64_t flushed;	  /* that count at the last flush */
	uint64_t asid_generation; /* that its ASID is of */
	uint64_t hidden_cr0;	  /* bits that the guest has set and the hardware does not see */
	uint64_t eventinj;	  /* EVENTINJ at the last entry: the CPU clears its own */
	uint64_t no_stage2_flush; /* what flush points at without a stage-2 map */
	uint32_t features;	  /* CPUID's SVM_EDX_* */
};

/* run.S: enters the guest and comes back at its next exit, with interrupts off. Guest RAX is in
   the VMCB before and after. "VMRUN Instruction" */
void svm_run(struct vcpu *vcpu, struct svm_vmcb *vmcb, struct svm_vmcb *host);

/* The guest runs 64-bit code. */
static inline bool svm_is_64bit(const struct svm_vmcb *vmcb)
{
	return (vmcb->efer & EFER_LMA) && (vmcb->cs.attributes & SVM_SEGMENT_L);
}

static inline void svm_intercept(struct svm_vmcb *vmcb, enum svm_intercept intercept, bool wanted)
{
	uint32_t bit = (uint32_t)BIT(intercept % 32);

	if (wanted)
		vmcb->intercept[intercept / 32] |= bit;
	else
		vmcb->intercept[intercept / 32] &= ~bit;
}

/* on.c */
int svm_check(bool stage2);
int svm_cpu_on(void);
void svm_cpu_off(void);

/* The calling CPU's. */
struct svm_pcpu *svm_pcpu_this(void);

/* vcpu.c */
int svm_vcpu_create(struct vcpu *vcpu);
void svm_vcpu_destroy(struct vcpu *vcpu);
void svm_load(struct vcpu *vcpu);

/* exit.c */
void svm_enter(struct vcpu *vcpu, struct exit *exit);

/* cr.c: what instruction made a control-register exit. code: VMEXIT_CR_READ ... or CR0_SEL_WRITE. */
void svm_decode_cr(struct vcpu *vcpu, struct exit *exit);

/* event.c: puts vcpu->inject where the next VMRUN delivers it, and takes it out of vcpu. */
void svm_event_inject(struct vcpu *vcpu);

/* event.c: what an exit cut short goes back into vcpu->inject. */
void svm_event_put_back(struct vcpu *vcpu);

/* guest.c */
uint64_t svm_get(struct vcpu *vcpu, enum reg reg);
void svm_set(struct vcpu *vcpu, enum reg reg, uint64_t value);
void svm_advance(struct vcpu *vcpu, const struct exit *exit);
void svm_irq_window(struct vcpu *vcpu, bool wanted);

/* asid.c: gives svm an ASID of its CPU's current generation. */
void svm_asid_load(struct svm_vcpu *svm);

/* asid.c: lets the next VMRUN forget the guest's translations. */
static inline void svm_asid_flush(struct svm_vcpu *svm)
{
	svm->flushed = ~*svm->flush;
}

/* asid.c: the value of TLB_CONTROL for a flush that is due, which then is no more. */
enum svm_tlb_control svm_asid_flush_command(struct svm_vcpu *svm);

/* stage2.c */
extern const struct stage2_format svm_stage2_format;
void svm_stage2_flush(struct stage2 *stage2);

/* explain.c */
void svm_explain(struct vcpu *vcpu);

#endif
