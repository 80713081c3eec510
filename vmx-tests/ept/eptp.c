/* The EPT pointer in use: which structures it selects, and what physical addresses a guest may form
   (Intel SDM, "Extended-Page-Table Pointer (EPTP)", "EPT Overview"). Its checks at VM entry are
   entry/'s. */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define COVERS "field:EPTP control:PROC2_ENABLE_EPT"
#define TITLE  "SDM Extended-Page-Table Pointer (EPTP)"

/* Reads through the first root, then through the other, without INVEPT between. */
static outcome run_two_roots(uint16_t vpid)
{
	window_open(1);
	if (vpid != 0) {
		proc2_set(PROC2_ENABLE_VPID);
		field_write(VMCS_VPID, vpid);
	}
	ept_invalidate();
	CHECK_EQUAL(window_enter(ACCESS_READ, 8), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), WINDOW_WORD);
	field_write(VMCS_EPTP, window_other_pointer());
	CHECK_EQUAL(window_enter(ACCESS_READ, 8), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), WINDOW_OTHER);
	field_write(VMCS_EPTP, ept_pointer());
	CHECK_EQUAL(window_enter(ACCESS_READ, 8), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), WINDOW_WORD);
	return OK;
}

TEST(eptp, selects, TITLE, "another EPTP means other translations, without INVEPT", OK,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	return run_two_roots(0);
}

TEST(eptp, selects_same_vpid, "SDM Creating and Using Cached Translation Information",
	"mappings made under one EPTP are not used under another, though the VPID is the same", OK,
	.needs = NEEDS(&need_ept, &need_vpid), .covers = COVERS)
{
	return run_two_roots(7);
}

TEST(eptp, uncacheable, TITLE,
	"the structures may be uncacheable where IA32_VMX_EPT_VPID_CAP says so", OK,
	.needs = NEEDS(&need_ept, &need_ept_uncacheable),
	.covers = COVERS " cap:VMX_EPT_VPID_CAP_EPTP_UC")
{
	window_open(1);
	field_clear(VMCS_EPTP, EPTP_MEMORY_TYPE);
	return window_access(ACCESS_READ, 8);
}

TEST(eptp, not_enabled, "SDM Processor-Based VM-Execution Controls",
	"with \"enable EPT\" 0, the EPTP is not looked at and guest-physical addresses are "
	"physical",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result;

	window_open_guest();
	field_write(VMCS_EPTP, UINT64_MAX);
	result = window_enter(ACCESS_READ, 8);
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), WINDOW_WORD);
	return result;
}

TEST(eptp, not_active, "SDM Processor-Based VM-Execution Controls",
	"without \"activate secondary controls\", \"enable EPT\" counts as 0",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept),
	.covers = COVERS " control:PROC_ACTIVATE_SECONDARY_CONTROLS")
{
	window_open_guest();
	field_write(VMCS_PROC2_CONTROLS, PROC2_ENABLE_EPT);
	field_write(VMCS_EPTP, UINT64_MAX);
	return window_enter(ACCESS_READ, 8);
}

/* Guest-physical addresses. */
struct physical_row {
	struct test_row row;
	unsigned int level; /* of the guest's entry */
};

static const struct physical_row guest_entries[] = {
	{ { "PTE", FAULT(PF, PF_PRESENT | PF_RSVD) }, 1 },
	{ { "PDE", FAULT(PF, PF_PRESENT | PF_RSVD) }, 2 },
	{ { "PDPTE", FAULT(PF, PF_PRESENT | PF_RSVD) }, 3 },
};

SWEEP(eptp, guest_address_width, "SDM Paging and EPT: Reserved Bits",
	"the guest's entries have the same reserved address bits as without EPT: a page fault, not "
	"an exit for EPT",
	guest_entries, .needs = NEEDS(&need_ept, &need_reserved_physical), .covers = COVERS)
{
	const struct physical_row *row = TEST_ROW(struct physical_row);
	outcome result = FAULT(PF, PF_PRESENT | PF_RSVD);
	unsigned int bit;

	for (bit = window_physical_width(); bit < 52 && result == FAULT(PF, PF_PRESENT | PF_RSVD);
		bit++) {
		window_open(1);
		*window_guest_entry(row->level) |= BIT(bit);
		ept_invalidate();
		result = window_enter(ACCESS_READ, 8);
	}
	return result;
}

TEST(eptp, guest_address_inside, "SDM EPT Translation Mechanism",
	"the highest guest-physical address that the guest can form is looked up: nothing is there",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	uint64_t top = BITS(MIN(window_physical_width(), 48) - 1, 12);
	outcome result;

	window_open(1);
	*window_guest_entry(1) = top | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
	ept_invalidate();
	result = window_enter(ACCESS_READ, 8);
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), top + 8);
	return result;
}
