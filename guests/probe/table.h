/* Executes the instruction table: each form in each mode it exists in, one record each. */
#ifndef PROBE_TABLE_H
#define PROBE_TABLE_H

#include "guests/probe/machine.h"

/* Does one of the patterns (see string_matches()), with commas between them, match? */
bool table_selects(const char *patterns, const char *id);

/* Prints a line per form: its section and assembly; and another when it must differ as a guest. */
void table_list(const char *patterns);

/* Of all modes only those whose names match one of the patterns run from here on. The string stays
 * in use. */
void table_select_modes(const char *patterns);

/* Runs the forms whose ids match one of the patterns (see string_matches()), with commas between
   them, from the state `good`, to which the machine is restored after each. Returns the number of
   records printed. */
unsigned int table_run(const char *patterns, const struct machine *good);

/* The same at CPL 3 only, after context_move() and with RFLAGS.IF set; modes are called
 * "64/3/moved". */
unsigned int table_run_moved(const char *patterns, const struct machine *good);

/* Lets each record tell how many TSC ticks the form took, at least, with what surrounds it. */
void table_count_ticks(void);

#endif
