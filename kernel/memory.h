/* A virtual machine's memory: which guest-physical addresses are RAM, and the host's pages behind
   them, which are taken and zeroed when they are first touched. Device registers are mmio.c's. */
#ifndef KERNEL_MEMORY_H
#define KERNEL_MEMORY_H

#include "kernel/backend.h"

struct vm;
struct vcpu;

/* Promises vm->memory_size bytes to the VM and makes its stage-2 map, with nothing in it but the
   ROM area below 1 MiB, which reads all ones. 0, or -ENOMEM: there is not as much free memory. */
int memory_init(struct vm *vm);

/* Gives all of it back. */
void memory_destroy(struct vm *vm);

/* Is [gpa, gpa + 4 KiB) the VM's RAM? */
bool memory_is_ram(const struct vm *vm, uint64_t gpa);

/* Where the byte at gpa lies in the host, populated if it was not; good to the end of its 4 KiB page.
   NULL where the VM has no memory, or with `write` where it may not write. */
void *memory_host_pointer(struct vm *vm, uint64_t gpa, bool write);

/* Answers a stage-2 fault at gpa: 0 when there is memory now, so that the guest can try again;
   -EFAULT when the VM has none there, or may not do that. */
int memory_fault(struct vm *vm, const struct exit *exit);

#endif
