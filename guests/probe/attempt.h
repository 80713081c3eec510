/* Attempts that end the virtual machine which makes them, and nobody else. */
#ifndef PROBE_ATTEMPT_H
#define PROBE_ATTEMPT_H

#include "runtime/compiler.h"

/* Makes the attempt of that name: "halt", "triple", "nowhere", "unknown". Returns -ENOENT when
   there is no such attempt, or 0: it should not have come back. */
int attempt_end(const char *name);

#endif
