/* Sets up what switch.S needs and wraps it. What a result means is told by record.c. */
#include "guests/probe/engine.h"

#include "guests/probe/legacy_low.h"
#include "runtime/errno.h"
#include "runtime/paging.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define VECTORS        256
#define GATE_INTERRUPT UINT64_C(0x8e00) /* present, DPL 0, interrupt gate ("IDT Descriptors") */
#define GATE_USER      UINT64_C(0x6000) /* DPL 3 */
#define IST_INDEX      7
#define TERMINATOR     0xcc /* INT3 */
#define PATTERN        0x5a

uint8_t engine_code[ENGINE_CODE_BYTES] __aligned(4096);
uint8_t engine_data[ENGINE_DATA_BYTES] __aligned(4096);
uint8_t engine_stack[ENGINE_STACK_BYTES] __aligned(4096);

extern char engine_entries[];
extern struct engine_result engine_captured;
void engine_switch(const struct engine_registers *before);

static struct gate {
	uint64_t low, high;
} idt[VECTORS] __aligned(16), other_idt[VECTORS] __aligned(16);
static uint8_t exit_stack[4096] __aligned(16);
static struct descriptor_table own_idt, runtime_idt;

const char *engine_mode_name(enum engine_mode mode)
{
	static const char *const names[ENGINE_MODES] = { "64/0", "64/3", "compat/0", "compat/3",
		"protected/0", "protected/3", "real", "v8086", "v8086/iopl3", "v8086/vme" };

	return names[mode];
}

bool engine_mode_is_user(enum engine_mode mode)
{
	return mode == ENGINE_64_CPL3 || mode == ENGINE_COMPAT_CPL3 ||
	       mode == ENGINE_PROTECTED_CPL3 || mode > ENGINE_REAL;
}

bool engine_mode_is_64bit(enum engine_mode mode)
{
	return mode == ENGINE_64_CPL0 || mode == ENGINE_64_CPL3;
}

bool engine_mode_is_16bit(enum engine_mode mode)
{
	return mode >= ENGINE_REAL;
}

bool engine_mode_is_legacy(enum engine_mode mode)
{
	return mode >= ENGINE_PROTECTED_CPL0;
}

/* INT3, INTO and INT n (from vector 32 on) may be called at CPL 3, as an operating system has it.
 */
static void fill_idt(void)
{
	unsigned int v;

	for (v = 0; v < VECTORS; v++) {
		uint64_t entry = (uintptr_t)engine_entries + v * 16;
		bool user = v == VECTOR_BP || v == VECTOR_OF || v >= 32;

		idt[v].low = (entry & BITS(15, 0)) | SELECTOR_CODE64 << 16 |
			     (GATE_INTERRUPT | (user ? GATE_USER : 0) | IST_INDEX) << 32 |
			     (entry & BITS(31, 16)) << 32;
		idt[v].high = entry >> 32;
	}
	own_idt = (struct descriptor_table){ sizeof(idt) - 1, (uintptr_t)idt };
}

void engine_init_tables(void)
{
	fill_idt();
	runtime_idt = read_idtr();
	engine_set_exit_stack((uintptr_t)exit_stack + sizeof(exit_stack));
}

int engine_init(void)
{
	uint64_t rights = PAGING_WRITE | PAGING_EXECUTE | PAGING_USER;

	engine_init_tables();
	if (paging_map((uintptr_t)engine_code, sizeof(engine_code), rights) ||
		paging_map((uintptr_t)engine_data, sizeof(engine_data), rights) ||
		paging_map((uintptr_t)engine_stack, sizeof(engine_stack), rights))
		return -ENOMEM;
	return 0;
}

void engine_set_exit_stack(uint64_t top)
{
	trap_set_ist(IST_INDEX, top);
}

void engine_move_idt(void)
{
	memcpy(other_idt, idt, sizeof(idt));
	own_idt.base = (uintptr_t)other_idt;
}

void engine_reset(const uint8_t *code, size_t bytes)
{
	memset(engine_data, PATTERN, sizeof(engine_data));
	memset(engine_stack, PATTERN, sizeof(engine_stack));
	memset(engine_code, TERMINATOR, sizeof(engine_code));
	memcpy(engine_code, code, MIN(bytes, sizeof(engine_code) - 1));
}

/* What 16-bit code has instead: offsets in its segment. */
static void make_16bit(enum engine_mode mode, struct engine_registers *r)
{
	r->rip = LEGACY_CODE;
	r->gpr[4] = LEGACY_STACK + sizeof(engine_stack) - 256;
	r->gpr[6] = LEGACY_DATA + 2048;
	r->gpr[7] = LEGACY_DATA;
	r->cs = r->ss = r->ds = r->es = LEGACY_SEGMENT;
	if (mode != ENGINE_REAL)
		r->rflags |= RFLAGS_VM;
	if (mode == ENGINE_V8086_IOPL3)
		r->rflags |= RFLAGS_IOPL;
}

struct engine_registers engine_default(enum engine_mode mode)
{
	bool user = engine_mode_is_user(mode);
	bool compat = !engine_mode_is_64bit(mode);
	struct engine_registers r = { .rip = (uintptr_t)engine_code, .rflags = RFLAGS_FIXED };
	unsigned int i;

	for (i = 0; i < 16; i++)
		r.gpr[i] = UINT64_C(0x0101010101010101) * (0x10 + i);
	r.gpr[4] = (uintptr_t)engine_stack + sizeof(engine_stack) - 256;
	r.gpr[6] = (uintptr_t)engine_data + 2048;
	r.gpr[7] = (uintptr_t)engine_data;
	if (compat) /* the upper halves are undefined there ("Legacy and Compatibility Modes") */
		for (i = 0; i < 16; i++)
			r.gpr[i] = i < 8 ? (uint32_t)r.gpr[i] : 0;
	r.cs = user ? (compat ? SELECTOR_USER_CODE32 | 3 : SELECTOR_USER_CODE64 | 3)
		    : (compat ? SELECTOR_CODE32 : SELECTOR_CODE64);
	r.ss = r.ds = r.es = user ? SELECTOR_USER_DATA | 3 : SELECTOR_DATA;
	if (engine_mode_is_16bit(mode))
		make_16bit(mode, &r);
	return r;
}

/* FS and GS as they are at the start; what that does to their bases, the caller puts right. */
static void forget_segments(const struct engine_registers *after)
{
	if (after->fs != 0)
		__asm__ volatile("movl %0, %%fs" : : "r"(0));
	if (after->gs != 0)
		__asm__ volatile("movl %0, %%gs" : : "r"(0));
}

struct engine_result engine_finish(const struct engine_result *captured, uint64_t code)
{
	struct engine_result result = *captured;

	forget_segments(&result.after);
	result.cr2 = result.vector == VECTOR_PF ? read_cr2() : 0;
	if (result.vector == VECTOR_BP && result.after.rip > code &&
		result.after.rip <= code + sizeof(engine_code)) {
		result.vector = ENGINE_END; /* the terminator */
		result.after.rip--;
	}
	return result;
}

struct engine_result engine_run(const struct engine_registers *before)
{
	write_idtr(own_idt);
	engine_switch(before);
	write_idtr(runtime_idt);
	return engine_finish(&engine_captured, (uintptr_t)engine_code);
}
