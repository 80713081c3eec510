/* Runs code outside IA-32e mode: leaves 64-bit mode for 32-bit protected mode without paging, with
   tables of its own there, and comes back. What it shares with the engine are the memory, the
   registers and the result. */
#ifndef PROBE_LEGACY_H
#define PROBE_LEGACY_H

#include "guests/probe/engine.h"
#include "guests/probe/machine.h"

/* Once per boot, after engine_init() and context_init(). */
void legacy_init(void);

/* Runs it at the CPL of before->cs. before and after get what of the machine's state can only be
   seen in that mode: control registers and tables; the rest of after is for machine_read() to fill
   first. */
struct engine_result legacy_run(
	const struct engine_registers *registers, struct machine *before, struct machine *after);

#endif
