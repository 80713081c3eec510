/* What a VMCB holds of registers when it is made ("VMCB State Save Area"). */
#ifndef KERNEL_SVM_STATE_H
#define KERNEL_SVM_STATE_H

struct vcpu;

/* Writes the state-save area, all zero before, with what a CPU holds after reset ("Processor
   Initialization State"; spec/reset.h), so that VMRUN takes it ("Canonicalization and Consistency
   Checks"): segments with their attributes, an LDT and a busy TSS among them, RFLAGS with its fixed
   bit. EFER, CR0 and CR4 go through svm_set(), which adds what VMRUN itself needs. */
void svm_state_write_guest(struct vcpu *vcpu);

#endif
