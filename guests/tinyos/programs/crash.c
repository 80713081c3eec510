/* crash: does what a program must not, each in a process of its own, and checks that the kernel
   ended just that process. */
#include "guests/tinyos/user/user.h"

#define KERNEL_ADDRESS UINT64_C(0x100000) /* where the kernel's image begins */

static const uint64_t constant = 1;
static uint64_t variable;

static void read_null(void)
{
	uint64_t *volatile pointer = NULL;

	variable = *pointer;
}

static void read_kernel(void)
{
	variable = *(volatile uint64_t *)KERNEL_ADDRESS;
}

static void write_constant(void)
{
	*(volatile uint64_t *)&constant = 2;
}

static void run_data(void)
{
	void (*volatile code)(void) = (void (*)(void)) & variable;

	code();
}

static void overflow_stack(void)
{
	__asm__ volatile("1: pushq $0; jmp 1b");
}

static void divide_by_zero(void)
{
	__asm__ volatile("divl %0" : : "r"(0) : "eax", "edx");
}

static void undefined(void)
{
	__asm__ volatile("ud2");
}

static void halt(void)
{
	__asm__ volatile("hlt");
}

/* The kernel looks at the pointers that it gets. */
static void cheat(void)
{
	int error = write((const char *)KERNEL_ADDRESS, 1);

	exit(error == -EFAULT ? 0 : 1);
}

static const struct {
	const char *name;
	void (*run)(void);
	int status;
} crimes[] = {
	{ "read through a null pointer", read_null, STATUS_EXCEPTION | 14 },
	{ "read the kernel's memory", read_kernel, STATUS_EXCEPTION | 14 },
	{ "write to a constant", write_constant, STATUS_EXCEPTION | 14 },
	{ "run data as code", run_data, STATUS_EXCEPTION | 14 },
	{ "overflow the stack", overflow_stack, STATUS_EXCEPTION | 14 },
	{ "divide by zero", divide_by_zero, STATUS_EXCEPTION | 0 },
	{ "run an undefined instruction", undefined, STATUS_EXCEPTION | 6 },
	{ "halt the CPU", halt, STATUS_EXCEPTION | 13 },
	{ "have the kernel's memory written out", cheat, 0 },
};

int main(int argc, char **argv)
{
	int failed = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(crimes); i++) {
		int status;

		if (fork_or_exit() == 0) {
			crimes[i].run();
			exit(0);
		}
		wait(&status);
		print("%s: %s\n", crimes[i].name,
			status == crimes[i].status ? "stopped" : "NOT stopped");
		failed |= status != crimes[i].status;
	}
	return failed;
}
