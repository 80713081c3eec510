/* Time: the TSC's frequency. Nothing waits at boot; the first question measures, against ACPI's PM
   timer or, without one, the 8254. */
#ifndef RUNTIME_CLOCK_H
#define RUNTIME_CLOCK_H

#include "runtime/compiler.h"

/* TSC ticks per second. The first call spins for some 4 ms. */
uint64_t clock_tsc_hz(void);

/* ticks * to / from with 128 bits in between; UINT64_MAX when the result has more than 64. from > 0. */
static inline uint64_t clock_scale(uint64_t ticks, uint64_t to, uint64_t from)
{
	__uint128_t product = (__uint128_t)ticks * to;
	uint64_t low = (uint64_t)product, high = (uint64_t)(product >> 64);

	if (high >= from)
		return UINT64_MAX;
	__asm__("divq %2" : "+a"(low), "+d"(high) : "r"(from));
	return low;
}

#endif
