/* Encoding of ModR/M operands. Which instructions are encoded is information.c's. */
#include "vmx-tests/exit/operand.h"

#define REX          0x40
#define REX_W        8
#define REX_R        4
#define REX_X        2
#define REX_B        1
#define ADDRESS_SIZE 0x67
#define NO_INDEX     4 /* in SIB */
#define NO_BASE      5 /* in SIB with mod 0; in ModR/M with mod 0: RIP-relative or absolute */
#define HAS_SIB      4 /* in ModR/M */

static const uint8_t segment_prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };

struct cursor {
	uint8_t *bytes;
	size_t count;
};

static void put(struct cursor *cursor, unsigned int byte)
{
	cursor->bytes[cursor->count++] = (uint8_t)byte;
}

static void put_displacement(struct cursor *cursor, int32_t value, unsigned int bytes)
{
	unsigned int i;

	for (i = 0; i < bytes; i++)
		put(cursor, (uint32_t)value >> (8 * i) & 0xff);
}

static unsigned int low(int reg)
{
	return (unsigned int)reg & 7;
}

static unsigned int high(int reg)
{
	return reg >= 8 && reg < 16;
}

static void put_opcode(
	struct cursor *cursor, const struct opcode *opcode, unsigned int rex, bool code64)
{
	unsigned int i;

	if (opcode->prefix != 0)
		put(cursor, opcode->prefix);
	if (code64 && (rex != 0 || opcode->wide))
		put(cursor, REX | rex | (opcode->wide ? REX_W : 0));
	for (i = 0; i < opcode->count; i++)
		put(cursor, opcode->bytes[i]);
}

/* ModR/M's mod field for the displacement's size. */
static unsigned int mode_of(const struct operand *operand)
{
	if (operand->base == OPERAND_NONE || operand->base == OPERAND_RIP)
		return 0;
	return operand->displacement_bytes == 0 ? 0 : operand->displacement_bytes == 1 ? 1 : 2;
}

static bool needs_sib(const struct operand *operand, bool code64)
{
	return operand->index != OPERAND_NONE || low(operand->base) == HAS_SIB ||
	       (operand->base == OPERAND_NONE && code64);
}

static void put_operand(
	struct cursor *cursor, const struct operand *operand, unsigned int reg, bool code64)
{
	unsigned int mode = mode_of(operand) << 6 | (reg & 7) << 3;
	unsigned int base = operand->base == OPERAND_NONE ? NO_BASE : low(operand->base);
	unsigned int index = operand->index == OPERAND_NONE ? NO_INDEX : low(operand->index);

	if (operand->base == OPERAND_RIP)
		put(cursor, mode | NO_BASE);
	else if (needs_sib(operand, code64) && operand->base != OPERAND_RIP) {
		put(cursor, mode | HAS_SIB);
		put(cursor, (unsigned int)operand->scale << 6 | index << 3 | base);
	} else
		put(cursor, mode | base);
	put_displacement(cursor, operand->displacement, operand->displacement_bytes);
}

size_t operand_encode(const struct opcode *opcode, unsigned int reg, const struct operand *operand,
	bool code64, uint8_t bytes[OPERAND_BYTES_MAX])
{
	struct cursor cursor = { bytes, 0 };
	unsigned int rex = (reg >= 8 ? REX_R : 0) | (high(operand->index) ? REX_X : 0) |
			   (high(operand->base) ? REX_B : 0);

	if (operand->segment != OPERAND_NONE)
		put(&cursor, segment_prefixes[operand->segment]);
	if (operand->address32)
		put(&cursor, ADDRESS_SIZE);
	put_opcode(&cursor, opcode, rex, code64);
	put_operand(&cursor, operand, reg, code64);
	return cursor.count;
}

size_t operand_encode_register(const struct opcode *opcode, unsigned int reg, unsigned int rm,
	bool code64, uint8_t bytes[OPERAND_BYTES_MAX])
{
	struct cursor cursor = { bytes, 0 };

	put_opcode(&cursor, opcode, (reg >= 8 ? REX_R : 0) | (rm >= 8 ? REX_B : 0), code64);
	put(&cursor, 0xc0 | (reg & 7) << 3 | (rm & 7));
	return cursor.count;
}

static unsigned int segment_of(const struct operand *operand)
{
	if (operand->segment != OPERAND_NONE)
		return (unsigned int)operand->segment;
	return operand->base == RSP || operand->base == RBP ? SEGMENT_SS : SEGMENT_DS;
}

static bool has_base(const struct operand *operand)
{
	return operand->base != OPERAND_NONE && operand->base != OPERAND_RIP;
}

uint64_t operand_information(const struct operand *operand, bool code64)
{
	uint64_t information =
		FIELD_PUT(code64 && !operand->address32 ? 2 : 1, INSTRUCTION_ADDRESS_SIZE) |
		FIELD_PUT(segment_of(operand), INSTRUCTION_SEGMENT);

	if (operand->index == OPERAND_NONE)
		information |= INSTRUCTION_NO_INDEX;
	else
		information |= FIELD_PUT(operand->index, INSTRUCTION_INDEX) |
			       FIELD_PUT(operand->scale, INSTRUCTION_SCALING);
	if (has_base(operand))
		return information | FIELD_PUT(operand->base, INSTRUCTION_BASE);
	return information | INSTRUCTION_NO_BASE;
}

uint64_t operand_mask(const struct operand *operand)
{
	uint64_t mask = INSTRUCTION_ADDRESS_SIZE | INSTRUCTION_IS_REGISTER | INSTRUCTION_SEGMENT |
			INSTRUCTION_NO_INDEX | INSTRUCTION_NO_BASE;

	if (operand->index != OPERAND_NONE)
		mask |= INSTRUCTION_INDEX | INSTRUCTION_SCALING;
	return has_base(operand) ? mask | INSTRUCTION_BASE : mask;
}
