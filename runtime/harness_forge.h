/* The tests of the tests: answers of the CPU falsified on their way to a test. Used by harness.c, and by tests
   that repeat themselves, or read a lot before they ask the CPU. */
#ifndef RUNTIME_HARNESS_FORGE_H
#define RUNTIME_HARNESS_FORGE_H

#include "runtime/harness.h"

#define HARNESS_ALL_ROWS UINT32_MAX

/* Reads the word forge=on|uncompared. Returns 0, or -EINVAL for any other value. */
int harness_forge_init(void);
bool harness_forge_on(void);

/* forge=uncompared: whatever is compared counts as equal, as if the harness had lost its eyes. The run must
   not pass. */
bool harness_forge_uncompared(void);

/* True while a falsified run goes on, whose failures are wanted and not worth a line. */
bool harness_forge_quiet(void);

/* Only what a test's body and its expected values look at counts, not what its set-up does. */
void harness_forge_observe(bool body_runs);

/* The outcome of a body, falsified when it is this one's turn. */
outcome harness_forge_outcome(outcome happened);

/* Runs the test once as it is, and then each row of a sweep (a plain test is one row) by itself: as it is, with its
   outcome falsified, and with each of its observations falsified. `run` runs one row or all.
   Returns 0 when the run as it is was green, and each row's falsified outcome turned it red, and at least one
   falsified observation a plain test that expects OK and made any; else 1, after saying which did not. */
int harness_forge_test(const struct test *test, int (*run)(const struct test *test, uint32_t row));

#endif
