/* A20M and VMX (Intel SDM, "VMXON", "VMXOFF", "Restrictions on VMX Operation"). With address bit 20
   masked nothing of this image can be reached, since it starts at 1 MiB: a copy of a few bytes runs
   in a block of 2 MiB. */
#define TEST_FOLDER "insn/"
#include "vmx-tests/insn/a20.h"

#include "runtime/harness.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "vmx-tests/guest.h"

#define SAMPLE     0x8000 /* offsets in the block, as in a20_switch.S */
#define SAMPLE_ODD 0x108000
#define REGION     0x8010
#define CODE_COPY  0x4000
#define IDT        0x5000
#define GDT        0x6000
#define EVEN       UINT64_C(0x1111111111111111)
#define ODD        UINT64_C(0x2222222222222222)
#define GATE       UINT64_C(0x8e00) /* present, interrupt gate */

void a20_switch(uint8_t *block, uint64_t step, uint64_t *result);
extern const uint8_t a20_start[], a20_fault[], a20_end[];

static uint8_t *block_of(void)
{
	static uint8_t *block;

	if (block == NULL)
		block = page_alloc(PAGE_ORDER_2M);
	if (block == NULL)
		panic("no 2 MiB of memory for A20M");
	return block;
}

/* Identity maps of the first GiB, where the image is, and of the block's, all rights. */
static void fill_tables(uint8_t *block)
{
	uint64_t *pml4 = (void *)block, *pdpt = (void *)(block + 0x1000), i;
	uint64_t gib = vmx_address(block) / PAGE_SIZE_1G;
	uint64_t *low = (void *)(block + 0x2000), *high = gib == 0 ? low : (void *)(block + 0x3000);

	if (gib >= 512)
		panic("the block for A20M is too high");
	memset(block, 0, 0x4000);
	pml4[0] = vmx_address(pdpt) | PTE_P | PTE_W;
	pdpt[0] = vmx_address(low) | PTE_P | PTE_W;
	pdpt[gib] = vmx_address(high) | PTE_P | PTE_W;
	for (i = 0; i < 512; i++) {
		low[i] = i * PAGE_SIZE_2M | PTE_P | PTE_W | PTE_PS;
		high[i] = (gib * PAGE_SIZE_1G + i * PAGE_SIZE_2M) | PTE_P | PTE_W | PTE_PS;
	}
}

static void fill_block(uint8_t *block, uint64_t region)
{
	uint64_t *gdt = (void *)(block + GDT), *idt = (void *)(block + IDT), entry;
	unsigned int i;

	fill_tables(block);
	memset(gdt, 0, 0x100);
	gdt[SELECTOR_CODE64 / 8] = DESCRIPTOR_CODE64;
	gdt[SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
	memcpy(block + CODE_COPY, a20_start, (size_t)(a20_end - a20_start));
	for (i = 0; i < 32; i++) {
		entry = vmx_address(block) + CODE_COPY + (uint64_t)(a20_fault - a20_start) + 32 * i;
		idt[2 * i] = (entry & BITS(15, 0)) | SELECTOR_CODE64 << 16 | GATE << 32 |
			     (entry & BITS(31, 16)) << 32;
		idt[2 * i + 1] = entry >> 32;
	}
	memcpy(block + REGION, &region, sizeof(region));
	*(volatile uint64_t *)(void *)(block + SAMPLE) = EVEN;
	*(volatile uint64_t *)(void *)(block + SAMPLE_ODD) = ODD;
}

struct a20_result a20_run(enum a20_step step, uint64_t region)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();
	uint64_t cr3 = read_cr3(), raw[4] = { 0 };
	uint8_t *block = block_of();
	struct a20_result result;

	fill_block(block, region);
	write_cr3(vmx_address(block));
	write_gdtr((struct descriptor_table){ 0xff, vmx_address(block) + GDT });
	write_idtr((struct descriptor_table){ 32 * 16 - 1, vmx_address(block) + IDT });
	a20_switch(block, step, raw);
	write_gdtr(gdtr);
	write_idtr(idtr);
	write_cr3(cr3);
	result.masked_before = test_observe(raw[0] != ODD);
	result.masked_after = test_observe(raw[1] != ODD);
	if (raw[3] != UINT64_MAX)
		result.result = outcome_fault((int)raw[3], 0);
	else
		result.result = step == A20_NOTHING ? OK : vmx_outcome(raw[2]);
	return result;
}

/* Can the platform mask address bit 20 at all? */
static bool has_a20m(void)
{
	static int known = -1;

	if (known < 0) {
		vmx_leave_operation();
		known = a20_run(A20_NOTHING, 0).masked_before;
	}
	return known;
}

static const struct test_need need_a20m = { "no A20M by the system control port (92H)", has_a20m };

TEST(a20, vmxon, "SDM VMXON", "VMXON in A20M mode makes #GP(0)", FAULT(GP), .covers = "insn:VMXON",
	.needs = NEEDS(&need_a20m))
{
	struct a20_result run;

	vmx_leave_operation();
	run = a20_run(A20_VMXON, vmx_address(vmx_on_region));
	CHECK(run.masked_before);
	return run.result;
}

TEST(a20, blocked_in_root, "SDM VMXON",
	"VMXON blocks A20M: asserted in VMX operation it masks nothing", OK, .covers = "insn:VMXON",
	.needs = NEEDS(&need_a20m))
{
	struct a20_result run = a20_run(A20_NOTHING, 0);

	CHECK_EQUAL(run.masked_before, false);
	CHECK_EQUAL(run.masked_after, false);
	return run.result;
}

TEST(a20, vmxoff_unblocks, "SDM VMXOFF",
	"VMXOFF unblocks A20M: what was asserted in VMX operation masks from then on", OK,
	.covers = "insn:VMXOFF", .needs = NEEDS(&need_a20m))
{
	struct a20_result run = a20_run(A20_VMXOFF, 0);

	CHECK_EQUAL(run.masked_after, true);
	return run.result;
}
