/* Measures the TSC against a clock of known rate, the first time somebody asks. */
#include "runtime/clock.h"

#include "runtime/acpi.h"
#include "runtime/x86.h"
#include "spec/pit.h"
#include "spec/pm_timer.h"

#define MEASURE_PM_COUNTS  (PM_TIMER_HZ / 250) /* 4 ms */
#define MEASURE_PIT_COUNTS (PIT_HZ / 250)
#define SAMPLE_TRIES	   4

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

/* What channel 2 counts and the TSC at one time: of several tries the one in which the two lie
   closest together, since a hypervisor may let somebody else run in between. */
static uint16_t sample_pit(uint64_t *tsc)
{
	uint64_t closest = UINT64_MAX;
	uint16_t count = 0;

	for (unsigned int i = 0; i < SAMPLE_TRIES; i++) {
		uint64_t before = rdtsc(), after;
		uint8_t low;

		out8(PIT_CONTROL, 2 << PIT_SELECT_SHIFT | PIT_RW_LATCH << PIT_RW_SHIFT);
		after = rdtsc();
		low = in8(PIT_CHANNEL_2);
		if (after - before < closest) {
			closest = after - before;
			count = (uint16_t)(in8(PIT_CHANNEL_2) << 8 | low);
			*tsc = after;
		} else {
			in8(PIT_CHANNEL_2);
		}
	}
	return count;
}

/* Channel 2 counts down from 65536 once (mode 0), silently. */
static uint64_t measure_by_pit(void)
{
	uint8_t port61 = in8(PORT61) & (uint8_t)~(PORT61_SPEAKER | PORT61_GATE2);
	uint16_t first, passed;
	uint64_t start, end;

	out8(PORT61, port61 | PORT61_GATE2);
	out8(PIT_CONTROL, 2 << PIT_SELECT_SHIFT | PIT_RW_BOTH << PIT_RW_SHIFT); /* mode 0 */
	out8(PIT_CHANNEL_2, 0);
	out8(PIT_CHANNEL_2, 0);
	first = sample_pit(&start);
	do
		passed = (uint16_t)(first - sample_pit(&end));
	while (passed < MEASURE_PIT_COUNTS);
	out8(PORT61, port61);
	return clock_scale(end - start, PIT_HZ, passed);
}

/* A guest with stage2=off sees the host's ACPI tables, but not its ports: they read all ones. */
static bool has_pm_timer(void)
{
	return acpi.pm_timer_port != 0 &&
		(in32(acpi.pm_timer_port) != UINT32_MAX || in32(acpi.pm_timer_port) != UINT32_MAX);
}

uint64_t clock_tsc_hz(void)
{
	if (measured_hz == 0)
		measured_hz = has_pm_timer() ? measure_by_pm_timer() : measure_by_pit();
	return measured_hz;
}
