/* The opcode maps of spec/opcodes.def as arrays. What an opcode's form means for the bytes that
   follow is insn.c's. */
#include "kernel/insn_opcode.h"

static const struct opcode map_1[256] = {
#define OPCODE_1(first, last, op, form) [first... last] = { DEFINED | (form), INSN_##op },
#include "spec/opcodes.def"
};

static const struct opcode map_0f[256] = {
#define OPCODE_0F(first, last, op, form) [first... last] = { DEFINED | (form), INSN_##op },
#include "spec/opcodes.def"
};

/* By group less INSN_GROUP_1 and ModRM.reg. */
static const uint8_t groups[INSN_GROUPS_END - INSN_GROUP_1][8] = {
#define GROUP(number, reg, op) [INSN_GROUP_##number - INSN_GROUP_1][reg] = INSN_##op,
#include "spec/opcodes.def"
};

/* By the low 6 bits of ModRM. */
static const uint8_t group_0f01[64] = {
#define GROUP_0F01(modrm, op) [(modrm)&63] = INSN_##op,
#include "spec/opcodes.def"
};

struct opcode insn_opcode(enum insn_map map, uint8_t opcode)
{
	switch (map) {
	case INSN_MAP_1:
		return map_1[opcode];
	case INSN_MAP_0F:
		return map_0f[opcode];
	case INSN_MAP_0F38:
		return (struct opcode){ DEFINED | M, INSN_OTHER };
	default:
		return (struct opcode){ DEFINED | M | B, INSN_OTHER };
	}
}

uint8_t insn_group(enum group group, unsigned int reg)
{
	return groups[group - INSN_GROUP_1][reg];
}

uint8_t insn_group_0f01(uint8_t modrm)
{
	return group_0f01[modrm & 63];
}
