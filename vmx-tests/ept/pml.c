/* Page-modification logging (Intel SDM, "Page-Modification Logging"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/logging.h"

#define FULL   EXIT(EXIT_REASON_PML_FULL)
#define COVERS "control:PROC2_ENABLE_PML field:PML_ADDRESS field:PML_INDEX"
#define TITLE  "SDM Page-Modification Logging"
#define NEEDED NEEDS(&need_ept, &need_ept_accessed_dirty, &need_PROC2_ENABLE_PML)
#define LAST   (LOG_ENTRIES - 1)

uint64_t logging_log[LOG_ENTRIES] __aligned(4096);

void logging_open(unsigned int level, uint64_t index)
{
	uint64_t gpa, flags = EPT_ACCESSED | EPT_DIRTY;
	unsigned int i;

	window_open(level);
	for (gpa = 0; gpa < 4 * PAGE_SIZE_1G; gpa += PAGE_SIZE_2M)
		*ept_entry(gpa, 2) |= flags;
	for (i = 0; i < 4; i++)
		*ept_entry(i * PAGE_SIZE_1G, 3) |= flags;
	*ept_entry(0, 4) |= flags;
	for (i = level + 1; i <= 4; i++)
		*window_entry(i) |= flags;
	*window_entry(level) |= EPT_ACCESSED;
	for (i = 0; i < LOG_ENTRIES; i++)
		logging_log[i] = LOGGING_UNUSED;
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	proc2_set(PROC2_ENABLE_PML);
	field_write(VMCS_PML_ADDRESS, vmx_address(logging_log));
	field_write(VMCS_PML_INDEX, index);
}

/* All entries but one are unused. */
static outcome check_log(unsigned int used, uint64_t value)
{
	unsigned int i;

	for (i = 0; i < LOG_ENTRIES; i++)
		CHECK_EQUAL(i == used ? test_observe(logging_log[i]) : logging_log[i],
			i == used ? value : LOGGING_UNUSED);
	return OK;
}

static outcome check_unused(void)
{
	unsigned int i;

	for (i = 0; i < LOG_ENTRIES; i++)
		if (logging_log[i] != LOGGING_UNUSED)
			break;
	CHECK_EQUAL(test_observe(i), LOG_ENTRIES);
	return OK;
}

TEST(pml, write, TITLE, "a write that makes a page dirty is logged in the entry of the PML index",
	OK, .needs = NEEDED, VALUES({ VMCS_PML_INDEX, LAST - 1 }), .covers = COVERS)
{
	logging_open(1, LAST);
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), OK);
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_DIRTY, EPT_DIRTY);
	return check_log(LAST, window_gpa());
}

struct address_row {
	struct test_row row;
	unsigned int page;
	uint64_t offset;
};

static const struct address_row addresses[] = {
	{ { "at 8", OK }, 1, 8 },
	{ { "not aligned", OK }, 1, 0x7fb },
	{ { "at the end", OK }, 1, 0xff8 },
	{ { "in a 2-MByte page", OK }, 2, 0x10 },
};

SWEEP(pml, aligned, TITLE, "bits 11:0 of the logged address are 0, whatever the write's", addresses,
	.needs = NEEDED, .covers = COVERS)
{
	const struct address_row *row = TEST_ROW(struct address_row);

	logging_open(row->page, LAST);
	CHECK_EQUAL(window_access(ACCESS_WRITE, row->offset), OK);
	return check_log(LAST, window_gpa());
}

TEST(pml, page_2m, TITLE, "in a 2-MByte page, the 4-KByte page of the access is logged", OK,
	.needs = NEEDED, .covers = COVERS)
{
	logging_open(2, 7);
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), OK);
	CHECK_EQUAL(test_observe(*window_entry(2)) & EPT_DIRTY, EPT_DIRTY);
	return check_log(7, window_gpa());
}

struct none_row {
	struct test_row row;
	enum access access;
	uint64_t flags; /* that the window's page has before */
};

static const struct none_row none[] = {
	{ { "read", OK }, ACCESS_READ, EPT_ACCESSED },
	{ { "fetch", OK }, ACCESS_FETCH, EPT_ACCESSED },
	{ { "read that sets the accessed flag", OK }, ACCESS_READ, 0 },
	{ { "write to a dirty page", OK }, ACCESS_WRITE, EPT_ACCESSED | EPT_DIRTY },
};

SWEEP(pml, nothing_new, TITLE, "what makes no page dirty is not logged, and the index stays", none,
	.needs = NEEDED, .covers = COVERS)
{
	const struct none_row *row = TEST_ROW(struct none_row);

	logging_open(1, LAST);
	*window_entry(1) = (*window_entry(1) & ~(EPT_ACCESSED | EPT_DIRTY)) | row->flags;
	CHECK_EQUAL(window_access(row->access, 0), OK);
	CHECK_EQUAL(field_read(VMCS_PML_INDEX), LAST);
	return check_unused();
}

TEST(pml, violation, TITLE, "a write that EPT denies is not logged",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDED, VALUES({ VMCS_PML_INDEX, LAST }),
	.covers = COVERS)
{
	outcome result;

	logging_open(1, LAST);
	*window_entry(1) &= ~(uint64_t)EPT_WRITE;
	result = window_access(ACCESS_WRITE, 0);
	CHECK_EQUAL(check_unused(), OK);
	return result;
}

TEST(pml, not_enabled, TITLE, "with \"enable PML\" 0, nothing is logged", OK, .needs = NEEDED,
	.covers = COVERS)
{
	logging_open(1, LAST);
	field_clear(VMCS_PROC2_CONTROLS, PROC2_ENABLE_PML);
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), OK);
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_DIRTY, EPT_DIRTY);
	return check_unused();
}

/* Guest paging structures: with the flags enabled, their use is a write. */
struct structure_row {
	struct test_row row;
	unsigned int level;
};
static const struct structure_row structures[] = { { { "page table", OK }, 1 },
	{ { "page directory", OK }, 2 }, { { "page-directory-pointer table", OK }, 3 } };

SWEEP(pml, guest_structures, TITLE,
	"the use of a guest paging structure that makes its page dirty is logged", structures,
	.needs = NEEDED, .covers = COVERS)
{
	uint64_t gpa = vmx_address(window_guest_entry(TEST_ROW(struct structure_row)->level));

	guest_reset();
	logging_open(1, 100);
	*ept_entry(gpa, 1) &= ~(uint64_t)EPT_DIRTY;
	CHECK_EQUAL(window_access(ACCESS_READ, 0), OK);
	CHECK_EQUAL(field_read(VMCS_PML_INDEX), 99);
	return check_log(100, ALIGN_DOWN(gpa, PAGE_SIZE));
}

/* The index. */
struct index_row {
	struct test_row row;
	uint64_t before, after;
};
static const struct index_row indices[] = { { { "511", OK }, 511, 510 },
	{ { "256", OK }, 256, 255 }, { { "1", OK }, 1, 0 }, { { "0", OK }, 0, 0xffff } };

SWEEP(pml, index, TITLE, "each entry decrements the index, from 0 to FFFFH", indices,
	.needs = NEEDED, .covers = COVERS)
{
	const struct index_row *row = TEST_ROW(struct index_row);

	logging_open(1, row->before);
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), OK);
	CHECK_EQUAL(field_read(VMCS_PML_INDEX), row->after);
	return check_log((unsigned int)row->before, window_gpa());
}

struct full_row {
	struct test_row row;
	uint64_t index;
};
static const struct full_row full[] = { { { "512", FULL }, 512 }, { { "1000H", FULL }, 0x1000 },
	{ { "8000H", FULL }, 0x8000 }, { { "81FFH", FULL }, 0x81ff },
	{ { "FFFFH", FULL }, 0xffff } };

SWEEP(pml, full, TITLE,
	"with an index beyond 511, a write that would make a page dirty exits instead; nothing "
	"changes",
	full, .needs = NEEDED, .covers = COVERS " exit:PML_FULL")
{
	const struct full_row *row = TEST_ROW(struct full_row);
	outcome result;

	logging_open(1, row->index);
	result = window_access(ACCESS_WRITE, 0); /* checks that nothing was written */
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_DIRTY, 0);
	CHECK_EQUAL(field_read(VMCS_PML_INDEX), row->index);
	CHECK_EQUAL(check_unused(), OK);
	return result;
}

void guest_write_two(void), guest_write_two_second(void), guest_write_interrupt(void),
	guest_write_interrupt_int(void);

/* The log becomes full by the guest's own first write, to the page behind the window's. */
static outcome run_full(void (*code)(void))
{
	outcome result;

	logging_open(1, 0);
	*(window_guest_entry(1) + 1) = *window_guest_entry(1) + PAGE_SIZE;
	*(window_entry(1) + 1) = *window_entry(1) + PAGE_SIZE;
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR;
	guest_gpr[RSI] = WINDOW_WRITE;
	result = guest_run(code);
	CHECK_EQUAL(test_observe(logging_log[0]), window_gpa() + PAGE_SIZE);
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_DIRTY, 0);
	return result;
}

TEST(pml, full_at_instruction, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"a log-full exit is at the instruction that writes", FULL, .needs = NEEDED,
	VALUES({ VMCS_PML_INDEX, 0xffff }), .covers = "exit:PML_FULL field:GUEST_RIP")
{
	outcome result = run_full(guest_write_two);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_write_two_second);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & EPT_VIOLATION_NMI_UNBLOCKING, 0);
	return result;
}

TEST(pml, full_resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"a log-full exit saves RFLAGS.RF as 1", FULL, .needs = NEEDED,
	.covers = "exit:PML_FULL field:GUEST_RFLAGS")
{
	outcome result = run_full(guest_write_two);

	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
	return result;
}

TEST(pml, full_then_resumed, TITLE, "with the index set back the write completes and is logged", OK,
	.needs = NEEDED, .covers = "exit:PML_FULL")
{
	logging_open(1, 0xffff);
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), FULL);
	field_write(VMCS_PML_INDEX, LAST);
	CHECK_EQUAL(guest_enter(), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(*(uint64_t *)(void *)guest_page[0]), WINDOW_WRITE);
	return check_log(LAST, window_gpa());
}

TEST(pml, full_no_flag_needed, TITLE, "with an index beyond 511, accesses that set no flag go on",
	OK, .needs = NEEDED, .covers = "exit:PML_FULL")
{
	logging_open(1, 0xffff);
	CHECK_EQUAL(window_access(ACCESS_READ, 0), OK);
	*window_entry(1) |= EPT_DIRTY;
	CHECK_EQUAL(window_access(ACCESS_WRITE, 0), OK);
	return check_unused();
}

TEST(pml, full_accessed, TITLE,
	"with an index beyond 511, an access that needs to set an accessed flag exits as well",
	FULL, .needs = NEEDED, .covers = "exit:PML_FULL")
{
	outcome result;

	logging_open(1, 0xffff);
	*window_entry(1) &= ~(uint64_t)EPT_ACCESSED;
	result = window_access(ACCESS_READ, 0);
	CHECK_EQUAL(test_observe(*window_entry(1)) & EPT_ACCESSED, 0);
	return result;
}

/* In event delivery: the frame of INT 40H would make the window's page dirty. */
TEST(pml, full_in_delivery, "SDM Information for VM Exits That Occur During Event Delivery",
	"a log-full exit while an event is delivered saves the event", FULL, .needs = NEEDED,
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) |
			WINDOW_INTERRUPT }),
	.covers = "exit:PML_FULL field:IDT_VECTORING_INFORMATION")
{
	outcome result;

	guest_set_counting_gate(WINDOW_INTERRUPT, false);
	result = run_full(guest_write_interrupt);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_write_interrupt_int);
	return result;
}
