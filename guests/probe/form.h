/* The instruction forms of spec/instructions.def with their machine code, for each size of code
   that they exist in. Running them is table.c's. */
#ifndef PROBE_FORM_H
#define PROBE_FORM_H

#include "guests/probe/engine.h"

/* What is set up before a form runs, beside the default registers. */
#define SETUP_WAKE     BIT(0) /* interrupts on, and the 8254 will interrupt once */
#define SETUP_IOPL3    BIT(1) /* RFLAGS.IOPL = 3 */
#define SETUP_UMIP     BIT(2) /* CR4 bits, where CPUID has them */
#define SETUP_TSD      BIT(3)
#define SETUP_FSGSBASE BIT(4)
#define SETUP_OSXSAVE  BIT(5)
#define SETUP_PCE      BIT(6)
#define SETUP_DE       BIT(7)
#define SETUP_TS       BIT(8) /* CR0.TS */
#define SETUP_AC       BIT(9) /* RFLAGS.AC (CR0.AM is set) */

/* Sizes of code. */
enum form_size { FORM_CODE64, FORM_CODE32, FORM_CODE16, FORM_SIZES };

struct form {
	const char *id;
	const char *text; /* assembly */
	const char *section;
	/* What a monitor must make differ from the bare machine, in which modes, and why; or NULLs.
	 */
	struct {
		const char *modes, *what, *why;
	} differs;
	struct {
		const uint8_t *start, *end; /* NULL: does not exist in this size */
	} code[FORM_SIZES];
	uint32_t modes;  /* BIT(enum engine_mode) that it must not run in */
	uint32_t intel;  /* the same where the CPU is not Intel's: an emulator dies of it */
	uint32_t setup;  /* SETUP_* */
	uint32_t masked; /* GPRs, BIT(index), whose value after it cannot be told beforehand */
};

extern const struct form forms[];
extern const unsigned int form_count;

#endif
