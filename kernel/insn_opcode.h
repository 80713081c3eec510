/* The opcode maps as the decoder sees them: for each opcode its form and what it is. The rows stand
   in spec/opcodes.def. */
#ifndef KERNEL_INSN_OPCODE_H
#define KERNEL_INSN_OPCODE_H

#include "kernel/insn.h"

/* The letters of spec/opcodes.def. */
enum form {
	M = BIT(0),
	B = BIT(1),
	W = BIT(2),
	Z = BIT(3),
	V = BIT(4),
	J = BIT(5),
	O = BIT(6),
	P = BIT(7),
	S8 = BIT(8),
	R = BIT(9),
	D64 = BIT(10),
	L4 = BIT(11),
	A = BIT(12),
	X64 = BIT(13),
	C = BIT(14),
	DEFINED = BIT(15)
};

/* Continue enum insn_op: what ModRM, a prefix or the mode decides. */
enum group {
	INSN_GROUP_1 = INSN_XOR + 1,
	INSN_GROUP_1A,
	INSN_GROUP_3,
	INSN_GROUP_4,
	INSN_GROUP_5,
	INSN_GROUP_6,
	INSN_GROUP_7,
	INSN_GROUP_8,
	INSN_GROUP_9,
	INSN_GROUP_11,
	INSN_GROUP_ARPL,
	INSN_GROUP_NOP,
	INSN_GROUP_VEX,
	INSN_GROUPS_END
};

struct opcode {
	uint16_t form;
	uint8_t op; /* enum insn_op or enum group */
};

/* Bytes that are looked at one by one. */
enum byte {
#define OPCODE_BYTE(name, value) OPCODE_##name = (value),
#include "spec/opcodes.def"
};

/* The row of an opcode; form 0 when it has none. */
struct opcode insn_opcode(enum insn_map map, uint8_t opcode);

/* The member that ModRM.reg (0-7) selects of a group with rows: enum insn_op. */
uint8_t insn_group(enum group group, unsigned int reg);

/* 0F 01 with ModRM.mod = 3: enum insn_op. */
uint8_t insn_group_0f01(uint8_t modrm);

#endif
