/* VMCLEAR (Intel SDM, "VMCLEAR - Clear Virtual-Machine Control Structure"). What it does to launch
   state and memory is vmcs/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/insn/physical.h"

#define COVERS         .covers = "insn:VMCLEAR"
#define COVERS_ADDRESS .covers = "insn:VMCLEAR error:VMCLEAR_ADDRESS"
#define COVERS_POINTER .covers = "insn:VMCLEAR error:VMCLEAR_VMXON_POINTER"

/* The current-VMCS pointer as VMPTRST has it. */
static uint64_t current_pointer(void)
{
	uint64_t pointer = 0;

	vmptrst(&pointer);
	return test_observe(pointer);
}

TEST(vmclear, current, "SDM VMCLEAR", "clearing the current VMCS leaves no current VMCS", OK,
	COVERS)
{
	outcome result = vmclear(vmx_address(vmx_region));

	CHECK_EQUAL(current_pointer(), VMCS_NO_POINTER);
	return result;
}

TEST(vmclear, other, "SDM VMCLEAR", "clearing another VMCS leaves the current one current", OK,
	COVERS)
{
	outcome result = vmclear(vmx_address(vmx_spare_region));

	CHECK_EQUAL(current_pointer(), vmx_address(vmx_region));
	return result;
}

TEST(vmclear, without_current, "SDM VMCLEAR", "it needs no current VMCS", OK, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmclear(vmx_address(vmx_region));
}

TEST(vmclear, revision, "SDM VMCLEAR", "the revision identifier is not looked at", OK, COVERS)
{
	outcome result;

	vmx_spare_region->revision ^= 1;
	result = vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
	return result;
}

static const struct address_row unaligned[] = UNALIGNED_ROWS(FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS));

SWEEP(vmclear, unaligned, "SDM VMCLEAR", "the address is not 4-KByte aligned", unaligned,
	COVERS_ADDRESS)
{
	return vmclear(vmx_address(vmx_spare_region) | TEST_ROW(struct address_row)->bits);
}

static const struct physical_row beyond[] = PHYSICAL_ROWS(FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS));

SWEEP(vmclear, beyond_width, "SDM VMCLEAR",
	"the address sets a bit beyond the physical-address width", beyond, COVERS_ADDRESS)
{
	uint64_t bit = physical_bit();

	return bit == 0 ? TEST_ROW(struct physical_row)->row.expected
			: vmclear(vmx_address(vmx_spare_region) | bit);
}

TEST(vmclear, unaligned_no_vmcs, "SDM Conventions",
	"a bad address without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmclear(vmx_address(vmx_spare_region) + 1);
}

TEST(vmclear, failed_leaves_current, "SDM VMCLEAR", "the failure leaves the current VMCS", OK,
	COVERS)
{
	if (vmclear(vmx_address(vmx_region) + 1) != FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS))
		return test_error(__LINE__, "VMCLEAR did not fail");
	CHECK_EQUAL(current_pointer(), vmx_address(vmx_region));
	return OK;
}

TEST(vmclear, vmxon_pointer, "SDM VMCLEAR", "the address is the VMXON pointer",
	FAIL_VALID(VMX_ERROR_VMCLEAR_VMXON_POINTER),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMCLEAR_VMXON_POINTER }), COVERS_POINTER)
{
	return vmclear(vmx_address(vmx_on_region));
}

TEST(vmclear, vmxon_pointer_no_vmcs, "SDM Conventions",
	"the VMXON pointer without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmclear(vmx_address(vmx_on_region));
}

TEST(vmclear, vmxon_pointer_unaligned, "SDM VMCLEAR",
	"the check of the address comes before that for the VMXON pointer",
	FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS), COVERS_ADDRESS)
{
	return vmclear(vmx_address(vmx_on_region) + 1);
}

TEST(vmclear, former_vmxon_region, "SDM VMCLEAR",
	"a region that was a VMXON region before is like any other", OK, COVERS)
{
	outcome result;

	vmx_leave_operation();
	if (vmxon(vmx_address(vmx_spare_region)) != OK)
		return test_error(__LINE__, "VMXON failed");
	result = vmclear(vmx_address(vmx_on_region));
	vmx_leave_operation();
	vmx_enter_operation();
	return result;
}

TEST(vmclear, error_is_kept, "SDM VMX Instruction Reference",
	"success leaves the VM-instruction error of the failure before", OK,
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMCLEAR_ADDRESS }), COVERS)
{
	if (vmclear(vmx_address(vmx_region) + 1) != FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS))
		return test_error(__LINE__, "VMCLEAR did not fail");
	return vmclear(vmx_address(vmx_spare_region));
}
