/* The physical page allocator: blocks of 2^order pages, aligned to their size, out of the RAM
   that the boot loader reported less what is in use. Physical addresses equal virtual ones
   (see paging.h), so a block is used through the pointer it is returned as. */
#ifndef RUNTIME_PAGE_ALLOC_H
#define RUNTIME_PAGE_ALLOC_H

#include "runtime/compiler.h"

#define PAGE_ORDER_4K 0
#define PAGE_ORDER_2M 9
#define PAGE_ORDER_1G 18

/* Takes the ranges of `boot` less the image, the modules and everything below 1 MiB: first what lies below
   4 GiB, which the entry code has mapped, and the rest once paging_init() has mapped that too. */
void page_alloc_init(void);
void page_alloc_init_high(void);

/* A block of 2^order pages, 0 <= order <= PAGE_ORDER_1G; its contents are undefined.
   Returns NULL when none is left. Any CPU, interrupts on or off. */
void *page_alloc(unsigned int order);

/* As page_alloc(), filled with zeroes. */
void *page_alloc_zeroed(unsigned int order);

/* Gives back a block with the order it was taken with; NULL is ignored. */
void page_free(void *block, unsigned int order);

/* Pages not handed out; of which `pages_reserved` are promised to someone. */
uint64_t page_free_count(void);

/* Promises `pages` 4 KiB pages to the caller, who will take them later with page_alloc(): the sum
   of all promises never exceeds what is free. Returns 0 or -ENOMEM. A caller that takes a
   promised block gives the promise back with page_unreserve(). */
int page_reserve(uint64_t pages);
void page_unreserve(uint64_t pages);

/* Takes the pages of [start, start + size), page aligned, out of the free ones, for what must lie at
   its own physical address. 0, or -EBUSY when one of them is in use or no RAM: none is taken then. */
int page_take(uint64_t start, uint64_t size);

/* A free page below 1 MiB, for code that starts in real mode; at most a few. NULL when none is left. */
void *page_alloc_low(void);

#endif
