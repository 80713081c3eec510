/* A generator over the instructions that are safe to meet in any order: arithmetic, memory,
   branches, strings, self-modification, faults, and those that a monitor may have to emulate. */
#include "guests/probe/program.h"

#include "guests/probe/maker.h"
#include "spec/cpu.h"

/* What POPF may set, but for TF. */
#define POPF_FLAGS                                                                                 \
	(RFLAGS_CF | RFLAGS_FIXED | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_IF |    \
		RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

static void make_arithmetic(struct maker *m)
{
	maker_put_size(m);
	maker_put(m, maker_below(m, 8) << 3 | 1 | maker_below(m, 2) << 1, 1);
	maker_put_registers(m, maker_gpr(m), maker_gpr(m));
}

static void make_arithmetic_memory(struct maker *m)
{
	if (m->is_64bit && maker_below(m, 2))
		maker_put(m, 0x48, 1);
	maker_put(m, maker_below(m, 8) << 3 | maker_below(m, 4), 1);
	maker_put_memory(m, maker_gpr(m));
}

static void make_arithmetic_constant(struct maker *m)
{
	if (m->is_64bit && maker_below(m, 2))
		maker_put(m, 0x48, 1);
	maker_put(m, 0x81, 1);
	maker_put_registers(m, (uint8_t)maker_below(m, 8), maker_gpr(m));
	maker_put(m, maker_constant(m), 4);
}

static void make_load(struct maker *m)
{
	maker_put_load(m, maker_gpr(m), maker_constant(m));
}

/* Behind an instruction that leaves flags undefined: cmp %ecx, %eax, which defines them all. */
static void define_flags(struct maker *m)
{
	PUT(m, 0x39, 0xc8);
}

static void make_shift(struct maker *m)
{
	maker_put_size(m);
	maker_put(m, maker_below(m, 2) ? 0xd3 : 0xc1, 1);
	maker_put_registers(m, (uint8_t)maker_below(m, 8), maker_gpr(m));
	if (m->code[m->bytes - 2] == 0xc1)
		maker_put(m, maker_below(m, 64), 1);
	define_flags(m);
}

/* NOT, NEG, MUL, IMUL; rarely DIV, IDIV, which may fault. */
static void make_unary(struct maker *m)
{
	maker_put_size(m);
	maker_put(m, 0xf7, 1);
	maker_put_registers(
		m, (uint8_t)(2 + maker_below(m, maker_below(m, 8) ? 4 : 6)), maker_gpr(m));
	define_flags(m);
}

static void make_two_byte(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xaf, 0xa3, 0xab, 0xb3, 0xbb, 0xbc, 0xbd, 0xb6, 0xb7,
		0xbe, 0xbf, 0xc1, 0xb1, 0x40, 0x44, 0x45, 0x4c, 0x4f, 0x90, 0x94, 0x9c, 0xa5,
		0xad };

	maker_put_size(m);
	maker_put(m, 0x0f, 1);
	maker_put(m, opcodes[maker_below(m, ARRAY_SIZE(opcodes))], 1);
	maker_put_registers(m, maker_gpr(m), maker_gpr(m));
	define_flags(m);
}

/* LOCK XADD and CMPXCHG. */
static void make_locked(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xc1, 0xb1 };

	maker_put(m, 0xf0, 1);
	maker_put(m, 0x0f, 1);
	maker_put(m, opcodes[maker_below(m, ARRAY_SIZE(opcodes))], 1);
	maker_put_memory(m, maker_gpr(m));
}

static void make_stack(struct maker *m)
{
	maker_put(m, (maker_below(m, 2) ? 0x50 : 0x58) | maker_gpr(m), 1);
}

static void make_flags(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9e, 0x9f, 0x98, 0x99 };

	maker_put(m, opcodes[maker_below(m, ARRAY_SIZE(opcodes))], 1);
}

/* A conditional jump over a load. */
static void make_branch(struct maker *m)
{
	maker_put(m, 0x70 | maker_below(m, 16), 1);
	maker_put(m, 5, 1);
	make_load(m);
}

/* mov $n, %ecx; an addition; loop to it */
static void make_loop(struct maker *m)
{
	maker_put_load(m, RCX, 1 + maker_below(m, 20));
	maker_put(m, 0x01, 1);
	maker_put_registers(m, RCX, maker_below(m, 2) ? RAX : RDX);
	PUT(m, 0xe2, 0xfc);
}

static void make_string(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xa6,
		0xa7 };

	maker_put_load(m, RDI, maker_data_address(m));
	maker_put_load(m, RSI, maker_data_address(m));
	maker_put_load(m, RCX, maker_below(m, 100));
	maker_put(m, maker_below(m, 3) ? 0xf3 : 0xf2, 1);
	maker_put(m, opcodes[maker_below(m, ARRAY_SIZE(opcodes))], 1);
}

/* Writes into the constant of the load that follows it. */
static void make_self_modification(struct maker *m, uint32_t address)
{
	PUT(m, 0xc6, 0x05); /* movb $constant, address: absolute, or from RIP in 64-bit mode */
	maker_put(m, m->is_64bit ? 1U + maker_below(m, 4) : address + 7 + 1 + maker_below(m, 4), 4);
	maker_put(m, maker_constant(m) & 0xff, 1);
	maker_put_load(m, maker_gpr(m), 0);
}

/* Flags from a constant, and rarely TF, which ends the program. */
static void make_popf(struct maker *m)
{
	uint32_t flags = (uint32_t)(maker_next(m) & POPF_FLAGS);

	maker_put(m, 0x68, 1);
	if (m->plain) /* no interrupt and no #DB, which a monitor would have to inject */
		maker_put(m, flags & ~(uint32_t)(RFLAGS_NT | RFLAGS_IF), 4);
	else
		maker_put(m,
			maker_below(m, 6) ? flags & ~(uint32_t)RFLAGS_NT
					  : flags | (uint32_t)RFLAGS_TF,
			4);
	maker_put(m, 0x9d, 1);
}

/* What always, or nearly always, ends the program with an exception. */
static void make_fault(struct maker *m)
{
	unsigned int choice = maker_below(m, 6);

	switch (m->plain && choice == 3 ? 2 : choice) {
	case 0:
		PUT(m, 0x0f, 0x0b); /* UD2 */
		break;
	case 1:
		maker_put(m, 0xcd, 1);
		maker_put(m, 32 + maker_below(m, 200), 1); /* INT n */
		break;
	case 2:
		maker_put_load(m, RSI, maker_below(m, 4096));
		maker_put(m, 0x8b, 1);
		maker_put(m, 0x06, 1); /* mov (%rsi), %eax: the page at 0 */
		break;
	case 3:
		maker_put_load(m, RDI, maker_below(m, 4000));
		maker_put_load(m, RDX, NO_PORT);
		maker_put(m, 0x6d, 1); /* INS to the page at 0 */
		break;
	case 4:
		PUT(m, 0xfa); /* CLI */
		break;
	default:
		PUT(m, 0x31, 0xc9, 0xf7, 0xf1); /* xor %ecx, %ecx; div %ecx */
	}
}

static void make_instruction(struct maker *m, uint32_t address)
{
	static void (*const makers[])(struct maker * m) = { make_arithmetic, make_arithmetic,
		make_arithmetic_memory, make_arithmetic_memory, make_arithmetic_constant, make_load,
		make_load, make_shift, make_unary, make_two_byte, make_two_byte, make_locked,
		make_stack, make_stack, make_flags, make_branch, make_branch, make_loop,
		make_string, maker_put_system, maker_put_system, maker_put_system };
	unsigned int choice = maker_below(m, 100);

	if (choice == 0)
		make_fault(m);
	else if (choice <= 2)
		make_popf(m);
	else if (choice <= 7)
		make_self_modification(m, address);
	else
		makers[maker_below(m, ARRAY_SIZE(makers))](m);
}

void program_make(struct program *program, uint64_t seed, unsigned int number, bool plain)
{
	struct maker m = { .plain = plain,
		.random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) +
			  (number + 1) * UINT64_C(0xd1b54a32d192ed03) };
	uint32_t address = (uint32_t)(uintptr_t)engine_code;
	unsigned int i;

	m.random |= m.random == 0;
	for (i = 0; i < 4; i++)
		maker_next(&m);
	program->mode = (enum engine_mode)(number % PROGRAM_MODES);
	program->count = 1 + maker_below(&m, PROGRAM_INSTRUCTIONS);
	m.is_user = engine_mode_is_user(program->mode);
	m.is_64bit = program->mode == ENGINE_64_CPL0 || program->mode == ENGINE_64_CPL3;
	for (i = 0; i < 16; i++)
		program->gpr[i] = m.is_64bit ? maker_next(&m)
				  : i < 8    ? (uint32_t)maker_next(&m)
					     : 0;
	for (i = 0; i < program->count; i++) {
		m.bytes = 0;
		m.code = program->instruction[i].code;
		make_instruction(&m, address);
		program->instruction[i].bytes = m.bytes;
		address += m.bytes;
	}
}
