/* The 32-bit tables and the memory below 1 MiB that legacy_switch.S and legacy_real.S work with,
   and what they bring back. */
#include "guests/probe/legacy.h"

#include "guests/probe/legacy_low.h"
#include "guests/probe/segments.h"
#include "runtime/boot.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define VECTORS       256
#define GATE_32       UINT64_C(0x8e00) /* present, DPL 0, 32-bit interrupt gate ("IDT Descriptors") */
#define GATE_USER     UINT64_C(0x6000) /* DPL 3 */
#define TSS_AVAILABLE UINT64_C(0x890000000000)
#define TSS_BUSY      BIT(41)
#define STUB_BYTES    16
#define LOW_BYTES     0x10000
#define LOW_PATTERN   0x5a /* engine_reset()'s */
#define REAL_STUB     6

/* Bytes that an exception at CPL 0 pushes on the stack of the code under test, with what its entry
   pushes. */
#define FRAME_PROTECTED 20
#define FRAME_REAL      8

/* "32-Bit Task-State Segment (TSS)": what a change of privilege needs, and the two bitmaps: which
   interrupts virtual-8086 mode extensions redirect (bit clear), which ports may be used (bit
   clear). The last byte is all ones, as it must be. */
struct tss32 {
	uint32_t link, esp0, ss0, unused[22];
	uint16_t trap, io_map;
	uint8_t redirection[32];
	uint8_t ports[65536 / 8 + 1];
} __packed;

/* The operand of LGDT and LIDT outside 64-bit mode. */
struct table32 {
	uint16_t limit;
	uint32_t base;
} __packed;

/* What legacy_switch.S captures; it knows the offsets. */
struct legacy_captured {
	struct engine_result result;
	uint64_t cr0_before, cr0, cr4;
	struct table32 gdtr, idtr;
	uint16_t ldtr, tr;
};
_Static_assert(offsetof(struct legacy_captured, cr0_before) == 184, "as in legacy_switch.S");
_Static_assert(offsetof(struct legacy_captured, gdtr) == 208, "as in legacy_switch.S");
_Static_assert(offsetof(struct legacy_captured, ldtr) == 220, "as in legacy_switch.S");

extern char legacy_entries[];
extern struct legacy_captured legacy_captured;
extern struct table32 legacy_idtr;
extern struct descriptor_table legacy_pointer64; /* what LGDT takes in 64-bit mode */
extern bool legacy_is_real;                      /* which way legacy_switch() goes */
extern const uint8_t legacy_real[], legacy_real_end[], legacy_real_stubs[];
extern const uint8_t legacy_real_idtr[], legacy_real_gdtr[];
struct legacy_captured legacy_captured;
struct table32 legacy_idtr;
void legacy_switch(const struct engine_registers *before);

static uint64_t gdt[SELECTOR_LEGACY_END / 8] __aligned(16), idt[VECTORS] __aligned(16);
static struct tss32 tss __aligned(16);
static struct {
	uint32_t link, esp0, ss0, stacks[4], cr3, eip, eflags, gpr[8], selector[6], ldt;
	uint16_t trap, io_map;
} task __aligned(16);
static uint8_t stack[4096] __aligned(16);

static void fill_idt(void)
{
	unsigned int v;

	for (v = 0; v < VECTORS; v++) {
		uint64_t entry = (uintptr_t)legacy_entries + v * STUB_BYTES;
		bool user = v == VECTOR_BP || v == VECTOR_OF || v >= 32;

		idt[v] = (entry & BITS(15, 0)) | SELECTOR_CODE32 << 16 |
			 (GATE_32 | (user ? GATE_USER : 0)) << 32 | (entry & BITS(31, 16)) << 32;
	}
	legacy_idtr = (struct table32){ sizeof(idt) - 1, (uint32_t)(uintptr_t)idt };
}

/* What LEGACY_LOW + offset is here. */
static uint8_t *low(unsigned int offset)
{
	return (uint8_t *)(uintptr_t)(LEGACY_LOW + offset);
}

/* The copy of a label of legacy_real.S. */
static uint8_t *low_real(const uint8_t *label)
{
	return low(LEGACY_REAL) + (label - legacy_real);
}

static bool has_low_memory(void)
{
	unsigned int i;

	for (i = 0; i < boot.ranges; i++)
		if (boot.range[i].start <= LEGACY_LOW &&
			boot.range[i].start + boot.range[i].size >= LEGACY_LOW + LOW_BYTES)
			return true;
	return false;
}

bool legacy_has(enum engine_mode mode)
{
	if (mode == ENGINE_V8086_VME && !(cpuid(CPUID_FEATURES, 0).edx & CPUID_1_EDX_VME))
		return false;
	return !engine_mode_is_16bit(mode) || has_low_memory();
}

/* Interrupt vector table and code of real mode. */
static void fill_low(void)
{
	struct table32 pointer = { sizeof(gdt) - 1, (uint32_t)(uintptr_t)gdt };
	unsigned int v;

	memset(low(0), LOW_PATTERN, LOW_BYTES);
	memcpy(low(LEGACY_REAL), legacy_real, (size_t)(legacy_real_end - legacy_real));
	memcpy(low_real(legacy_real_gdtr), &pointer, sizeof(pointer));
	for (v = 0; v < VECTORS; v++) {
		uint32_t entry = (uint32_t)(low_real(legacy_real_stubs) - low(0)) + v * REAL_STUB;

		entry |= LEGACY_SEGMENT << 16;
		memcpy(low(LEGACY_IVT) + v * 4, &entry, sizeof(entry));
	}
}

static void fill_gdt(void)
{
	struct descriptor_table host = read_gdtr();
	uint64_t base = (uintptr_t)&tss, landing = (uintptr_t)engine_code + 2048;

	memcpy(gdt, (const void *)(uintptr_t)host.base, MIN(host.limit + 1U, sizeof(gdt)));
	gdt[SELECTOR_TSS / 8] = (sizeof(tss) - 1) | (base & BITS(23, 0)) << 16 | TSS_AVAILABLE |
				(base & BITS(31, 24)) << 32;
	gdt[SELECTOR_CALL_GATE / 8] = DESCRIPTOR_CALL_GATE | SELECTOR_CODE32 << 16 |
				      (landing & BITS(15, 0)) | (landing & BITS(31, 16)) << 32;
	gdt[SELECTOR_CALL_GATE / 8 + 1] = 0;
	gdt[SELECTOR_TASK_GATE / 8] = DESCRIPTOR_TASK_GATE | SELECTOR_TASK << 16;
	gdt[SELECTOR_LEGACY_CODE16 / 8] = DESCRIPTOR_CODE16 | (uint64_t)LEGACY_LOW << 16;
	gdt[SELECTOR_LEGACY_DATA16 / 8] = DESCRIPTOR_DATA16 | (uint64_t)LEGACY_LOW << 16;
	legacy_pointer64 = (struct descriptor_table){ sizeof(gdt) - 1, (uintptr_t)gdt };
}

void legacy_init(void)
{
	tss = (struct tss32){ .esp0 = (uint32_t)(uintptr_t)stack + sizeof(stack),
		.ss0 = SELECTOR_DATA };
	memset(tss.redirection, 0xff, sizeof(tss.redirection));
	tss.redirection[LEGACY_REDIRECTED / 8] &= (uint8_t)~BIT(LEGACY_REDIRECTED % 8);
	tss.ports[sizeof(tss.ports) - 1] = 0xff;
	fill_gdt();
	fill_idt();
	if (has_low_memory())
		fill_low();
}

/* A task at CPL 3 that ends at once, which CPL 3 may switch to. */
static void fill_task(void)
{
	uint64_t base = (uintptr_t)&task;
	unsigned int i;

	for (i = 0; i < 8; i++)
		task.gpr[i] = 0x60606060 + i;
	task.esp0 = tss.esp0;
	task.ss0 = tss.ss0;
	task.cr3 = (uint32_t)read_cr3();
	task.eip = (uint32_t)(uintptr_t)engine_code + 2048;
	task.eflags = RFLAGS_FIXED;
	task.gpr[4] = (uint32_t)(uintptr_t)engine_stack + ENGINE_STACK_BYTES / 2;
	for (i = 0; i < 4; i++) /* ES, CS, SS, DS */
		task.selector[i] = i == 1 ? SELECTOR_USER_CODE32 | 3 : SELECTOR_USER_DATA | 3;
	task.io_map = sizeof(task);
	gdt[SELECTOR_TASK / 8] = (sizeof(task) - 1) | (base & BITS(23, 0)) << 16 | TSS_AVAILABLE |
				 GATE_USER << 32 | (base & BITS(31, 24)) << 32;
}

/* What real mode, or protected mode, sees of the tables. */
static struct table32 idtr_of(enum engine_mode mode)
{
	struct table32 table = legacy_idtr;

	if (mode == ENGINE_REAL)
		memcpy(&table, legacy_real_idtr, sizeof(table));
	return table;
}

/* FS and GS are loaded on the way: their bases tell nothing. */
static void fill_machines(enum engine_mode mode, struct machine *before, struct machine *after)
{
	const struct legacy_captured *c = &legacy_captured;
	const uint64_t *b = before->value;
	const struct {
		unsigned int index;
		uint64_t before, after;
	} rows[] = {
		{ MACHINE_cr0, c->cr0_before, c->cr0 },
		{ MACHINE_cr4, b[MACHINE_cr4], c->cr4 },
		{ MACHINE_gdt_base, legacy_pointer64.base, c->gdtr.base },
		{ MACHINE_gdt_limit, legacy_pointer64.limit, c->gdtr.limit },
		{ MACHINE_idt_base, idtr_of(mode).base, c->idtr.base },
		{ MACHINE_idt_limit, idtr_of(mode).limit, c->idtr.limit },
		{ MACHINE_ldtr, 0, c->ldtr },
		{ MACHINE_tr, SELECTOR_TSS, c->tr },
		{ MACHINE_fs_base, b[MACHINE_fs_base], b[MACHINE_fs_base] },
		{ MACHINE_gs_base, b[MACHINE_gs_base], b[MACHINE_gs_base] },
	};
	unsigned int i, count = ARRAY_SIZE(rows) - (engine_mode_is_16bit(mode) ? 0 : 2);

	for (i = 0; i < count; i++) {
		before->value[rows[i].index] = rows[i].before;
		after->value[rows[i].index] = rows[i].after;
	}
}

/* 16-bit code has its memory elsewhere. */
static void copy_in(void)
{
	memcpy(low(LEGACY_CODE), engine_code, sizeof(engine_code));
	memcpy(low(LEGACY_DATA), engine_data, sizeof(engine_data));
	memcpy(low(LEGACY_STACK), engine_stack, sizeof(engine_stack));
}

static void copy_out(void)
{
	memcpy(engine_data, low(LEGACY_DATA), sizeof(engine_data));
	memcpy(engine_stack, low(LEGACY_STACK), sizeof(engine_stack));
}

/* At CPL 0 the exception that ended the code pushed its frame on the code's own stack. */
static void wipe_frame(enum engine_mode mode, const struct engine_registers *after)
{
	uint64_t bottom = mode == ENGINE_REAL ? LEGACY_STACK : (uintptr_t)engine_stack;
	uint64_t bytes = mode == ENGINE_REAL ? FRAME_REAL : FRAME_PROTECTED;
	uint64_t top = after->gpr[4] - bottom;

	if (!engine_mode_is_user(mode) && top >= bytes && top <= sizeof(engine_stack) &&
		after->ss == (mode == ENGINE_REAL ? LEGACY_SEGMENT : SELECTOR_DATA))
		memset(engine_stack + top - bytes, LOW_PATTERN, bytes);
}

struct engine_result legacy_run(enum engine_mode mode, const struct engine_registers *registers,
	struct machine *before, struct machine *after)
{
	struct descriptor_table host_idt = read_idtr(), host_gdt = read_gdtr();
	uint64_t *host_tss = (uint64_t *)(uintptr_t)(host_gdt.base + SELECTOR_TSS);
	bool low_code = engine_mode_is_16bit(mode);

	memset(&legacy_captured, 0, sizeof(legacy_captured));
	gdt[SELECTOR_TSS / 8] &= ~TSS_BUSY;
	fill_task();
	tss.io_map = mode == ENGINE_V8086_IOPL3 || mode == ENGINE_V8086_VME
			     ? offsetof(struct tss32, ports)
			     : sizeof(tss);
	legacy_is_real = mode == ENGINE_REAL;
	if (low_code)
		copy_in();
	legacy_switch(registers);
	write_gdtr(host_gdt);
	write_idtr(host_idt);
	*host_tss &= ~TSS_BUSY;
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(SELECTOR_TSS), "r"(0));
	if (low_code)
		copy_out();
	wipe_frame(mode, &legacy_captured.result.after);
	machine_read(after);
	fill_machines(mode, before, after);
	return engine_finish(
		&legacy_captured.result, low_code ? LEGACY_CODE : (uintptr_t)engine_code);
}
