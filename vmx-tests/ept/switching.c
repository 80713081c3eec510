/* EPTP switching by VMFUNC: what it selects, and which list entries make it exit (Intel SDM, "EPTP
   Switching"). VMFUNC as an instruction is insn/'s. */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define EXITS EXIT(EXIT_REASON_VMFUNC)
#define COVERS                                                                                     \
	"insn:VMFUNC field:EPTP_LIST_ADDRESS field:VM_FUNCTION_CONTROLS "                          \
	"control:PROC2_ENABLE_VM_FUNCTIONS cap:VMX_VMFUNC_EPTP_SWITCHING"
#define TITLE  "SDM EPTP Switching"
#define NEEDED NEEDS(&need_ept, &need_PROC2_ENABLE_VM_FUNCTIONS, &need_eptp_switching)
#define NEEDED_AND(...)                                                                            \
	NEEDS(&need_ept, &need_PROC2_ENABLE_VM_FUNCTIONS, &need_eptp_switching, __VA_ARGS__)

void guest_switch_eptp(void), guest_switch_eptp_vmfunc(void);

static uint64_t list[EPTP_LIST_ENTRIES] __aligned(4096);

/* Every entry of the list is bad, until a test makes one good. */
static void open(void)
{
	unsigned int i;

	window_open(1);
	for (i = 0; i < EPTP_LIST_ENTRIES; i++)
		list[i] = UINT64_MAX;
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	field_write(VMCS_VM_FUNCTION_CONTROLS, VMX_VMFUNC_EPTP_SWITCHING);
	field_write(VMCS_EPTP_LIST_ADDRESS, vmx_address(list));
}

static outcome run(uint64_t index)
{
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR + 8;
	guest_gpr[RCX] = index;
	return guest_run(guest_switch_eptp);
}

static outcome check_switched(uint64_t eptp, uint64_t word)
{
	CHECK_EQUAL(test_observe(guest_gpr[R10]), WINDOW_WORD);
	CHECK_EQUAL(test_observe(guest_gpr[R11]), word);
	CHECK_EQUAL(field_read(VMCS_EPTP), eptp);
	return OK;
}

struct index_row {
	struct test_row row;
	uint64_t ecx, entry;
};

static const struct index_row indices[] = { { { "0", OK }, 0, 0 }, { { "1", OK }, 1, 1 },
	{ { "255", OK }, 255, 255 }, { { "256", OK }, 256, 256 }, { { "511", OK }, 511, 511 },
	{ { "3, with bits 63:32 of RCX set", OK }, UINT64_C(0xffffffff00000003), 3 } };

SWEEP(switching, index, TITLE,
	"ECX selects an EPTP of the list: it is in use at once, and written to the EPTP field",
	indices, .needs = NEEDED, .covers = COVERS)
{
	const struct index_row *row = TEST_ROW(struct index_row);
	uint64_t other;

	open();
	field_write(VMCS_EPTP, ept_pointer());
	other = window_other_pointer();
	list[row->entry] = other;
	CHECK_EQUAL(run(row->ecx), EXIT(EXIT_REASON_VMCALL));
	return check_switched(other, WINDOW_OTHER);
}

TEST(switching, same, TITLE, "switching to the EPTP in use changes nothing", OK, .needs = NEEDED,
	.covers = COVERS)
{
	open();
	list[5] = ept_pointer();
	CHECK_EQUAL(run(5), EXIT(EXIT_REASON_VMCALL));
	return check_switched(ept_pointer(), WINDOW_WORD);
}

/* What exits: at VMFUNC, with nothing changed. */
static outcome check_exit(outcome result)
{
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_switch_eptp_vmfunc);
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), 3);
	CHECK_EQUAL(field_read(VMCS_EPTP), ept_pointer());
	return result;
}

static const struct index_row too_large[] = { { { "512", EXITS }, 512, 0 },
	{ { "513", EXITS }, 513, 1 }, { { "1024", EXITS }, 1024, 0 },
	{ { "10000H", EXITS }, 0x10000, 0 }, { { "80000000H", EXITS }, BIT(31), 0 },
	{ { "FFFFFFFFH", EXITS }, UINT32_MAX, 511 } };

SWEEP(switching, index_too_large, TITLE, "ECX beyond 511 is a VM exit", too_large, .needs = NEEDED,
	.covers = COVERS " exit:VMFUNC")
{
	const struct index_row *row = TEST_ROW(struct index_row);

	open();
	list[row->entry] = window_other_pointer();
	return check_exit(run(row->ecx));
}

struct eptp_row {
	struct test_row row;
	uint64_t clear, set;
};

#define TYPE(n)                                                                                    \
	{                                                                                          \
		{ "memory type " #n, EXITS }, EPTP_MEMORY_TYPE, n                                  \
	}
#define WALK(n)                                                                                    \
	{                                                                                          \
		{ "walk length " #n, EXITS }, EPTP_WALK_LENGTH, FIELD_PUT(n - 1, EPTP_WALK_LENGTH) \
	}
#define RSVD(bit)                                                                                  \
	{                                                                                          \
		{ "bit " #bit, EXITS }, 0, BIT(bit)                                                \
	}
static const struct eptp_row bad[] = { TYPE(1), TYPE(2), TYPE(3), TYPE(4), TYPE(5), TYPE(7),
	WALK(1), WALK(2), WALK(3), WALK(6), WALK(7), WALK(8), RSVD(8), RSVD(9), RSVD(10), RSVD(11),
	RSVD(52), RSVD(63) };
static const struct eptp_row bad_accessed_dirty[] = { RSVD(6) };

static outcome run_bad(uint64_t clear, uint64_t set)
{
	open();
	list[9] = (window_other_pointer() & ~clear) | set;
	return check_exit(run(9));
}

SWEEP(switching, bad_eptp, TITLE, "an EPTP that VM entry would refuse is a VM exit", bad,
	.needs = NEEDED, .covers = COVERS " exit:VMFUNC")
{
	return run_bad(TEST_ROW(struct eptp_row)->clear, TEST_ROW(struct eptp_row)->set);
}

SWEEP(switching, bad_accessed_dirty, TITLE,
	"bit 6 without accessed and dirty flags for EPT is a VM exit", bad_accessed_dirty,
	.needs = NEEDED_AND(&need_no_ept_accessed_dirty), .covers = COVERS " exit:VMFUNC")
{
	return run_bad(TEST_ROW(struct eptp_row)->clear, TEST_ROW(struct eptp_row)->set);
}

TEST(switching, bad_width, TITLE,
	"an EPTP with an address bit beyond the physical-address width is a VM exit", EXITS,
	.needs = NEEDED_AND(&need_reserved_physical), .covers = COVERS " exit:VMFUNC")
{
	unsigned int bit;
	outcome result = EXITS;

	for (bit = window_physical_width(); bit < 52 && result == EXITS; bit++)
		result = run_bad(0, BIT(bit));
	return result;
}

TEST(switching, accessed_dirty, TITLE, "the new EPTP's bit 6 enables accessed and dirty flags", OK,
	.needs = NEEDED_AND(&need_ept_accessed_dirty), .covers = COVERS)
{
	open();
	list[0] = window_other_pointer() | EPTP_ACCESSED_DIRTY;
	CHECK_EQUAL(run(0), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(*window_entry(1)) & (EPT_ACCESSED | EPT_DIRTY), 0);
	CHECK_EQUAL(
		test_observe(*window_other_entry(1)) & (EPT_ACCESSED | EPT_DIRTY), EPT_ACCESSED);
	return check_switched(list[0], WINDOW_OTHER);
}

TEST(switching, violation_after, TITLE,
	"an access that the new structures do not allow violates EPT after VMFUNC has completed",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDED, .covers = COVERS)
{
	outcome result;

	open();
	list[0] = window_other_pointer();
	*window_other_entry(1) = 0;
	result = run(0);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_switch_eptp_vmfunc + 3);
	CHECK_EQUAL(field_read(VMCS_EPTP), list[0]);
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa() + 8);
	return result;
}

/* The index is for later virtualization exceptions, whether they are enabled or not. */
static outcome run_index(bool ve)
{
	open();
	list[0x1f3] = window_other_pointer();
	if (ve) {
		proc2_set(PROC2_EPT_VIOLATION_VE);
		field_write(VMCS_VE_INFORMATION_ADDRESS, vmx_address(guest_page[2]));
	}
	field_write(VMCS_EPTP_INDEX, 0x7777);
	CHECK_EQUAL(run(0x1f3), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(VMCS_EPTP_INDEX), 0x1f3);
	return OK;
}

#define COVERS_INDEX COVERS " field:EPTP_INDEX control:PROC2_EPT_VIOLATION_VE"

TEST(switching, index_field, TITLE, "where the CPU supports #VE, the EPTP-index field receives ECX",
	OK, .needs = NEEDED_AND(&need_PROC2_EPT_VIOLATION_VE), .covers = COVERS_INDEX)
{
	return run_index(true);
}

TEST(switching, index_field_not_enabled, TITLE,
	"where the CPU supports #VE, the EPTP-index field receives ECX, though \"EPT-violation "
	"#VE\" is 0",
	OK, .needs = NEEDED_AND(&need_PROC2_EPT_VIOLATION_VE), .covers = COVERS_INDEX)
{
	return run_index(false);
}

TEST(switching, index_field_kept, TITLE, "a VMFUNC that exits leaves the EPTP-index field alone",
	EXITS, .needs = NEEDED_AND(&need_PROC2_EPT_VIOLATION_VE),
	VALUES({ VMCS_EPTP_INDEX, 0x7777 }), .covers = COVERS_INDEX)
{
	open();
	field_write(VMCS_EPTP_INDEX, 0x7777);
	return check_exit(run(0x1f3));
}
