/* Why a PC could not be virtualized by running the guest's kernel at CPL 3: an experiment. Each
   instruction that shows or changes the machine's state is executed at CPL 0 and at CPL 3, and what
   came of it is compared. What a monitor could do about it is the book's. */
#ifndef KERNEL_SENSITIVE_H
#define KERNEL_SENSITIVE_H

#include "runtime/compiler.h"

/* What came of an instruction. */
struct sensitive_outcome {
	int vector;      /* the exception that it made, or TRAP_NONE */
	uint64_t result; /* what a program can see of it; 0 after an exception */
};

enum sensitive_class {
	SENSITIVE_UNKNOWN, /* not classified */
	SENSITIVE_TRAPS,   /* CPL 3 makes an exception, CPL 0 does not: a monitor gets control */
	SENSITIVE_SHOWS,   /* no exception: CPL 3 sees the same as CPL 0, the machine's own state */
	SENSITIVE_DIFFERS, /* no exception, but another result: it silently did something else */
	SENSITIVE_NOTHING, /* an exception at CPL 0 already: nothing can be told */
	SENSITIVE_CLASSES
};

struct sensitive_insn {
	const char *name;
	void (*code)(void); /* puts the result into the first 8 bytes that RDI points at; ends with
			       INT3 */
	bool privileged;    /* for comparison: one that always trapped */
};

/* The instructions of Robin and Irvine's list ("Analysis of the Intel Pentium's Ability to Support
   a Secure Virtual Machine Monitor"), and a few privileged ones. */
extern const struct sensitive_insn sensitive_insns[];
extern const unsigned int sensitive_insn_count;

/* Executes one at CPL 0, or at CPL 3 if `user`. Interrupts are off, and off afterwards. */
struct sensitive_outcome sensitive_run(const struct sensitive_insn *insn, bool user);

/* What the two outcomes of an instruction say of it. Popek and Goldberg's condition asks that every
   sensitive instruction traps: only SENSITIVE_TRAPS lets a monitor at CPL 0 keep its guest from
   noticing. */
enum sensitive_class sensitive_classify(
	const struct sensitive_outcome *supervisor, const struct sensitive_outcome *user);

/* Does a monitor that only gets control by traps lose against this instruction: did it not trap,
   although it shows or changes the machine's state? */
bool sensitive_escapes(enum sensitive_class class);

/* Runs all and prints the table. Returns the number that could not be classified. */
int sensitive_test(void);

#endif
