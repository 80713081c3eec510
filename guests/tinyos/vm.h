/* The address space of a process: its own 4-level page tables, in which the lower part is the
   kernel's, the same for all and out of reach at CPL 3, and USER_BASE up is the program's.
   Memory is given at the first touch; what a fork shares is copied at the first write. */
#ifndef TINYOS_VM_H
#define TINYOS_VM_H

#include "guests/tinyos/abi.h"

struct vm {
	uint64_t *root;      /* the PML4 table, or NULL: no address space */
	uint64_t heap_start; /* the heap is [heap_start, heap_end), moved by vm_move_heap() */
	uint64_t heap_end;
	uint64_t pages;    /* of the program, mapped now */
	uint64_t promised; /* heap pages not touched yet, promised by the page allocator */
};

/* Remembers the kernel's tables, those in use. Called once, first. */
void vm_init(void);

/* An address space with nothing of a program in it; and its end. 0 or -ENOMEM. */
int vm_create(struct vm *vm);
void vm_destroy(struct vm *vm);

/* Makes child the same as parent, which is the address space in use. 0, or -ENOMEM: it is to be
   destroyed then. */
int vm_fork(struct vm *child, struct vm *parent);

/* Uses that address space; NULL: only the kernel's part. */
void vm_load(const struct vm *vm);

/* Rights of a page of the program. */
#define VM_WRITE   BIT(0)
#define VM_EXECUTE BIT(1)

/* Gives the page at address (page aligned, not mapped yet) and returns it for filling in;
   NULL when memory has run out. */
void *vm_map(struct vm *vm, uint64_t address, unsigned int rights);

/* A program touched address and got #PF with that error code. Returns 0 when it may try again,
   -EFAULT when it had no right to, -ENOMEM. */
int vm_fault(struct vm *vm, uint64_t address, uint64_t error);

/* Makes [address, address + size) of the program safe to touch for the kernel. Returns 0, -EFAULT
   or -ENOMEM. */
int vm_prepare(struct vm *vm, uint64_t address, uint64_t size, bool write);

/* Moves the heap's end by signed bytes. Returns 0, -EINVAL, or -ENOMEM when the sum of all
   promises would exceed the memory there is. */
int vm_move_heap(struct vm *vm, int64_t bytes);

#endif
