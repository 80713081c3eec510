/* What becomes of exceptions. The memory behind page faults is vm.c's; the kernel's own exceptions
   are a panic. */
#include "guests/tinyos/fault.h"

#include "runtime/errno.h"
#include "runtime/panic.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#include "guests/tinyos/process.h"
#include "guests/tinyos/serial.h"

/* Those with a meaning of their own for the kernel: they say nothing about the program that ran. */
#define NOT_THE_PROGRAMS (BIT(VECTOR_NMI) | BIT(VECTOR_DF) | BIT(VECTOR_MC))
#define EXCEPTIONS       32

/* Exceptions of the kernel's are its own mistakes. */
static void check_origin(const struct trap_frame *frame)
{
	if ((frame->cs & 3) == 0) {
		serial_flush();
		panic_trap(frame);
	}
}

static void handle_exception(struct trap_frame *frame)
{
	struct process *process = process_current();

	check_origin(frame);
	serial_print("tinyos: process %d (%s) killed: %s at %#lx\n", process->pid, process->name,
		trap_name((uint8_t)frame->vector), frame->rip);
	process_exit(STATUS_EXCEPTION | (int)frame->vector);
}

static const char *access_name(uint64_t error)
{
	if (error & PF_FETCH)
		return "execute";
	return error & PF_WRITE ? "write" : "read";
}

static void handle_page_fault(struct trap_frame *frame)
{
	struct process *process = process_current();
	uint64_t address = read_cr2();
	int error;

	check_origin(frame);
	error = vm_fault(&process->vm, address, frame->error);
	if (error == 0)
		return;
	serial_print("tinyos: process %d (%s) killed: %s at 0x%lx: may not %s 0x%lx\n",
		process->pid, process->name, error == -ENOMEM ? "out of memory" : "#PF", frame->rip,
		access_name(frame->error), address);
	process_exit(STATUS_EXCEPTION | VECTOR_PF);
}

void fault_init(void)
{
	for (uint8_t vector = 0; vector < EXCEPTIONS; vector++)
		if (!(NOT_THE_PROGRAMS & BIT(vector)))
			trap_set_handler(vector, handle_exception);
	trap_set_handler(VECTOR_PF, handle_page_fault);
}
