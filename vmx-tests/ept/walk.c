/* EPT's say in the walks of the guest's own page tables: each guest paging-structure entry is read,
   and written for its accessed and dirty flags, through EPT (Intel SDM, "EPT Violations", "Exit
   Qualification for EPT Violations"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION        EXIT(EXIT_REASON_EPT_VIOLATION)
#define MISCONFIGURATION EXIT(EXIT_REASON_EPT_MISCONFIGURATION)
#define COVERS           "exit:EPT_VIOLATION control:PROC2_ENABLE_EPT"

struct walk_row {
	struct test_row row;
	unsigned int level;   /* of the guest's structure: 1 page table, 2 page directory, 3 PDPT */
	uint64_t rights;      /* that EPT gives to the structure's page */
	uint64_t guest_clear; /* flags cleared in the guest's entry at that level */
	enum access access;
	uint64_t qualification; /* expected: bits 2:0, but see run_walk() */
	bool any_read;          /* bit 0 may be either */
};

/* Checks what a violation by a guest's paging-structure entry says: a linear address, but not its
   translation, and the guest-physical address of the entry. */
static outcome check_violation(const struct walk_row *row, uint64_t entry_gpa)
{
	uint64_t qualification = field_read(VMCS_EXIT_QUALIFICATION);
	uint64_t ignored = row->any_read ? EPT_VIOLATION_READ : 0;

	CHECK_EQUAL(qualification & BITS(5, 0) & ~ignored, row->qualification | row->rights << 3);
	CHECK_EQUAL(qualification & (EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL),
		EPT_VIOLATION_LINEAR_VALID);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), 8), entry_gpa);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR);
	return VIOLATION;
}

static outcome run_walk(const struct walk_row *row, bool accessed_dirty)
{
	uint64_t *guest = window_guest_entry(row->level), gpa = vmx_address(guest), before;
	uint64_t *entry;
	outcome result;

	guest_reset();
	window_open(1);
	if (accessed_dirty)
		field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	entry = ept_entry(gpa, 1);
	*entry = (*entry & ~EPT_ALL) | row->rights;
	*guest &= ~row->guest_clear;
	before = *guest;
	result = window_access(row->access, 0);
	if (result != VIOLATION)
		return result;
	CHECK_EQUAL(test_observe(*guest), before);
	return check_violation(row, gpa);
}

#define READ  EPT_VIOLATION_READ
#define WRITE EPT_VIOLATION_WRITE

/* A structure that EPT does not let be read: the access is a read, whatever the guest wanted. */
#define UNREADABLE(level)                                                                          \
	{ { #level ": not present, read", VIOLATION }, level, 0, 0, ACCESS_READ, READ, false },    \
		{ { #level ": not present, write", VIOLATION }, level, 0, 0, ACCESS_WRITE, READ,   \
			false },                                                                   \
	{                                                                                          \
		{ #level ": not present, fetch", VIOLATION }, level, 0, 0, ACCESS_FETCH, READ,     \
			false                                                                      \
	}
/* Read and executable only: enough while no flag has to be set. */
#define UNWRITABLE(level, rights)                                                                  \
	{ { #level ": " #rights ", flags set, read", OK }, level, rights, 0, ACCESS_READ, 0,       \
		false },                                                                           \
		{ { #level ": " #rights ", flags set, write", OK }, level, rights, 0,              \
			ACCESS_WRITE, 0, false },                                                  \
	{                                                                                          \
		{ #level ": " #rights ", flags set, fetch", OK }, level, rights, 0, ACCESS_FETCH,  \
			0, false                                                                   \
	}
/* And not enough when one has. */
#define UPDATES(level, rights)                                                                     \
	{ { #level ": " #rights ", A clear, read", VIOLATION }, level, rights, PTE_A, ACCESS_READ, \
		WRITE, true },                                                                     \
	{                                                                                          \
		{ #level ": " #rights ", A clear, fetch", VIOLATION }, level, rights, PTE_A,       \
			ACCESS_FETCH, WRITE, true                                                  \
	}
#define WRITABLE(level)                                                                            \
	{ { #level ": RW-, A clear, read", OK }, level, EPT_READ | EPT_WRITE, PTE_A, ACCESS_READ,  \
		0, false },                                                                        \
		{ { #level ": RW-, A clear, fetch", OK }, level, EPT_READ | EPT_WRITE, PTE_A,      \
			ACCESS_FETCH, 0, false },                                                  \
	{                                                                                          \
		{ #level ": RWX, A clear, write", OK }, level, EPT_ALL, PTE_A, ACCESS_WRITE, 0,    \
			false                                                                      \
	}

static const struct walk_row read_rows[] = {
	UNREADABLE(1),
	UNREADABLE(2),
	UNREADABLE(3),
	UNWRITABLE(1, EPT_READ),
	UNWRITABLE(2, EPT_READ),
	UNWRITABLE(3, EPT_READ),
	UNWRITABLE(1, EPT_READ | EPT_EXECUTE),
	{ { "1: R--, D clear, read", OK }, 1, EPT_READ, PTE_D, ACCESS_READ, 0, false },
	/* The dirty flag means nothing above the page's own entry. */
	{ { "2: R--, D clear, write", OK }, 2, EPT_READ, PTE_D, ACCESS_WRITE, 0, false },
};

SWEEP(walk, read, "SDM EPT Violations", "reading a guest paging-structure entry is a data read",
	read_rows, .needs = NEEDS(&need_ept), .covers = COVERS)
{
	return run_walk(TEST_ROW(struct walk_row), false);
}

static const struct walk_row update_rows[] = {
	UPDATES(1, EPT_READ),
	UPDATES(2, EPT_READ),
	UPDATES(3, EPT_READ),
	UPDATES(1, EPT_READ | EPT_EXECUTE),
	{ { "1: R--, D clear, write", VIOLATION }, 1, EPT_READ, PTE_D, ACCESS_WRITE, WRITE, true },
};

SWEEP(walk, update, "SDM EPT Violations",
	"setting the accessed or dirty flag of a guest paging-structure entry is a data write",
	update_rows, .needs = NEEDS(&need_ept), .covers = COVERS)
{
	return run_walk(TEST_ROW(struct walk_row), false);
}

static const struct walk_row writable_rows[] = {
	WRITABLE(1),
	WRITABLE(2),
	WRITABLE(3),
	{ { "1: RW-, D clear, write", OK }, 1, EPT_READ | EPT_WRITE, PTE_D, ACCESS_WRITE, 0,
		false },
};

SWEEP(walk, writable, "SDM EPT Violations",
	"where EPT lets the paging structure be written, its flags are set", writable_rows,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	const struct walk_row *row = TEST_ROW(struct walk_row);

	CHECK_EQUAL(run_walk(row, false), OK);
	CHECK_EQUAL(
		test_observe(*window_guest_entry(row->level)) & row->guest_clear, row->guest_clear);
	return OK;
}

static const struct walk_row execute_only_rows[] = {
	{ { "page table", VIOLATION }, 1, EPT_EXECUTE, 0, ACCESS_READ, READ, false },
	{ { "page directory", VIOLATION }, 2, EPT_EXECUTE, 0, ACCESS_READ, READ, false },
	{ { "page-directory-pointer table", VIOLATION }, 3, EPT_EXECUTE, 0, ACCESS_FETCH, READ,
		false },
};

SWEEP(walk, execute_only, "SDM EPT Violations",
	"an execute-only page cannot hold a guest's paging structure", execute_only_rows,
	.needs = NEEDS(&need_ept, &need_execute_only), .covers = COVERS)
{
	return run_walk(TEST_ROW(struct walk_row), false);
}

/* With accessed and dirty flags for EPT enabled, the use of an entry is a write, too. */
#define TREATED_AS_WRITE(level)                                                                    \
	{ { #level ": R--, read", VIOLATION }, level, EPT_READ, 0, ACCESS_READ, WRITE, true },     \
		{ { #level ": R-X, write", VIOLATION }, level, EPT_READ | EPT_EXECUTE, 0,          \
			ACCESS_WRITE, WRITE, true },                                               \
		{ { #level ": R-X, fetch", VIOLATION }, level, EPT_READ | EPT_EXECUTE, 0,          \
			ACCESS_FETCH, WRITE, true },                                               \
		{ { #level ": not present, read", VIOLATION }, level, 0, 0, ACCESS_READ, WRITE,    \
			true },                                                                    \
		{ { #level ": RW-, read", OK }, level, EPT_READ | EPT_WRITE, 0, ACCESS_READ, 0,    \
			false },                                                                   \
	{                                                                                          \
		{ #level ": RW-, fetch", OK }, level, EPT_READ | EPT_WRITE, 0, ACCESS_FETCH, 0,    \
			false                                                                      \
	}

static const struct walk_row as_write[] = { TREATED_AS_WRITE(1), TREATED_AS_WRITE(2),
	TREATED_AS_WRITE(3) };

SWEEP(walk, accessed_dirty_enabled, "SDM EPT Violations",
	"with accessed and dirty flags for EPT enabled, using a guest paging-structure entry is a "
	"write",
	as_write, .needs = NEEDS(&need_ept, &need_ept_accessed_dirty),
	.covers = COVERS " cap:VMX_EPT_VPID_CAP_ACCESSED_DIRTY")
{
	return run_walk(TEST_ROW(struct walk_row), true);
}

#define BOTH(level)                                                                                \
	{ { #level ": R--, read", VIOLATION }, level, EPT_READ, 0, ACCESS_READ, READ | WRITE,      \
		false },                                                                           \
		{ { #level ": R-X, fetch", VIOLATION }, level, EPT_READ | EPT_EXECUTE, 0,          \
			ACCESS_FETCH, READ | WRITE, false },                                       \
	{                                                                                          \
		{ #level ": not present, write", VIOLATION }, level, 0, 0, ACCESS_WRITE,           \
			READ | WRITE, false                                                        \
	}

static const struct walk_row both[] = { BOTH(1), BOTH(2), BOTH(3) };

SWEEP(walk, accessed_dirty_bits, "SDM Exit Qualification for EPT Violations",
	"with accessed and dirty flags for EPT enabled, a violation by a guest paging-structure "
	"entry sets bits 0 and 1",
	both, .needs = NEEDS(&need_ept, &need_ept_accessed_dirty), .covers = COVERS)
{
	return run_walk(TEST_ROW(struct walk_row), true);
}

struct level_row {
	struct test_row row;
	unsigned int level;
};
static const struct level_row levels[] = { { { "page table", MISCONFIGURATION }, 1 },
	{ { "page directory", MISCONFIGURATION }, 2 },
	{ { "page-directory-pointer table", MISCONFIGURATION }, 3 } };

SWEEP(walk, misconfigured, "SDM EPT Misconfigurations",
	"the translation of a guest paging-structure entry's address can be misconfigured, too",
	levels, .needs = NEEDS(&need_ept), .covers = "exit:EPT_MISCONFIGURATION")
{
	uint64_t gpa = vmx_address(window_guest_entry(TEST_ROW(struct level_row)->level));
	outcome result;

	guest_reset();
	window_open(1);
	*ept_entry(gpa, 1) |= EPT_MEMORY_TYPE;
	result = window_access(ACCESS_READ, 0);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), 8), gpa);
	return result;
}
