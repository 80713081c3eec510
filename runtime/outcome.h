/* What a test can come to, as one comparable word, the same for both vendors: a test declares the word
   it expects, its body returns the word that happened, and the harness compares. */
#ifndef RUNTIME_OUTCOME_H
#define RUNTIME_OUTCOME_H

#include "runtime/compiler.h"
#include "spec/cpu.h"

typedef uint64_t outcome; /* kind 63:56, vector 55:48, value 47:0 */

enum outcome_kind {
	OUTCOME_OK = 1,
	OUTCOME_FAULT,		/* an exception: vector, error code */
	OUTCOME_FAIL_INVALID,	/* VMfailInvalid */
	OUTCOME_FAIL_VALID,	/* VMfailValid: the VM-instruction error */
	OUTCOME_EXIT,		/* a VM exit: basic reason, or #VMEXIT code */
	OUTCOME_ENTRY_FAIL,	/* a VM-entry failure: basic reason */
	OUTCOME_VMEXIT_INVALID, /* AMD: VMEXIT_INVALID */
	OUTCOME_SHUTDOWN,
	OUTCOME_ABORT,		/* VMX abort: indicator */
	OUTCOME_RESET,
	OUTCOME_MISMATCH,	/* a value is not what the manual says: source line */
	OUTCOME_ERROR,		/* the test itself is wrong, or could not be set up: source line */
};

#define OUTCOME(kind, vector, value)                                                               \
	((outcome)(kind) << 56 | (outcome)(uint8_t)(vector) << 48 | ((outcome)(value) & BITS(47, 0)))

#define OK		   OUTCOME(OUTCOME_OK, 0, 0)
/* FAULT(UD), FAULT(GP), FAULT(GP, 0x18): without an error code given, it is 0. */
#define FAULT(...)	   FAULT_WITH_CODE(__VA_ARGS__, 0, 0)
#define FAULT_WITH_CODE(name, code, ...) OUTCOME(OUTCOME_FAULT, VECTOR_##name, (code))
#define FAIL_INVALID	   OUTCOME(OUTCOME_FAIL_INVALID, 0, 0)
#define FAIL_VALID(error)  OUTCOME(OUTCOME_FAIL_VALID, 0, error)
#define EXIT(reason)	   OUTCOME(OUTCOME_EXIT, 0, reason)
#define ENTRY_FAIL(reason) OUTCOME(OUTCOME_ENTRY_FAIL, 0, reason)
#define VMEXIT_INVALID	   OUTCOME(OUTCOME_VMEXIT_INVALID, 0, 0)
#define SHUTDOWN	   OUTCOME(OUTCOME_SHUTDOWN, 0, 0)
#define ABORT(indicator)   OUTCOME(OUTCOME_ABORT, 0, indicator)
#define RESET		   OUTCOME(OUTCOME_RESET, 0, 0)

static inline enum outcome_kind outcome_kind(outcome word)
{
	return (enum outcome_kind)(word >> 56);
}

static inline uint8_t outcome_vector(outcome word)
{
	return (uint8_t)(word >> 48);
}

static inline uint64_t outcome_value(outcome word)
{
	return word & BITS(47, 0);
}

/* The outcome that an exception is. */
static inline outcome outcome_fault(int vector, uint32_t error)
{
	return OUTCOME(OUTCOME_FAULT, vector, error);
}

/* Writes the word as its declaration would, e.g. "FAULT(GP, 0x18)"; always ends with a NUL. */
void outcome_format(outcome word, char *text, size_t size);

#endif
