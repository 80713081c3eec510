/* The state of a processor after reset: Intel SDM volume 3, "Processor State After Reset"; AMD APM
   volume 2, "Processor Initialization State". DR6_RESET, DR7_RESET and RFLAGS_FIXED are in
   spec/cpu.h; what is named in neither is 0. */
#ifndef SPEC_RESET_H
#define SPEC_RESET_H

#include "spec/cpu.h"

#define RESET_CR0 (CR0_CD | CR0_NW | CR0_ET)

/* The first instruction is at 0xfffffff0, 16 bytes below 4 GiB. */
#define RESET_RIP         0xfff0
#define RESET_CS_SELECTOR 0xf000
#define RESET_CS_BASE     0xffff0000

#define RESET_LIMIT 0xffff /* of all segments and both descriptor tables, bytes less 1 */
#define RESET_PAT   UINT64_C(0x0007040600070406)

/* Types of segments ("Code- and Data-Segment Descriptor Types", "System-Segment and
   Gate-Descriptor Types"). */
#define RESET_TYPE_CODE 11 /* execute, read, accessed */
#define RESET_TYPE_DATA 3  /* read, write, accessed */
#define RESET_TYPE_LDT  2
#define RESET_TYPE_TSS  11 /* 32-bit or 64-bit, busy */

/* A PC's reset control register (Intel 82371SB data sheet, "Reset Control Register"). */
#define RESET_CONTROL_PORT 0xcf9
#define RESET_CONTROL_HARD BIT(1) /* the whole machine, not only the CPU */
#define RESET_CONTROL_CPU  BIT(2) /* 0 to 1: resets */

#endif
