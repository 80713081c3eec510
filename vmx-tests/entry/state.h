/* A state of the VMCS and the CPU as the explainer's engine wants it, read with the suite's own
   instructions. Used by the tests of the checks and by the random ones. */
#ifndef VMX_TESTS_ENTRY_STATE_H
#define VMX_TESTS_ENTRY_STATE_H

#include "spec/vmx_state.h"
#include "vmx-tests/vmx.h"

/* The state before an entry and the fields after it. */
extern struct vmx_state state_before, state_after;

/* Reads everything; the fields only. What the CPU does not have is 0. */
void state_read(struct vmx_state *state);
void state_read_fields(struct vmx_state *state);

/* The words of memory that the checks look at, for the fields as they are in *state. */
void state_read_memory(struct vmx_state *state);

/* Has the CPU that field (enum vmcs_index)? */
bool state_has_field(unsigned int field);

/* All bits that a field keeps, or a word of memory (beyond VMCS_FIELDS). */
uint64_t state_field_mask(unsigned int field);

/* The first field that a refused entry should have left alone and has not, or -1. late: a failure
   after the guest state was looked at, whose information is in read-only fields; else only the
   VM-instruction error is written. */
int state_difference(bool late);

/* CPUID.80000008H:EAX */
unsigned int state_physical_width(void);
unsigned int state_linear_width(void);

#endif
