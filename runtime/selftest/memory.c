/* The page allocator and the image's own page tables. */
#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/harness.h"
#include "runtime/page_alloc.h"
#include "runtime/paging.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

extern char image_start[], image_text_end[], image_end[];

TEST(page_alloc, blocks, "runtime/page_alloc.h", "blocks are aligned, distinct, RAM, and counted", OK)
{
	uint64_t before = page_free_count();
	uint8_t *a = page_alloc(PAGE_ORDER_4K), *b = page_alloc(PAGE_ORDER_2M);

	CHECK(a != NULL && b != NULL);
	CHECK(IS_ALIGNED((uintptr_t)a, PAGE_SIZE) && IS_ALIGNED((uintptr_t)b, PAGE_SIZE_2M));
	CHECK(a + PAGE_SIZE <= b || a >= b + PAGE_SIZE_2M);
	CHECK(b + PAGE_SIZE_2M <= (uint8_t *)image_start || b >= (uint8_t *)image_end);
	CHECK_EQUAL(page_free_count(), before - 513);
	page_free(a, PAGE_ORDER_4K);
	page_free(b, PAGE_ORDER_2M);
	CHECK_EQUAL(page_free_count(), before);
	return OK;
}

TEST(page_alloc, exhaustion, "runtime/page_alloc.h", "all memory can be taken, then NULL, then all given back", OK)
{
	uint64_t before = page_free_count(), taken = 0;
	unsigned int order = PAGE_ORDER_1G + 1;
	struct block {
		struct block *next;
		unsigned int order;
	} *list = NULL, *block;

	while (order-- > 0) /* the largest first, so that none is split */
		while ((block = page_alloc(order)) != NULL) {
			*block = (struct block){ list, order };
			list = block;
			taken += UINT64_C(1) << order;
		}
	CHECK_EQUAL(taken, before);
	CHECK_EQUAL(page_free_count(), 0);
	while ((block = list) != NULL) {
		list = block->next;
		page_free(block, block->order);
	}
	CHECK_EQUAL(page_free_count(), before);
	return OK;
}

TEST(page_alloc, zeroed, "runtime/page_alloc.h", "a zeroed block holds only zeroes, whatever was there", OK)
{
	uint8_t *page = page_alloc(PAGE_ORDER_4K);
	unsigned int i;

	memset(page, 0xa5, PAGE_SIZE);
	page_free(page, PAGE_ORDER_4K);
	page = page_alloc_zeroed(PAGE_ORDER_4K);
	for (i = 0; i < PAGE_SIZE; i++)
		CHECK(page[i] == 0);
	page_free(page, PAGE_ORDER_4K);
	return OK;
}

TEST(page_alloc, promises, "runtime/page_alloc.h", "promises never exceed what is free", OK)
{
	uint64_t pages = page_free_count();

	CHECK_EQUAL(page_reserve(pages), 0);
	CHECK_EQUAL(page_reserve(1), -ENOMEM);
	page_unreserve(pages);
	CHECK_EQUAL(page_reserve(1), 0);
	page_unreserve(1);
	return OK;
}

TEST(page_alloc, take, "runtime/page_alloc.h", "given addresses can be taken once, and none is lost", OK)
{
	uint64_t before = page_free_count();
	uint8_t *block = page_alloc(PAGE_ORDER_2M);
	uint64_t address = (uintptr_t)block + 5 * PAGE_SIZE;

	CHECK(block != NULL);
	page_free(block, PAGE_ORDER_2M);
	CHECK_EQUAL(page_take(address, 3 * PAGE_SIZE), 0);
	CHECK_EQUAL(page_free_count(), before - 3);
	CHECK_EQUAL(page_take(address - PAGE_SIZE, 2 * PAGE_SIZE), -EBUSY);
	CHECK_EQUAL(page_free_count(), before - 3);
	CHECK_EQUAL(page_take((uintptr_t)image_start, PAGE_SIZE), -EBUSY);
	for (; address < (uintptr_t)block + 8 * PAGE_SIZE; address += PAGE_SIZE)
		page_free((void *)(uintptr_t)address, PAGE_ORDER_4K);
	CHECK_EQUAL(page_free_count(), before);
	return OK;
}

TEST(paging, write_to_code, "SDM Determination of Access Rights", "code cannot be written", FAULT(PF, PF_PRESENT | PF_WRITE))
{
	*(volatile uint8_t *)image_start = 0;
	return OK;
}

TEST(paging, write_to_constant, "SDM Determination of Access Rights", "constants cannot be written",
	FAULT(PF, PF_PRESENT | PF_WRITE))
{
	*(volatile uint8_t *)image_text_end = 0;
	return OK;
}

TEST(paging, execute_data, "SDM Determination of Access Rights", "data cannot be executed",
	FAULT(PF, PF_PRESENT | PF_FETCH))
{
	static uint8_t code[] = { 0xc3 }; /* RET */
	void (*call)(void) = (void (*)(void))(uintptr_t)code;

	call();
	return OK;
}

TEST(paging, null_pointer, "runtime/start.c", "page 0 is not mapped", FAULT(PF))
{
	uint64_t null = 0;

	__asm__ volatile("" : "+r"(null));
	return *(volatile uint8_t *)null ? OK : OK;
}

TEST(paging, no_writable_code, "runtime/paging.h", "no page below 4 GiB is both writable and executable", OK)
{
	uint64_t address, size, entry;

	for (address = 0; address < BIT(32); address += size) {
		size = PAGE_SIZE;
		entry = paging_lookup(address, &size);
		if ((entry & PTE_W) && !(entry & PTE_NX))
			return test_mismatch(__LINE__, "%#lx: entry %#lx", address, entry);
	}
	return OK;
}

TEST(paging, map_and_unmap, "runtime/paging.h", "rights change for one page of a large one, and back", OK)
{
	uint8_t *block = page_alloc(PAGE_ORDER_2M);
	uint64_t page = (uintptr_t)block + 7 * PAGE_SIZE, size;

	CHECK(block != NULL);
	CHECK_EQUAL(paging_map(page, PAGE_SIZE, 0), 0);
	CHECK(!(paging_lookup(page, &size) & PTE_W) && size == PAGE_SIZE);
	CHECK(paging_lookup(page + PAGE_SIZE, NULL) & PTE_W);
	CHECK_EQUAL(paging_unmap(page, PAGE_SIZE), 0);
	CHECK_EQUAL(paging_lookup(page, NULL), 0);
	CHECK_EQUAL(paging_map(page, PAGE_SIZE, PAGING_WRITE), 0);
	block[7 * PAGE_SIZE] = 1;
	CHECK_EQUAL(paging_map(page + 1, PAGE_SIZE, 0), -EINVAL);
	page_free(block, PAGE_ORDER_2M);
	return OK;
}
