/* Measures the TSC against a clock of known rate, the first time somebody asks. */
#include "runtime/clock.h"

#include "runtime/acpi.h"
#include "runtime/x86.h"
#include "spec/pit.h"
#include "spec/pm_timer.h"

#define MEASURE_PM_COUNTS  (PM_TIMER_HZ / 250) /* 4 ms */
#define MEASURE_PIT_COUNTS (PIT_HZ / 250)

static uint64_t measured_hz;

static uint64_t measure_by_pm_timer(void)
{
	uint32_t first = in32(acpi.pm_timer_port), passed;
	uint64_t tsc = rdtsc();

	do
		passed = (in32(acpi.pm_timer_port) - first) & PM_TIMER_MASK;
	while (passed < MEASURE_PM_COUNTS);
	return clock_scale(rdtsc() - tsc, PM_TIMER_HZ, passed);
}

/* Channel 2 counts down once and its output, bit 5 of port 0x61, rises at zero (mode 0). */
static uint64_t measure_by_pit(void)
{
	uint8_t port61 = in8(PORT61) & (uint8_t)~(PORT61_SPEAKER | PORT61_GATE2);
	uint64_t tsc;

	out8(PORT61, port61 | PORT61_GATE2);
	out8(PIT_CONTROL, 2 << PIT_SELECT_SHIFT | PIT_RW_BOTH << PIT_RW_SHIFT); /* mode 0 */
	out8(PIT_CHANNEL_2, MEASURE_PIT_COUNTS & 0xff);
	out8(PIT_CHANNEL_2, MEASURE_PIT_COUNTS >> 8);
	tsc = rdtsc();
	while (!(in8(PORT61) & PORT61_OUT2))
		cpu_pause();
	tsc = rdtsc() - tsc;
	out8(PORT61, port61);
	return clock_scale(tsc, PIT_HZ, MEASURE_PIT_COUNTS);
}

uint64_t clock_tsc_hz(void)
{
	if (measured_hz == 0)
		measured_hz = acpi.pm_timer_port ? measure_by_pm_timer() : measure_by_pit();
	return measured_hz;
}
