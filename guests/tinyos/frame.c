/* Counts the owners of each page of user memory. Who owns a page, and when it is copied, is
   decided in vm.c. */
#include "guests/tinyos/frame.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"

/* By page number. A count means something only while its page is handed out by frame_alloc(). */
static uint8_t *owners;
static uint64_t frames;

int frame_init(void)
{
	unsigned int order = 0;

	for (unsigned int i = 0; i < boot.ranges; i++)
		frames = MAX(frames, (boot.range[i].start + boot.range[i].size) / PAGE_SIZE);
	while ((PAGE_SIZE << order) < frames)
		order++;
	owners = page_alloc(order);
	return owners == NULL ? -ENOMEM : 0;
}

static uint8_t *count_of(void *page)
{
	uint64_t number = (uintptr_t)page / PAGE_SIZE;

	assert(number < frames);
	return &owners[number];
}

void *frame_alloc(void)
{
	void *page = page_alloc_zeroed(PAGE_ORDER_4K);

	if (page != NULL)
		*count_of(page) = 1;
	return page;
}

void frame_share(void *page)
{
	uint8_t *count = count_of(page);

	assert(*count > 0 && *count < UINT8_MAX);
	(*count)++;
}

void frame_release(void *page)
{
	uint8_t *count = count_of(page);

	assert(*count > 0);
	if (--*count == 0)
		page_free(page, PAGE_ORDER_4K);
}

bool frame_is_shared(void *page)
{
	return *count_of(page) > 1;
}
