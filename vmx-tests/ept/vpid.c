/* Virtual-processor identifiers: whose translations a guest may use, and what it invalidates itself
   (Intel SDM, "Virtual Processor Identifiers (VPIDs)", "Creating and Using Cached Translation
   Information"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/remap.h"

#define COVERS "control:PROC2_ENABLE_VPID field:VPID"

static void set_vpid(uint16_t vpid)
{
	struct invvpid_descriptor descriptor = { vpid, 0 };

	if (vpid == 0)
		return;
	proc2_set(PROC2_ENABLE_VPID);
	field_write(VMCS_VPID, vpid);
	invvpid(INVVPID_SINGLE_CONTEXT, &descriptor);
}

struct own_row {
	struct test_row row;
	uint16_t vpid; /* 0: not enabled */
	enum remap_entry entry;
	uint64_t guest_flags;
	void (*invalidation)(void);
};

/* The guest's second read comes after its own invalidation. */
static outcome run_own(const struct own_row *row)
{
	guest_reset();
	remap_open(row->entry, row->guest_flags);
	set_vpid(row->vpid);
	CHECK_EQUAL(remap_run(row->entry, row->invalidation), OK);
	CHECK_EQUAL(test_observe(guest_gpr[R11]), WINDOW_OTHER);
	return remap_third();
}

#define OWN_ROWS(vpid, entry)                                                                      \
	{ { "INVLPG", OK }, vpid, entry, 0, guest_invlpg },                                        \
		{ { "INVLPG, global", OK }, vpid, entry, PTE_G, guest_invlpg },                    \
		{ { "MOV to CR3", OK }, vpid, entry, 0, guest_load_cr3 },                          \
	{                                                                                          \
		{ "MOV to CR4, global", OK }, vpid, entry, PTE_G, guest_toggle_pge                 \
	}

static const struct own_row own[] = { OWN_ROWS(0, REMAP_GUEST_WITHOUT_EPT) };
static const struct own_row own_ept[] = { OWN_ROWS(0, REMAP_GUEST) };
static const struct own_row own_vpid[] = { OWN_ROWS(1, REMAP_GUEST_WITHOUT_EPT) };
static const struct own_row own_vpid_ept[] = { OWN_ROWS(1, REMAP_GUEST) };

#define OWN_SWEEP(name, text, rows, ...)                                                           \
	SWEEP(vpid, name, "SDM Operations that Invalidate Cached Mappings", text, rows,            \
		.needs = NEEDS(&need_clear_PROC_CR3_LOAD_EXITING, ##__VA_ARGS__),                  \
		.covers = COVERS)                                                                  \
	{                                                                                          \
		return run_own(TEST_ROW(struct own_row));                                          \
	}

OWN_SWEEP(guest_invalidates, "without VPIDs, what a guest invalidates is invalid for it", own)
OWN_SWEEP(guest_invalidates_ept,
	"under EPT, what a guest invalidates of its own translations is invalid for it", own_ept,
	&need_ept)
OWN_SWEEP(guest_invalidates_vpid, "with a VPID, what a guest invalidates is invalid for it",
	own_vpid, &need_vpid, &need_invvpid_single)
OWN_SWEEP(guest_invalidates_vpid_ept,
	"with a VPID and EPT, what a guest invalidates is invalid for it", own_vpid_ept, &need_vpid,
	&need_ept, &need_invvpid_single)

/* INVPCID: the descriptor names PCID 0 and the window's address. CR4.PCIDE is not set: PCID 0 is
 * the only one. */
struct invpcid_row {
	struct test_row row;
	uint64_t type, guest_flags;
	uint16_t vpid;
};

static const struct invpcid_row invpcid[] = {
	{ { "individual-address", OK }, 0, 0, 0 },
	{ { "single-context", OK }, 1, 0, 0 },
	{ { "all-context, global", OK }, 2, PTE_G, 0 },
	{ { "all-context, retaining global translations", OK }, 3, 0, 0 },
};
static const struct invpcid_row invpcid_vpid[] = {
	{ { "individual-address", OK }, 0, 0, 1 },
	{ { "single-context", OK }, 1, 0, 1 },
	{ { "all-context, global", OK }, 2, PTE_G, 1 },
	{ { "all-context, retaining global translations", OK }, 3, 0, 1 },
};

static outcome run_invpcid(const struct invpcid_row *row)
{
	static struct {
		uint64_t pcid, address;
	} descriptor;

	guest_reset();
	remap_open(REMAP_GUEST_WITHOUT_EPT, row->guest_flags);
	proc2_set(PROC2_ENABLE_INVPCID);
	set_vpid(row->vpid);
	descriptor.address = WINDOW_LINEAR;
	guest_gpr[R9] = row->type;
	guest_gpr[RBX] = vmx_address(&descriptor);
	CHECK_EQUAL(remap_run(REMAP_GUEST_WITHOUT_EPT, guest_invpcid), OK);
	CHECK(remap_second_is_new());
	return remap_third();
}

SWEEP(vpid, guest_invpcid, "SDM Operations that Invalidate Cached Mappings",
	"what a guest invalidates by INVPCID is invalid for it", invpcid,
	.needs = NEEDS(&need_PROC2_ENABLE_INVPCID), .covers = "control:PROC2_ENABLE_INVPCID")
{
	return run_invpcid(TEST_ROW(struct invpcid_row));
}

SWEEP(vpid, guest_invpcid_vpid, "SDM Operations that Invalidate Cached Mappings",
	"with a VPID, what a guest invalidates by INVPCID is invalid for it", invpcid_vpid,
	.needs = NEEDS(&need_PROC2_ENABLE_INVPCID, &need_vpid, &need_invvpid_single),
	.covers = COVERS " control:PROC2_ENABLE_INVPCID")
{
	return run_invpcid(TEST_ROW(struct invpcid_row));
}

struct other_row {
	struct test_row row;
	enum remap_entry entry;
	uint64_t guest_flags;
	uint16_t first, second; /* VPIDs; 0: not enabled */
};

/* One guest caches the old translation under its VPID; the next must not use it under another. */
static outcome run_other(const struct other_row *row)
{
	guest_reset();
	remap_open(row->entry, row->guest_flags);
	set_vpid(row->second);
	set_vpid(row->first);
	CHECK_EQUAL(remap_run(row->entry, guest_no_invalidation), OK);
	if (row->second == 0)
		field_clear(VMCS_PROC2_CONTROLS, PROC2_ENABLE_VPID);
	else
		field_write(VMCS_VPID, row->second);
	return remap_third();
}

static const struct other_row others[] = {
	{ { "VPID 1, then 2", OK }, REMAP_GUEST_WITHOUT_EPT, 0, 1, 2 },
	{ { "VPID 1, then 2, global", OK }, REMAP_GUEST_WITHOUT_EPT, PTE_G, 1, 2 },
	{ { "VPID 1, then 101H", OK }, REMAP_GUEST_WITHOUT_EPT, 0, 1, 0x101 },
	{ { "VPID 1, then 8001H", OK }, REMAP_GUEST_WITHOUT_EPT, 0, 1, 0x8001 },
};
static const struct other_row others_ept[] = {
	{ { "VPID 1, then 2", OK }, REMAP_GUEST, 0, 1, 2 },
	{ { "VPID 1, then 2, global", OK }, REMAP_GUEST, PTE_G, 1, 2 },
};

SWEEP(vpid, separate, "SDM Creating and Using Cached Translation Information",
	"linear mappings made under one VPID are not used under another, not even global ones",
	others, .needs = NEEDS(&need_vpid, &need_invvpid_single), .covers = COVERS)
{
	return run_other(TEST_ROW(struct other_row));
}

SWEEP(vpid, separate_ept, "SDM Creating and Using Cached Translation Information",
	"combined mappings made under one VPID are not used under another, not even global ones",
	others_ept, .needs = NEEDS(&need_vpid, &need_ept, &need_invvpid_single), .covers = COVERS)
{
	return run_other(TEST_ROW(struct other_row));
}

struct none_row {
	struct test_row row;
	enum remap_entry entry;
	uint64_t guest_flags;
};

static const struct none_row none[] = { { { "not global", OK }, REMAP_GUEST_WITHOUT_EPT, 0 },
	{ { "global", OK }, REMAP_GUEST_WITHOUT_EPT, PTE_G } };
static const struct none_row none_ept[] = { { { "not global", OK }, REMAP_GUEST, 0 },
	{ { "global", OK }, REMAP_GUEST, PTE_G } };

/* VPID 0: the exit and the entry are the invalidation. */
static outcome run_none(const struct none_row *row)
{
	guest_reset();
	remap_open(row->entry, row->guest_flags);
	CHECK_EQUAL(remap_run(row->entry, guest_no_invalidation), OK);
	return remap_third();
}

SWEEP(vpid, not_enabled, "SDM Operations that Invalidate Cached Mappings",
	"without VPIDs, VM exits and entries invalidate linear mappings (VPID 0)", none,
	.covers = COVERS)
{
	return run_none(TEST_ROW(struct none_row));
}

SWEEP(vpid, not_enabled_ept, "SDM Operations that Invalidate Cached Mappings",
	"without VPIDs, VM exits and entries invalidate combined mappings (VPID 0)", none_ept,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	return run_none(TEST_ROW(struct none_row));
}
