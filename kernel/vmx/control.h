/* The VM-execution, VM-exit and VM-entry controls: which ones this hypervisor wants, and what the
   CPU's capability MSRs make of that. */
#ifndef KERNEL_VMX_CONTROL_H
#define KERNEL_VMX_CONTROL_H

#include "runtime/compiler.h"
#include "spec/vmx.h"

/* The capability MSR of each 32-bit control word, the TRUE one where there is one; 0 for a
   word that the CPU does not have. */
struct control_capabilities {
	uint64_t word[CONTROL_WORDS];
};

/* Reads them on the calling CPU. */
void control_read_capabilities(struct control_capabilities *capabilities);

/* Computes the value of one control word ("Reserved Controls and Default Settings"): all of
   `required`, what the CPU offers of `optional`, and whatever must be 1.
   capability: its MSR. Returns 0 and the value in *result; or -ENODEV and in *result those of
   `required` that the CPU does not offer. */
int control_adjust(uint32_t required, uint32_t optional, uint64_t capability, uint32_t *result);

/* Computes all words for a vCPU with or without second-level paging: value[CONTROL_WORD_...].
   Returns 0, or -ENODEV and in missing[] the required controls that the CPU lacks. */
int control_compute(const struct control_capabilities *capabilities, bool stage2,
	uint32_t value[CONTROL_WORDS], uint32_t missing[CONTROL_WORDS]);

/* Prints the name of each control in the words as an error: the CPU lacks it. */
void control_print_missing(const uint32_t missing[CONTROL_WORDS]);

/* Writes the words to the current VMCS. 0, or -EIO after printing what failed. */
int control_write(const uint32_t value[CONTROL_WORDS]);

#endif
