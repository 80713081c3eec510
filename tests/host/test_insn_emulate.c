/* Emulated instructions against this host's own CPU: each is run on both with the same registers
   and memory, and must leave the same. Links: kernel/insn.c kernel/insn_opcode.c
   kernel/insn_emulate.c
*/
#define _GNU_SOURCE
#include "tests/host/tap.h"

#include <sys/mman.h>

#include "kernel/insn.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "spec/cpu.h"
#include "tests/host/random.h"

#define FLAGS      (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define LOGIC      (FLAGS & ~RFLAGS_AF) /* those that are defined after a logic operation */
#define MEMORY     256
#define FAIL_READ  1
#define FAIL_WRITE 2

static uint8_t memory[MEMORY]; /* what the instruction works on, around its middle */
static unsigned int accesses, failing;

static int read_memory(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t *value)
{
	uint64_t offset = address - (uintptr_t)memory;

	accesses++;
	if (failing & FAIL_READ)
		return -EFAULT;
	*value = random_u64(); /* what lies beyond size must not count */
	CHECK(offset <= MEMORY - size);
	if (offset <= MEMORY - size)
		memcpy(value, memory + offset, size);
	return 0;
}

static int write_memory(struct insn_bus *bus, uint64_t address, unsigned int size, uint64_t value)
{
	uint64_t offset = address - (uintptr_t)memory;

	accesses++;
	if (failing & FAIL_WRITE)
		return -EFAULT;
	CHECK(offset <= MEMORY - size);
	if (offset <= MEMORY - size)
		memcpy(memory + offset, &value, size);
	return 0;
}

static struct insn_bus bus = { read_memory, write_memory };

struct emulate_row {
	const char *name;
	uint8_t bytes[6]; /* address in RBX, or RSI and RDI */
	uint8_t len;
	uint64_t flags; /* that are defined afterwards */
	bool sized;     /* with prefixes for 16 and 64 bits too */
};

#define CODE(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

/* One of the eight operations in every form, with 1-byte operands or in 2, 4 and 8 bytes. */
#define ARITHMETIC(name, number, flags)                                                            \
	{ name " m8, r8", CODE((number) << 3, 0x0b), flags, false },                               \
		{ name " m8, ah", CODE((number) << 3, 0x23), flags, false },                       \
		{ name " m, r", CODE((number) << 3 | 1, 0x0b), flags, true },                      \
		{ name " r8, m8", CODE((number) << 3 | 2, 0x0b), flags, false },                   \
		{ name " ah, m8", CODE((number) << 3 | 2, 0x23), flags, false },                   \
		{ name " sil, m8", CODE(0x40, (number) << 3 | 2, 0x33), flags, false },            \
		{ name " r, m", CODE((number) << 3 | 3, 0x13), flags, true },                      \
		{ name " m8, imm8", CODE(0x80, (number) << 3 | 3, 0x7f), flags, false },           \
	{                                                                                          \
		name " m, imm8", CODE(0x83, (number) << 3 | 3, 0x81), flags, true                  \
	}

static const struct emulate_row rows[] = {
	ARITHMETIC("add", 0, FLAGS),
	ARITHMETIC("or", 1, LOGIC),
	ARITHMETIC("adc", 2, FLAGS),
	ARITHMETIC("sbb", 3, FLAGS),
	ARITHMETIC("and", 4, LOGIC),
	ARITHMETIC("sub", 5, FLAGS),
	ARITHMETIC("xor", 6, LOGIC),
	ARITHMETIC("cmp", 7, FLAGS),
	{ "test m8, r8", CODE(0x84, 0x0b), LOGIC, false },
	{ "test m, r", CODE(0x85, 0x0b), LOGIC, true },
	{ "test m8, imm8", CODE(0xf6, 0x03, 0x55), LOGIC, false },
	{ "not m8", CODE(0xf6, 0x13), FLAGS, false },
	{ "not m", CODE(0xf7, 0x13), FLAGS, true },
	{ "neg m8", CODE(0xf6, 0x1b), FLAGS, false },
	{ "neg m", CODE(0xf7, 0x1b), FLAGS, true },
	{ "inc m8", CODE(0xfe, 0x03), FLAGS, false },
	{ "inc m", CODE(0xff, 0x03), FLAGS, true },
	{ "dec m8", CODE(0xfe, 0x0b), FLAGS, false },
	{ "dec m", CODE(0xff, 0x0b), FLAGS, true },
	{ "xchg m8, r8", CODE(0x86, 0x0b), FLAGS, false },
	{ "xchg m, r", CODE(0x87, 0x0b), FLAGS, true },
	{ "xadd m8, r8", CODE(0x0f, 0xc0, 0x0b), FLAGS, false },
	{ "xadd m, r", CODE(0x0f, 0xc1, 0x0b), FLAGS, true },
	{ "cmpxchg m8, r8", CODE(0x0f, 0xb0, 0x0b), FLAGS, false },
	{ "cmpxchg m, r", CODE(0x0f, 0xb1, 0x0b), FLAGS, true },
	{ "mov m8, r8", CODE(0x88, 0x0b), FLAGS, false },
	{ "mov m8, ch", CODE(0x88, 0x2b), FLAGS, false },
	{ "mov m, r", CODE(0x89, 0x0b), FLAGS, true },
	{ "mov r8, m8", CODE(0x8a, 0x0b), FLAGS, false },
	{ "mov dh, m8", CODE(0x8a, 0x33), FLAGS, false },
	{ "mov r, m", CODE(0x8b, 0x0b), FLAGS, true },
	{ "mov r9, m", CODE(0x4c, 0x8b, 0x0b), FLAGS, false },
	{ "mov m8, imm8", CODE(0xc6, 0x03, 0x99), FLAGS, false },
	{ "movzx r, m8", CODE(0x0f, 0xb6, 0x0b), FLAGS, true },
	{ "movzx r, m16", CODE(0x0f, 0xb7, 0x0b), FLAGS, true },
	{ "movsx r, m8", CODE(0x0f, 0xbe, 0x0b), FLAGS, true },
	{ "movsx r, m16", CODE(0x0f, 0xbf, 0x0b), FLAGS, true },
	{ "movsxd r, m", CODE(0x63, 0x0b), FLAGS, true },
	{ "bt m, imm8", CODE(0x0f, 0xba, 0x23, 0x47), RFLAGS_CF, true },
	{ "bts m, imm8", CODE(0x0f, 0xba, 0x2b, 0x47), RFLAGS_CF, true },
	{ "btr m, imm8", CODE(0x0f, 0xba, 0x33, 0x47), RFLAGS_CF, true },
	{ "btc m, imm8", CODE(0x0f, 0xba, 0x3b, 0x47), RFLAGS_CF, true },
	{ "mov m, r, base and index", CODE(0x89, 0x4c, 0x13, 0x10), FLAGS, true },
	{ "movsb", CODE(0xa4), FLAGS, false },
	{ "movs", CODE(0xa5), FLAGS, true },
	{ "stosb", CODE(0xaa), FLAGS, false },
	{ "stos", CODE(0xab), FLAGS, true },
	{ "lodsb", CODE(0xac), FLAGS, false },
	{ "lods", CODE(0xad), FLAGS, true },
};

/* Instructions whose register operand says how far from RBX the memory is. */
static const struct emulate_row bit_rows[] = {
	{ "bt m, r", CODE(0x0f, 0xa3, 0x0b), RFLAGS_CF, true },
	{ "bts m, r", CODE(0x0f, 0xab, 0x0b), RFLAGS_CF, true },
	{ "btr m, r", CODE(0x0f, 0xb3, 0x0b), RFLAGS_CF, true },
	{ "btc m, r", CODE(0x0f, 0xbb, 0x0b), RFLAGS_CF, true },
};

/* Runs the code with the registers of *state (RSP and those from R10 on are not loaded). */
void run_native(struct insn_state *state, const void *code);
__asm__(".text\n"
	"run_native:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	mov %rdi, %r12; mov %rsi, %r13\n"
	"	pushq 136(%r12); popfq\n"
	"	mov 0(%r12), %rax; mov 8(%r12), %rcx; mov 16(%r12), %rdx; mov 24(%r12), %rbx\n"
	"	mov 48(%r12), %rsi; mov 56(%r12), %rdi; mov 64(%r12), %r8; mov 72(%r12), %r9\n"
	"	call *%r13\n"
	"	pushfq; popq 136(%r12); cld\n"
	"	mov %rax, 0(%r12); mov %rcx, 8(%r12); mov %rdx, 16(%r12); mov %rbx, 24(%r12)\n"
	"	mov %rsi, 48(%r12); mov %rdi, 56(%r12); mov %r8, 64(%r12); mov %r9, 72(%r12)\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

static uint8_t *code_page;

/* Puts the instruction, with a prefix for its size, before a RET. */
static void write_code(const struct emulate_row *row, unsigned int size)
{
	unsigned int at = 0;

	if (size == 2)
		code_page[at++] = 0x66;
	if (size == 8)
		code_page[at++] = 0x48;
	memcpy(code_page + at, row->bytes, row->len);
	code_page[at + row->len] = 0xc3;
}

static uint64_t interesting(void)
{
	static const uint64_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX, BIT(63), UINT64_MAX };

	return random_below(2) ? values[random_below(ARRAY_SIZE(values))] : random_u64();
}

static void randomize(struct insn_state *state)
{
	uint64_t middle = (uintptr_t)memory + MEMORY / 2;

	memset(state, 0, sizeof(*state));
	for (unsigned int i = 0; i < 10; i++)
		state->gpr[i] = interesting();
	state->gpr[GPR_RSP] = 0;
	state->gpr[GPR_RBP] = 0;
	state->gpr[GPR_RBX] = state->gpr[GPR_RSI] = middle;
	state->gpr[GPR_RDI] = middle + 32;
	state->gpr[GPR_RDX] = random_below(32);
	state->rflags = RFLAGS_FIXED | RFLAGS_IF | (random_u64() & (FLAGS | RFLAGS_DF));
	for (unsigned int i = 0; i < MEMORY; i += 8) {
		uint64_t value = interesting();

		memcpy(memory + i, &value, sizeof(value));
	}
	if (random_below(3) == 0) /* so that CMPXCHG finds what it compares */
		memcpy(memory + MEMORY / 2, &state->gpr[GPR_RAX], 8);
}

/* Runs the instruction in code_page on both and compares. */
static void compare(const struct emulate_row *row, const struct insn_state *before)
{
	struct insn_state native = *before, emulated = *before;
	uint8_t start[MEMORY], expected[MEMORY];
	struct insn insn;

	memcpy(start, memory, MEMORY);
	run_native(&native, code_page);
	memcpy(expected, memory, MEMORY);
	memcpy(memory, start, MEMORY);
	CHECK_EQ(insn_decode(code_page, INSN_MAX_LEN, INSN_64, &insn), 0);
	CHECK_EQ(insn_emulate_mmio(&insn, &emulated, &bus), 0);
	CHECK_EQ(memcmp(memory, expected, MEMORY), 0);
	CHECK_EQ(memcmp(emulated.gpr, native.gpr, sizeof(native.gpr)), 0);
	CHECK_EQ((emulated.rflags ^ native.rflags) & (row->flags | RFLAGS_DF), 0);
	CHECK_EQ(emulated.rip, before->rip + insn.len);
}

static void compare_row(const struct emulate_row *row, bool bits)
{
	unsigned int failures = tap_failures;

	for (unsigned int size = row->sized ? 2 : 1; size <= (row->sized ? 8 : 1); size *= 2) {
		write_code(row, size);
		for (unsigned int i = 0; i < 200 && tap_failures == failures; i++) {
			struct insn_state state;

			randomize(&state);
			if (bits) /* up to 32 bytes away on both sides */
				state.gpr[GPR_RCX] = random_below(512) - 256;
			compare(row, &state);
		}
	}
	if (tap_failures != failures)
		printf("#   %s\n", row->name);
}

static void as_the_cpu(void)
{
	random_seed(11);
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		compare_row(&rows[i], false);
	for (unsigned int i = 0; i < ARRAY_SIZE(bit_rows); i++)
		compare_row(&bit_rows[i], true);
}

static int decode(const char *bytes, size_t size, enum insn_mode mode, struct insn *insn)
{
	return insn_decode((const uint8_t *)bytes, size, mode, insn);
}

/* One iteration a call; RIP stays until the last. */
static void repeats(void)
{
	struct insn_state state;
	struct insn insn;

	randomize(&state);
	state.rip = 0x1000;
	state.rflags &= ~RFLAGS_DF;
	state.gpr[GPR_RCX] = 3;
	CHECK_EQ(decode("\xf3\xa5", 2, INSN_64, &insn), 0);
	for (unsigned int i = 1; i <= 3; i++) {
		CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), 0);
		CHECK_EQ(state.gpr[GPR_RCX], 3 - i);
		CHECK_EQ(state.rip, i < 3 ? 0x1000 : 0x1002);
	}
	CHECK_EQ(memcmp(memory + MEMORY / 2, memory + MEMORY / 2 + 32, 12), 0);
	accesses = 0;
	CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), 0);
	CHECK_EQ(accesses, 0); /* no count: over at once */
	CHECK_EQ(state.rip, 0x1004);
}

/* 16-bit addresses wrap and leave the registers' upper halves. */
static void sixteen_bits(void)
{
	struct insn_state state;
	struct insn insn;

	randomize(&state);
	state.rip = 0xfffe;
	state.segment_base[SEG_DS] = 0x12340;
	state.segment_base[SEG_SS] = 0x50000;
	state.gpr[GPR_RBX] = 0xabcdffff;
	state.gpr[GPR_RSI] = 0x2;
	CHECK_EQ(decode("\x8a\x00", 2, INSN_16, &insn), 0); /* mov (%bx,%si), %al */
	CHECK_EQ(insn_address(&insn, &state), 0x12341);
	state.gpr[GPR_RBP] = 0x10000;
	CHECK_EQ(decode("\x8a\x46\xff", 3, INSN_16, &insn), 0); /* mov -1(%bp), %al */
	CHECK_EQ(insn_address(&insn, &state), 0x5ffff);
	state.segment_base[SEG_ES] = (uintptr_t)memory & 0xffffffff;
	state.gpr[GPR_RDI] = 0x1234ffff;
	CHECK_EQ(insn_string_destination(&insn, &state),
		(((uintptr_t)memory & 0xffffffff) + 0xffff) & 0xffffffff);
}

static void rip_relative(void)
{
	struct insn_state state = { .rip = 0x1000 };
	struct insn insn;

	CHECK_EQ(decode("\xc6\x05\x10\x00\x00\x00\x42", 7, INSN_64, &insn), 0);
	CHECK_EQ(insn_address(&insn, &state), 0x1017); /* from the next instruction */
	state.segment_base[SEG_FS] = 0x5000;
	CHECK_EQ(decode("\x64\x8b\x05\xf0\xff\xff\xff", 7, INSN_64, &insn), 0);
	CHECK_EQ(insn_address(&insn, &state), 0x5ff7);
}

/* An access that fails leaves everything as it was. */
static void failures_change_nothing(void)
{
	static const char *const instructions[] = { "\x01\x0b", "\x87\x0b", "\x0f\xc1\x0b",
		"\x0f\xab\x0b", "\x89\x0b", "\xf3\xa5" };
	struct insn_state state, before;
	struct insn insn;

	for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++)
		for (failing = FAIL_READ; failing <= FAIL_WRITE; failing++) {
			uint8_t start[MEMORY];

			randomize(&state);
			state.gpr[GPR_RCX] = 5;
			before = state;
			memcpy(start, memory, MEMORY);
			CHECK_EQ(decode(instructions[i], strlen(instructions[i]), INSN_64, &insn),
				0);
			if (insn.op == INSN_MOV && failing == FAIL_READ)
				continue;
			CHECK_ROW(i, insn_emulate_mmio(&insn, &state, &bus), -EFAULT);
			CHECK_ROW(i, memcmp(&state, &before, sizeof(state)), 0);
			CHECK_ROW(i, memcmp(memory, start, MEMORY), 0);
		}
	failing = 0;
}

static void others_are_refused(void)
{
	struct insn_state state = { 0 };
	struct insn insn;

	CHECK_EQ(decode("\x0f\xa2", 2, INSN_64, &insn), 0);
	CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), -EINVAL);
	CHECK_EQ(decode("\x89\xc8", 2, INSN_64, &insn), 0); /* registers only */
	CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), -EINVAL);
	CHECK_EQ(decode("\x0f\x28\x03", 3, INSN_64, &insn), 0); /* movaps */
	CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), -EINVAL);
	CHECK_EQ(decode("\xd9\x03", 2, INSN_64, &insn), 0); /* fld */
	CHECK_EQ(insn_emulate_mmio(&insn, &state, &bus), -EINVAL);
}

int main(void)
{
	static const struct tap_test tests[] = { TAP_TEST(as_the_cpu), TAP_TEST(repeats),
		TAP_TEST(sixteen_bits), TAP_TEST(rip_relative), TAP_TEST(failures_change_nothing),
		TAP_TEST(others_are_refused) };

	code_page = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (code_page == MAP_FAILED) {
		printf("1..0 # SKIP no memory that can be written and executed\n");
		return 0;
	}
	return tap_run(tests, ARRAY_SIZE(tests));
}
