/* The word beat=on: the suite runs under a hypervisor on a slow CPU that holds interrupts back (KVM
   in Bochs). What the tests do there is theirs. */
#ifndef VMX_TESTS_BEAT_H
#define VMX_TESTS_BEAT_H

#include <stdbool.h>
#include <stdint.h>

/* Reads the word from the command line. */
void beat_init(void);

/* With beat=on, the calling CPU's local APIC timer runs: a hypervisor below that emulates it gets
   the CPU back even while a guest loops with IF 0. */
void beat_start(void);

/* How much of something that is tried thousands of times: `all`, or with beat=on `sample`. */
unsigned int beat_choose(unsigned int all, unsigned int sample);

/* With beat=on, waits until what was printed has left the machine, whatever happens to it then. */
void beat_wait_for_console(void);

#endif
