/* Mode-based execute control (Intel SDM, "Mode-Based Execution Control", "EPT Violations"): bit 2
   of an EPT entry is for fetches from supervisor-mode linear addresses, bit 10 for user-mode ones.
 */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)
#define COVERS    "control:PROC2_MODE_BASED_EXECUTE exit:EPT_VIOLATION"
#define NEEDED    NEEDS(&need_ept, &need_PROC2_MODE_BASED_EXECUTE)
#define TITLE     "SDM EPT Violations"
#define BOTH      (EPT_EXECUTE | EPT_EXECUTE_USER)

struct mode_row {
	struct test_row row;
	unsigned int page, level; /* whose entry has the execute bits */
	uint64_t execute;
	bool user; /* the linear address is a user-mode one */
};

/* With the control 1 every entry on the way to the guest's code needs bit 10 as well, since its
 * pages are user-mode. */
static void open(unsigned int page, bool user)
{
	uint64_t gpa;
	unsigned int level;

	window_open(page);
	for (gpa = 0; gpa < 4 * PAGE_SIZE_1G; gpa += PAGE_SIZE_2M)
		*ept_entry(gpa, 2) |= EPT_EXECUTE_USER;
	for (gpa = 0; gpa < 4 * PAGE_SIZE_1G; gpa += PAGE_SIZE_1G)
		*ept_entry(gpa, 3) |= EPT_EXECUTE_USER;
	*ept_entry(0, 4) |= EPT_EXECUTE_USER;
	for (level = page; level <= 4; level++)
		*window_entry(level) |= EPT_EXECUTE_USER;
	if (!user)
		*window_guest_entry(1) &= ~(uint64_t)PTE_U;
	proc2_set(PROC2_MODE_BASED_EXECUTE);
}

#define ROWS(page, level)                                                                          \
	{ { #page " at level " #level ": neither, supervisor", VIOLATION }, page, level, 0,        \
		false },                                                                           \
		{ { #page " at level " #level ": neither, user", VIOLATION }, page, level, 0,      \
			true },                                                                    \
		{ { #page " at level " #level ": bit 2, supervisor", OK }, page, level,            \
			EPT_EXECUTE, false },                                                      \
		{ { #page " at level " #level ": bit 2, user", VIOLATION }, page, level,           \
			EPT_EXECUTE, true },                                                       \
		{ { #page " at level " #level ": bit 10, supervisor", VIOLATION }, page, level,    \
			EPT_EXECUTE_USER, false },                                                 \
		{ { #page " at level " #level ": bit 10, user", OK }, page, level,                 \
			EPT_EXECUTE_USER, true },                                                  \
		{ { #page " at level " #level ": both, supervisor", OK }, page, level, BOTH,       \
			false },                                                                   \
	{                                                                                          \
		{ #page " at level " #level ": both, user", OK }, page, level, BOTH, true          \
	}

static const struct mode_row modes[] = { ROWS(1, 1), ROWS(1, 2), ROWS(1, 3), ROWS(2, 2),
	ROWS(2, 3) };

SWEEP(mode_based, fetch, TITLE,
	"fetches from supervisor-mode linear addresses need bit 2, those from user-mode ones bit "
	"10; bits 5 and 6 of the qualification report them",
	modes, .needs = NEEDED, .covers = COVERS)
{
	const struct mode_row *row = TEST_ROW(struct mode_row);
	uint64_t expected = (row->execute & EPT_EXECUTE ? EPT_VIOLATION_EXECUTABLE : 0) |
			    (row->execute & EPT_EXECUTE_USER ? EPT_VIOLATION_USER_EXECUTABLE : 0);
	outcome result;

	open(row->page, row->user);
	*window_entry(row->level) = (*window_entry(row->level) & ~BOTH) | row->execute;
	result = window_access(ACCESS_FETCH, 0);
	if (result == VIOLATION)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & BITS(6, 0),
			expected | EPT_VIOLATION_FETCH | EPT_VIOLATION_READABLE |
				EPT_VIOLATION_WRITABLE);
	return result;
}

TEST(mode_based, not_enabled, TITLE,
	"with the control 0, bit 2 is for all fetches and bit 10 is ignored", OK, .needs = NEEDED,
	.covers = COVERS)
{
	window_open(1);
	CHECK_EQUAL(window_access(ACCESS_FETCH, 0), OK);
	*window_entry(1) = (*window_entry(1) & ~(uint64_t)EPT_EXECUTE) | EPT_EXECUTE_USER;
	CHECK_EQUAL(window_access(ACCESS_FETCH, 0), VIOLATION);
	return OK;
}

TEST(mode_based, data, TITLE, "data accesses do not depend on the execute bits", OK,
	.needs = NEEDED, .covers = COVERS)
{
	open(1, true);
	*window_entry(1) &= ~BOTH;
	CHECK_EQUAL(window_access(ACCESS_READ, 8), OK);
	return window_access(ACCESS_WRITE, 8);
}

/* Presence: bit 10 counts. */
TEST(mode_based, user_execute_only, "SDM EPT Misconfigurations",
	"an entry with bit 10 alone is present, and execute-only", OK,
	.needs = NEEDS(&need_ept, &need_PROC2_MODE_BASED_EXECUTE, &need_execute_only),
	.covers = COVERS)
{
	open(1, true);
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | EPT_EXECUTE_USER;
	CHECK_EQUAL(window_access(ACCESS_FETCH, 0), OK);
	CHECK_EQUAL(window_access(ACCESS_READ, 8), VIOLATION);
	return OK;
}

TEST(mode_based, user_execute_write, "SDM EPT Misconfigurations",
	"bit 10 with write but not read permission is misconfigured",
	EXIT(EXIT_REASON_EPT_MISCONFIGURATION), .needs = NEEDED,
	.covers = COVERS " exit:EPT_MISCONFIGURATION")
{
	open(1, true);
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | EPT_EXECUTE_USER | EPT_WRITE;
	return window_access(ACCESS_FETCH, 0);
}
