/* The machine state that every piece of code under test starts from, the same whoever booted us. */
#ifndef PROBE_CONTEXT_H
#define PROBE_CONTEXT_H

#include "runtime/compiler.h"

/* Brings control registers, debug registers and system-call MSRs to fixed values. Once per boot, after
   engine_init(). */
void context_init(void);

#endif
