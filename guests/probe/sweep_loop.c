/* Attempts to keep the CPU: whoever does not preempt a guest, the witness stands still. */
#include "guests/probe/sweep_step.h"

#include "guests/probe/witness.h"
#include "runtime/clock.h"
#include "runtime/hypercall.h"
#include "runtime/x86.h"
#include "spec/chipset.h"
#include "spec/cpuid.h"

#define LOOPS_PER_SECOND 5 /* an attempt takes so long: several of probe_sweep.py's slices */

/* Executes it for the time of an attempt; 1 when the witness had its turn meanwhile. */
static uint64_t keep_cpu(void (*once)(void))
{
	int before = sweep_witness_rounds();
	uint64_t start, ticks = clock_tsc_hz() / LOOPS_PER_SECOND;

	if (before < 0 || before == WITNESS_CHANGED)
		return 1;
	for (start = rdtsc(); rdtsc() - start < ticks;)
		once();
	return sweep_witness_rounds() > before;
}

static void do_nothing(void)
{
}

static void move_to_ss(void)
{
	__asm__ volatile("movl %%ss, %%eax; movl %%eax, %%ss; nop" : : : "rax");
}

static void ask_cpuid(void)
{
	cpuid(CPUID_VENDOR, 0);
}

static void write_delay_port(void)
{
	out8(APM_CONTROL, 0);
}

static void call_hypervisor(void)
{
	hypercall(HYPERCALL_NOP, 0, 0);
}

static void undefined(void *arg)
{
	__asm__ volatile("ud2");
}

static void raise_exception(void)
{
	trap_catch(undefined, NULL, NULL);
}

static void let_interrupts_in(void)
{
	interrupts_window();
}

static uint64_t loop_for_good(void)
{
	return keep_cpu(do_nothing);
}

static uint64_t loop_mov_ss(void)
{
	return keep_cpu(move_to_ss);
}

static uint64_t loop_sti(void)
{
	return keep_cpu(let_interrupts_in);
}

static uint64_t loop_cpuid(void)
{
	return keep_cpu(ask_cpuid);
}

static uint64_t loop_port(void)
{
	return keep_cpu(write_delay_port);
}

static uint64_t loop_hypercall(void)
{
	return keep_cpu(call_hypervisor);
}

static uint64_t loop_exception(void)
{
	return keep_cpu(raise_exception);
}

const struct step sweep_loops[SWEEP_LOOPS] = {
	{ "interrupts_off", DO(loop_for_good), .expect = 1, .stays = true },
	{ "mov_ss", DO(loop_mov_ss), .expect = 1, .stays = true },
	{ "sti_cli", DO(loop_sti), .expect = 1, .stays = true },
	{ "cpuid", DO(loop_cpuid), .expect = 1, .stays = true },
	{ "port", DO(loop_port), .expect = 1, .stays = true },
	{ "hypercall", DO(loop_hypercall), .expect = 1, .stays = true },
	{ "exception", DO(loop_exception), .expect = 1, .stays = true },
};
