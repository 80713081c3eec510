/* What an EPT violation reports beside the access and the rights (permission.c): where the access
   was, in what it happened, and the state it leaves (Intel SDM, "Exit Qualification for EPT
   Violations", "Basic VM-Exit Information"). */
#define TEST_FOLDER "ept/"
#include "runtime/string.h"
#include "vmx-tests/ept/window.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)
#define COVERS                                                                                     \
	"exit:EPT_VIOLATION field:EXIT_QUALIFICATION field:GUEST_LINEAR_ADDRESS "                  \
	"field:GUEST_PHYSICAL_ADDRESS"
#define TITLE      "SDM Exit Qualification for EPT Violations"
#define TRANSLATED (EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL)

/* Opens the window with those rights and lets the guest run code on it. */
static outcome run(uint64_t rights, void (*code)(void))
{
	window_open(1);
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | rights;
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR;
	guest_gpr[RSI] = WINDOW_WRITE;
	return guest_run(code);
}

/* The bits that every edition gives, without what the advanced information and rights say. */
static uint64_t access_and_place(void)
{
	return field_read(VMCS_EXIT_QUALIFICATION) &
	       (EPT_VIOLATION_READ | EPT_VIOLATION_WRITE | EPT_VIOLATION_FETCH | TRANSLATED |
		       EPT_VIOLATION_NMI_UNBLOCKING);
}

struct offset_row {
	struct test_row row;
	uint64_t offset;
	enum access access;
};

static const struct offset_row offsets[] = {
	{ { "read of the first byte", VIOLATION }, 0, ACCESS_READ },
	{ { "read at 8", VIOLATION }, 8, ACCESS_READ },
	{ { "read that is not aligned", VIOLATION }, 0x123, ACCESS_READ },
	{ { "read of the last 8 bytes", VIOLATION }, 0xff8, ACCESS_READ },
	{ { "write of the last 8 bytes", VIOLATION }, 0xff8, ACCESS_WRITE },
	{ { "write that is not aligned", VIOLATION }, 0x7f5, ACCESS_WRITE },
	{ { "fetch of the first byte", VIOLATION }, 0, ACCESS_FETCH },
	{ { "fetch of the last byte", VIOLATION }, 0xfff, ACCESS_FETCH },
};

SWEEP(qualification, addresses, "SDM Basic VM-Exit Information",
	"the linear and the guest-physical address of the access are saved, bits 11:0 included",
	offsets, .needs = NEEDS(&need_ept), .covers = COVERS)
{
	const struct offset_row *row = TEST_ROW(struct offset_row);
	outcome result;

	window_open(1);
	*window_entry(1) = 0;
	ept_invalidate();
	result = window_enter(row->access, row->offset);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR + row->offset);
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa() + row->offset);
	return result;
}

/* An access to two pages of which EPT gives the first only. */
TEST(qualification, page_crossing, "SDM Basic VM-Exit Information",
	"where an access spans two pages, the addresses are in the page that EPT does not give",
	VIOLATION, .needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result;

	window_open(1);
	*(window_guest_entry(1) + 1) = *window_guest_entry(1) + PAGE_SIZE;
	*(window_entry(1) + 1) = 0;
	ept_invalidate();
	result = window_enter(ACCESS_READ, PAGE_SIZE - 4);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), PAGE_SIZE),
		window_gpa() + PAGE_SIZE);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_LINEAR_ADDRESS), PAGE_SIZE),
		WINDOW_LINEAR + PAGE_SIZE);
	return result;
}

TEST(qualification, exchange, TITLE,
	"a read-modify-write sets bit 1; bit 0 is the implementation's", VIOLATION,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result = run(EPT_READ, guest_exchange);

	CHECK(field_read(VMCS_EXIT_QUALIFICATION) & EPT_VIOLATION_WRITE);
	CHECK_EQUAL(test_observe(*(uint64_t *)(void *)guest_page[0] >> 8), WINDOW_WORD >> 8);
	return result;
}

TEST(qualification, push, TITLE, "a push is a data write", VIOLATION, .needs = NEEDS(&need_ept),
	.covers = COVERS)
{
	outcome result = run(EPT_READ, guest_push);

	CHECK_EQUAL(access_and_place(), EPT_VIOLATION_WRITE | TRANSLATED);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR);
	CHECK_EQUAL(field_read(VMCS_GUEST_RSP), WINDOW_LINEAR + 8);
	return result;
}

/* Segment descriptors: the guest's GDT is moved into the window. */
static outcome run_segment_load(uint64_t rights)
{
	outcome result;

	window_open(1);
	guest_gdt[GUEST_SELECTOR_DATA / 8] &= ~BIT(40); /* not yet accessed */
	memcpy(guest_page[0], guest_gdt, sizeof(guest_gdt));
	field_write(VMCS_GUEST_GDTR_BASE, WINDOW_LINEAR);
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | rights;
	ept_invalidate();
	guest_gpr[RCX] = GUEST_SELECTOR_DATA;
	result = guest_run(guest_load_segment);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_LINEAR_ADDRESS), 8),
		WINDOW_LINEAR + GUEST_SELECTOR_DATA);
	return result;
}

TEST(qualification, descriptor_read, TITLE, "reading a segment descriptor is a data read",
	VIOLATION, .needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result = run_segment_load(0);

	if (result == VIOLATION)
		CHECK_EQUAL(access_and_place(), EPT_VIOLATION_READ | TRANSLATED);
	return result;
}

TEST(qualification, descriptor_accessed, TITLE,
	"setting a segment descriptor's accessed flag is a data write", VIOLATION,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result = run_segment_load(EPT_READ);

	if (result == VIOLATION)
		CHECK_EQUAL(
			access_and_place() & ~EPT_VIOLATION_READ, EPT_VIOLATION_WRITE | TRANSLATED);
	return result;
}

/* Event delivery: the guest's IDT is moved into the window. */
TEST(qualification, event_delivery, "SDM Information for VM Exits That Occur During Event Delivery",
	"a violation while an event is delivered is a data read or write, and saves the event",
	VIOLATION, .needs = NEEDS(&need_ept),
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		       INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) |
			       WINDOW_INTERRUPT },
		{ VMCS_EXIT_INSTRUCTION_LENGTH, 2 }),
	.covers = COVERS " field:IDT_VECTORING_INFORMATION")
{
	outcome result;

	window_open(1);
	field_write(VMCS_GUEST_IDTR_BASE, WINDOW_LINEAR);
	*window_entry(1) = 0;
	ept_invalidate();
	result = guest_run(guest_software_interrupt);
	CHECK_EQUAL(access_and_place(), EPT_VIOLATION_READ | TRANSLATED);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_LINEAR_ADDRESS), 16),
		WINDOW_LINEAR + WINDOW_INTERRUPT * 16);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_software_interrupt);
	return result;
}

/* Progress of a string instruction: two quadwords fit before the page that EPT does not give. */
TEST(qualification, string, "SDM Basic VM-Exit Information",
	"a repeated string instruction stops at the iteration that violates, with the registers at "
	"it",
	VIOLATION, .needs = NEEDS(&need_ept), .covers = "exit:EPT_VIOLATION")
{
	outcome result;

	window_open(1);
	*(window_guest_entry(1) + 1) = *window_guest_entry(1) + PAGE_SIZE;
	*(window_entry(1) + 1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR + PAGE_SIZE - 16;
	guest_gpr[RSI] = WINDOW_WRITE;
	guest_gpr[RCX] = 5;
	result = guest_run(guest_store_string);
	CHECK_EQUAL(test_observe(guest_gpr[RCX]), 3);
	CHECK_EQUAL(test_observe(guest_gpr[RDI]), WINDOW_LINEAR + PAGE_SIZE);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR + PAGE_SIZE);
	CHECK_EQUAL(
		test_observe(*(uint64_t *)(void *)(guest_page[0] + PAGE_SIZE - 8)), WINDOW_WRITE);
	return result;
}

struct state_row {
	struct test_row row;
	uint64_t set, rights;
	enum access access;
};

static const struct state_row states[] = {
	{ { "violation by a read", VIOLATION }, 0, 0, ACCESS_READ },
	{ { "violation by a write", VIOLATION }, 0, EPT_READ, ACCESS_WRITE },
	{ { "violation by a fetch", VIOLATION }, 0, EPT_READ, ACCESS_FETCH },
	{ { "misconfiguration", EXIT(EXIT_REASON_EPT_MISCONFIGURATION) }, EPT_MEMORY_TYPE, EPT_ALL,
		ACCESS_READ },
};

static outcome run_state(const struct state_row *row)
{
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	window_open(1);
	*window_entry(1) = (*window_entry(1) & ~EPT_ALL) | row->set | row->rights;
	ept_invalidate();
	return window_enter(row->access, 0);
}

SWEEP(qualification, rip, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"RIP is at the instruction that made the access, so that it can be done again; no event is "
	"reported",
	states, .needs = NEEDS(&need_ept),
	.covers = "exit:EPT_VIOLATION exit:EPT_MISCONFIGURATION field:GUEST_RIP")
{
	const struct state_row *row = TEST_ROW(struct state_row);
	void (*const code)(void) = row->access == ACCESS_READ ? guest_read : guest_write;
	outcome result = run_state(row);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP),
		row->access == ACCESS_FETCH ? WINDOW_LINEAR : (uintptr_t)code);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

SWEEP(qualification, resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"RFLAGS.RF is saved as 1 outside event delivery", states, .needs = NEEDS(&need_ept),
	.covers = "exit:EPT_VIOLATION exit:EPT_MISCONFIGURATION field:GUEST_RFLAGS")
{
	outcome result = run_state(TEST_ROW(struct state_row));

	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
	return result;
}

/* An EPT violation is not a loss: with the page given back, the instruction completes. */
TEST(qualification, completes, "SDM EPT Violations",
	"the access completes when the entry allows it", OK, .needs = NEEDS(&need_ept),
	.covers = "exit:EPT_VIOLATION")
{
	outcome result = run(EPT_READ, guest_write);

	CHECK_EQUAL(result, VIOLATION);
	*window_entry(1) |= EPT_WRITE;
	ept_invalidate();
	CHECK_EQUAL(guest_enter(), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(*(uint64_t *)(void *)guest_page[0]), WINDOW_WRITE);
	return OK;
}
