/* The launch state of a VMCS (Intel SDM, "Overview" of "Virtual Machine Control Structures", and
   "VMCLEAR"): what makes it clear, what makes it launched, and that it belongs to the VMCS. */
#define TEST_FOLDER "vmcs/"
#include "runtime/harness.h"
#include "vmx-tests/vmcs/several.h"

#define RAN          EXIT(EXIT_REASON_VMCALL)
#define NOT_CLEAR    FAIL_VALID(VMX_ERROR_VMLAUNCH_NOT_CLEAR)
#define NOT_LAUNCHED FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED)
#define COVERS       .covers = "insn:VMLAUNCH insn:VMRESUME insn:VMCLEAR"

static void nothing(void)
{
}

/* Entering by VMLAUNCH or VMRESUME with the guest at its start. */
static outcome launch(void)
{
	guest_set_code(nothing);
	return guest_launch();
}

static outcome resume(void)
{
	guest_set_code(nothing);
	return guest_resume();
}

/* What VMLAUNCH and VMRESUME say about the current VMCS, without entering: an invalid control stops
 * them later. */
static outcome check_state(bool launched)
{
	uint64_t count = field_read(VMCS_CR3_TARGET_COUNT);
	outcome by_launch, by_resume;

	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	by_launch = test_observe(guest_launch());
	by_resume = test_observe(guest_resume());
	field_write(VMCS_CR3_TARGET_COUNT, count);
	CHECK_EQUAL(by_launch, launched ? NOT_CLEAR : FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS));
	CHECK_EQUAL(by_resume, launched ? FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS) : NOT_LAUNCHED);
	return OK;
}

TEST(launch, vmclear, "SDM VMCLEAR", "VMCLEAR makes the launch state clear", OK, COVERS)
{
	return check_state(false);
}

TEST(launch, vmlaunch, "SDM VMLAUNCH/VMRESUME", "VMLAUNCH that succeeds makes it launched", OK,
	COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	return check_state(true);
}

TEST(launch, vmresume_keeps, "SDM VMLAUNCH/VMRESUME", "VMRESUME leaves it launched", OK, COVERS)
{
	if (launch() != RAN || resume() != RAN || resume() != RAN)
		return test_error(__LINE__, "an entry failed");
	return check_state(true);
}

TEST(launch, vmclear_launched, "SDM VMCLEAR", "VMCLEAR of a launched VMCS makes it clear", OK,
	COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmclear(vmx_address(vmx_region)) != OK || vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR or VMPTRLD failed");
	return check_state(false);
}

TEST(launch, vmclear_relaunch, "SDM VMCLEAR", "after VMCLEAR the VMCS can be launched again", RAN,
	COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmclear(vmx_address(vmx_region)) != OK || vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR or VMPTRLD failed");
	return launch();
}

TEST(launch, vmptrld_keeps, "SDM Overview of Virtual Machine Control Structures",
	"VMPTRLD of another VMCS and back leaves it launched", RAN, COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmptrld(vmx_address(vmx_spare_region)) != OK || vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	return resume();
}

TEST(launch, vmclear_other_keeps, "SDM VMCLEAR", "VMCLEAR of another VMCS leaves it launched", OK,
	COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmclear(vmx_address(vmx_spare_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return check_state(true);
}

TEST(launch, vmclear_failed_keeps, "SDM VMCLEAR", "VMCLEAR that fails leaves it launched", OK,
	COVERS)
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmclear(vmx_address(vmx_region) + 1) != FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS))
		return test_error(__LINE__, "VMCLEAR did not fail");
	return check_state(true);
}

struct field_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
};

/* Entries that fail at each stage. */
static const struct field_row failures[] = {
	{ { "controls", OK }, VMCS_CR3_TARGET_COUNT, UINT32_MAX },
	{ { "host state", OK }, VMCS_HOST_TR_SELECTOR, 0 },
	{ { "guest state", OK }, VMCS_GUEST_RFLAGS, 0 },
	{ { "MSR loading", OK }, VMCS_ENTRY_MSR_LOAD_COUNT, 1 },
};

static void break_entry(const struct field_row *row)
{
	static struct vmx_msr_entry bad_entry __aligned(16) = { MSR_IA32_FS_BASE, 0, 0 };

	field_write(VMCS_ENTRY_MSR_LOAD_ADDRESS, vmx_address(&bad_entry));
	field_write(row->field, row->value);
}

SWEEP(launch, failed_entry, "SDM VM-Entry Failures During or After Loading Guest State",
	"VMLAUNCH that fails leaves the launch state clear, at whatever stage it fails", failures,
	COVERS)
{
	const struct field_row *row = TEST_ROW(struct field_row);
	uint64_t good;

	guest_reset();
	good = field_read(row->field);
	break_entry(row);
	if (launch() == RAN)
		return test_error(__LINE__, "VMLAUNCH did not fail");
	field_write(row->field, good);
	return check_state(false);
}

SWEEP(launch, failed_reentry, "SDM VM-Entry Failures During or After Loading Guest State",
	"VMRESUME that fails leaves the launch state launched", failures, COVERS)
{
	const struct field_row *row = TEST_ROW(struct field_row);
	uint64_t good;

	guest_reset();
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	good = field_read(row->field);
	break_entry(row);
	if (resume() == RAN)
		return test_error(__LINE__, "VMRESUME did not fail");
	field_write(row->field, good);
	return check_state(true);
}

TEST(launch, each_its_own, "SDM Overview of Virtual Machine Control Structures",
	"each VMCS has a launch state of its own", OK, COVERS)
{
	unsigned int i;
	outcome result;

	several_prepare();
	for (i = 0; i < SEVERAL; i += 2) {
		several_load(i);
		if (launch() != RAN)
			return test_mismatch(__LINE__, "VMLAUNCH of VMCS %u failed", i);
	}
	for (i = 0; i < SEVERAL; i++) {
		several_load(i);
		result = check_state(i % 2 == 0);
		if (result != OK)
			return result;
	}
	return OK;
}

/* "VMRESUME after VMXOFF" (error 6) or success: a VMCS that was active across VMXOFF may be
   corrupted; what does not come is VMfailInvalid or another error. */
TEST(launch, across_vmxoff, "SDM VM Instruction Error Numbers",
	"VMRESUME of a VMCS that was cleared before VMXOFF needs VMLAUNCH again", NOT_LAUNCHED,
	.covers = "insn:VMXOFF error:VMRESUME_NOT_LAUNCHED")
{
	if (launch() != RAN)
		return test_error(__LINE__, "VMLAUNCH failed");
	if (vmclear(vmx_address(vmx_region)) != OK || vmxoff() != OK)
		return test_error(__LINE__, "VMCLEAR or VMXOFF failed");
	vmx_enter_operation();
	if (vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	return resume();
}
