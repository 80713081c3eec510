/* The walk of a guest's own page tables in software, with what it read on the way.
   What the registers are and where guest memory lies is the caller's. */
#ifndef KERNEL_GUEST_WALK_H
#define KERNEL_GUEST_WALK_H

#include "kernel/guest_memory.h"

#define GUEST_WALK_LEVELS 4

/* What decides a translation. */
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer, rflags;
};

struct guest_walk {
	uint64_t gpa;
	unsigned int levels; /* entries that were read: from the top, the first `levels` of: */
	struct {
		uint64_t gpa;   /* where it lies; a 32-bit one: the 8 bytes around it */
		uint64_t value; /* of the 8 bytes */
	} entry[GUEST_WALK_LEVELS];
};

/* Translates linear for an access (GUEST_* of guest_memory.h) in vm's memory.
   0; -EFAULT and *fault; -EIO when a table lies outside the VM's memory. */
int guest_walk(struct vm *vm, const struct guest_paging *paging, uint64_t linear,
	unsigned int access, struct guest_walk *walk, struct guest_fault *fault);

#endif
