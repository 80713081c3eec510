/* Instructions with a ModR/M operand in machine code, and what the VM-exit instruction-information
   field says of that operand (Intel SDM, "Instruction Format"; "Information for VM Exits Due to
   Instruction Execution"). */
#ifndef VMX_TESTS_EXIT_OPERAND_H
#define VMX_TESTS_EXIT_OPERAND_H

#include "vmx-tests/exit/exit.h"

enum { OPERAND_NONE = -1, OPERAND_RIP = 16 };
enum { SEGMENT_ES, SEGMENT_CS, SEGMENT_SS, SEGMENT_DS, SEGMENT_FS, SEGMENT_GS };

/* A memory operand of 64-bit or 32-bit code. */
struct operand {
	int8_t base;                /* general register, OPERAND_NONE, OPERAND_RIP */
	int8_t index;               /* general register but RSP, OPERAND_NONE */
	uint8_t scale;              /* 0 ... 3: 1, 2, 4, 8 */
	uint8_t displacement_bytes; /* 0, 1, 4 */
	int32_t displacement;
	int8_t segment; /* override, OPERAND_NONE: the default */
	bool address32; /* address-size prefix in 64-bit code */
};

/* The part of an instruction that does not depend on its operand. */
struct opcode {
	uint8_t prefix; /* 0x66, 0xf2, 0xf3 or 0 */
	uint8_t bytes[3];
	uint8_t count;     /* of bytes */
	uint8_t extension; /* ModR/M bits 5:3 where they are part of the opcode */
	bool wide;         /* REX.W in 64-bit code */
};

#define OPERAND_BYTES_MAX 15

/* Encodes the instruction; reg is ModR/M's register operand, or the extension. code64 allows REX.
 * Returns the length. */
size_t operand_encode(const struct opcode *opcode, unsigned int reg, const struct operand *operand,
	bool code64, uint8_t bytes[OPERAND_BYTES_MAX]);

/* The same with the register rm as operand. */
size_t operand_encode_register(const struct opcode *opcode, unsigned int reg, unsigned int rm,
	bool code64, uint8_t bytes[OPERAND_BYTES_MAX]);

/* The bits of the instruction information that describe a memory operand, and which of them are
 * defined. */
uint64_t operand_information(const struct operand *operand, bool code64);
uint64_t operand_mask(const struct operand *operand);

#endif
