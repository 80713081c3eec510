/* The image's own page tables: all RAM and the first 4 GiB, virtual = physical, and no page both
   writable and executable. */
#ifndef RUNTIME_PAGING_H
#define RUNTIME_PAGING_H

#include "runtime/compiler.h"

#define PAGING_WRITE	BIT(0) /* may be written */
#define PAGING_EXECUTE	BIT(1) /* may be executed */
#define PAGING_USER	BIT(2) /* reachable at CPL 3 */
#define PAGING_UNCACHED BIT(3) /* strong uncacheable, for devices */

/* Builds the final tables and loads them on this CPU; the others load them as they start. */
void paging_init(void);

/* Loads the tables and sets CR0.WP, CR4.PGE, EFER.NXE on the calling CPU. */
void paging_load(void);

/* Maps [start, start + size) to itself with the rights of flags, in the largest pages that fit;
   start and size in bytes, multiples of 4 KiB. What was mapped there is replaced.
   Returns 0, -EINVAL when unaligned or not canonical, -ENOMEM. The calling CPU's TLB is flushed, others' not. */
int paging_map(uint64_t start, uint64_t size, uint64_t flags);

/* Removes the mapping of [start, start + size): touching it is then a page fault. Same rules. */
int paging_unmap(uint64_t start, uint64_t size);

/* The entry that maps address (with its size in bytes in *size when not NULL), or 0. */
uint64_t paging_lookup(uint64_t address, uint64_t *size);

#endif
