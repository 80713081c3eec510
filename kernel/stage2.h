/* A stage-2 map (EPT, NPT): guest-physical to host-physical addresses, in 4 levels of tables. How an
   entry is written is the back end's struct stage2_format; what is mapped where is memory.c's. */
#ifndef KERNEL_STAGE2_H
#define KERNEL_STAGE2_H

#include "kernel/backend.h"

struct stage2 {
	const struct stage2_format *format;
	uint64_t *root;	     /* the level-4 table; its address is what the hardware is given */
	uint64_t generation; /* changes whenever an existing translation does */
	uint64_t leaves[4];  /* how many leaves there are at levels 1, 2, 3 */
	uint64_t tables;     /* pages that hold tables, the root among them */
	uint64_t flush;	     /* a back end's own note of what it has still to flush */
};

/* Bytes that a leaf at `level` (1, 2 or 3) maps: 4 KiB, 2 MiB, 1 GiB. */
static inline uint64_t stage2_level_bytes(unsigned int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

/* Makes an empty map. 0 or -ENOMEM. */
int stage2_init(struct stage2 *stage2, const struct stage2_format *format);

/* Frees the tables; what the leaves point at is the caller's. */
void stage2_destroy(struct stage2 *stage2);

/* Maps [gpa, gpa + size) to [hpa, hpa + size) with `rights` (STAGE2_*), in the largest pages that
   the alignment of both, the size, the CPU and max_level (1-3) allow. All in bytes, multiples of 4 KiB.
   What was mapped there is replaced; the caller then flushes (backend->stage2_flush()).
   0; -EINVAL when unaligned or beyond 48 bits; -ENOMEM (some of it may then be mapped). */
int stage2_map(struct stage2 *stage2, uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights,
	unsigned int max_level);

struct stage2_mapping {
	uint64_t hpa;	    /* that gpa translates to */
	uint64_t rights;    /* STAGE2_* */
	unsigned int level; /* of the leaf */
};

/* How gpa is mapped: 0, or -EFAULT when it is not. */
int stage2_lookup(const struct stage2 *stage2, uint64_t gpa, struct stage2_mapping *mapping);

#endif
