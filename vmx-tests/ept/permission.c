/* What the rights in EPT entries allow: every combination, for every access, in pages of every
   size, with the rights in the entry of every level (Intel SDM, "EPT Violations", "EPT
   Misconfigurations"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION        EXIT(EXIT_REASON_EPT_VIOLATION)
#define MISCONFIGURATION EXIT(EXIT_REASON_EPT_MISCONFIGURATION)

struct permission_row {
	struct test_row row;
	unsigned int page;  /* level of the leaf */
	unsigned int level; /* whose entry has the rights; the others have all */
	uint64_t rights;
	enum access access;
};

/* The rows for one set of rights: what a read, a write and a fetch come to. */
#define ROWS_RIGHTS(page, level, rights_name, rights, on_read, on_write, on_fetch)                 \
	{ { #page " at level " #level ": " rights_name ", read", on_read }, page, level, rights,   \
		ACCESS_READ },                                                                     \
		{ { #page " at level " #level ": " rights_name ", write", on_write }, page, level, \
			rights, ACCESS_WRITE },                                                    \
	{                                                                                          \
		{ #page " at level " #level ": " rights_name ", fetch", on_fetch }, page, level,   \
			rights, ACCESS_FETCH                                                       \
	}

/* Seven of the eight sets; execute-only has tests of its own. */
#define ROWS(page, level)                                                                          \
	ROWS_RIGHTS(page, level, "---", 0, VIOLATION, VIOLATION, VIOLATION),                       \
		ROWS_RIGHTS(page, level, "R--", EPT_READ, OK, VIOLATION, VIOLATION),               \
		ROWS_RIGHTS(page, level, "-W-", EPT_WRITE, MISCONFIGURATION, MISCONFIGURATION,     \
			MISCONFIGURATION),                                                         \
		ROWS_RIGHTS(page, level, "RW-", EPT_READ | EPT_WRITE, OK, OK, VIOLATION),          \
		ROWS_RIGHTS(page, level, "R-X", EPT_READ | EPT_EXECUTE, OK, VIOLATION, OK),        \
		ROWS_RIGHTS(page, level, "-WX", EPT_WRITE | EPT_EXECUTE, MISCONFIGURATION,         \
			MISCONFIGURATION, MISCONFIGURATION),                                       \
		ROWS_RIGHTS(page, level, "RWX", EPT_ALL, OK, OK, OK)

#define ROWS_EXECUTE_ONLY(page, level)                                                             \
	ROWS_RIGHTS(page, level, "--X", EPT_EXECUTE, VIOLATION, VIOLATION, OK)
#define ROWS_NO_EXECUTE_ONLY(page, level)                                                          \
	ROWS_RIGHTS(page, level, "--X", EPT_EXECUTE, MISCONFIGURATION, MISCONFIGURATION,           \
		MISCONFIGURATION)

static const uint64_t access_bits[] = { [ACCESS_READ] = EPT_VIOLATION_READ,
	[ACCESS_WRITE] = EPT_VIOLATION_WRITE,
	[ACCESS_FETCH] = EPT_VIOLATION_FETCH };

/* The advanced information says what the guest's own tables allow: user mode, writable, not XD. */
static uint64_t advanced(void)
{
	if (vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & VMX_EPT_VPID_CAP_ADVANCED_INFORMATION)
		return EPT_VIOLATION_USER | EPT_VIOLATION_PAGE_WRITABLE;
	return 0;
}

/* An exit for the access must say which it was, what all the entries together allowed, and where.
 */
static outcome run_row(const struct permission_row *row)
{
	uint64_t *entry;
	outcome result;

	window_open(row->page);
	entry = window_entry(row->level);
	*entry = (*entry & ~EPT_ALL) | row->rights;
	result = window_access(row->access, 0);
	if (result == OK)
		return OK;
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa());
	if (result != VIOLATION)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR);
	CHECK_EQUAL(window_qualification(),
		access_bits[row->access] |
			FIELD_PUT(row->rights, EPT_VIOLATION_READABLE | EPT_VIOLATION_WRITABLE |
						       EPT_VIOLATION_EXECUTABLE) |
			EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL | advanced());
	return result;
}

#define PERMISSION_SWEEP(name, text, rows, ...)                                                    \
	SWEEP(permission, name, "SDM EPT Violations", text, rows, .needs = NEEDS(__VA_ARGS__),     \
		.covers = "control:PROC2_ENABLE_EPT exit:EPT_VIOLATION exit:EPT_MISCONFIGURATION " \
			  "field:GUEST_PHYSICAL_ADDRESS field:GUEST_LINEAR_ADDRESS")               \
	{                                                                                          \
		return run_row(TEST_ROW(struct permission_row));                                   \
	}

static const struct permission_row pages_4k[] = { ROWS(1, 1), ROWS(1, 2), ROWS(1, 3) };
static const struct permission_row pages_2m[] = { ROWS(2, 2), ROWS(2, 3) };
static const struct permission_row pages_1g[] = { ROWS(3, 3) };
static const struct permission_row root[] = { ROWS(1, 4), ROWS(2, 4) };
static const struct permission_row root_1g[] = { ROWS(3, 4) };

PERMISSION_SWEEP(
	page_4k, "4-KByte pages: each entry on the path restricts each access", pages_4k, &need_ept)
PERMISSION_SWEEP(
	page_2m, "2-MByte pages: each entry on the path restricts each access", pages_2m, &need_ept)
PERMISSION_SWEEP(page_1g, "1-GByte pages: the page's entry restricts each access", pages_1g,
	&need_ept, &need_ept_1g)
PERMISSION_SWEEP(
	pml4e, "the PML4 entry restricts each access", root, &need_ept, &need_wide_physical)
PERMISSION_SWEEP(pml4e_1g, "the PML4 entry restricts each access to a 1-GByte page", root_1g,
	&need_ept, &need_ept_1g, &need_wide_physical)

static const struct permission_row execute_only[] = { ROWS_EXECUTE_ONLY(1, 1),
	ROWS_EXECUTE_ONLY(1, 2), ROWS_EXECUTE_ONLY(1, 3), ROWS_EXECUTE_ONLY(2, 2),
	ROWS_EXECUTE_ONLY(2, 3) };
static const struct permission_row execute_only_1g[] = { ROWS_EXECUTE_ONLY(3, 3) };
static const struct permission_row execute_only_root[] = { ROWS_EXECUTE_ONLY(1, 4),
	ROWS_EXECUTE_ONLY(2, 4) };
static const struct permission_row no_execute_only[] = { ROWS_NO_EXECUTE_ONLY(1, 1),
	ROWS_NO_EXECUTE_ONLY(1, 2), ROWS_NO_EXECUTE_ONLY(1, 3), ROWS_NO_EXECUTE_ONLY(2, 2),
	ROWS_NO_EXECUTE_ONLY(2, 3) };

PERMISSION_SWEEP(execute_only, "where offered, an entry may allow fetches alone", execute_only,
	&need_ept, &need_execute_only)
PERMISSION_SWEEP(execute_only_1g, "where offered, a 1-GByte page may allow fetches alone",
	execute_only_1g, &need_ept, &need_execute_only, &need_ept_1g)
PERMISSION_SWEEP(execute_only_pml4e, "where offered, a PML4 entry may allow fetches alone",
	execute_only_root, &need_ept, &need_execute_only, &need_wide_physical)
PERMISSION_SWEEP(no_execute_only, "where not offered, execute-only entries are misconfigured",
	no_execute_only, &need_ept, &need_no_execute_only)

struct pair_row {
	struct test_row row;
	uint64_t upper, lower;
	enum access access;
};

static const struct pair_row pairs[] = {
	{ { "R-- above RWX, read", OK }, EPT_READ, EPT_ALL, ACCESS_READ },
	{ { "R-X above RW-, read", OK }, EPT_READ | EPT_EXECUTE, EPT_READ | EPT_WRITE,
		ACCESS_READ },
	{ { "R-X above RW-, write", VIOLATION }, EPT_READ | EPT_EXECUTE, EPT_READ | EPT_WRITE,
		ACCESS_WRITE },
	{ { "R-X above RW-, fetch", VIOLATION }, EPT_READ | EPT_EXECUTE, EPT_READ | EPT_WRITE,
		ACCESS_FETCH },
	{ { "RW- above R-X, write", VIOLATION }, EPT_READ | EPT_WRITE, EPT_READ | EPT_EXECUTE,
		ACCESS_WRITE },
	{ { "RW- above R-X, fetch", VIOLATION }, EPT_READ | EPT_WRITE, EPT_READ | EPT_EXECUTE,
		ACCESS_FETCH },
};

SWEEP(permission, combined, "SDM Exit Qualification for EPT Violations",
	"an access needs its right in all entries; bits 5:3 of the qualification are the logical "
	"AND of theirs",
	pairs, .needs = NEEDS(&need_ept), .covers = "exit:EPT_VIOLATION")
{
	const struct pair_row *row = TEST_ROW(struct pair_row);
	outcome result;

	window_open(1);
	*window_entry(2) = (*window_entry(2) & ~EPT_ALL) | row->upper;
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | row->lower;
	result = window_access(row->access, 0);
	if (result == VIOLATION)
		CHECK_EQUAL(window_qualification(),
			access_bits[row->access] | EPT_VIOLATION_READABLE |
				EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL | advanced());
	return result;
}
