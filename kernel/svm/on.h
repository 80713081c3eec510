/* The steps of turning AMD-V on. The decisions are pure functions of register values, so that
   values which no CPU at hand has can be tried on the host. */
#ifndef KERNEL_SVM_ON_H
#define KERNEL_SVM_ON_H

#include "runtime/compiler.h"

struct svm_vmcb;

/* What decides whether this CPU can run guests. */
struct svm_on_registers {
	uint32_t ext_features_ecx; /* CPUID Fn8000_0001 */
	/* The rest is 0 where the CPU has no SVM: */
	uint32_t svm_eax, svm_ebx, svm_edx; /* CPUID Fn8000_000A */
	uint64_t vm_cr;
};

/* Reads them on the calling CPU. */
void svm_on_read_registers(struct svm_on_registers *registers);

/* Can a CPU with these registers run guests? Asked in this order: has it SVM; does firmware let us
   use it (svm_on_vm_cr()); has its SVM a revision other than 0 and at least two address space
   identifiers, the host's and a guest's; and, if stage2, nested paging ("CPUID Fn8000_000A_EAX" to
   "EDX")? 0; -ENODEV, or what svm_on_vm_cr() returned, after printing the first reason why not. */
int svm_on_check(const struct svm_on_registers *registers, bool stage2);

/* What VM_CR must hold for EFER.SVME to be settable ("VM_CR MSR (C001_0114h)"), given what it
   holds: without SVMDIS, which can be cleared while LOCK is 0; the other bits stay. Returns 0, or
   -EPERM, with *wanted = value, when SVM is disabled and locked so. */
int svm_on_vm_cr(uint64_t value, uint64_t *wanted);

/* Writes VM_CR on the calling CPU where firmware left that to us: after it EFER.SVME can be set. A
   CPU without that MSR (rdmsr_safe() says so, and gives 0) needs nothing; nor does one whose value
   is as it must be. 0, or what svm_on_vm_cr() returned, after printing why. */
int svm_on_unlock(void);

/* Saves in *vmcb what VMLOAD brings back at each exit: FS, GS, TR, LDTR and the system-call MSRs
   ("VMSAVE and VMLOAD Instructions"). One page, 4 KiB aligned; EFER.SVME is 1. */
void svm_on_save_host(struct svm_vmcb *vmcb);

#endif
