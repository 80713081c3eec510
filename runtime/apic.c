/* The local APIC in either of its forms, and the 8259 pair put out of the way. Who handles the
   vectors is decided elsewhere. */
#include "runtime/apic.h"

#include "runtime/acpi.h"
#include "runtime/clock.h"
#include "runtime/paging.h"
#include "runtime/panic.h"
#include "runtime/smp.h"
#include "runtime/x86.h"
#include "spec/apic.h"
#include "spec/cpuid.h"
#include "spec/pic.h"

#define PIC_VECTOR_BASE 0x20
#define XAPIC_MAX_ID	254
#define CALIBRATION_TICKS 100000 /* TSC ticks over which the timer's rate is measured, at least */

static bool apic_present, x2apic;
static volatile uint32_t *xapic;			/* the registers, when not x2APIC */
static uint64_t rate_count, rate_tsc;			/* timer counts per TSC ticks, once measured */

static uint32_t read_reg(unsigned int reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC_FIRST + reg / 16) : xapic[reg / 4];
}

uint32_t apic_read(unsigned int reg)
{
	return apic_present ? read_reg(reg) : 0;
}

static void write_reg(unsigned int reg, uint32_t value)
{
	if (x2apic)
		wrmsr(MSR_X2APIC_FIRST + reg / 16, value);
	else
		xapic[reg / 4] = value;
}

/* Moves the 8259 pair's vectors behind the exceptions' and masks every line. */
static void quiet_pics(void)
{
	out8(PIC_MASTER_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	out8(PIC_SLAVE_COMMAND, PIC_ICW1 | PIC_ICW1_IC4);
	out8(PIC_MASTER_DATA, PIC_VECTOR_BASE);
	out8(PIC_SLAVE_DATA, PIC_VECTOR_BASE + 8);
	out8(PIC_MASTER_DATA, BIT(PIC_CASCADE));
	out8(PIC_SLAVE_DATA, PIC_CASCADE);
	out8(PIC_MASTER_DATA, PIC_ICW4_UPM);
	out8(PIC_SLAVE_DATA, PIC_ICW4_UPM);
	out8(PIC_MASTER_DATA, 0xff);
	out8(PIC_SLAVE_DATA, 0xff);
}

static bool needs_x2apic(void)
{
	unsigned int i;

	for (i = 0; i < acpi.cpus; i++)
		if (acpi.apic_id[i] > XAPIC_MAX_ID)
			return true;
	return rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2APIC;
}

void apic_init(void)
{
	uint64_t base;

	quiet_pics();
	apic_present = cpuid(CPUID_FEATURES, 0).edx & CPUID_1_EDX_APIC;
	if (!apic_present)
		return;
	x2apic = needs_x2apic();
	base = rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_ADDRESS;
	xapic = (volatile uint32_t *)(uintptr_t)base;
	if (!x2apic && paging_map(base, PAGE_SIZE, PAGING_WRITE | PAGING_UNCACHED) != 0)
		panic("no memory to map the local APIC");
}

void apic_init_cpu(void)
{
	if (!apic_present)
		return;
	wrmsr(MSR_IA32_APIC_BASE, rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_ENABLE |
					  (x2apic ? APIC_BASE_X2APIC : 0));
	write_reg(APIC_REG_TPR, 0);
	write_reg(APIC_REG_SVR, APIC_SVR_ENABLE | APIC_VECTOR_SPURIOUS);
	write_reg(APIC_REG_LVT_LINT0, APIC_LVT_MASKED);
	write_reg(APIC_REG_LVT_LINT1, APIC_LVT_NMI);
	write_reg(APIC_REG_LVT_ERROR, APIC_LVT_MASKED);
	write_reg(APIC_REG_LVT_TIMER, APIC_LVT_MASKED | APIC_VECTOR_TIMER);
	write_reg(APIC_REG_TIMER_DIVIDE, APIC_TIMER_DIVIDE_1);
	write_reg(APIC_REG_TIMER_INITIAL, UINT32_MAX);
	smp_this()->apic_timer_tsc = rdtsc();
	smp_this()->apic_id = apic_id();
}

void apic_pass_pic(void)
{
	if (apic_present)
		write_reg(APIC_REG_LVT_LINT0, APIC_LVT_EXTINT);
}

uint32_t apic_id(void)
{
	if (!apic_present)
		return cpuid(CPUID_FEATURES, 0).ebx >> 24;
	return x2apic ? read_reg(APIC_REG_ID) : read_reg(APIC_REG_ID) >> 24;
}

void apic_eoi(void)
{
	write_reg(APIC_REG_EOI, 0);
}

void apic_send(uint32_t destination, uint32_t icr_low)
{
	if (!apic_present)
		return;
	if (x2apic) {
		wrmsr(MSR_IA32_X2APIC_ICR, (uint64_t)destination << 32 | icr_low);
		return;
	}
	write_reg(APIC_REG_ICR_HIGH, destination << 24);
	write_reg(APIC_REG_ICR_LOW, icr_low);
	while (read_reg(APIC_REG_ICR_LOW) & APIC_ICR_PENDING)
		cpu_pause();
}

void apic_send_fixed(uint32_t destination, uint8_t vector)
{
	apic_send(destination, APIC_ICR_FIXED | APIC_ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t destination)
{
	apic_send(destination, APIC_ICR_NMI | APIC_ICR_ASSERT);
}

/* Timer counts per TSC tick, from what has run on this CPU since apic_init_cpu(). All CPUs'
   timers run at one rate. */
static void measure_rate(void)
{
	uint64_t start = smp_this()->apic_timer_tsc;

	while (rdtsc() - start < CALIBRATION_TICKS)
		cpu_pause();
	rate_count = UINT32_MAX - read_reg(APIC_REG_TIMER_CURRENT);
	rate_tsc = rdtsc() - start;
	if (rate_count == 0 || rate_count == UINT32_MAX) { /* stands still, or ran out long ago */
		write_reg(APIC_REG_TIMER_INITIAL, UINT32_MAX);
		start = rdtsc();
		while (rdtsc() - start < CALIBRATION_TICKS)
			cpu_pause();
		rate_count = MAX(UINT32_MAX - read_reg(APIC_REG_TIMER_CURRENT), 1);
		rate_tsc = rdtsc() - start;
	}
}

void apic_timer_arm(uint64_t tsc_ticks)
{
	uint64_t count;

	if (rate_tsc == 0)
		measure_rate();
	count = clock_scale(tsc_ticks, rate_count, rate_tsc) + 1;
	write_reg(APIC_REG_LVT_TIMER, APIC_VECTOR_TIMER);
	write_reg(APIC_REG_TIMER_INITIAL, (uint32_t)MIN(count, UINT32_MAX));
}

void apic_timer_stop(void)
{
	if (!apic_present)
		return;
	write_reg(APIC_REG_LVT_TIMER, APIC_LVT_MASKED | APIC_VECTOR_TIMER);
	write_reg(APIC_REG_TIMER_INITIAL, 0);
}

void apic_timer_beat(uint32_t count)
{
	if (!apic_present)
		return;
	write_reg(APIC_REG_LVT_TIMER, APIC_LVT_PERIODIC | APIC_LVT_MASKED | APIC_VECTOR_TIMER);
	write_reg(APIC_REG_TIMER_INITIAL, count);
}
