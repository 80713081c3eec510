/* The 64 KiB below 1 MiB that 16-bit code runs in: a segment with copies of the engine's code, data
   and stack, and with what real mode is left and entered by. Also read by the assembler. */
#ifndef PROBE_LEGACY_LOW_H
#define PROBE_LEGACY_LOW_H

#define LEGACY_LOW     0x60000 /* linear and physical address */
#define LEGACY_SEGMENT 0x6000  /* the selector that stands for it */

/* Offsets in the segment. */
#define LEGACY_CODE  0x1000
#define LEGACY_DATA  0x2000
#define LEGACY_STACK 0x4000
#define LEGACY_IVT   0x7000 /* interrupt vector table of real mode */
#define LEGACY_REAL  0x8000 /* legacy_real.S */

/* The one interrupt that virtual-8086 mode extensions hand to the 8086 program itself, and where
   that has its handler: an address at which execution ends well. */
#define LEGACY_REDIRECTED 0x80
#define LEGACY_LANDING    0x1800

/* Selectors in the table that legacy.c makes, beyond those of context.h. */
#define SELECTOR_LEGACY_CODE16 0x78
#define SELECTOR_LEGACY_DATA16 0x80
#define SELECTOR_LEGACY_END    0x88

/* Descriptors of 64 KiB, base 0. */
#define DESCRIPTOR_CODE16 0x00009a000000ffff
#define DESCRIPTOR_DATA16 0x000092000000ffff

#endif
