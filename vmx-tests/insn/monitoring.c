/* Address-range monitoring over VMXON and VMXOFF (Intel SDM, "VMXON", "VMXOFF", "MWAIT"): both
   clear what MONITOR set up, so that MWAIT does not wait. VM exits' part in it is exit/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/apic.h"
#include "runtime/harness.h"
#include "runtime/trap.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define WAIT_TICKS 400000 /* of the TSC, until the timer ends a wait that should not be */

enum between { NOTHING, BETWEEN_VMXON, BETWEEN_VMXOFF };

static uint64_t monitored[8] __aligned(64);

static void acknowledge(struct trap_frame *frame)
{
	apic_eoi();
}

/* TSC ticks that MWAIT takes after MONITOR and what is done between them; the timer ends it at the
   latest. Only write-back memory is monitored, so that caches are on meanwhile. */
static uint64_t measure(enum between between)
{
	trap_handler *before = trap_set_handler(APIC_VECTOR_TIMER, acknowledge);
	uint64_t start, ticks, cr0 = read_cr0();

	write_cr0(cr0 & ~(CR0_CD | CR0_NW));
	apic_timer_arm(WAIT_TICKS);
	start = rdtsc();
	__asm__ volatile("monitor" : : "a"(monitored), "c"(0), "d"(0) : "memory");
	if (between == BETWEEN_VMXON)
		vmxon(vmx_address(vmx_on_region));
	if (between == BETWEEN_VMXOFF)
		vmxoff();
	__asm__ volatile("sti; mwait; cli" : : "a"(0), "c"(0) : "memory");
	ticks = rdtsc() - start;
	write_cr0(cr0);
	apic_timer_stop();
	interrupts_window();
	trap_set_handler(APIC_VECTOR_TIMER, before);
	return ticks;
}

/* Does MWAIT wait here at all? It may go on for reasons of its own. */
static bool has_monitor_that_waits(void)
{
	return need_monitor.met() && measure(NOTHING) >= WAIT_TICKS / 2;
}

static const struct test_need need_wait = {
	"MWAIT does not wait (or no MONITOR: CPUID.1:ECX bit 3)", has_monitor_that_waits
};

TEST(monitoring, vmxoff, "SDM VMXOFF",
	"VMXOFF clears address-range monitoring: MWAIT does not wait", OK, .covers = "insn:VMXOFF",
	.needs = NEEDS(&need_wait))
{
	uint64_t ticks = measure(BETWEEN_VMXOFF);

	CHECK(test_observe(ticks < WAIT_TICKS / 2));
	return OK;
}

TEST(monitoring, vmxon, "SDM VMXON", "VMXON clears address-range monitoring: MWAIT does not wait",
	OK, .covers = "insn:VMXON", .needs = NEEDS(&need_wait))
{
	uint64_t ticks;

	vmx_leave_operation();
	ticks = measure(BETWEEN_VMXON);
	CHECK(test_observe(ticks < WAIT_TICKS / 2));
	return OK;
}
