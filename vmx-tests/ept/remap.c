/* The remapping guest, and the experiments that tell whether this CPU shows stale translations at
 * all. */
#include "vmx-tests/ept/remap.h"

#define OFFSET 8 /* at 0 is a RET */

void remap_open(enum remap_entry entry, uint64_t guest_flags)
{
	if (entry == REMAP_GUEST_WITHOUT_EPT)
		window_open_guest();
	else
		window_open(1);
	*(window_entry(1) + 1) = *window_entry(1) + PAGE_SIZE; /* guest_page[1] follows */
	*window_guest_entry(1) |= guest_flags;
	field_write(VMCS_CR4_GUEST_HOST_MASK, 0);
	field_write(VMCS_GUEST_CR4, read_cr4() | CR4_PGE);
}

uint64_t *remap_target(enum remap_entry entry)
{
	return entry == REMAP_EPT ? window_entry(1) : window_guest_entry(1);
}

uint64_t remap_value(enum remap_entry entry)
{
	return *remap_target(entry) + PAGE_SIZE;
}

outcome remap_run(enum remap_entry entry, void (*invalidation)(void))
{
	guest_gpr[RDI] = WINDOW_LINEAR + OFFSET;
	guest_gpr[RSI] = vmx_address(remap_target(entry));
	guest_gpr[RDX] = remap_value(entry);
	guest_gpr[R8] = (uintptr_t)invalidation;
	CHECK_EQUAL(guest_run(guest_remap), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[R10]), WINDOW_WORD);
	return OK;
}

bool remap_second_is_new(void)
{
	return test_observe(guest_gpr[R11]) == WINDOW_OTHER;
}

outcome remap_third(void)
{
	guest_skip();
	CHECK_EQUAL(guest_enter(), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[R12]), WINDOW_OTHER);
	return OK;
}

static bool start(enum remap_entry entry)
{
	if (!vmx_is_on())
		vmx_enter_operation();
	guest_reset();
	if (vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VPID)) {
		proc2_set(PROC2_ENABLE_VPID);
		field_write(VMCS_VPID, 1);
	}
	remap_open(entry, 0);
	if (entry == REMAP_EPT)
		ept_invalidate();
	return remap_run(entry, guest_no_invalidation) == OK;
}

static bool has_stale_in_guest(void)
{
	return ept_available() && start(REMAP_EPT) && guest_gpr[R11] == WINDOW_WORD;
}

static bool has_stale_over_exit(void)
{
	return ept_available() && start(REMAP_EPT) && remap_third() != OK &&
	       guest_gpr[R12] == WINDOW_WORD;
}

const struct test_need need_stale_in_guest = {
	"this CPU shows no stale EPT translation within a guest (tried)", has_stale_in_guest
};
const struct test_need need_stale_over_exit = {
	"this CPU keeps no EPT translation over a VM exit (tried)", has_stale_over_exit
};
