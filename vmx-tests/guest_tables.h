/* The guest's descriptor and page tables, rebuilt before each test. */
#ifndef VMX_TESTS_GUEST_TABLES_H
#define VMX_TESTS_GUEST_TABLES_H

#include "spec/vmx.h"

/* Access rights as the VMCS has them ("Guest Register State"). */
#define GUEST_RIGHTS_CODE   (11 | ACCESS_RIGHTS_S | ACCESS_RIGHTS_P) /* execute, read, accessed */
#define GUEST_RIGHTS_CODE64 (GUEST_RIGHTS_CODE | ACCESS_RIGHTS_L | ACCESS_RIGHTS_G)
#define GUEST_RIGHTS_CODE32 (GUEST_RIGHTS_CODE | ACCESS_RIGHTS_DB | ACCESS_RIGHTS_G)
#define GUEST_RIGHTS_DATA16 (3 | ACCESS_RIGHTS_S | ACCESS_RIGHTS_P) /* read, write, accessed */
#define GUEST_RIGHTS_DATA   (GUEST_RIGHTS_DATA16 | ACCESS_RIGHTS_DB | ACCESS_RIGHTS_G)
#define GUEST_RIGHTS_TSS    (11 | ACCESS_RIGHTS_P) /* busy 32-bit or 64-bit TSS */
#define GUEST_TSS_LIMIT     0x67

/* Large enough for both forms ("Task-State Segment (TSS)", "64-Bit Mode Task State Segment"). */
struct guest_tss {
	uint8_t bytes[128];
};
extern struct guest_tss guest_tss, guest_tss2;

/* Identity maps of the first 4 GiB, every page present, writable, reachable by the user:
   4 levels with 2 MiB pages; PAE's PDPTEs; 32-bit paging with 4 MiB pages. */
extern uint64_t guest_pml4[512], guest_pdpt[512], guest_pd[4 * 512];
extern uint64_t guest_pae_pdpt[4];
extern uint32_t guest_pd32[1024];

void guest_tables_reset(void);

#endif
