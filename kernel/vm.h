/* A virtual machine: its memory, its devices, its virtual CPU, and what its command line asked for. */
#ifndef KERNEL_VM_H
#define KERNEL_VM_H

#include "kernel/dev/pic.h"
#include "kernel/dev/pit.h"
#include "kernel/dev/uart.h"
#include "kernel/stage2.h"
#include "kernel/vcpu.h"
#include "runtime/boot.h"

#define VM_MAX	    BOOT_MAX_MODULES
#define VM_NAME_MAX 16 /* bytes, with the final NUL */
#define VM_INPUT    256 /* bytes; a power of two */
#define VM_LINE	    240 /* bytes of one line of output that are kept together */

enum vm_state { VM_RUNNING, VM_POWERED_OFF, VM_DIED };

/* What was taken for a VM's memory: addresses, with the stage-2 level (1-3) in the low bits. */
struct memory_blocks {
	struct memory_blocks *next;
	uint64_t count;
	uint64_t block[510];
};

struct vm {
	unsigned int number; /* 0 ... VM_MAX - 1, in the order of the modules */
	char name[VM_NAME_MAX];
	char guest_cmdline[BOOT_CMDLINE_MAX];
	const struct boot_module *module;
	unsigned int cpu; /* number of the physical CPU it runs on */
	enum vm_state state;
	int status; /* that it powered off with; 0 is success */
	uint32_t told; /* by HYPERCALL_TELL */

	uint64_t memory_size;	 /* bytes, at guest-physical 0 */
	unsigned int page_level; /* granule in which memory is populated: 1, 2, 3 (4 KiB, 2 MiB, 1 GiB) */
	bool use_stage2;
	struct stage2 stage2;
	struct memory_blocks *blocks;
	uint64_t pages_promised;
	uint64_t direct_base; /* without stage 2: where in the host its memory was taken, or 0 */

	struct vcpu vcpu;
	struct pic pic;
	struct pit pit;
	struct uart uart;

	/* Console: what was typed for it, written by CPU 0 only, and the line it is printing. */
	uint8_t input[VM_INPUT];
	uint32_t input_in, input_out; /* counts since the start */
	char line[VM_LINE];
	unsigned int line_length;
};

extern unsigned int vm_count, vm_running;
extern struct vm *vm_list[VM_MAX];

/* Makes a VM of each boot module, as its command line says; nothing is loaded yet.
   Returns 0, or an error after printing "trapeze: error: ...". */
int vm_create_all(bool use_stage2, unsigned int cpus);

/* Gives vm its memory and vCPU on the calling CPU and loads its guest. 0 or an error, printed. */
int vm_start(struct vm *vm);

/* Gives back all that vm_start() took; what the VM's end left to report stays. */
void vm_release(struct vm *vm);

/* Brings vm's devices up to `now` (TSC): timer edges, typed characters. */
void vm_update(struct vm *vm, uint64_t now);

/* The timer's part of it: before the guest looks at the PIC or PIT or changes them, for an edge
   that has come is older than what it does. */
void vm_update_timer(struct vm *vm, uint64_t now);

/* Drives the PIC's input from the UART's output. */
void vm_update_uart_irq(struct vm *vm);

/* The guest ended itself, with status (0: success). */
void vm_power_off(struct vm *vm, int status);

/* The guest cannot go on: prints why and its last state. The others run on. */
void vm_die(struct vm *vm, const char *format, ...) __printf(2, 3);

#endif
