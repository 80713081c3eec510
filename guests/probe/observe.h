/* The state that a virtual machine believes to be its own, with values that another one does not
   have, and whether it still is so. */
#ifndef PROBE_OBSERVE_H
#define PROBE_OBSERVE_H

#include "guests/probe/machine.h"

#define OBSERVE_PARTS 16 /* pages of memory, of which each comparison looks at one */

/* What must stay: the machine's state, and digests of the rest. */
struct observation {
	struct machine machine;
	uint64_t memory[OBSERVE_PARTS], fpu, cr2, devices;
	unsigned int next; /* part of the memory to be looked at */
};

/* Fills memory, FPU, debug registers and MSRs with values made from `mark`, and notes all of it. */
void observe_start(struct observation *observation, uint8_t mark);

/* The name of what has changed since, or NULL. all: with the devices and CR2, which sweeps use. */
const char *observe_compare(struct observation *before, bool all);

#endif
