/* Attempts to take the machine over: each is a sweep over the steps of a table. */
#ifndef PROBE_SWEEP_STEP_H
#define PROBE_SWEEP_STEP_H

#include "guests/probe/sweep.h"

enum step_op { IN8, IN32, OUT8, OUT16, OUT32, READ32, WRITE32, READ_MSR, WRITE_MSR, CALL };

struct step {
	const char *name;
	enum step_op op;
	uint64_t where; /* port, address, MSR */
	uint64_t write;
	int fault; /* vector of the exception it must make, or 0; what is read otherwise must be
		      `expect` */
	uint64_t expect;
	uint64_t (*call)(void);
	bool stays;      /* need not exit */
	bool amd, intel; /* only there */
};

#define TO(how, where_to, value) .op = (how), .where = (where_to), .write = (value)
#define FROM(how, where_from)    .op = (how), .where = (where_from)
#define DO(function)             .op = CALL, .call = (function)

/* Makes the steps of a sweep's table and judges what each came to. */
extern const struct sweep_kind sweep_step_kind;

#define SWEEP_LOOPS 7

/* sweep_loop.c: attempts to keep the CPU. */
extern const struct step sweep_loops[SWEEP_LOOPS];

#endif
