/* Programs the 8254 and counts its ticks. What a tick does to threads is thread.c's. */
#include "guests/tinyos/timer.h"

#include "runtime/boot.h"
#include "runtime/clock.h"
#include "runtime/x86.h"
#include "spec/pit.h"

#include "guests/tinyos/interrupt.h"
#include "guests/tinyos/serial.h"
#include "guests/tinyos/thread.h"

#define DIVISOR        (PIT_HZ / TIMER_HZ)
#define RATE_GENERATOR 2 /* the mode */

static uint64_t ticks;

static void tick(void)
{
	ticks++;
	serial_tick();
	thread_tick();
}

void timer_init(void)
{
	out8(PIT_CONTROL, PIT_RW_BOTH << PIT_RW_SHIFT | RATE_GENERATOR << PIT_MODE_SHIFT);
	out8(PIT_CHANNEL_0, DIVISOR & 0xff);
	out8(PIT_CHANNEL_0, DIVISOR >> 8);
	interrupt_enable(INTERRUPT_TIMER, tick);
}

uint64_t timer_ticks(void)
{
	return ticks;
}

uint64_t timer_uptime(void)
{
	return clock_scale(rdtsc() - boot.entry_tsc, 1000, clock_tsc_hz());
}

uint64_t timer_deadline(uint64_t milliseconds)
{
	return rdtsc() + clock_scale(milliseconds, clock_tsc_hz(), 1000);
}
