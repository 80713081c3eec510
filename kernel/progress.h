/* Finds a guest that stays at one instruction because what emulates it never steps over it. What an
   instruction does is not looked at: only where the guest is when it is entered again. */
#ifndef KERNEL_PROGRESS_H
#define KERNEL_PROGRESS_H

#include "runtime/compiler.h"

struct vcpu;

/* What has been seen of a virtual CPU; all 0 at its start. */
struct progress {
	bool due;           /* progress_check() has something to look at: a tick, or a watched guest */
	bool watched;       /* each entry is looked at, not only the one after a tick */
	unsigned int times; /* ticks at the instruction of the exit before; then entries at it */
};

/* Before an entry, where vcpu->progress.due: after a tick, whose handler sets it, and after each
   exit while the guest is watched (it then keeps that and vcpu->attention set). Ends the VM when it
   was entered a thousand times at the instruction that had just made an exit. */
void progress_check(struct vcpu *vcpu);

#endif
