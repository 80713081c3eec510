/* The page that the tests of EPT let the guest touch: a linear address of its own, mapped by guest
   tables of its own to a guest-physical address of its own, which EPT maps to guest_page[0].
   Nothing else depends on any of them. */
#ifndef VMX_TESTS_EPT_WINDOW_H
#define VMX_TESTS_EPT_WINDOW_H

#include "runtime/harness.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define WINDOW_LINEAR (UINT64_C(5) << 39)

/* Opens it, with an EPT page of that level (1: 4 KBytes, 2: 2 MBytes, 3: 1 GByte) and all rights at
   all levels. Enables EPT where it is not; else only the window's own entries are made new, so that
   a sweep's rows are cheap. */
void window_open(unsigned int level);

/* The guest's half alone, without EPT: the linear address is mapped to guest_page[0] itself. */
void window_open_guest(void);

/* The EPTP of a second set of structures, a copy of those in use but that the window shows
   guest_page[1]; and its entry for the window at that level. Needs window_open(1) before. */
uint64_t window_other_pointer(void);
uint64_t *window_other_entry(unsigned int level);

/* Its guest-physical address. At 512 GBytes, where even the root's entry is its own, if the
   physical-address width allows it (need_wide_physical), else at 3 GBytes. */
uint64_t window_gpa(void);

/* The EPT entry on its path at level 1 ... 4. */
uint64_t *window_entry(unsigned int level);

/* The guest's own paging-structure entry on its path at level 1 (PTE) ... 4 (PML4E). */
uint64_t *window_guest_entry(unsigned int level);

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_FETCH };

/* Executes INVEPT and lets the guest access the window at that offset: reads 8 bytes into RAX,
   writes the 8 bytes of RSI, or calls the RET there. EXIT(VMCALL) when the access was allowed,
   which is checked on the memory: then OK. */
outcome window_access(enum access access, uint64_t offset);

/* The same without INVEPT and without a look at what came of it: guest_run()'s outcome. */
outcome window_enter(enum access access, uint64_t offset);

/* The exit qualification of an EPT violation without the bits that are undefined here ("Exit
   Qualification for EPT Violations"): bit 6 without mode-based execute control, bits 11:9 without
   the advanced information. */
uint64_t window_qualification(void);

#define WINDOW_WORD UINT64_C(0x1122334455667788)  /* what a read finds (RET excepted at offset 0)  \
						   */
#define WINDOW_OTHER UINT64_C(0x0123456789abcdef) /* what guest_page[1] is filled with */
#define WINDOW_WRITE UINT64_C(0x8877665544332211) /* what a write leaves */

/* Guest code, with RDI the address: access.S. */
void guest_read(void), guest_write(void), guest_fetch(void);
void guest_read_twice(void); /* reads to RAX, VMCALL, reads to RAX */
void guest_write_read(void); /* writes RSI, reads to RAX */
void guest_read_write(void); /* reads to RAX, writes RSI */
void guest_exchange(void);   /* XCHG: a read-modify-write */

void guest_iret(void);               /* IRETQ with the frame there */
void guest_push(void);               /* PUSH to there */
void guest_load_segment(void);       /* loads ES with the selector in RCX */
void guest_software_interrupt(void); /* INT 40H */
#define WINDOW_INTERRUPT 0x40
void guest_store_string(void); /* REP STOSQ of RCX quadwords of RSI */

/* The physical-address width (CPUID.80000008H:EAX[7:0]). */
unsigned int window_physical_width(void);

#endif
