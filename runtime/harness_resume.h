/* resume=on: the number of the running test is kept over a reset, so that a suite on a real machine goes on
   after the test that reset it. Used by harness.c only. */
#ifndef RUNTIME_HARNESS_RESUME_H
#define RUNTIME_HARNESS_RESUME_H

#include "runtime/compiler.h"

/* Reads the word resume=on. Returns the number of the test that was running when the machine was
   reset, or 0 for none. */
unsigned int harness_resume_init(void);

/* Test `number`, from 1, begins; 0: none is running any more. */
void harness_resume_mark(unsigned int number);

#endif
