/* The shell's command bench: what single operations cost, in TSC ticks. The kernel's own are
   measured here, those of a process by the program programs/bench.c. */
#include "guests/tinyos/commands.h"

#include "runtime/page_alloc.h"
#include "runtime/x86.h"

#include "guests/tinyos/serial.h"
#include "guests/tinyos/thread.h"

#define ROUNDS 16
#define REPEAT 64 /* operations in a round */

static void do_nothing(void)
{
	__asm__ volatile("");
}

static void do_cpuid(void)
{
	cpuid(0, 0);
}

static void do_out(void)
{
	out8(serial_scratch_port(), 0);
}

/* Ticks of one operation in the fastest round: what interrupts added to others does not count. */
static uint64_t measure(void (*operation)(void))
{
	uint64_t best = UINT64_MAX;

	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t start = rdtsc();

		for (unsigned int i = 0; i < REPEAT; i++)
			operation();
		best = MIN(best, rdtsc() - start);
	}
	return best / REPEAT;
}

static void report(const char *name, void (*operation)(void))
{
	uint64_t nothing, ticks;
	bool on = critical_enter();

	nothing = measure(do_nothing);
	ticks = measure(operation);
	critical_leave(on);
	serial_print("# bench: %s %lu\n", name, ticks > nothing ? ticks - nothing : 0);
}

/* The first write to a page that nobody has touched since boot: as a guest, the fault that makes the
   hypervisor find memory for it. The best of a block's pages, but for the first, which the
   allocator has written to. */
static void report_first_touch(void)
{
	uint8_t *block = page_alloc(PAGE_ORDER_2M);
	uint64_t best = UINT64_MAX, start;
	bool on;

	if (!block)
		return;
	on = critical_enter();
	for (uint64_t offset = PAGE_SIZE; offset < PAGE_SIZE_2M; offset += 16 * PAGE_SIZE) {
		start = rdtsc();
		*(volatile uint8_t *)(block + offset) = 1;
		best = MIN(best, rdtsc() - start);
	}
	critical_leave(on);
	page_free(block, PAGE_ORDER_2M);
	serial_print("# bench: first_touch %lu\n", best);
}

int command_bench(const char *arguments)
{
	report("cpuid", do_cpuid);
	report("out", do_out);
	report_first_touch();
	return command_run("bench");
}
