/* Free physical memory as one list of blocks per order; a larger block is split when a list is
   empty, and blocks are never merged again: who takes large blocks takes them at the start. */
#include "runtime/page_alloc.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/spinlock.h"
#include "runtime/string.h"

#define ORDERS	  (PAGE_ORDER_1G + 1)
#define LOW_LIMIT (UINT64_C(1) << 20)  /* below it real-mode code and firmware data live */
#define LOW_FIRST (UINT64_C(32) << 10) /* the first 32 KiB are firmware's and the loader's */
#define MAPPED_AT_BOOT (UINT64_C(4) << 30)

struct block {
	struct block *next;
};

extern char image_start[], image_end[];
static struct block *free_blocks[ORDERS];
static uint64_t free_pages, reserved_pages, low_next = LOW_FIRST;
static struct spinlock alloc_lock;

static uint64_t block_bytes(unsigned int order)
{
	return PAGE_SIZE << order;
}

static void push_block(uint64_t address, unsigned int order)
{
	struct block *block = (struct block *)(uintptr_t)address;

	block->next = free_blocks[order];
	free_blocks[order] = block;
}

/* Adds [start, end), which nobody uses, in blocks as large as alignment and size allow. */
static void add_free(uint64_t start, uint64_t end)
{
	unsigned int order;

	free_pages += (end - start) / PAGE_SIZE;
	for (; start < end; start += block_bytes(order)) {
		order = PAGE_ORDER_1G;
		while (!IS_ALIGNED(start, block_bytes(order)) || start + block_bytes(order) > end)
			order--;
		push_block(start, order);
	}
}

/* The first used range that touches [start, end): the image or a module, in whole pages. */
static bool find_used(uint64_t start, uint64_t end, uint64_t *used_start, uint64_t *used_end)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i <= boot.modules; i++) {
		uint64_t s = (uintptr_t)image_start, e = (uintptr_t)image_end;

		if (i < boot.modules) {
			s = ALIGN_DOWN(boot.module[i].start, PAGE_SIZE);
			e = ALIGN_UP(boot.module[i].start + boot.module[i].size, PAGE_SIZE);
		}
		if (s < end && e > start && s < e && (!found || s < *used_start)) {
			found = true;
			*used_start = s;
			*used_end = e;
		}
	}
	return found;
}

static void add_range(uint64_t start, uint64_t end)
{
	uint64_t used_start, used_end;

	while (start < end && find_used(start, end, &used_start, &used_end)) {
		if (used_start > start)
			add_free(start, used_start);
		start = used_end;
	}
	if (start < end)
		add_free(start, end);
}

/* Adds the RAM of `boot` within [low, high). */
static void add_ranges_between(uint64_t low, uint64_t high)
{
	unsigned int i;

	for (i = 0; i < boot.ranges; i++) {
		uint64_t end = boot.range[i].start + boot.range[i].size;

		add_range(MAX(boot.range[i].start, low), MIN(end, high));
	}
}

void page_alloc_init(void)
{
	add_ranges_between(LOW_LIMIT, MAPPED_AT_BOOT);
}

void page_alloc_init_high(void)
{
	add_ranges_between(MAPPED_AT_BOOT, ~UINT64_C(0));
}

/* Takes the first block of the list, splitting a larger one when it is empty. */
static struct block *pop_block(unsigned int order)
{
	struct block *block;

	if (order >= ORDERS)
		return NULL;
	block = free_blocks[order];
	if (block != NULL) {
		free_blocks[order] = block->next;
		return block;
	}
	block = pop_block(order + 1);
	if (block != NULL)
		push_block((uintptr_t)block + block_bytes(order), order);
	return block;
}

void *page_alloc(unsigned int order)
{
	struct block *block;

	spinlock_lock(&alloc_lock);
	block = pop_block(order);
	if (block != NULL)
		free_pages -= UINT64_C(1) << order;
	spinlock_unlock(&alloc_lock);
	return block;
}

void *page_alloc_zeroed(unsigned int order)
{
	void *block = page_alloc(order);

	if (block != NULL)
		memset(block, 0, block_bytes(order));
	return block;
}

void page_free(void *block, unsigned int order)
{
	if (block == NULL)
		return;
	spinlock_lock(&alloc_lock);
	push_block((uintptr_t)block, order);
	free_pages += UINT64_C(1) << order;
	spinlock_unlock(&alloc_lock);
}

uint64_t page_free_count(void)
{
	return free_pages;
}

int page_reserve(uint64_t pages)
{
	int error = -ENOMEM;

	spinlock_lock(&alloc_lock);
	if (pages <= free_pages - MIN(reserved_pages, free_pages)) {
		reserved_pages += pages;
		error = 0;
	}
	spinlock_unlock(&alloc_lock);
	return error;
}

void page_unreserve(uint64_t pages)
{
	spinlock_lock(&alloc_lock);
	reserved_pages -= MIN(pages, reserved_pages);
	spinlock_unlock(&alloc_lock);
}

/* Unlinks and returns the free block that holds `address`, with its order; 0 when it is in use. */
static uint64_t unlink_holder(uint64_t address, unsigned int *order)
{
	struct block **link;

	for (*order = 0; *order < ORDERS; ++*order) {
		uint64_t start = ALIGN_DOWN(address, block_bytes(*order));

		for (link = &free_blocks[*order]; *link != NULL; link = &(*link)->next)
			if ((uintptr_t)*link == start) {
				*link = (*link)->next;
				return start;
			}
	}
	return 0;
}

static int take_page(uint64_t address)
{
	unsigned int order;
	uint64_t start = unlink_holder(address, &order), end;

	if (start == 0)
		return -EBUSY;
	end = start + block_bytes(order);
	free_pages -= UINT64_C(1) << order;
	if (start < address)
		add_free(start, address);
	if (address + PAGE_SIZE < end)
		add_free(address + PAGE_SIZE, end);
	return 0;
}

int page_take(uint64_t start, uint64_t size)
{
	uint64_t address;
	int error = 0;

	spinlock_lock(&alloc_lock);
	for (address = start; address < start + size && error == 0; address += PAGE_SIZE)
		error = take_page(address);
	if (error) /* give back what was taken before the one that was in use */
		add_free(start, address - PAGE_SIZE);
	spinlock_unlock(&alloc_lock);
	return error;
}

/* Is the page RAM that neither the firmware nor a module uses? */
static bool low_page_is_free(uint64_t page)
{
	uint64_t used_start, used_end;
	unsigned int i;

	for (i = 0; i < boot.ranges; i++)
		if (page >= boot.range[i].start &&
			page + PAGE_SIZE <= boot.range[i].start + boot.range[i].size)
			return !find_used(page, page + PAGE_SIZE, &used_start, &used_end);
	return false;
}

void *page_alloc_low(void)
{
	uint64_t page;

	while (low_next < LOW_LIMIT) {
		page = low_next;
		low_next += PAGE_SIZE;
		if (low_page_is_free(page))
			return (void *)(uintptr_t)page;
	}
	return NULL;
}
