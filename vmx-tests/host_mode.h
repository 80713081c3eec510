/* Runs a few bytes of machine code on the host in one of its modes and comes back with the
   registers or the fault. What the bytes are is the tests' (insn/instruction.h makes those of VMX).
 */
#ifndef VMX_TESTS_HOST_MODE_H
#define VMX_TESTS_HOST_MODE_H

#include "runtime/trap.h"
#include "vmx-tests/guest.h"

enum host_mode {
	HOST_64BIT,              /* 64-bit mode, CPL 0 */
	HOST_64BIT_USER,         /* 64-bit mode, CPL 3 */
	HOST_COMPATIBILITY,      /* IA32_EFER.LMA = 1, CS.L = 0, CPL 0 */
	HOST_COMPATIBILITY_USER, /* the same at CPL 3 */
	HOST_MODES
};

/* The general registers, numbered as in guest.h, and RFLAGS. RSP 0 stands for the suite's stack. */
struct host_registers {
	uint64_t gpr[16];
	uint64_t rflags;
};

#define HOST_CODE_MAX 64 /* bytes that can be run at once */

/* Loads the registers, runs code[bytes] in that mode and stores the registers again (not after a
   fault, and not from CPL 3). Returns OK when its end was reached, else FAULT. The bytes may be
   anything that falls through to its end; *fault (may be NULL) says more about a fault. */
outcome host_execute(enum host_mode mode, const uint8_t *code, size_t bytes,
	struct host_registers *registers, struct trap_info *fault);

/* Where host_execute() puts the code: its first byte, which is also mapped for data. */
uint8_t *host_code_page(void);

#endif
