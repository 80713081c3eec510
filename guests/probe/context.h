/* The machine state that every piece of code under test starts from, the same whoever booted us. */
#ifndef PROBE_CONTEXT_H
#define PROBE_CONTEXT_H

#include "runtime/compiler.h"

/* Brings control registers, debug registers and system-call MSRs to fixed values. Once per boot,
   after engine_init(). */
void context_init(void);

/* The part of it that makes no exit: descriptor tables, debug registers, system-call MSRs. */
void context_init_tables(void);

/* The same machine, but with tables at other addresses, another TSS selector, a local descriptor
   table and CR0.MP clear: what a monitor that shares the CPU with its guest would change. A program
   that can tell the difference without a trap executes a sensitive instruction. */
void context_move(void);

#endif
