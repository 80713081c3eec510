/* What INVEPT and INVVPID invalidate, what VM entries and exits do, and what a guest may invalidate
   itself (Intel SDM, "Operations that Invalidate Cached Mappings"). The instructions' operands are
   insn/'s. */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/remap.h"

#define TITLE "SDM Operations that Invalidate Cached Mappings"

static void enable_vpid(uint16_t vpid)
{
	proc2_set(PROC2_ENABLE_VPID);
	field_write(VMCS_VPID, vpid);
}

/* The controls: without them the tests below might prove nothing. */
TEST(invalidation, stale_in_guest, "SDM Information That May Be Cached",
	"control: until something invalidates it, the old EPT entry may be used", OK,
	.needs = NEEDS(&need_stale_in_guest))
{
	remap_open(REMAP_EPT, 0);
	ept_invalidate();
	CHECK_EQUAL(remap_run(REMAP_EPT, guest_no_invalidation), OK);
	CHECK(!remap_second_is_new());
	return OK;
}

TEST(invalidation, stale_over_exit, "SDM Information That May Be Cached",
	"control: a VM exit and entry do not invalidate a VPID's or an EPTP's translations", OK,
	.needs = NEEDS(&need_stale_over_exit, &need_vpid))
{
	enable_vpid(1);
	remap_open(REMAP_EPT, 0);
	ept_invalidate();
	CHECK_EQUAL(remap_run(REMAP_EPT, guest_no_invalidation), OK);
	CHECK(remap_third() != OK);
	CHECK_EQUAL(test_observe(guest_gpr[R12]), WINDOW_WORD);
	return OK;
}

struct invept_row {
	struct test_row row;
	uint64_t type;
	uint16_t vpid; /* 0: not enabled */
	bool accessed_dirty;
};

static outcome run_invept(const struct invept_row *row)
{
	struct invept_descriptor descriptor = { 0 };

	guest_reset();
	if (row->vpid)
		enable_vpid(row->vpid);
	remap_open(REMAP_EPT, 0);
	if (row->accessed_dirty)
		field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	ept_invalidate();
	CHECK_EQUAL(remap_run(REMAP_EPT, guest_no_invalidation), OK);
	if (row->type == INVEPT_SINGLE_CONTEXT)
		descriptor.eptp = field_read(VMCS_EPTP);
	CHECK_EQUAL(invept(row->type, &descriptor), OK);
	return remap_third();
}

static const struct invept_row single[] = {
	{ { "without VPIDs", OK }, INVEPT_SINGLE_CONTEXT, 0, false },
	{ { "VPID 1", OK }, INVEPT_SINGLE_CONTEXT, 1, false },
	{ { "VPID FFFFH", OK }, INVEPT_SINGLE_CONTEXT, 0xffff, false },
};
static const struct invept_row all[] = {
	{ { "without VPIDs", OK }, INVEPT_ALL_CONTEXT, 0, false },
	{ { "VPID 1", OK }, INVEPT_ALL_CONTEXT, 1, false },
	{ { "VPID FFFFH", OK }, INVEPT_ALL_CONTEXT, 0xffff, false },
};
static const struct invept_row accessed_dirty[] = {
	{ { "single-context, VPID 1", OK }, INVEPT_SINGLE_CONTEXT, 1, true },
	{ { "all-context, VPID 1", OK }, INVEPT_ALL_CONTEXT, 1, true },
};

SWEEP(invalidation, invept_single, TITLE,
	"single-context INVEPT invalidates the mappings of its EPTP, for all VPIDs", single,
	.needs = NEEDS(&need_ept, &need_vpid, &need_invept_single),
	.covers = "insn:INVEPT cap:VMX_EPT_VPID_CAP_INVEPT_SINGLE control:PROC2_ENABLE_VPID "
		  "field:VPID")
{
	return run_invept(TEST_ROW(struct invept_row));
}

SWEEP(invalidation, invept_all, TITLE, "all-context INVEPT invalidates the mappings of all EPTPs",
	all, .needs = NEEDS(&need_ept, &need_vpid),
	.covers = "insn:INVEPT cap:VMX_EPT_VPID_CAP_INVEPT_ALL field:VPID")
{
	return run_invept(TEST_ROW(struct invept_row));
}

SWEEP(invalidation, invept_accessed_dirty, TITLE,
	"INVEPT invalidates mappings made with accessed and dirty flags enabled", accessed_dirty,
	.needs = NEEDS(&need_ept, &need_vpid, &need_ept_accessed_dirty, &need_invept_single),
	.covers = "insn:INVEPT")
{
	return run_invept(TEST_ROW(struct invept_row));
}

struct invvpid_row {
	struct test_row row;
	uint64_t type;
	enum remap_entry entry;
	uint64_t guest_flags;
};

static outcome run_invvpid(const struct invvpid_row *row)
{
	struct invvpid_descriptor descriptor = { 0x1234, WINDOW_LINEAR };

	guest_reset();
	enable_vpid(0x1234);
	remap_open(row->entry, row->guest_flags);
	CHECK_EQUAL(invvpid(INVVPID_SINGLE_CONTEXT, &descriptor), OK);
	CHECK_EQUAL(remap_run(row->entry, guest_no_invalidation), OK);
	if (row->type == INVVPID_ALL_CONTEXT)
		descriptor = (struct invvpid_descriptor){ 0, 0 };
	CHECK_EQUAL(invvpid(row->type, &descriptor), OK);
	return remap_third();
}

#define INVVPID_ROWS(name, type)                                                                   \
	static const struct invvpid_row name[] = {                                                 \
		{ { "without EPT", OK }, type, REMAP_GUEST_WITHOUT_EPT, 0 },                       \
		{ { "without EPT, global", OK }, type, REMAP_GUEST_WITHOUT_EPT, PTE_G },           \
	};                                                                                         \
	static const struct invvpid_row name##_ept[] = {                                           \
		{ { "under EPT", OK }, type, REMAP_GUEST, 0 },                                     \
		{ { "under EPT, global", OK }, type, REMAP_GUEST, PTE_G },                         \
	}

INVVPID_ROWS(address, INVVPID_ADDRESS);
INVVPID_ROWS(single_vpid, INVVPID_SINGLE_CONTEXT);
INVVPID_ROWS(all_vpids, INVVPID_ALL_CONTEXT);
static const struct invvpid_row keep_global[] = { { { "without EPT", OK },
	INVVPID_SINGLE_CONTEXT_KEEP_GLOBAL, REMAP_GUEST_WITHOUT_EPT, 0 } };
static const struct invvpid_row keep_global_ept[] = { { { "under EPT", OK },
	INVVPID_SINGLE_CONTEXT_KEEP_GLOBAL, REMAP_GUEST, 0 } };

#define INVVPID_SWEEP(name, text, rows, ...)                                                       \
	SWEEP(invalidation, name, TITLE, text, rows, .needs = NEEDS(&need_vpid, __VA_ARGS__),      \
		.covers = "insn:INVVPID control:PROC2_ENABLE_VPID field:VPID")                     \
	{                                                                                          \
		return run_invvpid(TEST_ROW(struct invvpid_row));                                  \
	}

INVVPID_SWEEP(invvpid_address, "individual-address INVVPID invalidates that address, global or not",
	address, &need_invvpid_address, &need_invvpid_single)
INVVPID_SWEEP(invvpid_address_ept, "individual-address INVVPID invalidates combined mappings, too",
	address_ept, &need_ept, &need_invvpid_address, &need_invvpid_single)
INVVPID_SWEEP(invvpid_single,
	"single-context INVVPID invalidates the VPID's mappings, global or not", single_vpid,
	&need_invvpid_single)
INVVPID_SWEEP(invvpid_single_ept, "single-context INVVPID invalidates combined mappings, too",
	single_vpid_ept, &need_ept, &need_invvpid_single)
INVVPID_SWEEP(invvpid_all, "all-contexts INVVPID invalidates the mappings of every VPID", all_vpids,
	&need_invvpid_all, &need_invvpid_single)
INVVPID_SWEEP(invvpid_all_ept, "all-contexts INVVPID invalidates combined mappings, too",
	all_vpids_ept, &need_ept, &need_invvpid_all, &need_invvpid_single)
INVVPID_SWEEP(invvpid_keep_global, "the type that keeps global translations invalidates the others",
	keep_global, &need_invvpid_keep_global, &need_invvpid_single)
INVVPID_SWEEP(invvpid_keep_global_ept,
	"the type that keeps global translations invalidates other combined mappings",
	keep_global_ept, &need_ept, &need_invvpid_keep_global, &need_invvpid_single)
