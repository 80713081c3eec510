/* Time: the TSC's frequency. Nothing waits at boot; the first question measures, against ACPI's
   PM timer or the 8254, over what has passed since clock_init(). */
#ifndef RUNTIME_CLOCK_H
#define RUNTIME_CLOCK_H

#include "runtime/compiler.h"

/* Takes the first sample. After acpi_init(). */
void clock_init(void);

/* TSC ticks per second. The first call may spin until 2 ms have passed since clock_init(). */
uint64_t clock_tsc_hz(void);

/* (ticks * to) / from without overflow in between, for 64-bit ticks and 32-bit-ish rates. */
static inline uint64_t clock_scale(uint64_t ticks, uint64_t to, uint64_t from)
{
	return (uint64_t)((__uint128_t)ticks * to / from);
}

#endif
