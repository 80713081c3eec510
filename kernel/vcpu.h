/* A virtual CPU: the registers that the hardware leaves to software, what is to be delivered next,
   and the back end's own part. The VM around it is in vm.h. */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/backend.h"
#include "kernel/guest_memory.h"
#include "kernel/progress.h"
#include "kernel/stats.h"
#include "kernel/switched.h"

struct vm;
struct vmx_vcpu;
struct svm_vcpu;

/* Indices of vcpu.gpr, as instructions encode registers. gpr[GPR_RSP] is unused: REG_RSP. */
enum gpr {
	GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
	GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
	GPRS
};

struct vcpu {
	uint64_t gpr[GPRS]; /* first: the world switch addresses it */
	struct vm *vm;
	unsigned int cpu;	/* number of the physical CPU it runs on, for good */
	bool halted;		/* in HLT: enter only to deliver an event */
	bool stopped;		/* ended: never enter again */
	bool kill;		/* the user wants it ended: seen at its next tick */
	bool attention;		/* vcpu_run() looks at all this, the PIC and the clock before it enters */
	uint64_t entered;	/* TSC just before enter() */
	uint64_t deadline;	/* TSC by which enter() must return with EXIT_TICK */
	struct event inject;	/* delivered by the next enter() */
	bool irq_window;	/* a window is being waited for */
	bool yielded;		/* gave the rest of its time slice away */
	uint64_t cr8;		/* the task priority the guest set; it has no local APIC */
	struct vcpu_switched switched;
	struct exit_stats stats;
	struct progress progress;
	struct guest_fetch_cache fetch; /* for back ends that must decode */
	struct vmx_vcpu *vmx; /* the one of the back end in use */
	struct svm_vcpu *svm;
};

/* Creates vcpu (zeroed memory) for vm on the calling CPU. 0 or an error. */
int vcpu_create(struct vcpu *vcpu, struct vm *vm);
void vcpu_destroy(struct vcpu *vcpu);

/* Runs vcpu on the calling CPU until it stops, halts, yields, or `until` (a TSC value) has passed. */
void vcpu_run(struct vcpu *vcpu, uint64_t until);

/* Is there something to run: not stopped, and not halted without an interrupt to wake it? */
bool vcpu_is_runnable(const struct vcpu *vcpu);

/* Does it execute 64-bit code? */
bool vcpu_is_64bit(struct vcpu *vcpu);

/* Queues an exception for the next entry, in vcpu->inject. With one there already, whose delivery
   failed, they combine ("Interrupt 8 - Double Fault Exception (#DF)"): two contributory ones, or a
   page fault and then either, are #DF with error code 0; any on top of #DF is a triple fault, and
   ends the VM (vm_die()). RFLAGS.RF is as vcpu_set_resume_flag() leaves it. error counts where the
   vector has an error code and CR0.PE is set: real mode pushes none. */
void vcpu_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error);

/* Sets RFLAGS.RF when the exception of that vector is a fault, as its delivery is to push it. For
   vcpu->inject that is filled otherwise. */
void vcpu_set_resume_flag(struct vcpu *vcpu, uint8_t vector);

/* Registers through the back end. */
static inline uint64_t vcpu_get(struct vcpu *vcpu, enum reg reg)
{
	return backend->get(vcpu, reg);
}

static inline void vcpu_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
	backend->set(vcpu, reg, value);
}

/* Prints all state by name. */
void vcpu_dump(struct vcpu *vcpu);

#endif
