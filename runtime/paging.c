/* The image's page tables: 4 levels, virtual = physical, each page either writable or executable.
   The guests' second level is the hypervisor's. */
#include "runtime/paging.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define ENTRIES 512
#define FOUR_GIB (UINT64_C(4) << 30)

extern char image_start[], image_text_end[], image_rodata_end[];
static uint64_t *paging_root;
static bool has_1g_pages;

/* Bytes that one entry of a level maps: level 1 is a page table, 4 the root. */
static uint64_t level_bytes(unsigned int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & PTE_ADDR);
}

static uint64_t *entry_in(uint64_t *table, uint64_t address, unsigned int level)
{
	return &table[address / level_bytes(level) % ENTRIES];
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & PTE_PS);
}

static uint64_t leaf_entry(uint64_t address, unsigned int level, uint64_t flags)
{
	return address | PTE_P | PTE_A | PTE_D | (level > 1 ? PTE_PS : 0) |
		(flags & PAGING_WRITE ? PTE_W : 0) | (flags & PAGING_EXECUTE ? 0 : PTE_NX) |
		(flags & PAGING_USER ? PTE_U : 0) |
		(flags & PAGING_UNCACHED ? PTE_PCD | PTE_PWT : 0);
}

/* Replaces a leaf by a table that maps the same with smaller pages. */
static int split_leaf(uint64_t *entry, unsigned int level)
{
	uint64_t *table = page_alloc_zeroed(PAGE_ORDER_4K);
	uint64_t small = level == 2 ? *entry & ~PTE_PS : *entry;
	unsigned int i;

	if (table == NULL)
		return -ENOMEM;
	if (*entry & PTE_P)
		for (i = 0; i < ENTRIES; i++)
			table[i] = small + i * level_bytes(level - 1);
	*entry = (uintptr_t)table | PTE_P | PTE_W | PTE_U;
	return 0;
}

static bool fits(uint64_t start, uint64_t end, unsigned int level)
{
	return (level < 3 || (level == 3 && has_1g_pages)) && IS_ALIGNED(start, level_bytes(level)) &&
		start + level_bytes(level) <= end;
}

/* Sets the largest leaf that maps `start` within [start, end), to 0 when not `present`.
   Returns its level, or a negative error. */
static int set_leaf(uint64_t start, uint64_t end, uint64_t flags, bool present)
{
	uint64_t *table = paging_root;
	unsigned int level;

	for (level = 4;; level--) {
		uint64_t *entry = entry_in(table, start, level);

		if (fits(start, end, level) && !(*entry != 0 && !is_leaf(*entry, level))) {
			*entry = present ? leaf_entry(start, level, flags) : 0;
			return (int)level;
		}
		if (*entry == 0 || is_leaf(*entry, level)) {
			int error = split_leaf(entry, level);

			if (error)
				return error;
		}
		table = table_of(*entry);
	}
}

static int set_range(uint64_t start, uint64_t size, uint64_t flags, bool present)
{
	uint64_t end = start + size;
	int level;

	if (!IS_ALIGNED(start | size, PAGE_SIZE) || end < start || end > BIT(47))
		return -EINVAL;
	for (; start < end; start += level_bytes((unsigned int)level)) {
		level = set_leaf(start, end, flags, present);
		if (level < 0)
			return level;
	}
	if (read_cr3() == (uintptr_t)paging_root)
		write_cr3((uintptr_t)paging_root);
	return 0;
}

int paging_map(uint64_t start, uint64_t size, uint64_t flags)
{
	return set_range(start, size, flags, true);
}

int paging_unmap(uint64_t start, uint64_t size)
{
	return set_range(start, size, 0, false);
}

uint64_t paging_lookup(uint64_t address, uint64_t *size)
{
	uint64_t *table = paging_root;
	unsigned int level;

	for (level = 4;; level--) {
		uint64_t entry = *entry_in(table, address, level);

		if (!(entry & PTE_P))
			return 0;
		if (is_leaf(entry, level)) {
			if (size != NULL)
				*size = level_bytes(level);
			return entry;
		}
		table = table_of(entry);
	}
}

void paging_load(void)
{
	wrmsr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) | EFER_NXE);
	write_cr3((uintptr_t)paging_root);
	write_cr0(read_cr0() | CR0_WP);
}

static int map_all(void)
{
	uint64_t text = (uintptr_t)image_start, rodata = (uintptr_t)image_text_end,
		 data = (uintptr_t)image_rodata_end;
	int error = paging_map(0, FOUR_GIB, PAGING_WRITE);
	unsigned int i;

	for (i = 0; i < boot.ranges && error == 0; i++) {
		uint64_t start = MAX(boot.range[i].start, FOUR_GIB);
		uint64_t end = boot.range[i].start + boot.range[i].size;

		if (end > start)
			error = paging_map(start, end - start, PAGING_WRITE);
	}
	if (error == 0)
		error = paging_map(text, rodata - text, PAGING_EXECUTE);
	if (error == 0)
		error = paging_map(rodata, data - rodata, 0);
	return error;
}

void paging_init(void)
{
	has_1g_pages = cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_PAGE1GB;
	paging_root = page_alloc_zeroed(PAGE_ORDER_4K);
	if (paging_root == NULL || map_all() != 0)
		panic("no memory for the page tables");
	paging_load();
}
