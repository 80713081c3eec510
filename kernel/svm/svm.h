/* What the files of the AMD-V back end share: the part of a vCPU that is AMD-V's own, and the
   functions that one file offers to the others. Everybody else sees kernel/backend.h only. */
#ifndef KERNEL_SVM_SVM_H
#define KERNEL_SVM_SVM_H

/* Offsets in struct svm_vcpu, for run.S. */
#define SVM_VCPU_RAX  0x5f8
#define SVM_VCPU_HOST 0x1000

#ifndef __ASSEMBLER__

#include "kernel/backend.h"
#include "kernel/vcpu.h"
#include "spec/svm.h"

/* What belongs to a physical CPU. */
struct svm_pcpu {
	struct svm_vmcb
		*host;       /* what VMSAVE saved of the host: FS, GS, TR, LDTR, system-call MSRs */
	void *save_area;     /* the page that VM_HSAVE_PA names: the CPU's own */
	uint64_t generation; /* of ASIDs: a new one begins when they have run out */
	uint32_t next_asid;  /* the next one of this generation */
	uint32_t asids;      /* how many the CPU has, the host's 0 among them */
};

/* The guest state that VMRUN's checks look at, as it was entered with: a CPU that refuses it may
   leave other values in the VMCB. */
struct svm_entered {
	bool known;
	uint64_t eventinj, efer;
	struct svm_segment cs;
	uint64_t registers[7]; /* CR4, CR3, CR0, DR7, DR6, RFLAGS, RIP: in a row in the VMCB */
};

/* What belongs to a vCPU: two pages, of which the first is the hardware's. */
struct svm_vcpu {
	struct svm_vmcb vmcb;
	struct svm_vmcb *host;      /* pcpu's, for run.S */
	struct svm_pcpu *pcpu;      /* of the CPU that it runs on, for good */
	uint64_t armed;             /* the deadline that the APIC's timer is armed for; 0: none */
	const uint64_t *flush;      /* the stage-2 map's flush count; differs from flushed: flush */
	uint64_t flushed;           /* that count at the last flush */
	uint64_t asid_generation;   /* that its ASID is of */
	uint64_t hidden_cr0;        /* bits that the guest has set and the hardware does not see */
	uint64_t no_stage2_flush;   /* what flush points at without a stage-2 map */
	uint32_t features;          /* CPUID's SVM_EDX_* */
	struct svm_entered entered; /* at the last entry that prepared something; else not known */
};
#define SVM_VCPU_ORDER 1 /* of page_alloc() */
_Static_assert(sizeof(struct svm_vcpu) <= PAGE_SIZE << SVM_VCPU_ORDER, "two pages");

_Static_assert(offsetof(struct svm_vcpu, vmcb.rax) == SVM_VCPU_RAX, "run.S");
_Static_assert(offsetof(struct svm_vcpu, host) == SVM_VCPU_HOST, "run.S");

/* run.S: enters the guest, and at its next exit goes on with svm_decode(), which returns to the
   caller. Interrupts are off before and after. "VMRUN Instruction" */
void svm_run(struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit);

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

/* exit.c: puts what the CPU reports into *exit, and what the exit cut short into vcpu->inject. */
void svm_decode(struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit);

/* cr.c: what instruction made a control-register exit. code: VMEXIT_CR_READ ... or CR0_SEL_WRITE.
 */
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

/* Lets the next VMRUN forget the guest's translations. */
static inline void svm_asid_flush(struct svm_vcpu *svm)
{
	svm->flushed = ~*svm->flush;
}

/* A flush is due. */
static inline bool svm_asid_must_flush(const struct svm_vcpu *svm)
{
	return __atomic_load_n(svm->flush, __ATOMIC_ACQUIRE) != svm->flushed;
}

/* asid.c: orders the flush that is due: TLB_CONTROL, and what software remembers. */
void svm_asid_order_flush(struct vcpu *vcpu);

/* stage2.c */
extern const struct stage2_format svm_stage2_format;
void svm_stage2_flush(struct stage2 *stage2);

/* explain.c */
void svm_explain(struct vcpu *vcpu);

#endif
#endif
