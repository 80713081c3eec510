/* Exceptions, interrupts, clocks and the other CPUs. */
#include "runtime/acpi.h"
#include "runtime/apic.h"
#include "runtime/clock.h"
#include "runtime/harness.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

static bool has_apic(void)
{
	return cpuid(CPUID_FEATURES, 0).edx & CPUID_1_EDX_APIC;
}

static const struct test_need need_apic = { "no local APIC (CPUID.1:EDX.APIC)", has_apic };

static bool has_other_cpus(void)
{
	return acpi.cpus > 1;
}

static const struct test_need need_smp = { "one CPU only (ACPI MADT)", has_other_cpus };

TEST(trap, divide, "SDM Interrupt 0 - Divide Error Exception (#DE)", "dividing by 0 faults", FAULT(DE))
{
	__asm__ volatile("xorl %%ecx, %%ecx; divl %%ecx" : : : "eax", "ecx", "edx");
	return OK;
}

TEST(trap, undefined, "SDM Interrupt 6 - Invalid Opcode Exception (#UD)", "UD2 faults", FAULT(UD))
{
	__asm__ volatile("ud2");
	return OK;
}

TEST(trap, breakpoint, "SDM Interrupt 3 - Breakpoint Exception (#BP)", "INT3 traps", FAULT(BP))
{
	__asm__ volatile("int3");
	return OK;
}

TEST(trap, protection, "SDM Interrupt 13 - General Protection Exception (#GP)",
	"a selector beyond the GDT faults with itself as error code", FAULT(GP, 0xf8))
{
	__asm__ volatile("movw %w0, %%ds" : : "r"(0xf8));
	return OK;
}

static void fault_inside(void *arg)
{
	struct trap_info *info = arg;

	trap_catch((void (*)(void *))(uintptr_t)0x10, NULL, info);
	__asm__ volatile("ud2");
}

TEST(trap, nested, "runtime/trap.h", "a caught fault inside a caught body leaves only the inner one", OK)
{
	struct trap_info inner, outer;

	CHECK_EQUAL(trap_catch(fault_inside, &inner, &outer), VECTOR_UD);
	CHECK_EQUAL(inner.vector, VECTOR_PF);
	CHECK_EQUAL(inner.address, 0x10);
	return OK;
}

static volatile unsigned int interrupts;

static void count_interrupt(struct trap_frame *frame)
{
	interrupts++;
	apic_eoi();
}

TEST(apic, timer, "SDM APIC Timer", "one shot comes once, not before its time", OK, .needs = NEEDS(&need_apic))
{
	trap_handler *before = trap_set_handler(APIC_VECTOR_TIMER, count_interrupt);
	uint64_t start = rdtsc(), ticks = clock_tsc_hz() / 1000;

	interrupts = 0;
	apic_timer_arm(ticks);
	while (interrupts == 0)
		interrupts_wait();
	CHECK(rdtsc() - start >= ticks - ticks / 50);
	while (rdtsc() - start < 4 * ticks)
		interrupts_window();
	CHECK_EQUAL(interrupts, 1);
	do { /* again where an emulator was held up for so long that the shot was due before the stop */
		interrupts_window();
		interrupts = 0;
		start = rdtsc();
		apic_timer_arm(4 * ticks);
		apic_timer_stop();
	} while (rdtsc() - start >= 4 * ticks);
	interrupts_on();
	while (rdtsc() - start < 7 * ticks)
		cpu_pause();
	interrupts_off();
	CHECK_EQUAL(interrupts, 0);
	trap_set_handler(APIC_VECTOR_TIMER, before);
	return OK;
}

TEST(apic, own_ipi, "SDM Issuing Interprocessor Interrupts", "an IPI to itself arrives when interrupts are on", OK,
	.needs = NEEDS(&need_apic))
{
	trap_handler *before = trap_set_handler(APIC_VECTOR_WAKE, count_interrupt);

	interrupts = 0;
	apic_send_fixed(apic_id(), APIC_VECTOR_WAKE);
	CHECK_EQUAL(interrupts, 0);
	while (interrupts == 0)
		interrupts_window();
	CHECK_EQUAL(interrupts, 1);
	trap_set_handler(APIC_VECTOR_WAKE, before);
	return OK;
}

TEST(clock, rate, "ACPI Power Management Timer", "the TSC's rate is one a CPU can have", OK)
{
	uint64_t hz = clock_tsc_hz();

	CHECK(hz >= 1000000 && hz <= UINT64_C(20000000000));
	CHECK_EQUAL(clock_tsc_hz(), hz);
	CHECK_EQUAL(clock_scale(UINT64_C(1) << 40, 3000, 1000), UINT64_C(3) << 40);
	CHECK_EQUAL(clock_scale(~UINT64_C(0), 2, 1), ~UINT64_C(0));
	return OK;
}

TEST(acpi, tables, "ACPI System Description Tables", "a table found has its signature; an unknown one is not found", OK)
{
	const struct acpi_header *madt = acpi_find("APIC");

	if (acpi.cpus > 1)
		CHECK(madt != NULL);
	CHECK(madt == NULL || memcmp(madt->signature, "APIC", 4) == 0);
	CHECK(acpi_find("XXXX") == NULL);
	CHECK(acpi.cpus >= 1);
	return OK;
}

static unsigned int arrivals[SMP_MAX_CPUS];

static void arrive(unsigned int number)
{
	struct trap_info info;

	if (smp_this()->number == number && smp_this()->apic_id == apic_id() &&
		trap_catch((void (*)(void *))(uintptr_t)0x10, NULL, &info) == VECTOR_PF)
		__atomic_store_n(&arrivals[number], 1, __ATOMIC_RELEASE);
	for (;;)
		halt();
}

TEST(smp, start, "SDM MP Initialization", "every CPU that ACPI lists starts, with its own number and traps", OK,
	.needs = NEEDS(&need_smp))
{
	unsigned int cpus = smp_start(0, arrive), i;

	CHECK_EQUAL(cpus, acpi.cpus);
	for (i = 1; i < cpus; i++)
		while (!__atomic_load_n(&arrivals[i], __ATOMIC_ACQUIRE))
			cpu_pause();
	return OK;
}
