/* The instruction decoder: lengths against the assembler's, parts and names by table, and bytes at
   random.
   Links: kernel/insn.c kernel/insn_opcode.c tests/host/insn_samples.S
*/
#include "tests/host/tap.h"

#include <stdlib.h>

#include "kernel/insn.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "tests/host/random.h"

#define NONE INSN_NO_REGISTER

/* What insn_samples.S leaves of each instruction. */
struct sample {
	const uint8_t *bytes;
	uint64_t len;
	uint64_t mode;
};

extern const struct sample insn_samples[], insn_samples_end[];

static void lengths_as_assembled(void)
{
	unsigned int count = 0;

	for (const struct sample *sample = insn_samples; sample < insn_samples_end; sample++) {
		struct insn insn;
		int error = insn_decode(
			sample->bytes, INSN_MAX_LEN, (enum insn_mode)sample->mode, &insn);

		count++;
		if (error || insn.len != sample->len)
			printf("# mode %u, bytes %02x %02x %02x %02x: error %d, length %u, not "
			       "%u\n",
				(unsigned int)sample->mode, sample->bytes[0], sample->bytes[1],
				sample->bytes[2], sample->bytes[3], error, insn.len,
				(unsigned int)sample->len);
		CHECK(!error && insn.len == sample->len);
	}
	printf("# %u instructions\n", count);
	CHECK(count > 700);
}

struct decode_row {
	const char *bytes;
	unsigned int available, mode;
	int error;
	struct insn insn;
};

#define ROW(bytes, mode, ...)                                                                      \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, mode, 0,                                                 \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define FAILS(bytes, mode, error)                                                                  \
	{                                                                                          \
		bytes, sizeof(bytes) - 1, mode, error,                                             \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

static const struct decode_row decode_rows[] = {
	ROW("\x0f\xa2", 64, .op = INSN_CPUID, .operand_size = 4, .base = NONE),
	ROW("\x48\x0f\xa2", 64, .op = INSN_CPUID, .operand_size = 8, .base = NONE),
	ROW("\xf4", 16, .op = INSN_HLT, .operand_size = 2, .base = NONE),
	ROW("\x0f\x20\xc3", 64, .op = INSN_MOV_FROM_CR, .operand_size = 8, .rm = GPR_RBX, .mod = 3,
		.base = NONE),
	ROW("\x44\x0f\x22\xc1", 64, .op = INSN_MOV_TO_CR, .operand_size = 8, .reg = 8, .rm = 1,
		.mod = 3, .base = NONE),
	ROW("\xf0\x0f\x22\xc1", 32, .op = INSN_MOV_TO_CR, .operand_size = 4, .reg = 8, .rm = 1,
		.mod = 3, .base = NONE),
	ROW("\x0f\x22\x05", 64, .op = INSN_MOV_TO_CR, .operand_size = 8, .rm = GPR_RBP, .mod = 3,
		.base = NONE), /* mod is not looked at */
	ROW("\x0f\x01\xf0", 32, .op = INSN_LMSW, .operand_size = 4, .reg = 6, .mod = 3,
		.base = NONE),
	ROW("\x0f\x01\x33", 32, .op = INSN_LMSW, .operand_size = 4, .reg = 6, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\x0f\x01\xd9", 64, .op = INSN_VMMCALL, .operand_size = 4, .reg = 3, .rm = 1, .mod = 3,
		.base = NONE),
	ROW("\x0f\x01\xc1", 64, .op = INSN_VMCALL, .operand_size = 4, .rm = 1, .mod = 3,
		.base = NONE),
	ROW("\xf3\x90", 64, .op = INSN_PAUSE, .operand_size = 4, .rep = true, .base = NONE),
	ROW("\xf3\x0f\xc7\x33", 64, .op = INSN_VMXON, .operand_size = 4, .rep = true, .reg = 6,
		.rm = 3, .memory = true, .base = GPR_RBX),
	ROW("\x66\x0f\xc7\x33", 64, .op = INSN_VMCLEAR, .operand_size = 2, .reg = 6, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\x0f\xc7\x33", 64, .op = INSN_VMPTRLD, .operand_size = 4, .reg = 6, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\x66\x0f\x38\x80\x03", 64, .op = INSN_INVEPT, .operand_size = 2, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\xe4\x60", 32, .op = INSN_IN, .operand_size = 1, .immediate = 0x60,
		.immediate_size = 1, .base = NONE),
	ROW("\x66\xef", 32, .op = INSN_OUT, .operand_size = 2, .base = NONE),
	ROW("\x48\xed", 64, .op = INSN_IN, .operand_size = 4, .base = NONE),
	ROW("\xf3\x6e", 32, .op = INSN_OUTS, .operand_size = 1, .rep = true, .memory = true,
		.base = GPR_RSI),
	ROW("\x8b\x44\x8b\xf0", 64, .op = INSN_MOV, .operand_size = 4, .to_register = true,
		.mod = 1, .rm = 4, .memory = true, .base = GPR_RBX, .index = GPR_RCX, .scale = 4,
		.displacement = -16),
	ROW("\x4f\x89\x44\xe5\x01", 64, .op = INSN_MOV, .operand_size = 8, .reg = 8, .mod = 1,
		.rm = 12, .memory = true, .base = 13, .index = 12, .scale = 8, .displacement = 1),
	ROW("\x89\x04\x25\x00\x00\xe0\xfe", 64, .op = INSN_MOV, .operand_size = 4, .rm = 4,
		.memory = true, .base = NONE, .displacement = -0x1200000),
	ROW("\x8a\x05\x10\x00\x00\x00", 64, .op = INSN_MOV, .operand_size = 1, .to_register = true,
		.rm = 5, .memory = true, .base = NONE, .rip_relative = true, .displacement = 16),
	ROW("\x8a\x05\x10\x00\x00\x00", 32, .op = INSN_MOV, .operand_size = 1, .to_register = true,
		.rm = 5, .memory = true, .base = NONE, .displacement = 16),
	ROW("\xc7\x03\x78\x56\x34\x12", 32, .op = INSN_MOV, .operand_size = 4, .rm = 3,
		.memory = true, .base = GPR_RBX, .immediate = 0x12345678, .immediate_size = 4),
	ROW("\x66\xc7\x03\x34\x92", 32, .op = INSN_MOV, .operand_size = 2, .rm = 3, .memory = true,
		.base = GPR_RBX, .immediate = -0x6dcc, .immediate_size = 2),
	ROW("\x83\x0b\xff", 32, .op = INSN_OR, .operand_size = 4, .reg = 1, .rm = 3, .memory = true,
		.base = GPR_RBX, .immediate = -1, .immediate_size = 1),
	ROW("\xa1\xf0\xde\xbc\x9a\x78\x56\x34\x12", 64, .op = INSN_MOV, .operand_size = 4,
		.to_register = true, .memory = true, .base = NONE,
		.displacement = 0x123456789abcdef0),
	ROW("\x8b\x02", 16, .op = INSN_MOV, .operand_size = 2, .to_register = true, .rm = 2,
		.memory = true, .base = GPR_RBP, .index = GPR_RSI, .scale = 1),
	ROW("\x0f\xb7\x03", 64, .op = INSN_MOVZX, .operand_size = 4, .to_register = true, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\x48\x63\x03", 64, .op = INSN_MOVSX, .operand_size = 8, .to_register = true, .rm = 3,
		.memory = true, .base = GPR_RBX),
	ROW("\x48\x66\x89\x03", 64, .op = INSN_MOV, .operand_size = 2, .rm = 3, .memory = true,
		.base = GPR_RBX), /* a REX before a prefix counts for nothing */
	ROW("\xf3\x48\xab", 64, .op = INSN_STOS, .operand_size = 8, .rep = true, .memory = true,
		.base = GPR_RSI),
	FAILS("", 64, -EAGAIN),
	FAILS("\x0f", 64, -EAGAIN),
	FAILS("\x66\x66\x66", 64, -EAGAIN),
	FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 32, 0),
	FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 32, -EINVAL),
	FAILS("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x0f\xa2", 32, -EINVAL),
	FAILS("\xc5\xf8\x77", 64, -EINVAL), /* VEX */
	FAILS("\xc5\xf8\x77", 32, -EINVAL),
	FAILS("\xc5\x03", 32, 0),                       /* LDS */
	FAILS("\x62\xf1\x7c\x48\x28\xc0", 64, -EINVAL), /* EVEX */
	FAILS("\x8f\xe8\x78\x00", 64, -EINVAL),         /* XOP */
	FAILS("\x06", 64, -EINVAL),
	FAILS("\x06", 32, 0),
	FAILS("\x0f\x04", 64, -EINVAL),
	FAILS("\x0f\x24\xc0", 64, -EINVAL),
};

static void parts(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(decode_rows); i++) {
		const struct decode_row *row = &decode_rows[i];
		const struct insn *expected = &row->insn;
		struct insn insn;

		CHECK_ROW(i,
			insn_decode((const uint8_t *)row->bytes, row->available,
				(enum insn_mode)row->mode, &insn),
			row->error);
		if (!expected->operand_size)
			continue;
		CHECK_ROW(i, insn.len, row->available);
		CHECK_ROW(i, insn.op, expected->op);
		CHECK_ROW(i, insn.operand_size, expected->operand_size);
		CHECK_ROW(i, insn.rep, expected->rep);
		CHECK_ROW(i, insn.mod, expected->mod);
		CHECK_ROW(i, insn.reg, expected->reg);
		CHECK_ROW(i, insn.rm, expected->rm);
		CHECK_ROW(i, insn.to_register, expected->to_register);
		CHECK_ROW(i, insn.memory, expected->memory);
		CHECK_ROW(i, insn.base, expected->base);
		CHECK_ROW(i, insn.index, expected->scale ? expected->index : NONE);
		CHECK_ROW(i, insn.scale, expected->scale ? expected->scale : 1);
		CHECK_ROW(i, insn.rip_relative, expected->rip_relative);
		CHECK_ROW(i, insn.displacement, expected->displacement);
		CHECK_ROW(i, insn.immediate_size, expected->immediate_size);
		if (expected->immediate_size)
			CHECK_ROW(i, insn.immediate, expected->immediate);
	}
}

static void segments(void)
{
	static const struct {
		const char *bytes;
		unsigned int mode;
		enum segment segment;
	} rows[] = {
		{ "\x8b\x03", 32, SEG_DS },
		{ "\x8b\x45\x00", 32, SEG_SS },
		{ "\x8b\x04\x24", 32, SEG_SS },
		{ "\x8b\x02\x90", 16, SEG_SS },
		{ "\x26\x8b\x03", 32, SEG_ES },
		{ "\x2e\x8b\x03", 32, SEG_CS },
		{ "\x36\x8b\x03", 32, SEG_SS },
		{ "\x3e\x8b\x45\x00", 32, SEG_DS },
		{ "\x64\x8b\x03", 64, SEG_FS },
		{ "\x65\x8b\x03", 64, SEG_GS },
		{ "\x26\x8b\x03", 64, SEG_DS },
	};
	struct insn insn;

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		CHECK_ROW(i,
			insn_decode((const uint8_t *)rows[i].bytes, strlen(rows[i].bytes) + 1,
				(enum insn_mode)rows[i].mode, &insn),
			0);
		CHECK_ROW(i, insn.segment, rows[i].segment);
	}
}

/* Decodes from memory that ends with the bytes, so that the address sanitizer sees a read too far.
 */
static int decode_exactly(const uint8_t *bytes, size_t size, enum insn_mode mode, struct insn *insn)
{
	uint8_t *copy = malloc(size ? size : 1);
	int error;

	memcpy(copy, bytes, size);
	error = insn_decode(copy, size, mode, insn);
	free(copy);
	return error;
}

/* Any bytes: never a look behind their end; what decodes is as long as it says, no shorter. */
static void random_bytes(void)
{
	static const enum insn_mode modes[] = { INSN_16, INSN_32, INSN_64 };
	unsigned int decoded = 0;
	struct insn insn, again;
	uint8_t bytes[20];

	random_seed(7);
	for (unsigned int i = 0; i < 100000; i++) {
		size_t size = random_below(sizeof(bytes) + 1);
		enum insn_mode mode = modes[random_below(3)];

		for (unsigned int at = 0; at < sizeof(bytes); at++)
			bytes[at] = (uint8_t)random_u64();
		if (random_below(2))
			bytes[0] = 0x0f;
		if (decode_exactly(bytes, size, mode, &insn) != 0)
			continue;
		decoded++;
		CHECK(insn.len > 0 && insn.len <= INSN_MAX_LEN && insn.len <= size);
		CHECK_EQ(decode_exactly(bytes, insn.len, mode, &again), 0);
		CHECK_EQ(memcmp(&insn, &again, sizeof(insn)), 0);
		CHECK_EQ(decode_exactly(bytes, insn.len - 1u, mode, &again), -EAGAIN);
	}
	printf("# %u of 100000 decoded\n", decoded);
	CHECK(decoded > 30000);
}

TAP_MAIN(
	TAP_TEST(lengths_as_assembled), TAP_TEST(parts), TAP_TEST(segments), TAP_TEST(random_bytes))
