/* Interrupts of the CPU to itself, for the tests of exits by external interrupts. */
#ifndef VMX_TESTS_EXIT_INTERRUPT_H
#define VMX_TESTS_EXIT_INTERRUPT_H

#include "vmx-tests/exit/landing.h"

#define INTERRUPT_VECTOR 0x55
#define INTERRUPT_SOON   20000 /* TSC ticks, for the watchdog where an exit may not come */

/* Makes INTERRUPT_VECTOR pending; in the host or in a guest that may use the APIC. */
void interrupt_send(void);

/* Lets the host take what is pending; returns how many interrupts those were, observed. */
unsigned int interrupt_drain(void);

/* Ends an interrupt that was acknowledged by an exit or delivered to the guest. */
void interrupt_end(void);

/* The watchdog comes soon, at the latest. */
void interrupt_set_backstop(void);

#endif
