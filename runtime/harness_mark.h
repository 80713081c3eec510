/* Lines of the report that only the harness can have written, as far as that goes in one address space:
   each ends in a mark that a key on the command line decides. Used by harness*.c only. */
#ifndef RUNTIME_HARNESS_MARK_H
#define RUNTIME_HARNESS_MARK_H

#include "runtime/compiler.h"

/* Takes the word key= off the command line. Without it lines are not marked. */
void harness_mark_init(void);

/* Prints one line of the report; format has no newline. With a key " ~XXXXXXXX" follows: 32 bits of FNV-1a
   over the key, how many lines were marked before, and the line (tools/trapeze/suite_log.py reads it). */
void harness_line(const char *format, ...) __printf(1, 2);

#endif
