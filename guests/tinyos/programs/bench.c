/* bench: what a process pays for the kernel's services, in TSC ticks; the shell's command bench
   runs it. Its lines describe the machine, so they begin with "# ". */
#include "guests/tinyos/user/user.h"

#include "runtime/x86.h"

#define ROUNDS 16

static void call_kernel(void)
{
	getpid();
}

static char *page; /* the next to touch */

static void touch_page(void)
{
	*(volatile char *)page = 1;
	page += PAGE_SIZE;
}

static void fork_and_wait(void)
{
	int status;

	if (fork_or_exit() == 0)
		exit(0);
	wait(&status);
}

/* Ticks of one operation, in the best of the rounds of `repeat` operations each. */
static void measure(const char *name, void (*operation)(void), unsigned int repeat)
{
	uint64_t best = UINT64_MAX;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t start = rdtsc();

		for (unsigned int i = 0; i < repeat; i++)
			operation();
		best = MIN(best, rdtsc() - start);
	}
	print("# bench: %s %lu\n", name, best / repeat);
}

int main(int argc, char **argv)
{
	page = sbrk(ROUNDS * 8 * (int64_t)PAGE_SIZE);
	measure("syscall", call_kernel, 64);
	measure("page-fault", touch_page, 8);
	measure("fork-wait", fork_and_wait, 1);
	return 0;
}
