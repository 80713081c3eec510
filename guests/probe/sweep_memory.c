/* Guest-physical memory where the virtual machine has none, through a window in this image's page
   tables: nothing may answer there but a bus that reads all ones and ignores writes. */
#include "guests/probe/sweep.h"

#include "runtime/boot.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define ENTRIES 512
#define WINDOW_SLOT                                                                                \
	128 /* entry of the root: a part of the address space that nothing else is in              \
	     */
#define WINDOW       ((uint64_t)WINDOW_SLOT << 39)
#define SMALL_WINDOW (WINDOW + PAGE_SIZE_1G)
#define RIGHTS       (PTE_P | PTE_W | PTE_A | PTE_D | PTE_NX)
#define SWEPT        (UINT64_C(1) << 40) /* bytes, every 2 MiB */
#define POWER_FIRST  20                  /* 2^20 ... 2^51, both sides */
#define POWERS       32
#define LOW_START    UINT64_C(0x80000) /* around the hole below 1 MiB, page by page */
#define LOW_PAGES    192
#define END_PAGES    512 /* half of them on each side of the memory's end */
#define PATTERN      UINT64_C(0x5ca1ab1e0ddba11)
#define ROM_START    UINT64_C(0xc0000)
#define ROM_END      UINT64_C(0x100000)
#define WIDTH_MASK   BITS(7, 0) /* of CPUID's leaf of address sizes */

static uint64_t pdpt[ENTRIES] __aligned(4096), large[ENTRIES] __aligned(4096),
	small_directory[ENTRIES] __aligned(4096), small[ENTRIES] __aligned(4096);
static uint64_t window_start = ~UINT64_C(0); /* what the large window shows */

/* A gibibyte in pages of 2 MiB at WINDOW, and a page of 4 KiB at SMALL_WINDOW. */
static void open_windows(void)
{
	uint64_t *root = (uint64_t *)(uintptr_t)(read_cr3() & PTE_ADDR);

	root[WINDOW_SLOT] = (uintptr_t)pdpt | PTE_P | PTE_W;
	pdpt[0] = (uintptr_t)large | PTE_P | PTE_W;
	pdpt[1] = (uintptr_t)small_directory | PTE_P | PTE_W;
	small_directory[0] = (uintptr_t)small | PTE_P | PTE_W;
}

static volatile uint64_t *look_at_large(uint64_t address)
{
	uint64_t start = ALIGN_DOWN(address, PAGE_SIZE_1G);
	unsigned int i;

	if (start != window_start) {
		open_windows();
		for (i = 0; i < ENTRIES; i++)
			large[i] = (start + i * PAGE_SIZE_2M) | RIGHTS | PTE_PS;
		write_cr3(read_cr3());
		window_start = start;
	}
	return (volatile uint64_t *)(WINDOW + (address - start));
}

static volatile uint64_t *look_at_page(uint64_t page)
{
	open_windows();
	small[0] = page | RIGHTS;
	invlpg(SMALL_WINDOW);
	return (volatile uint64_t *)SMALL_WINDOW;
}

static bool is_ram(uint64_t address)
{
	unsigned int i;

	for (i = 0; i < boot.ranges; i++)
		if (address - boot.range[i].start < boot.range[i].size)
			return true;
	return false;
}

static uint64_t memory_end(void)
{
	return boot.range[boot.ranges - 1].start + boot.range[boot.ranges - 1].size;
}

static unsigned int address_width(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).eax & WIDTH_MASK;
}

/* Where there is memory, its own: a read and a write of the same value do no harm. */
static uint64_t exchange(volatile uint64_t *word, uint64_t address)
{
	uint64_t value = PATTERN;

	if (is_ram(address)) {
		value = *word;
		*word = value;
	} else {
		__asm__ volatile("xchgq %0, %1" : "+r"(value), "+m"(*word));
	}
	return value;
}

/* Empty sockets for ROMs are pages of ones, which only writes leave. */
static void expect_address(uint64_t address, struct sweep_policy *policy, bool write)
{
	bool rom = address >= ROM_START && address < ROM_END;

	if (is_ram(address)) {
		policy->rule = "own";
		return;
	}
	policy->rule = rom ? "rom" : "nothing";
	policy->exits = !rom || write;
	policy->mask = policy->value = ~UINT64_C(0);
}

/* memory_2m: reads and writes in one instruction. */
static uint64_t count_2m(const struct sweep *sweep)
{
	return SWEPT / PAGE_SIZE_2M;
}

static uint64_t where_2m(const struct sweep *sweep, uint64_t index)
{
	return index * PAGE_SIZE_2M;
}

static void expect_2m(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	expect_address(where_2m(sweep, index), policy, true);
}

static void exchange_2m(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint64_t address = where_2m(sweep, index);

	result->value = exchange(look_at_large(address), address);
}

/* memory_powers: the pages below and above each power of two. */
static uint64_t count_powers(const struct sweep *sweep)
{
	return UINT64_C(2) * POWERS;
}

static uint64_t where_power(const struct sweep *sweep, uint64_t index)
{
	return BIT(POWER_FIRST + index / 2) - (index % 2 == 0 ? PAGE_SIZE : 0);
}

static bool always_matters(const struct sweep *sweep, uint64_t index)
{
	return true;
}

/* Above the width of an address the bits of a page-table entry are reserved. */
static void expect_power(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	uint64_t address = where_power(sweep, index);

	if (address >> address_width() == 0) {
		expect_address(address, policy, true);
	} else {
		policy->rule = "reserved";
		policy->vector = VECTOR_PF;
	}
}

static void exchange_power(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint64_t address = where_power(sweep, index);

	result->value = exchange(look_at_page(address), address);
}

/* memory_read and memory_write: page by page around each edge. */
static uint64_t count_edges(const struct sweep *sweep)
{
	return LOW_PAGES + END_PAGES;
}

static uint64_t where_edge(const struct sweep *sweep, uint64_t index)
{
	if (index < LOW_PAGES)
		return LOW_START + index * PAGE_SIZE;
	return memory_end() + (index - LOW_PAGES) * PAGE_SIZE - END_PAGES / 2 * PAGE_SIZE;
}

static void expect_read(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	expect_address(where_edge(sweep, index), policy, false);
}

static void expect_write(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	expect_address(where_edge(sweep, index), policy, true);
}

static void read_edge(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	result->value = *look_at_page(where_edge(sweep, index));
}

/* And reads it again: the write must have gone nowhere. */
static void write_edge(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint64_t address = where_edge(sweep, index);
	volatile uint64_t *word = look_at_page(address);

	*word = is_ram(address) ? *word : PATTERN;
	result->value = *word;
}

/* memory_fresh: a block that this program has not used, nor anybody before it. */
static uint8_t *fresh;

static uint64_t count_fresh(const struct sweep *sweep)
{
	fresh = page_alloc(PAGE_ORDER_2M);
	return fresh != NULL ? PAGE_SIZE_2M / PAGE_SIZE : 0;
}

static uint64_t where_fresh(const struct sweep *sweep, uint64_t index)
{
	return (uintptr_t)fresh + index * PAGE_SIZE;
}

static void expect_fresh(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	policy->rule = "fresh";
	policy->mask = ~UINT64_C(0);
}

/* In the middle: the allocator's list goes through the first words. */
static void read_fresh(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	result->value = *(volatile uint64_t *)(where_fresh(sweep, index) + PAGE_SIZE / 2);
}

static const struct sweep_kind every_2m = {
	.count = count_2m,
	.where = where_2m,
	.expect = expect_2m,
	.access = exchange_2m,
};

static const struct sweep_kind powers = {
	.count = count_powers,
	.where = where_power,
	.matters = always_matters,
	.expect = expect_power,
	.access = exchange_power,
};

static const struct sweep_kind reads = {
	.count = count_edges,
	.where = where_edge,
	.matters = always_matters,
	.expect = expect_read,
	.access = read_edge,
};

static const struct sweep_kind writes = {
	.count = count_edges,
	.where = where_edge,
	.matters = always_matters,
	.expect = expect_write,
	.access = write_edge,
};

static const struct sweep_kind fresh_pages = {
	.count = count_fresh,
	.where = where_fresh,
	.matters = always_matters,
	.expect = expect_fresh,
	.access = read_fresh,
};

#define RULE                                                                                       \
	"outside its memory a virtual machine reads all ones and writes nothing; every access "    \
	"exits"

static const struct sweep sweeps[] = {
	{ .name = "memory_2m",
		.what = "an XCHG every 2 MiB below 1 TiB",
		.rule = RULE,
		.kind = &every_2m },
	{ .name = "memory_powers",
		.what = "an XCHG on both sides of each power of two",
		.rule = RULE,
		.kind = &powers },
	{ .name = "memory_read",
		.what = "a read of every page around the edges of the memory",
		.rule = RULE,
		.kind = &reads },
	{ .name = "memory_write",
		.what = "a write to every page around the edges of the memory",
		.rule = RULE,
		.kind = &writes },
	{ .name = "memory_fresh",
		.what = "a read of memory that is used for the first time",
		.rule = "a virtual machine's memory is zero when it first touches it",
		.kind = &fresh_pages },
};

const struct sweep_list sweep_memory = { sweeps, ARRAY_SIZE(sweeps) };
