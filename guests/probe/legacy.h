/* Runs code outside IA-32e mode: leaves 64-bit mode for 32-bit protected mode without paging, with
   tables of its own there, from there for virtual-8086 or real mode, and comes back. What it shares
   with the engine are the memory, the registers and the result. */
#ifndef PROBE_LEGACY_H
#define PROBE_LEGACY_H

#include "guests/probe/engine.h"
#include "guests/probe/machine.h"

/* Once per boot, after engine_init() and context_init(). */
void legacy_init(void);

/* Can this machine run code in the mode? 16-bit code needs RAM at a fixed place below 1 MiB. */
bool legacy_has(enum engine_mode mode);

/* Runs it in a mode outside IA-32e mode. before and after get what of the machine's state can only
   be seen in that mode: control registers and tables; the rest of after is for machine_read() to
   fill first. */
struct engine_result legacy_run(enum engine_mode mode, const struct engine_registers *registers,
	struct machine *before, struct machine *after);

#endif
