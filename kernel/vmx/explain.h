/* The explainer's view of the current VMCS, for its own test too. */
#ifndef KERNEL_VMX_EXPLAIN_H
#define KERNEL_VMX_EXPLAIN_H

#include "spec/vmx_checks.h"

struct vcpu;

/* Takes a snapshot of the VMCS that is current on the calling CPU, and of that CPU. */
void vmx_explain_read(struct vmx_state *state);

/* Breaks the VMCS of vcpu, which must be loaded and ready to be entered, in one way after the
   other, enters it, and compares how the CPU refuses and what the explainer says with a table
   written from the manual. Prints one line per row. Returns the number of rows that failed; the
   VMCS is as it was. */
int vmx_explain_test(struct vcpu *vcpu);

#endif
