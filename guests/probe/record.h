/* What one execution did, as one line that two runs can be compared by: the outcome, and each piece
   of state that is not as before. */
#ifndef PROBE_RECORD_H
#define PROBE_RECORD_H

#include "guests/probe/engine.h"
#include "guests/probe/machine.h"

/* Everything about one execution. */
struct record {
	const char *form;
	const char *mode;
	struct engine_registers before;
	struct engine_result result;
	struct machine machine_before, machine_after;
	uint64_t ticks;  /* of the TSC, told when not 0 */
	uint32_t masked; /* GPRs, BIT(index), that are told as "*" when the code ran to its end */
};

/* Prints "@ FORM MODE OUTCOME NAME=VALUE ..."; memory by the first changed bytes and a digest.
   A long record goes on in lines that start with "+ ". */
void record_print(const struct record *record);

/* A digest in FNV-1a's way, 64 bits, continuing from `digest` (start with RECORD_DIGEST). */
#define RECORD_DIGEST UINT64_C(0xcbf29ce484222325)
uint64_t record_digest(uint64_t digest, const void *data, size_t bytes);

#endif
