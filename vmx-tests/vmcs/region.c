/* The VMCS region in memory and its type (Intel SDM, "Format of the VMCS Region" and "VMCS Types:
   Ordinary and Shadow"). VM entries and guests with a shadow VMCS are shadow/'s. */
#define TEST_FOLDER "vmcs/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/vmcs/field.h"

#define ABORT_PATTERN 0x13572468
#define SHADOWING     NEEDS(&need_PROC2_VMCS_SHADOWING)

static void nothing(void)
{
}

TEST(region, revision_kept, "SDM Format of the VMCS Region",
	"the CPU never writes the revision identifier", OK, .covers = "cap:VMX_BASIC_REVISION")
{
	if (guest_run(nothing) != EXIT(EXIT_REASON_VMCALL) ||
		vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "the guest did not run");
	CHECK_EQUAL(test_observe(vmx_region->revision), vmx_revision());
	return OK;
}

TEST(region, abort_indicator_kept, "SDM Format of the VMCS Region",
	"without a VMX abort the CPU does not write the abort indicator", OK)
{
	vmclear(vmx_address(vmx_region));
	vmx_region->abort = ABORT_PATTERN;
	guest_reset();
	if (guest_run(nothing) != EXIT(EXIT_REASON_VMCALL) ||
		vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "the guest did not run");
	CHECK_EQUAL(test_observe(vmx_region->abort), ABORT_PATTERN);
	vmx_region->abort = 0;
	return OK;
}

TEST(region, abort_indicator_ignored, "SDM Format of the VMCS Region",
	"the abort indicator does not control the CPU: a guest runs whatever it is",
	EXIT(EXIT_REASON_VMCALL))
{
	outcome result;

	vmclear(vmx_address(vmx_region));
	vmx_region->abort = UINT32_MAX;
	guest_reset();
	result = guest_run(nothing);
	vmclear(vmx_address(vmx_region));
	vmx_region->abort = 0;
	return result;
}

TEST(region, failed_entry_no_abort, "SDM VMX Aborts",
	"a VM-entry failure leaves the abort indicator 0", OK)
{
	field_write(VMCS_GUEST_RFLAGS, 0);
	if (guest_run(nothing) != ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE))
		return test_error(__LINE__, "the entry did not fail");
	vmclear(vmx_address(vmx_region));
	CHECK_EQUAL(test_observe(vmx_region->abort), 0);
	return OK;
}

TEST(region, first_use, "SDM Initializing a VMCS", "a fresh region of zeroes works after VMCLEAR",
	OK)
{
	struct vmcs_region *region = vmx_spare_region;

	for (unsigned int i = 0; i < 4096 - sizeof(*region); i++)
		region->data[i] = 0;
	if (vmclear(vmx_address(region)) != OK || vmptrld(vmx_address(region)) != OK)
		return test_mismatch(__LINE__, "VMCLEAR or VMPTRLD failed");
	field_write(VMCS_GUEST_RIP, 0x1234);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), 0x1234);
	return OK;
}

TEST(region, garbage, "SDM Initializing a VMCS", "a region full of garbage works after VMCLEAR", OK)
{
	struct vmcs_region *region = vmx_spare_region;
	outcome result;

	for (unsigned int i = 0; i < 4096 - sizeof(*region); i++)
		region->data[i] = (uint8_t)(i * 37 + 11);
	if (vmclear(vmx_address(region)) != OK || vmptrld(vmx_address(region)) != OK)
		return test_mismatch(__LINE__, "VMCLEAR or VMPTRLD failed");
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	result = test_observe(guest_launch());
	CHECK_EQUAL(result, FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS)); /* its launch state is clear */
	return OK;
}

/* ---- Shadow VMCSs in root operation ---- */

/* Makes the spare region a shadow VMCS and current. */
static outcome load_shadow(void)
{
	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision() | VMCS_SHADOW;
	return vmptrld(vmx_address(vmx_spare_region));
}

static void restore_spare(void)
{
	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
}

TEST(region, shadow_fields, "SDM VMCS Types: Ordinary and Shadow",
	"in root operation VMREAD and VMWRITE work on a shadow VMCS", OK, .needs = SHADOWING)
{
	uint64_t value;

	if (load_shadow() != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	field_write(VMCS_GUEST_RIP, 0xfedcba9876543210);
	value = field_read(VMCS_GUEST_RIP);
	restore_spare();
	CHECK_EQUAL(value, 0xfedcba9876543210);
	return OK;
}

TEST(region, shadow_vmclear, "SDM VMCLEAR",
	"VMCLEAR of a current shadow VMCS leaves no current VMCS", OK, .needs = SHADOWING)
{
	uint64_t pointer = 0;

	if (load_shadow() != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	restore_spare();
	vmptrst(&pointer);
	CHECK_EQUAL(test_observe(pointer), VMCS_NO_POINTER);
	return OK;
}

TEST(region, shadow_revision_kept, "SDM Format of the VMCS Region",
	"the shadow-VMCS indicator stays in memory", OK, .needs = SHADOWING)
{
	uint32_t revision;

	if (load_shadow() != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	vmclear(vmx_address(vmx_spare_region));
	revision = (uint32_t)test_observe(vmx_spare_region->revision);
	restore_spare();
	CHECK_EQUAL(revision, vmx_revision() | VMCS_SHADOW);
	return OK;
}

TEST(region, shadow_revision, "SDM VMPTRLD",
	"a shadow VMCS, too, must have the CPU's revision identifier",
	FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION), .covers = "insn:VMPTRLD error:VMPTRLD_REVISION",
	.needs = SHADOWING)
{
	outcome result;

	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = (vmx_revision() ^ 2) | VMCS_SHADOW;
	result = vmptrld(vmx_address(vmx_spare_region));
	restore_spare();
	return result;
}

TEST(region, shadow_vmxon, "SDM VMXON",
	"a region with the shadow-VMCS indicator is no VMXON region", FAIL_INVALID,
	.covers = "insn:VMXON", .needs = SHADOWING)
{
	outcome result;

	restore_spare();
	vmx_leave_operation();
	vmx_spare_region->revision = vmx_revision() | VMCS_SHADOW;
	result = vmxon(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
	return result;
}
