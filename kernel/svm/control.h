/* The control area of a VMCB: what makes a guest exit and how it runs. */
#ifndef KERNEL_SVM_CONTROL_H
#define KERNEL_SVM_CONTROL_H

#include "kernel/svm/svm.h"

/* Fills the control area, all zero before, of a vCPU with or without nested paging ("VMCB Control
   Area"): the intercepts (control.c's table, by svm_intercept()); the addresses of the I/O and MSR
   permission maps (permission.h); virtual interrupt masking, so that the guest's RFLAGS.IF and CR8
   hold back its own interrupts only ("Virtualizing RFLAGS.IF"); and with nested paging its enable
   bit and n_cr3, the address of the tables' root ("Nested Paging"). The ASID is asid.c's. */
void svm_control_write(struct svm_vmcb *vmcb, bool stage2, uint64_t n_cr3);

#endif
