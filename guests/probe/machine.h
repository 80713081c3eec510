/* The machine's state outside the general registers: control and debug registers, descriptor-table
   registers, MSRs. What the code under test changed there is seen here, and put back. */
#ifndef PROBE_MACHINE_H
#define PROBE_MACHINE_H

#include "runtime/compiler.h"

enum machine_index {
#define MACHINE(name, read, write) MACHINE_##name,
#include "guests/probe/machine.def"
#undef MACHINE
	MACHINE_COUNT
};

struct machine {
	uint64_t value[MACHINE_COUNT];
};

/* "cr0", "ia32_star", ...: the names used in records. */
extern const char *const machine_names[MACHINE_COUNT];

/* From now on what a monitor would have to answer for is left alone: it reads 0. */
void machine_stay_plain(void);

/* Reads all of it; what this CPU does not have reads 0. */
void machine_read(struct machine *machine);

/* Writes what differs from `now` back to `good`. */
void machine_restore(const struct machine *good, const struct machine *now);

#endif
