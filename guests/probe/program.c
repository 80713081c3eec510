/* A generator over the instructions that are safe to meet in any order: arithmetic, memory,
   branches, strings, self-modification, faults, and those that a monitor may have to emulate. */
#include "guests/probe/program.h"

#include "runtime/segments.h"
#include "runtime/string.h"
#include "spec/cpu.h"

/* Where one instruction is being put together. */
struct maker {
	uint64_t random; /* state of the generator */
	bool is_64bit, is_user, plain;
	uint8_t bytes;
	uint8_t *code;
};

/* Encodings of registers */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

/* xorshift64*: never 0 */
static uint64_t next(struct maker *m)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return m->random * UINT64_C(0x2545f4914f6cdd1d);
}

static unsigned int below(struct maker *m, unsigned int limit)
{
	return (unsigned int)((next(m) >> 33) % limit);
}

static void put(struct maker *m, uint64_t value, unsigned int bytes)
{
	memcpy(m->code + m->bytes, &value, bytes);
	m->bytes = (uint8_t)(m->bytes + bytes);
}

#define PUT(m, ...)                                                                                \
	do {                                                                                       \
		static const uint8_t bytes_[] = { __VA_ARGS__ };                                   \
		memcpy((m)->code + (m)->bytes, bytes_, sizeof(bytes_));                            \
		(m)->bytes = (uint8_t)((m)->bytes + sizeof(bytes_));                               \
	} while (0)

/* Constants with edges more often than chance would have it. */
static uint32_t constant(struct maker *m)
{
	static const uint32_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff };

	return below(m, 3) == 0 ? edges[below(m, ARRAY_SIZE(edges))] : (uint32_t)next(m);
}

/* A register that is no pointer: RAX, RCX, RDX, RBX. */
static uint8_t gpr(struct maker *m)
{
	return (uint8_t)below(m, 4);
}

/* An operand-size prefix or REX.W, or neither. REX may also name R8-R11 (bits R and B). */
static void put_size(struct maker *m)
{
	unsigned int choice = below(m, 4);

	if (choice == 0)
		put(m, 0x66, 1);
	if (m->is_64bit && choice >= 2)
		put(m, 0x40 | (choice == 2 ? 8 : 0) | (below(m, 2) << 2) | below(m, 2), 1);
}

/* ModRM for two registers. */
static void put_registers(struct maker *m, uint8_t reg, uint8_t rm)
{
	put(m, 0xc0 | reg << 3 | rm, 1);
}

/* ModRM and displacement for data near RDI or RSI, which point into the data. */
static void put_memory(struct maker *m, uint8_t reg)
{
	put(m, 0x40 | reg << 3 | (below(m, 2) ? RDI : RSI), 1);
	put(m, below(m, 120), 1);
}

/* mov $value, %r32 */
static void put_load(struct maker *m, uint8_t reg, uint32_t value)
{
	put(m, 0xb8 | reg, 1);
	put(m, value, 4);
}

static void make_arithmetic(struct maker *m)
{
	put_size(m);
	put(m, below(m, 8) << 3 | 1 | below(m, 2) << 1, 1);
	put_registers(m, gpr(m), gpr(m));
}

static void make_arithmetic_memory(struct maker *m)
{
	if (m->is_64bit && below(m, 2))
		put(m, 0x48, 1);
	put(m, below(m, 8) << 3 | below(m, 4), 1);
	put_memory(m, gpr(m));
}

static void make_arithmetic_constant(struct maker *m)
{
	if (m->is_64bit && below(m, 2))
		put(m, 0x48, 1);
	put(m, 0x81, 1);
	put_registers(m, (uint8_t)below(m, 8), gpr(m));
	put(m, constant(m), 4);
}

static void make_load(struct maker *m)
{
	put_load(m, gpr(m), constant(m));
}

/* Behind an instruction that leaves flags undefined: cmp %ecx, %eax, which defines them all. */
static void define_flags(struct maker *m)
{
	PUT(m, 0x39, 0xc8);
}

static void make_shift(struct maker *m)
{
	put_size(m);
	put(m, below(m, 2) ? 0xd3 : 0xc1, 1);
	put_registers(m, (uint8_t)below(m, 8), gpr(m));
	if (m->code[m->bytes - 2] == 0xc1)
		put(m, below(m, 64), 1);
	define_flags(m);
}

/* NOT, NEG, MUL, IMUL; rarely DIV, IDIV, which may fault. */
static void make_unary(struct maker *m)
{
	put_size(m);
	put(m, 0xf7, 1);
	put_registers(m, (uint8_t)(2 + below(m, below(m, 8) ? 4 : 6)), gpr(m));
	define_flags(m);
}

static void make_two_byte(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xaf, 0xa3, 0xab, 0xb3, 0xbb, 0xbc, 0xbd, 0xb6, 0xb7,
		0xbe, 0xbf, 0xc1, 0xb1, 0x40, 0x44, 0x45, 0x4c, 0x4f, 0x90, 0x94, 0x9c, 0xa5,
		0xad };

	put_size(m);
	put(m, 0x0f, 1);
	put(m, opcodes[below(m, ARRAY_SIZE(opcodes))], 1);
	put_registers(m, gpr(m), gpr(m));
	define_flags(m);
}

/* LOCK XADD and CMPXCHG. */
static void make_locked(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xc1, 0xb1 };

	put(m, 0xf0, 1);
	put(m, 0x0f, 1);
	put(m, opcodes[below(m, ARRAY_SIZE(opcodes))], 1);
	put_memory(m, gpr(m));
}

static void make_stack(struct maker *m)
{
	put(m, (below(m, 2) ? 0x50 : 0x58) | gpr(m), 1);
}

static void make_flags(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9e, 0x9f, 0x98, 0x99 };

	put(m, opcodes[below(m, ARRAY_SIZE(opcodes))], 1);
}

/* A conditional jump over a load. */
static void make_branch(struct maker *m)
{
	put(m, 0x70 | below(m, 16), 1);
	put(m, 5, 1);
	make_load(m);
}

/* mov $n, %ecx; an addition; loop to it */
static void make_loop(struct maker *m)
{
	put_load(m, RCX, 1 + below(m, 20));
	put(m, 0x01, 1);
	put_registers(m, RCX, below(m, 2) ? RAX : RDX);
	PUT(m, 0xe2, 0xfc);
}

static uint32_t data_address(struct maker *m)
{
	return (uint32_t)(uintptr_t)engine_data + 2048 + below(m, 2048);
}

static void make_string(struct maker *m)
{
	static const uint8_t opcodes[] = { 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xa6,
		0xa7 };

	put_load(m, RDI, data_address(m));
	put_load(m, RSI, data_address(m));
	put_load(m, RCX, below(m, 100));
	put(m, below(m, 3) ? 0xf3 : 0xf2, 1);
	put(m, opcodes[below(m, ARRAY_SIZE(opcodes))], 1);
}

/* Writes into the constant of the load that follows it. */
static void make_self_modification(struct maker *m, uint32_t address)
{
	PUT(m, 0xc6, 0x05); /* movb $constant, address: absolute, or from RIP in 64-bit mode */
	put(m, m->is_64bit ? 1U + below(m, 4) : address + 7 + 1 + below(m, 4), 4);
	put(m, constant(m) & 0xff, 1);
	put_load(m, gpr(m), 0);
}

/* Those that a monitor passes over: they exit, and no register tells of it. */
static void make_passed_over(struct maker *m)
{
	if (m->is_user) /* they fault there */
		PUT(m, 0x90);
	else if (below(m, 3))
		PUT(m, 0x0f, 0x09); /* WBINVD */
	else
		PUT(m, 0x0f, 0x20, 0xe0, 0x0f, 0x22, 0xe0); /* CR4 to RAX and back */
}

/* make_system()'s numbers of what a monitor answers for: CPUID, IN, OUT, INS, some RDMSR, CLTS. */
static bool is_answered(unsigned int system)
{
	return system <= 5 || system == 11;
}

/* What reads the machine, and what a monitor may make exit. None of it differs by design. */
static void make_system(struct maker *m)
{
	unsigned int choice = below(m, 14);

	if (m->plain && is_answered(choice)) {
		make_passed_over(m);
		return;
	}
	switch (choice) {
	case 0:
		put_load(m, RAX, below(m, 2) ? 0 : 0x80000002 + below(m, 3));
		PUT(m, 0x0f, 0xa2); /* CPUID */
		break;
	case 1:
		PUT(m, 0xe4, 0x21); /* in $0x21, %al */
		break;
	case 2:
		PUT(m, 0xe6, 0x80); /* out %al, $0x80 */
		break;
	case 3:
		put_load(m, RDX, 0x2f0);
		put(m, 0xec | below(m, 2), 1); /* in %dx */
		break;
	case 4:
		put_load(m, RDX, 0x2f0);
		put_load(m, RDI, data_address(m));
		put_load(m, RCX, below(m, 80));
		put(m, 0xf3, 1);
		put(m, 0x6c | below(m, 2), 1); /* rep ins */
		break;
	case 5:
		put_load(m, RCX, below(m, 2) ? 0xc0000080 + below(m, 5) : 0x174 + below(m, 3));
		PUT(m, 0x0f, 0x32); /* RDMSR */
		break;
	case 6:
		put_load(m, RCX, 0xc0000082 + below(m, 3));
		put_load(m, RDX, 0);
		PUT(m, 0x0f, 0x30); /* WRMSR: LSTAR, CSTAR, FMASK */
		break;
	case 7:
		PUT(m, 0x0f, 0x20);
		put_registers(m, below(m, 2) ? 0 : 4, gpr(m)); /* from CR0 or CR4 */
		break;
	case 8:
		PUT(m, 0x0f, 0x01);
		put_memory(m, (uint8_t)(below(m, 2) ? 4 : below(m, 2))); /* SMSW, SGDT, SIDT */
		break;
	case 9:
		PUT(m, 0x0f, 0x00);
		put_registers(m, (uint8_t)below(m, 2), gpr(m)); /* SLDT, STR */
		break;
	case 10:
		put_load(m, RCX, below(m, 0x50));
		PUT(m, 0x0f);
		put(m, 2 + below(m, 2), 1); /* LAR, LSL */
		put_registers(m, gpr(m), RCX);
		break;
	case 11:
		PUT(m, 0x0f, 0x06); /* CLTS */
		break;
	case 12:
		PUT(m, 0x8c);
		put_registers(m, (uint8_t)below(m, 6), gpr(m)); /* from a segment register */
		break;
	default:
		PUT(m, 0x0f, 0x21);
		put_registers(m, (uint8_t)(below(m, 2) ? 7 : below(m, 4)), gpr(m)); /* from a DR */
	}
}

/* Flags from a constant: IF, IOPL, AC, NT and ID among them, and rarely TF, which ends the program.
 */
static void make_popf(struct maker *m)
{
	uint32_t flags = (uint32_t)next(m) & 0x247ed7;

	put(m, 0x68, 1);
	if (m->plain) /* no interrupt and no #DB, which a monitor would have to inject */
		put(m, flags & ~(uint32_t)(RFLAGS_NT | RFLAGS_IF | RFLAGS_TF), 4);
	else
		put(m, below(m, 6) ? flags & ~0x4100U : flags | 0x100U, 4);
	put(m, 0x9d, 1);
}

/* What always, or nearly always, ends the program with an exception. */
static void make_fault(struct maker *m)
{
	unsigned int choice = below(m, 6);

	switch (m->plain && choice == 3 ? 2 : choice) {
	case 0:
		PUT(m, 0x0f, 0x0b); /* UD2 */
		break;
	case 1:
		put(m, 0xcd, 1);
		put(m, 32 + below(m, 200), 1); /* INT n */
		break;
	case 2:
		put_load(m, RSI, below(m, 4096));
		put(m, 0x8b, 1);
		put(m, 0x06, 1); /* mov (%rsi), %eax: the page at 0 */
		break;
	case 3:
		put_load(m, RDI, below(m, 4000));
		put_load(m, RDX, 0x2f0);
		put(m, 0x6d, 1); /* INS to the page at 0 */
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
		make_string, make_system, make_system, make_system };
	unsigned int choice = below(m, 100);

	if (choice == 0)
		make_fault(m);
	else if (choice <= 2)
		make_popf(m);
	else if (choice <= 7)
		make_self_modification(m, address);
	else
		makers[below(m, ARRAY_SIZE(makers))](m);
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
		next(&m);
	program->mode = (enum engine_mode)(number % PROGRAM_MODES);
	program->count = 1 + below(&m, PROGRAM_INSTRUCTIONS);
	m.is_user = engine_mode_is_user(program->mode);
	m.is_64bit = program->mode == ENGINE_64_CPL0 || program->mode == ENGINE_64_CPL3;
	for (i = 0; i < 16; i++)
		program->gpr[i] = m.is_64bit ? next(&m) : i < 8 ? (uint32_t)next(&m) : 0;
	for (i = 0; i < program->count; i++) {
		m.bytes = 0;
		m.code = program->instruction[i].code;
		make_instruction(&m, address);
		program->instruction[i].bytes = m.bytes;
		address += m.bytes;
	}
}
