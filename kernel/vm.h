/* A virtual machine: its memory, its devices, its virtual CPU, and what its command line asked for. */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "kernel/dev/pic.h"
#include "kernel/dev/pit.h"
#include "kernel/dev/uart.h"
#include "kernel/stage2.h"
#include "kernel/vcpu.h"

#define VM_MAX	    16
#define VM_NAME_MAX 16

enum vm_state { VM_RUNNING, VM_POWERED_OFF, VM_DIED };

struct vm {
	unsigned int number; /* 0 ... VM_MAX - 1, in the order of the modules */
	char name[VM_NAME_MAX];
	enum vm_state state;
	int status;	      /* that it powered off with; 0 is success */
	uint64_t memory_size; /* bytes, at guest-physical 0 */
	bool use_stage2;
	struct stage2 stage2;
	struct vcpu vcpu;
	struct pic pic;
	struct pit pit;
	struct uart uart;
	uint8_t port61; /* system control port B */
};

extern unsigned int vm_count;
extern struct vm *vm_list[VM_MAX];

#endif
