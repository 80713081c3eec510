/* The decisions of on.c as pure functions of register values, so that values which no CPU at
   hand has can be tried on the host. */
#ifndef KERNEL_SVM_ON_H
#define KERNEL_SVM_ON_H

#include "runtime/compiler.h"

/* What decides whether this CPU can run guests. */
struct svm_on_registers {
	uint32_t ext_features_ecx; /* CPUID Fn8000_0001 */
	/* The rest is 0 where the CPU has no SVM: */
	uint32_t svm_eax, svm_ebx, svm_edx; /* CPUID Fn8000_000A */
	uint64_t vm_cr;
};

/* Reads them on the calling CPU. */
void svm_on_read_registers(struct svm_on_registers *registers);

/* Can a CPU with these registers run guests, with nested paging if stage2? 0, -ENODEV or -EPERM
   as struct backend's check() says, after printing each reason. */
int svm_on_check(const struct svm_on_registers *registers, bool stage2);

/* What VM_CR must hold for EFER.SVME to be settable ("VM_CR MSR (C001_0114h)"), given what it
   holds: without SVMDIS, which can be cleared while LOCK is 0. Returns 0, or -EPERM when SVM is
   disabled and locked so. */
int svm_on_vm_cr(uint64_t value, uint64_t *wanted);

#endif
