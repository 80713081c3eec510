/* Makes random programs: which instructions there are, and their machine code. Running them is
   random.c's. */
#ifndef PROBE_PROGRAM_H
#define PROBE_PROGRAM_H

#include "guests/probe/engine.h"

#define PROGRAM_INSTRUCTIONS 64                    /* at most */
#define PROGRAM_MODES        ENGINE_PROTECTED_CPL0 /* those before: memory at 0 is a fault there */
#define PROGRAM_BYTES        32                    /* of one instruction, with what sets it up */

struct program {
	enum engine_mode mode;
	unsigned int count;
	struct {
		uint8_t bytes;
		uint8_t code[PROGRAM_BYTES];
	} instruction[PROGRAM_INSTRUCTIONS];
	uint64_t gpr[16]; /* starting values of those that are no pointers */
};

/* Program `number` of a seed. plain: without what a monitor must answer, or inject an exception
   for; what exits only to be passed over comes the more often. */
void program_make(struct program *program, uint64_t seed, unsigned int number, bool plain);

#endif
