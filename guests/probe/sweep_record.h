/* Records of sweeps: neighbouring accesses that did the same are one line. */
#ifndef PROBE_SWEEP_RECORD_H
#define PROBE_SWEEP_RECORD_H

#include "guests/probe/sweep.h"

/* Compares a result with its policy. NULL, or a word for what is wrong: "value", "fault",
   "nofault". */
const char *sweep_judge(const struct sweep_result *result, const struct sweep_policy *policy);

/* Adds what access `index` of a sweep did; cause is what is wrong with it, or NULL. */
void sweep_record_add(const struct sweep *sweep, uint64_t index, const struct sweep_result *result,
	const struct sweep_policy *policy, const char *cause);

/* Prints what has not been printed yet; call at the end of a sweep. */
void sweep_record_flush(void);

#endif
