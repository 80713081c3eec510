/* The I/O and MSR bitmaps: which ports and MSRs a guest reaches without an exit. They are the same
   for all guests of a kind, so they exist once. */
#ifndef KERNEL_VMX_BITMAP_H
#define KERNEL_VMX_BITMAP_H

#include "runtime/compiler.h"

/* Fills the bitmaps. Before the first guest is made; may be called again. */
void bitmap_init(void);

/* The two pages of I/O bitmaps, A then B ("I/O-Bitmap Addresses"): every port exits; for a
   guest without second-level paging COM1 does not, it owns that. */
const uint8_t *bitmap_io(bool stage2);

/* The page of MSR bitmaps ("MSR-Bitmap Address"): every MSR exits but those that the world switch
   or switched_load() gives each guest of its own. */
const uint8_t *bitmap_msr(void);

#endif
