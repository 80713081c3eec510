/* The VMX instructions as bytes, with any operands, and ways to run them on the host and in the
   guest. What they should do is left to the tests beside this file. */
#ifndef VMX_TESTS_INSN_INSTRUCTION_H
#define VMX_TESTS_INSN_INSTRUCTION_H

#include "vmx-tests/host_mode.h"

enum instruction {
	INSN_VMXON,
	INSN_VMXOFF,
	INSN_VMCLEAR,
	INSN_VMPTRLD,
	INSN_VMPTRST,
	INSN_VMREAD,
	INSN_VMWRITE,
	INSN_VMLAUNCH,
	INSN_VMRESUME,
	INSN_VMCALL,
	INSN_VMFUNC,
	INSN_INVEPT,
	INSN_INVVPID,
	INSTRUCTIONS
};

const char *instruction_name(enum instruction instruction);

/* Has the CPU that instruction? (INVEPT and INVVPID come with EPT and VPIDs.) */
bool instruction_available(enum instruction instruction);

/* Does it have a memory operand, and does it write it? Has it a register operand beside it? */
bool instruction_has_memory(enum instruction instruction);
bool instruction_writes_memory(enum instruction instruction);
bool instruction_has_register(enum instruction instruction);

/* The basic exit reason it has in VMX non-root operation. */
uint32_t instruction_exit_reason(enum instruction instruction);

/* "Instruction Format": the operand that ModR/M, SIB and prefixes name. Zeroes stand for (%rax). */
#define OPERAND_NONE 0xff /* no base, or no index */
struct operand {
	bool is_register;  /* the register `base` itself */
	uint8_t base;      /* a GPR or OPERAND_NONE */
	bool rip_relative; /* instead of base and index */
	bool has_index;
	uint8_t index, scale;       /* scale 0-3: times 1, 2, 4, 8 */
	uint8_t displacement_bytes; /* 0, 1 or 4 */
	int32_t displacement;
	uint8_t segment; /* prefix: 0, or 0x26 ES, 0x2e CS, 0x36 SS, 0x3e DS, 0x64 FS, 0x65 GS */
	bool address32;  /* prefix 0x67 */
};

/* Writes the instruction for 64-bit code: the operand, and the register operand `reg` (of those
   that have one). At most 16 bytes; returns how many. RIP-relative displacements count from its
   end. */
size_t instruction_encode(
	uint8_t *code, enum instruction instruction, uint8_t reg, const struct operand *operand);

/* The same bytes in all modes: (%rdi), (%edi) or (%bx), with register operand RCX. */
size_t instruction_encode_plain(uint8_t *code, enum instruction instruction);

/* Runs it on the host in a mode, on the operand at `memory` with `value` in its register operand
   (RCX, RAX). Returns the fault, or in 64-bit mode at CPL 0 the outcome of the flags, else OK. */
outcome instruction_run_in(
	enum host_mode mode, enum instruction instruction, void *memory, uint64_t value);
outcome instruction_run(enum instruction instruction, void *memory, uint64_t value);

/* The value to give instruction_run() for something harmless: a field's encoding, an
   invalidation type that the CPU has. */
uint64_t instruction_good_value(enum instruction instruction);

/* A memory operand with which the instruction succeeds: 16 bytes, refilled at each call. VMXON's
 * and VMPTRLD's name the spare regions. */
void *instruction_good_operand(enum instruction instruction);

#endif
