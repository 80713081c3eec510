/* The segment selectors of every image, in the order that SYSCALL and SYSRET ask for.
   Also read by the assembler. */
#ifndef RUNTIME_SEGMENTS_H
#define RUNTIME_SEGMENTS_H

#define SELECTOR_CODE64	   0x08
#define SELECTOR_DATA	   0x10
#define SELECTOR_USER_CODE32 0x18
#define SELECTOR_USER_DATA 0x20
#define SELECTOR_USER_CODE64 0x28
#define SELECTOR_TSS	   0x30 /* two entries long */
#define SELECTOR_CODE32	   0x40 /* for the way up from 32-bit mode */

/* Descriptors (Intel SDM, "Segment Descriptors"), flat where base and limit count. */
#define DESCRIPTOR_CODE64      0x00af9a000000ffff
#define DESCRIPTOR_CODE32      0x00cf9a000000ffff
#define DESCRIPTOR_DATA	       0x00cf92000000ffff
#define DESCRIPTOR_USER_CODE32 0x00cffa000000ffff
#define DESCRIPTOR_USER_DATA   0x00cff2000000ffff
#define DESCRIPTOR_USER_CODE64 0x00affa000000ffff

#endif
