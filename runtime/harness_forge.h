/* The tests of the tests: answers of the CPU falsified on their way to a test. Used by harness.c only. */
#ifndef RUNTIME_HARNESS_FORGE_H
#define RUNTIME_HARNESS_FORGE_H

#include "runtime/harness.h"

/* Reads the word forge=on. */
void harness_forge_init(void);
bool harness_forge_on(void);

/* True while a falsified run goes on, whose failures are wanted and not worth a line. */
bool harness_forge_quiet(void);

/* Only what a test's body and its expected values look at counts, not what its set-up does. */
void harness_forge_observe(bool body_runs);

/* The outcome of a body, falsified when it is this one's turn. */
outcome harness_forge_outcome(outcome happened);

/* Runs the test once as it is and then once for each observation and outcome, falsifying that one.
   Returns 0 when the plain run was green and each outcome, and at least one observation if there was any, turned it
   red when falsified; else 1, after saying which did not. */
int harness_forge_test(const struct test *test, int (*run)(const struct test *test));

#endif
