/* A guest that changes a translation of the window between two reads, and reads a third time after
   an exit: what tests of INVEPT, INVVPID and VPIDs have in common. */
#ifndef VMX_TESTS_EPT_REMAP_H
#define VMX_TESTS_EPT_REMAP_H

#include "vmx-tests/ept/window.h"

enum remap_entry {
	REMAP_EPT,   /* the window's EPT PTE changes */
	REMAP_GUEST, /* the guest's own PTE changes, under EPT */
	REMAP_GUEST_WITHOUT_EPT,
};

/* Opens the window, with guest_page[0] behind it. guest_flags: more flags for the guest's PTE
 * (PTE_G). */
void remap_open(enum remap_entry entry, uint64_t guest_flags);

/* The guest reads, makes the entry point to guest_page[1], runs an invalidation of its own or
   guest_no_invalidation, reads and exits. OK when the first read was right. */
outcome remap_run(enum remap_entry entry, void (*invalidation)(void));

/* The entry and its new value, for tests that change it on the host. */
uint64_t *remap_target(enum remap_entry entry);
uint64_t remap_value(enum remap_entry entry);

/* Did the second read see the new translation? (It may, or not, without invalidation.) */
bool remap_second_is_new(void);

/* Resumes the guest for its third read. OK when that saw the new translation, else a mismatch. */
outcome remap_third(void);

extern const struct test_need need_stale_in_guest, need_stale_over_exit;

void guest_remap(void), guest_no_invalidation(void), guest_invlpg(void), guest_load_cr3(void),
	guest_toggle_pge(void), guest_invpcid(void);

#endif
