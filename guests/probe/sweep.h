/* Sweeps: long rows of accesses to what a guest may not reach (ports, MSRs, memory, control
   registers, or the steps of an attempt to take the machine over), each with what the virtual
   machine's policy makes of it. Only for a guest: the bare machine would be reset, or worse. */
#ifndef PROBE_SWEEP_H
#define PROBE_SWEEP_H

#include "runtime/compiler.h"
#include "runtime/trap.h"

#define SWEEP_ANY (-2) /* as policy.vector: may fault or not */

/* What an access did. */
struct sweep_result {
	int vector;     /* of its exception, or TRAP_NONE */
	uint32_t error; /* the exception's error code */
	uint64_t value; /* what was read, when it did not fault */
};

/* What it should do. */
struct sweep_policy {
	const char *rule;     /* who answers, in one word: a device, "nothing", "absent", ... */
	bool skip;            /* it is not to be made */
	bool exits;           /* the hypervisor must have seen it */
	int vector;           /* as in the result, or SWEEP_ANY */
	uint64_t mask, value; /* what is read, in the bits of mask */
};

struct sweep;

/* What the sweeps of one kind have in common. An index is the number of an access, from 0. */
struct sweep_kind {
	uint64_t (*count)(const struct sweep *sweep);
	/* The address that records tell for an index, or, when it is set, the name of a step. */
	uint64_t (*where)(const struct sweep *sweep, uint64_t index);
	const char *(*name)(const struct sweep *sweep, uint64_t index);
	/* Is it part of a sample, whatever the sampling rate? May be NULL. */
	bool (*matters)(const struct sweep *sweep, uint64_t index);
	void (*expect)(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy);
	/* Makes the access; may fault, leaving no lock behind and nothing to undo. */
	void (*access)(const struct sweep *sweep, uint64_t index, struct sweep_result *result);
	/* May be NULL: called when an access that must exit did not. */
	void (*leaks)(const struct sweep *sweep, uint64_t index);
	void (*end)(const struct sweep *sweep); /* may be NULL: puts right what was spoilt */
};

struct step;

struct sweep {
	const char *name;
	const char *what; /* is done */
	const char *rule; /* a sentence */
	const struct sweep_kind *kind;
	unsigned int size;        /* of an access in bytes, or whatever the kind means by it */
	const struct step *steps; /* of an attempt */
	unsigned int steps_count;
};

/* The sweeps of one file. */
struct sweep_list {
	const struct sweep *sweep;
	unsigned int count;
};
extern const struct sweep_list sweep_ports, sweep_msrs, sweep_memory, sweep_registers,
	sweep_attempts;

/* What is asked of a run. */
struct sweep_request {
	const char *patterns; /* names of sweeps, with commas between them */
	uint64_t sample;      /* one access out of so many, and those that matter; 1: all */
	int witness;          /* the number of the virtual machine that is the witness, or -1 */
};

/* Runs them. After each it asks whether the hypervisor still answers, its canaries live, and the
   witness goes on unchanged. Prints a line for each sweep and a record for each run of accesses
   that did the same. */
void sweep_run(const struct sweep_request *request);

/* How far the witness is; -1 without one. For attempts to keep the CPU. */
int sweep_witness_rounds(void);

#endif
