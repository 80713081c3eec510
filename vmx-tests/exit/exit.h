/* What the tests of VM exits share: a guest that is one instruction between two labels, and the
   question whether it exited as an instruction does. */
#ifndef VMX_TESTS_EXIT_EXIT_H
#define VMX_TESTS_EXIT_EXIT_H

#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

/* A piece of guest code that ends in VMCALL. */
struct guest_code {
	const uint8_t *start, *end;
};

/* GUEST64(name, "assembly"): defines `name` as 64-bit code followed by VMCALL; CODE_OF(name) is its
   struct guest_code. GUEST32 and GUEST16 likewise. */
#define GUEST64(name, text) GUEST_CODE64(name, text "; 771: vmcall; jmp 771b")
#define GUEST32(name, text) GUEST_CODE32(name, text "; 771: vmcall; jmp 771b")
#define GUEST16(name, text) GUEST_CODE16(name, text "; 771: vmcall; jmp 771b")
#define CODE_OF(name)                                                                              \
	{                                                                                          \
		name, name##_end                                                                   \
	}

#define VMCALL_LENGTH 3

/* Prepares and enters the 64-bit guest at the start of the code. guest_run()'s outcomes. */
outcome exit_run(struct guest_code code);
outcome exit_run_mode(enum guest_mode mode, struct guest_code code);

/* Copies `count` bytes of 64-bit code, and a VMCALL behind them, to where the guest may execute
   them; RIP is there and RSP on the guest's stack. Returns RIP. The three scratch pages remain the
   test's. */
uint64_t exit_set_bytes(const uint8_t *bytes, size_t count);

/* Sets or clears a control of the current VMCS; setting one of the secondary or tertiary controls
   activates them. */
void exit_control(enum vmx_control_word word, uint64_t bits, bool on);

/* RDMSR and WRMSR run in the guest, where the CPU has MSR bitmaps: for guests that use an x2APIC.
 */
void exit_let_msrs_pass(void);

/* One instruction at the start of a guest. */
struct exit_case {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint32_t length; /* in bytes, where the expected outcome is another exit than VMCALL */
	uint64_t qualification;
};

/* Runs the guest; where another exit is expected than its last VMCALL, checks what every exit due
   to an instruction reports ("Information for VM Exits Due to Instruction Execution", "Saving RIP,
   RSP, RFLAGS, and SSP"): RIP at the instruction, RFLAGS.RF = 0, its length, the qualification, no
   event. */
outcome exit_run_case(const struct exit_case *row);

/* The same after the caller has set the mode, and changed what it wanted then. */
outcome exit_run_case_here(const struct exit_case *row);

/* The checks alone, for an instruction at rip. */
outcome exit_check_instruction(uint64_t rip, uint32_t length, uint64_t qualification);

#endif
