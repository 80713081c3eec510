/* What the files of the VT-x back end share: the part of a vCPU that is VT-x's own, and the
   functions that one file offers to the others. Everybody else sees kernel/backend.h only. */
#ifndef KERNEL_VMX_VMX_H
#define KERNEL_VMX_VMX_H

/* Offsets in struct vmx_vcpu, for run.S. */
#define VMX_VCPU_HOST_RSP 0
#define VMX_VCPU_LAUNCHED 8

#ifndef __ASSEMBLER__

#include "kernel/backend.h"
#include "kernel/vcpu.h"
#include "kernel/vmx/vmcs.h"

struct vmx_vcpu {
	uint64_t host_rsp;   /* what HOST_RSP holds: run.S writes it only when it changes */
	uint64_t launched;   /* not 0: the VMCS's launch state is "launched", so VMRESUME */
	uint32_t proc;       /* what PROC_CONTROLS holds */
	uint8_t timer_shift; /* the preemption timer counts once in 2^timer_shift TSC ticks */
	struct vmcs_region *vmcs;
};

_Static_assert(offsetof(struct vmx_vcpu, host_rsp) == VMX_VCPU_HOST_RSP, "run.S");
_Static_assert(offsetof(struct vmx_vcpu, launched) == VMX_VCPU_LAUNCHED, "run.S");

/* run.S: enters the guest of vcpu, whose VMCS is current, and comes back at its next exit.
   Returns 0, or 1 when VMLAUNCH or VMRESUME failed and nothing ran. Interrupts are off. */
int vmx_run(struct vcpu *vcpu, struct vmx_vcpu *vmx);

/* run.S: where the CPU goes on after an exit, for HOST_RIP. Not a function to call. */
void vmx_exit(void);

/* on.c */
int vmx_check(bool stage2);
int vmx_cpu_on(void);
void vmx_cpu_off(void);

/* vcpu.c */
int vmx_vcpu_create(struct vcpu *vcpu);
void vmx_vcpu_destroy(struct vcpu *vcpu);
void vmx_load(struct vcpu *vcpu);

/* exit.c */
void vmx_enter(struct vcpu *vcpu, struct exit *exit);
const char *vmx_exit_name(const struct exit *exit);

/* event.c: puts vcpu->inject where the next VM entry delivers it, and takes it out of vcpu. */
void vmx_event_inject(struct vcpu *vcpu);

/* event.c: what an exit cut short goes back into vcpu->inject. info: IDT_VECTORING_INFORMATION,
   valid. */
void vmx_event_put_back(struct vcpu *vcpu, uint64_t info);

/* event.c: the event that an interruption-information field (of an exit) describes. */
struct event vmx_event_of_exit(uint64_t info);

/* event.c: an IRET that faulted had unblocked NMIs; blocks them again ("Resuming Guest Software
   after Handling an Exception"). */
void vmx_event_block_nmi(void);

/* guest.c */
uint64_t vmx_get(struct vcpu *vcpu, enum reg reg);
void vmx_set(struct vcpu *vcpu, enum reg reg, uint64_t value);
void vmx_advance(struct vcpu *vcpu, const struct exit *exit);
void vmx_irq_window(struct vcpu *vcpu, bool wanted);

/* stage2.c */
extern const struct stage2_format vmx_stage2_format;
uint64_t vmx_eptp(const struct stage2 *stage2);
void vmx_stage2_flush(struct stage2 *stage2);

/* stage2.c: makes the calling CPU forget what it translated under that VPID. */
void vmx_forget_vpid(uint16_t vpid);

/* explain.c */
void vmx_explain(struct vcpu *vcpu);

#endif
#endif
