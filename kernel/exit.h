/* The exit policy: what a guest gets for each exit, whichever vendor's hardware reported it. */
#ifndef KERNEL_EXIT_H
#define KERNEL_EXIT_H

#include "kernel/backend.h"

struct vcpu;

/* The policy: a function for each kind, which emulates, injects, or ends the VM. */
extern void (*const exit_handlers[EXIT_KINDS])(struct vcpu *vcpu, const struct exit *exit);

/* Does what the exit asks for. */
static inline void exit_handle(struct vcpu *vcpu, const struct exit *exit)
{
	exit_handlers[exit->kind](vcpu, exit);
}

/* The parts of the policy, one per file. Each emulates the instruction that made the exit and steps over
   it, or queues the exception that it makes on this virtual CPU. */
void guest_cpuid(struct vcpu *vcpu, const struct exit *exit);
void guest_rdmsr(struct vcpu *vcpu, const struct exit *exit);
void guest_wrmsr(struct vcpu *vcpu, const struct exit *exit);
void guest_cr_access(struct vcpu *vcpu, const struct exit *exit);
void guest_xsetbv(struct vcpu *vcpu, const struct exit *exit);
void guest_io(struct vcpu *vcpu, const struct exit *exit);
void guest_task_switch(struct vcpu *vcpu, const struct exit *exit);
void guest_hypercall(struct vcpu *vcpu, const struct exit *exit);

/* The CR4 bits that this virtual CPU has, from the CPUID that its guest sees. A back end lets no
   other bit reach the hardware without an exit. */
uint64_t guest_cr4_allowed(void);

#endif
