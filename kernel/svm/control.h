/* The control area of a VMCB: what makes a guest exit and how it runs. */
#ifndef KERNEL_SVM_CONTROL_H
#define KERNEL_SVM_CONTROL_H

#include "kernel/svm/svm.h"

/* Sets the intercepts, the permission maps and the modes of a vCPU with or without nested paging.
   n_cr3: address of the nested page tables' root, with nested paging. */
void svm_control_write(struct svm_vmcb *vmcb, bool stage2, uint64_t n_cr3);

#endif
