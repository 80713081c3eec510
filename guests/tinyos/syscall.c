/* The system calls: arguments that point into the program's memory are checked here, the work is
   done by those who own it. */
#include "guests/tinyos/syscall.h"

#include "runtime/errno.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#include "guests/tinyos/abi.h"
#include "guests/tinyos/process.h"
#include "guests/tinyos/terminal.h"
#include "guests/tinyos/timer.h"

#define SLEEP_MAX UINT64_C(1000000000) /* milliseconds */

/* entry.S */
void syscall_entry(void);
void syscall_dispatch(struct trap_frame *frame);

static int64_t sys_exit(struct trap_frame *frame)
{
	process_exit(frame->rdi & STATUS_EXIT_MASK);
}

static int64_t sys_write(struct trap_frame *frame)
{
	int error = vm_prepare(&process_current()->vm, frame->rdi, frame->rsi, false);

	if (error)
		return error;
	process_write((const char *)frame->rdi, frame->rsi);
	return (int64_t)frame->rsi;
}

static int64_t sys_read(struct trap_frame *frame)
{
	int error = vm_prepare(&process_current()->vm, frame->rdi, frame->rsi, true);

	return error ? error : terminal_read((char *)frame->rdi, frame->rsi);
}

static int64_t sys_fork(struct trap_frame *frame)
{
	return process_fork(frame);
}

/* Copies a text of the program's, which must end before the buffer does. */
static int copy_text(char *text, size_t size, uint64_t address)
{
	for (size_t i = 0; i < size; i++) {
		int error = vm_prepare(&process_current()->vm, address + i, 1, false);

		if (error)
			return error;
		text[i] = *(const char *)(address + i);
		if (text[i] == '\0')
			return 0;
	}
	return -E2BIG;
}

static int64_t sys_exec(struct trap_frame *frame)
{
	char command[COMMAND_MAX];
	int error = copy_text(command, sizeof(command), frame->rdi);

	return error ? error : process_exec(command, frame);
}

static int64_t sys_wait(struct trap_frame *frame)
{
	struct process *process = process_current();
	int status, result;

	result = vm_prepare(&process->vm, frame->rdi, sizeof(status), true);
	if (result == 0)
		result = process_wait(process, &status);
	if (result > 0)
		memcpy((void *)frame->rdi, &status, sizeof(status));
	return result;
}

static int64_t sys_kill(struct trap_frame *frame)
{
	return process_kill((int)frame->rdi);
}

static int64_t sys_getpid(struct trap_frame *frame)
{
	return process_current()->pid;
}

static int64_t sys_sbrk(struct trap_frame *frame)
{
	struct vm *vm = &process_current()->vm;
	uint64_t before = vm->heap_end;
	int error = vm_move_heap(vm, (int64_t)frame->rdi);

	return error ? error : (int64_t)before;
}

static int64_t sys_sleep(struct trap_frame *frame)
{
	struct process *process = process_current();
	uint64_t deadline = timer_deadline(MIN(frame->rdi, SLEEP_MAX));

	while (rdtsc() < deadline && !process->killed)
		thread_wait(&process->killed, deadline);
	return 0;
}

static int64_t sys_yield(struct trap_frame *frame)
{
	thread_yield();
	return 0;
}

static int64_t (*const calls[SYSCALLS])(struct trap_frame *frame) = {
	[SYS_EXIT] = sys_exit,
	[SYS_WRITE] = sys_write,
	[SYS_READ] = sys_read,
	[SYS_FORK] = sys_fork,
	[SYS_EXEC] = sys_exec,
	[SYS_WAIT] = sys_wait,
	[SYS_KILL] = sys_kill,
	[SYS_GETPID] = sys_getpid,
	[SYS_SBRK] = sys_sbrk,
	[SYS_SLEEP] = sys_sleep,
	[SYS_YIELD] = sys_yield,
};

/* Runs with interrupts off from the CPU's SYSCALL to its SYSRET, but while it waits. */
void syscall_dispatch(struct trap_frame *frame)
{
	uint64_t number = frame->rax;

	frame->rax = (uint64_t)(number < SYSCALLS ? calls[number](frame) : -ENOSYS);
	process_leave_kernel(frame);
}

void syscall_init(void)
{
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_SCE);
	wrmsr(MSR_IA32_STAR, SELECTOR_CODE64 * BIT(32) | SELECTOR_USER_CODE32 * BIT(48));
	wrmsr(MSR_IA32_LSTAR, (uintptr_t)syscall_entry);
	wrmsr(MSR_IA32_FMASK, RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
}
