/* Round robin over the calling CPU's virtual machines. A VM stays on its CPU: nothing is locked and
   nothing moves between CPUs. */
#include "kernel/sched.h"

#include "kernel/canary.h"
#include "kernel/terminal.h"
#include "kernel/vm.h"
#include "runtime/apic.h"
#include "runtime/clock.h"
#include "runtime/smp.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define FIRST_SLICE_TICKS 1000000 /* TSC ticks, before the TSC's rate is known */
#define IDLE_MICROSECONDS 10000	  /* how long an idle CPU sleeps at most: it looks at the keyboard then */

static uint64_t slice_microseconds = 10000;

void sched_set_slice(uint64_t microseconds)
{
	slice_microseconds = microseconds;
}

/* Measuring the TSC takes milliseconds, so the first guest runs once before it is done. */
static uint64_t slice_ticks(void)
{
	if (stats_first_entry == 0)
		return FIRST_SLICE_TICKS;
	return clock_scale(clock_tsc_hz(), slice_microseconds, 1000000);
}

static bool is_mine(const struct vm *vm)
{
	return vm->cpu == smp_this()->number;
}

/* The TSC at which a timer of one of this CPU's halted VMs is due, at most `latest`. */
static uint64_t next_timer(uint64_t latest)
{
	unsigned int i;

	for (i = 0; i < vm_count; i++)
		if (is_mine(vm_list[i]) && vm_list[i]->state == VM_RUNNING)
			latest = MIN(latest, pit_deadline(&vm_list[i]->pit));
	return latest;
}

static void sleep(void)
{
	uint64_t now = rdtsc();
	uint64_t wake = next_timer(now + clock_scale(clock_tsc_hz(), IDLE_MICROSECONDS, 1000000));

	if (wake <= now)
		return;
	apic_timer_arm(wake - now);
	interrupts_wait();
}

/* One round: each runnable VM gets a slice. Returns whether there was one. */
static bool run_round(void)
{
	bool ran = false;
	unsigned int i;

	canary_answer();
	for (i = 0; i < vm_count; i++) {
		struct vm *vm = vm_list[i];

		if (!is_mine(vm) || vm->state != VM_RUNNING)
			continue;
		vm_update(vm, rdtsc());
		if (vcpu_is_runnable(&vm->vcpu)) {
			vcpu_run(&vm->vcpu, rdtsc() + slice_ticks());
			ran = true;
		}
		if (smp_this()->number == 0 && vm->use_stage2)
			terminal_poll();
	}
	return ran;
}

void sched_run(void)
{
	while (__atomic_load_n(&vm_running, __ATOMIC_ACQUIRE) > 0 && !terminal_quit_wanted())
		if (!run_round())
			sleep();
}
