/* What the explainer's test shares between its table and what runs it: broken states, as changes to
   good ones. */
#ifndef KERNEL_VMX_EXPLAIN_TEST_H
#define KERNEL_VMX_EXPLAIN_TEST_H

#include "spec/vmx_checks.h"

enum explain_operation { OP_NONE, OP_SET, OP_OR, OP_CLEAR };

/* A change to a field of the VMCS; a list of them ends at OP_NONE or at its size. */
struct explain_change {
	uint16_t field; /* enum vmcs_index */
	uint8_t operation;
	uint64_t value;
};

/* A good state to start from. It is entered, and left before its first instruction. */
#define EXPLAIN_START_CHANGES 64
struct explain_start {
	const char *name;
	struct explain_change change[EXPLAIN_START_CHANGES];
};

/* A broken state: how it comes from a good one, how the CPU has to refuse it, and which rule the
   explainer has to name, alone. */
#define EXPLAIN_ROW_CHANGES 4
struct explain_row {
	const char *name;
	const struct explain_start *start;
	enum vmx_check_group group;
	enum vmx_check_index broken;
	uint64_t qualification; /* VMX_CHECK_GUEST only */
	struct explain_change change[EXPLAIN_ROW_CHANGES];
	uint64_t needs; /* secondary controls, or 0 */
};

#define EXPLAIN_STARTS 5
extern const struct explain_start *const explain_starts[EXPLAIN_STARTS];

extern const struct explain_row explain_rows[];
extern const unsigned int explain_row_count;

#endif
