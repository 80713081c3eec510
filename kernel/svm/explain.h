/* The explainer's parts, for its self-test and for who wants the verdict without the text. */
#ifndef KERNEL_SVM_EXPLAIN_H
#define KERNEL_SVM_EXPLAIN_H

#include "kernel/vcpu.h"
#include "spec/svm_checks.h"

/* Saves what the last entry of vcpu was tried with, and the facts of this CPU, to *state. */
void svm_explain_read(struct svm_state *state, struct vcpu *vcpu);

/* Breaks the VMCB of vcpu, which must be loaded and ready to be entered, in one way after the
   other, enters it, and compares what the explainer finds with a table written from the manual.
   Prints one line per row. Returns the number of rows that failed; the VMCB is as it was. */
int svm_explain_test(struct vcpu *vcpu);

#endif
