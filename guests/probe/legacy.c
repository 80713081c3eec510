/* The 32-bit tables that legacy_switch.S works with, and what it brings back. */
#include "guests/probe/legacy.h"

#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#define VECTORS       256
#define GATE_32       UINT64_C(0x8e00) /* present, DPL 0, 32-bit interrupt gate ("IDT Descriptors") */
#define GATE_USER     UINT64_C(0x6000) /* DPL 3 */
#define TSS_AVAILABLE UINT64_C(0x890000000000)
#define TSS_BUSY      BIT(41)
#define GDT_ENTRIES   10
#define STUB_BYTES    16

/* "32-Bit Task-State Segment (TSS)": only what a change of privilege needs. */
struct tss32 {
	uint32_t link, esp0, ss0, unused[22];
	uint16_t trap, io_map;
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
struct legacy_captured legacy_captured;
struct table32 legacy_idtr;
void legacy_switch(const struct engine_registers *before);

static uint64_t gdt[GDT_ENTRIES] __aligned(16), idt[VECTORS] __aligned(16);
static struct tss32 tss __aligned(16);
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

void legacy_init(void)
{
	struct descriptor_table host = read_gdtr();
	uint64_t base = (uintptr_t)&tss;

	memcpy(gdt, (const void *)(uintptr_t)host.base, MIN(host.limit + 1U, sizeof(gdt)));
	gdt[SELECTOR_TSS / 8] = (sizeof(tss) - 1) | (base & BITS(23, 0)) << 16 | TSS_AVAILABLE |
				(base & BITS(31, 24)) << 32;
	tss = (struct tss32){ .esp0 = (uint32_t)(uintptr_t)stack + sizeof(stack),
		.ss0 = SELECTOR_DATA,
		.io_map = sizeof(tss) };
	legacy_pointer64 = (struct descriptor_table){ host.limit, (uintptr_t)gdt };
	fill_idt();
}

static void fill_machines(struct machine *before, struct machine *after)
{
	const struct legacy_captured *c = &legacy_captured;
	const struct {
		unsigned int index;
		uint64_t before, after;
	} rows[] = {
		{ MACHINE_cr0, c->cr0_before, c->cr0 },
		{ MACHINE_cr4, before->value[MACHINE_cr4], c->cr4 },
		{ MACHINE_gdt_base, legacy_pointer64.base, c->gdtr.base },
		{ MACHINE_gdt_limit, legacy_pointer64.limit, c->gdtr.limit },
		{ MACHINE_idt_base, legacy_idtr.base, c->idtr.base },
		{ MACHINE_idt_limit, legacy_idtr.limit, c->idtr.limit },
		{ MACHINE_ldtr, 0, c->ldtr },
		{ MACHINE_tr, SELECTOR_TSS, c->tr },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		before->value[rows[i].index] = rows[i].before;
		after->value[rows[i].index] = rows[i].after;
	}
}

struct engine_result legacy_run(
	const struct engine_registers *registers, struct machine *before, struct machine *after)
{
	struct descriptor_table host_idt = read_idtr(), host_gdt = read_gdtr();
	uint64_t *host_tss = (uint64_t *)(uintptr_t)(host_gdt.base + SELECTOR_TSS);

	memset(&legacy_captured, 0, sizeof(legacy_captured));
	gdt[SELECTOR_TSS / 8] &= ~TSS_BUSY;
	legacy_switch(registers);
	write_gdtr(host_gdt);
	write_idtr(host_idt);
	*host_tss &= ~TSS_BUSY;
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(SELECTOR_TSS), "r"(0));
	machine_read(after);
	fill_machines(before, after);
	return engine_finish(&legacy_captured.result);
}
