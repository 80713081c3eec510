/* The accessed and dirty flags of EPT entries (Intel SDM, "Accessed and Dirty Flags for EPT"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define COVERS "cap:VMX_EPT_VPID_CAP_ACCESSED_DIRTY control:PROC2_ENABLE_EPT field:EPTP"
#define TITLE  "SDM Accessed and Dirty Flags for EPT"
#define FLAGS  (EPT_ACCESSED | EPT_DIRTY)

struct flags_row {
	struct test_row row;
	unsigned int page; /* level of the leaf */
	enum access access;
	uint64_t leaf; /* expected flags of the page's entry */
};

/* The entries above the page's have no dirty flag: only "accessed" is looked at there. */
static outcome check_flags(unsigned int page, uint64_t leaf)
{
	unsigned int level;

	CHECK_EQUAL(test_observe(*window_entry(page)) & FLAGS, leaf);
	for (level = page + 1; level <= 4; level++)
		CHECK_EQUAL(test_observe(*window_entry(level)) & EPT_ACCESSED, leaf & EPT_ACCESSED);
	return OK;
}

static outcome run_flags(const struct flags_row *row, uint64_t eptp)
{
	window_open(row->page);
	field_clear(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	field_set(VMCS_EPTP, eptp);
	CHECK_EQUAL(window_access(row->access, 0), OK);
	return check_flags(row->page, row->leaf);
}

#define FLAGS_ROWS(page, on_read, on_write, on_fetch)                                              \
	{ { "read", OK }, page, ACCESS_READ, on_read },                                            \
		{ { "write", OK }, page, ACCESS_WRITE, on_write },                                 \
	{                                                                                          \
		{ "fetch", OK }, page, ACCESS_FETCH, on_fetch                                      \
	}
#define ON(page)  FLAGS_ROWS(page, EPT_ACCESSED, EPT_ACCESSED | EPT_DIRTY, EPT_ACCESSED)
#define OFF(page) FLAGS_ROWS(page, 0, 0, 0)

static const struct flags_row on_4k[] = { ON(1) }, on_2m[] = { ON(2) }, on_1g[] = { ON(3) };
static const struct flags_row off[] = { OFF(1), OFF(2) }, off_1g[] = { OFF(3) };

#define FLAGS_SWEEP(name, text, rows, eptp, ...)                                                   \
	SWEEP(accessed_dirty, name, TITLE, text, rows, .needs = NEEDS(__VA_ARGS__),                \
		.covers = COVERS)                                                                  \
	{                                                                                          \
		return run_flags(TEST_ROW(struct flags_row), eptp);                                \
	}

FLAGS_SWEEP(page_4k,
	"enabled: every entry used becomes accessed, the 4-KByte page's dirty by a write", on_4k,
	EPTP_ACCESSED_DIRTY, &need_ept, &need_ept_accessed_dirty)
FLAGS_SWEEP(page_2m,
	"enabled: every entry used becomes accessed, the 2-MByte page's dirty by a write", on_2m,
	EPTP_ACCESSED_DIRTY, &need_ept, &need_ept_accessed_dirty)
FLAGS_SWEEP(page_1g,
	"enabled: every entry used becomes accessed, the 1-GByte page's dirty by a write", on_1g,
	EPTP_ACCESSED_DIRTY, &need_ept, &need_ept_accessed_dirty, &need_ept_1g)
FLAGS_SWEEP(off, "not enabled: no flag is set", off, 0, &need_ept)
FLAGS_SWEEP(
	off_1g, "not enabled: no flag of a 1-GByte page is set", off_1g, 0, &need_ept, &need_ept_1g)

/* Flags that are already there. */
static outcome run_preset(uint64_t preset, enum access access)
{
	unsigned int level;

	window_open(1);
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	for (level = 1; level <= 4; level++)
		*window_entry(level) |= preset;
	CHECK_EQUAL(window_access(access, 0), OK);
	return OK;
}

TEST(accessed_dirty, sticky, TITLE, "the processor does not clear flags that are set", OK,
	.needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	CHECK_EQUAL(run_preset(FLAGS, ACCESS_READ), OK);
	return check_flags(1, FLAGS);
}

TEST(accessed_dirty, dirty_later, TITLE, "a write to an accessed page makes it dirty", OK,
	.needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	CHECK_EQUAL(run_preset(EPT_ACCESSED, ACCESS_WRITE), OK);
	return check_flags(1, FLAGS);
}

/* First a read, then, after another entry but no invalidation, a write: a cached "clean" must not
 * hide it. */
TEST(accessed_dirty, read_then_write, TITLE,
	"the first write sets the dirty flag though a read cached the translation", OK,
	.needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	CHECK_EQUAL(run_preset(0, ACCESS_READ), OK);
	CHECK_EQUAL(window_enter(ACCESS_WRITE, 0), EXIT(EXIT_REASON_VMCALL));
	return check_flags(1, FLAGS);
}

/* The same within one run of the guest. */
TEST(accessed_dirty, read_and_write, TITLE,
	"a write after a read in the same guest sets the dirty flag", OK,
	.needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	window_open(1);
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR;
	guest_gpr[RSI] = WINDOW_WRITE;
	CHECK_EQUAL(guest_run(guest_read_write), EXIT(EXIT_REASON_VMCALL));
	return check_flags(1, FLAGS);
}

TEST(accessed_dirty, violation, TITLE, "a write that EPT denies does not make the page dirty",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDS(&need_ept, &need_ept_accessed_dirty),
	.covers = COVERS)
{
	outcome result;

	window_open(1);
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	*window_entry(1) &= ~(uint64_t)EPT_WRITE;
	result = window_access(ACCESS_WRITE, 0);
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_DIRTY, 0);
	return result;
}

struct structure_row {
	struct test_row row;
	unsigned int level; /* of the guest's structure */
	enum access access;
};

#define STRUCTURE_ROWS(level, name)                                                                \
	{ { name ", read", OK }, level, ACCESS_READ },                                             \
		{ { name ", write", OK }, level, ACCESS_WRITE },                                   \
	{                                                                                          \
		{ name ", fetch", OK }, level, ACCESS_FETCH                                        \
	}
static const struct structure_row structures[] = { STRUCTURE_ROWS(1, "page table"),
	STRUCTURE_ROWS(2, "page directory"), STRUCTURE_ROWS(3, "page-directory-pointer table"),
	STRUCTURE_ROWS(4, "PML4 table") };

/* The guest's own flags are set already: nothing but the rule itself makes these pages dirty. */
static outcome run_structure(const struct structure_row *row, uint64_t eptp, uint64_t expected)
{
	uint64_t *entry;

	guest_reset();
	window_open(1);
	field_set(VMCS_EPTP, eptp);
	entry = ept_entry(vmx_address(window_guest_entry(row->level)), 1);
	*entry &= ~FLAGS;
	CHECK_EQUAL(window_access(row->access, 0), OK);
	CHECK_EQUAL(test_observe(*entry) & FLAGS, expected);
	return OK;
}

SWEEP(accessed_dirty, guest_structures, TITLE,
	"enabled: the pages of the guest's paging structures become dirty when they are used",
	structures, .needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	return run_structure(TEST_ROW(struct structure_row), EPTP_ACCESSED_DIRTY, FLAGS);
}

SWEEP(accessed_dirty, guest_structures_off, TITLE,
	"not enabled: the pages of the guest's paging structures get no flags", structures,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	return run_structure(TEST_ROW(struct structure_row), 0, 0);
}

TEST(accessed_dirty, not_present, TITLE, "nothing is written to an entry that is not present",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDS(&need_ept, &need_ept_accessed_dirty),
	.covers = COVERS)
{
	outcome result;

	window_open(1);
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	*window_entry(1) = 0;
	result = window_access(ACCESS_READ, 0);
	CHECK_EQUAL(test_observe(*window_entry(1)), 0);
	return result;
}
