/* Pages of user memory, each with the number of address spaces that map it: what makes
   copy-on-write possible. Page tables and stacks come from the runtime's allocator directly. */
#ifndef TINYOS_FRAME_H
#define TINYOS_FRAME_H

#include "runtime/compiler.h"

/* Makes room for the counts of all RAM. 0 or -ENOMEM. */
int frame_init(void);

/* A zeroed page with one owner, or NULL. */
void *frame_alloc(void);

/* One owner more; one less, and the page is freed with its last. */
void frame_share(void *page);
void frame_release(void *page);

bool frame_is_shared(void *page);

#endif
