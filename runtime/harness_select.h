/* Which tests run, and in which order. Used by harness.c only. */
#ifndef RUNTIME_HARNESS_SELECT_H
#define RUNTIME_HARNESS_SELECT_H

#include "runtime/harness.h"

#define HARNESS_TESTS_MAX 4096

/* Puts the selected tests into order[] (HARNESS_TESTS_MAX of them at most), prints the plan and, for a random
   order, its seed. Returns how many they are. */
unsigned int harness_select(const struct test *order[]);

/* from=N: the N tests before are done, by an earlier boot. */
unsigned int harness_first(void);

#endif
