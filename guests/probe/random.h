/* Random programs: 1 to 64 instructions from a seed, run in each mode, told as a digest of the
   state they leave. The same seed makes the same programs wherever it runs. */
#ifndef PROBE_RANDOM_H
#define PROBE_RANDOM_H

#include "guests/probe/machine.h"

/* What to run of a program's instructions. */
struct random_request {
	uint64_t seed;
	unsigned int first, count; /* numbers of the programs */
	bool plain;                /* without what a monitor must answer: program.h */
	bool prefixes;             /* print a digest for each prefix of program `first` instead */
	bool suffixes; /* ... or for each run of instructions that ends with number `last` */
	bool show;     /* ... or the code and the record of instructions `start` to `last` */
	unsigned int start, last;
};

/* The request that the words seed= first= programs= make, and for one program prefixes,
   suffixes=LAST, show=START,LAST. What is wrong with them ends the image. */
struct random_request random_read_request(void);

/* Runs the programs from the state `good` and prints lines "# NUMBER: DIGEST DIGEST ...". Returns
   the number of digests printed. */
unsigned int random_run(const struct random_request *request, const struct machine *good);

#endif
