/* The witness: a virtual machine that does nothing but look whether its own state stays its own,
   while others try to take the machine over, and tells how far it is. */
#ifndef PROBE_WITNESS_H
#define PROBE_WITNESS_H

#include "runtime/compiler.h"

/* What it tells instead of its rounds once something of its has changed. */
#define WITNESS_CHANGED INT32_MAX

/* Runs until virtual machine 0, which it is the witness of, has ended. Returns whether nothing
 * changed. */
bool witness_run(void);

#endif
