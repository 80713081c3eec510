/* The VM-entry MSR-load area (Intel SDM, "Loading MSRs"): what is loaded, and which entries fail.
   Checks on its address are check_exit.c's. */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define TITLE   "SDM Loading MSRs"
#define ENTRIES 8
#define VALUE   UINT64_C(0x123456789abc)

GUEST_CODE64(msr_load_code, "vmcall; 1: jmp 1b");

static struct vmx_msr_entry *area(void)
{
	return (struct vmx_msr_entry *)(void *)guest_page[1];
}

/* MSRs that nothing depends on here, which an exit leaves alone. */
static const uint32_t harmless[] = { MSR_IA32_KERNEL_GS_BASE, MSR_IA32_LSTAR, MSR_IA32_CSTAR };
static uint64_t saved[ARRAY_SIZE(harmless)];

static void save_msrs(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		saved[i] = rdmsr(harmless[i]);
}

static void restore_msrs(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		wrmsr(harmless[i], saved[i]);
}

/* A guest with an area of good entries: the first three load the harmless MSRs, and again. */
static void prepare(uint32_t count)
{
	unsigned int i;

	guest_reset();
	save_msrs();
	guest_set_mode(GUEST_64BIT, CODE(msr_load_code));
	for (i = 0; i < ENTRIES; i++)
		area()[i] =
			(struct vmx_msr_entry){ harmless[i % ARRAY_SIZE(harmless)], 0, VALUE + i };
	field_write(VMCS_ENTRY_MSR_LOAD_ADDRESS, vmx_address(area()));
	field_write(VMCS_ENTRY_MSR_LOAD_COUNT, count);
}

/* Enters and checks that the harmless MSRs are what the first `count` entries make of them. */
static outcome enter_and_compare(uint32_t count)
{
	uint64_t expected[ARRAY_SIZE(harmless)], actual[ARRAY_SIZE(harmless)];
	unsigned int i;
	outcome result;

	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		expected[i] = saved[i];
	for (i = 0; i < count; i++)
		expected[i % ARRAY_SIZE(harmless)] = VALUE + i;
	result = guest_enter();
	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		actual[i] = test_observe(rdmsr(harmless[i]));
	restore_msrs();
	for (i = 0; i < ARRAY_SIZE(harmless); i++)
		if (actual[i] != expected[i])
			return test_mismatch(__LINE__, "MSR %#x is %#lx, not %#lx", harmless[i],
				actual[i], expected[i]);
	return result;
}

TEST(msr_load, count_0, TITLE, "with count 0 nothing is loaded", EXIT(EXIT_REASON_VMCALL))
{
	prepare(0);
	return enter_and_compare(0);
}

TEST(msr_load, in_order, TITLE, "each of `count` entries is loaded, in order: the last value stays",
	EXIT(EXIT_REASON_VMCALL))
{
	uint32_t count;
	outcome result = test->expected;

	for (count = 1; count <= ENTRIES && result == test->expected; count++) {
		prepare(count);
		result = enter_and_compare(count);
	}
	return result;
}

TEST(msr_load, page_end, TITLE, "an area may cross pages", EXIT(EXIT_REASON_VMCALL))
{
	struct vmx_msr_entry *crossing =
		(struct vmx_msr_entry *)(void *)(guest_page[1] + PAGE_SIZE - 16);

	prepare(0);
	crossing[0] = area()[0];
	crossing[1] = area()[1];
	field_write(VMCS_ENTRY_MSR_LOAD_ADDRESS, vmx_address(crossing));
	field_write(VMCS_ENTRY_MSR_LOAD_COUNT, 2);
	return enter_and_compare(2);
}

/* "Loading Guest State" comes first. */
TEST(msr_load, after_guest_state, TITLE,
	"the area is loaded after the guest-state area: its values stay", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_IA32_SYSENTER_ESP, VALUE }))
{
	prepare(1);
	area()[0].index = MSR_IA32_SYSENTER_ESP;
	field_write(VMCS_GUEST_IA32_SYSENTER_ESP, VALUE + 0x1000);
	return guest_enter();
}

TEST(msr_load, before_event, TITLE,
	"an event is injected after the loads: a failed load leaves it alone",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_MSR_LOADING))
{
	uint64_t event = INTERRUPTION_VALID |
			 FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE) | VECTOR_UD;
	outcome result;

	prepare(1);
	area()[0].index = MSR_IA32_FS_BASE;
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, event);
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_ENTRY_INTERRUPTION_INFORMATION), event);
	CHECK_EQUAL(field_read(VMCS_EXIT_REASON),
		EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_FAILURE_MSR_LOADING);
	return result;
}

/* ---- Entries that fail ---- */

struct bad_row {
	struct test_row row;
	uint32_t index, reserved;
	uint64_t value;
};

#define BAD(name, ...)                                                                             \
	{                                                                                          \
		{ name, ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_MSR_LOADING) }, __VA_ARGS__           \
	}
static const struct bad_row bad[] = {
	BAD("IA32_FS_BASE", MSR_IA32_FS_BASE, 0, 0),
	BAD("IA32_GS_BASE", MSR_IA32_GS_BASE, 0, 0),
	BAD("first x2APIC register", 0x800, 0, 0),
	BAD("x2APIC ICR", MSR_IA32_X2APIC_ICR, 0, 0),
	BAD("x2APIC EOI", MSR_IA32_X2APIC_EOI, 0, 0),
	BAD("last x2APIC register", 0x8ff, 0, 0),
	BAD("IA32_SMM_MONITOR_CTL", MSR_IA32_SMM_MONITOR_CTL, 0, 0),
};

SWEEP(msr_load, forbidden, TITLE,
	"MSRs that entries may not load: the failing entry's number is the qualification", bad,
	.covers = "exit:ENTRY_FAILURE_MSR_LOADING")
{
	const struct bad_row *row = TEST_ROW(struct bad_row);
	outcome result = row->row.expected;
	uint32_t at;

	for (at = 0; at < ENTRIES && result == row->row.expected; at += 3) {
		prepare(ENTRIES);
		area()[at] = (struct vmx_msr_entry){ row->index, row->reserved, row->value };
		result = guest_enter();
		restore_msrs();
		if (result == row->row.expected)
			CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), at + 1);
	}
	return result;
}

TEST(msr_load, reserved_bits, TITLE, "bits 63:32 of an entry must be 0, each of them",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_MSR_LOADING),
	.covers = "exit:ENTRY_FAILURE_MSR_LOADING")
{
	outcome result = test->expected;
	uint32_t bit;

	for (bit = 1; bit != 0 && result == test->expected; bit <<= 1) {
		prepare(3);
		area()[1].reserved = bit;
		result = guest_enter();
		restore_msrs();
		if (result == test->expected)
			CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 2);
	}
	return result;
}

/* What WRMSR would fault for. */
static const struct bad_row values[] = {
	BAD("IA32_PAT with memory type 2", MSR_IA32_PAT, 0, 2),
	BAD("IA32_EFER with a reserved bit", MSR_IA32_EFER, 0, EFER_LMA | EFER_LME | BIT(1)),
	BAD("IA32_EFER without LME, which paging holds", MSR_IA32_EFER, 0, 0),
	BAD("IA32_SYSENTER_EIP not canonical", MSR_IA32_SYSENTER_EIP, 0, BIT(63)),
	BAD("IA32_KERNEL_GS_BASE not canonical", MSR_IA32_KERNEL_GS_BASE, 0, BIT(62)),
	BAD("IA32_LSTAR not canonical", MSR_IA32_LSTAR, 0, BIT(62)),
	BAD("IA32_VMX_BASIC, read-only", MSR_IA32_VMX_BASIC, 0, 0),
	BAD("IA32_FEATURE_CONTROL, locked", MSR_IA32_FEATURE_CONTROL, 0, 0),
	BAD("IA32_APIC_BASE with a reserved bit", MSR_IA32_APIC_BASE, 0, UINT64_C(0xfee00801)),
};

SWEEP(msr_load, values, TITLE, "a value for which WRMSR would be #GP makes the entry fail", values,
	.covers = "exit:ENTRY_FAILURE_MSR_LOADING")
{
	const struct bad_row *row = TEST_ROW(struct bad_row);
	outcome result;

	prepare(2);
	area()[1] = (struct vmx_msr_entry){ row->index, 0, row->value };
	result = guest_enter();
	restore_msrs();
	if (result == row->row.expected)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 2);
	return result;
}

TEST(msr_load, first_failure, TITLE, "of several bad entries the first decides",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_MSR_LOADING), VALUES({ VMCS_EXIT_QUALIFICATION, 3 }))
{
	outcome result;

	prepare(6);
	area()[2].index = MSR_IA32_GS_BASE;
	area()[3].index = MSR_IA32_FS_BASE;
	area()[5].reserved = 1;
	result = guest_enter();
	restore_msrs();
	return result;
}

TEST(msr_load, launch_state, "SDM VMLAUNCH/VMRESUME",
	"a launch that fails in loading MSRs leaves the launch state clear",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED), .covers = "error:VMRESUME_NOT_LAUNCHED")
{
	prepare(1);
	area()[0].index = MSR_IA32_FS_BASE;
	CHECK_EQUAL(guest_launch(), ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_MSR_LOADING));
	return guest_resume();
}

TEST(msr_load, guest_state_first, TITLE, "the guest state is checked before MSRs are loaded",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE), VALUES({ VMCS_EXIT_QUALIFICATION, 0 }))
{
	prepare(1);
	area()[0].index = MSR_IA32_FS_BASE;
	field_clear(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	return guest_enter();
}
