/* A guest that stays at one instruction, and guests that only look like it.
   Links: kernel/progress.c
*/
#include "tests/host/tap.h"

#include <stdarg.h>

#include "kernel/progress.h"
#include "kernel/vm.h"

#define RIP    0x1000
#define TICKS  50   /* rounds of a test */
#define EXITS  400  /* of each round, before its tick */
#define STAYED 2000 /* entries by which a guest that stays is found */

struct ring stats_rings[1];
static struct vm vm;
static uint64_t rip;
static unsigned int deaths;
static char reason[200];

static uint64_t get(struct vcpu *of, enum reg reg)
{
	return rip;
}

static const struct backend fake_backend = { .get = get };
const struct backend *backend = &fake_backend;

const char *exit_kind_name(enum exit_kind kind)
{
	return "CPUID";
}

void vm_die(struct vm *dying, const char *format, ...)
{
	va_list args;

	deaths++;
	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
}

/* An exit of that VM at `at`, handled so that the guest is at `next` then; as vcpu_run() does, the
   check is asked where it wants to be or at a tick. */
static void make_exit(enum exit_kind kind, uint8_t number, uint64_t at, uint64_t next, bool rep)
{
	struct ring *ring = &stats_rings[0];

	ring->exit[ring->next++ % STATS_RING] =
		(struct exit){ .kind = kind, .vm = number, .rip = at, .io.rep = rep };
	rip = next;
	if (number != vm.number)
		return;
	vm.vcpu.progress.due |= kind == EXIT_TICK;
	if (vm.vcpu.progress.due) {
		vm.vcpu.attention = false;
		progress_check(&vm.vcpu);
	}
}

static void start(void)
{
	memset(&vm, 0, sizeof(vm));
	memset(stats_rings, 0, sizeof(stats_rings));
	vm.vcpu.vm = &vm;
	deaths = 0;
}

static unsigned int run(enum exit_kind kind, uint64_t next, bool rep, bool with_others)
{
	unsigned int entries = 0;

	start();
	for (int tick = 0; tick < TICKS && deaths == 0; tick++) {
		for (int i = 0; i < EXITS && deaths == 0; i++, entries++)
			make_exit(kind, 0, RIP, next, rep);
		make_exit(EXIT_INTERRUPT, 0, next, next, false);
		make_exit(EXIT_TICK, 0, next, next, false);
		if (with_others)
			make_exit(EXIT_CPUID, 1, RIP + 8, next, false);
	}
	return entries;
}

static void stays(void)
{
	CHECK(run(EXIT_CPUID, RIP, false, false) <= STAYED + EXITS * 4);
	CHECK_EQ(deaths, 1);
	CHECK(strstr(reason, "CPUID at RIP 0x1000") != NULL);
	run(EXIT_IO, RIP, false, true);
	CHECK_EQ(deaths, 1);
}

static void gets_on(void)
{
	run(EXIT_CPUID, RIP + 2, false, true);
	CHECK_EQ(deaths, 0);
}

/* A tick may find a loop of one exit at its start each time. */
static void loops(void)
{
	start();
	for (int tick = 0; tick < TICKS; tick++) {
		for (int i = 0; i < EXITS; i++)
			make_exit(EXIT_IO, 0, RIP, RIP + 1, false);
		make_exit(EXIT_TICK, 0, RIP, RIP, false);
	}
	CHECK_EQ(deaths, 0);
}

static void repeats_or_waits(void)
{
	run(EXIT_IO, RIP, true, false);
	CHECK_EQ(deaths, 0);
	run(EXIT_HLT, RIP, false, false);
	CHECK_EQ(deaths, 0);
	run(EXIT_STAGE2, RIP, false, false);
	CHECK_EQ(deaths, 0);
}

/* What an instruction's fault is delivered for is at its RIP, again and again. */
static void faults(void)
{
	start();
	for (int i = 0; i < TICKS * EXITS; i++) {
		vm.vcpu.inject.valid = true;
		make_exit(i % EXITS ? EXIT_WRMSR : EXIT_TICK, 0, RIP, RIP, false);
	}
	CHECK_EQ(deaths, 0);
}

TAP_MAIN(TAP_TEST(stays), TAP_TEST(gets_on), TAP_TEST(loops), TAP_TEST(repeats_or_waits),
	TAP_TEST(faults))
