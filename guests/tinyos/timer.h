/* Time: the 8254's interrupt, TIMER_HZ times a second, and the TSC for everything that is measured,
   so that late or lost ticks cost no accuracy. */
#ifndef TINYOS_TIMER_H
#define TINYOS_TIMER_H

#include "runtime/compiler.h"

#define TIMER_HZ 100

void timer_init(void);

/* Interrupts so far. */
uint64_t timer_ticks(void);

/* Milliseconds since the image's first instruction. */
uint64_t timer_uptime(void);

/* The TSC's value in that many milliseconds. */
uint64_t timer_deadline(uint64_t milliseconds);

#endif
