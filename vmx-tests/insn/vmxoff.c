/* VMXOFF and VMCALL on the host (Intel SDM, "VMXOFF - Leave VMX Operation" and "VMCALL - Call to VM
   Monitor"). Their VM exits are exit/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"

static void nothing(void)
{
}

TEST(vmxoff, success, "SDM VMXOFF", "it leaves VMX operation", OK, .covers = "insn:VMXOFF")
{
	outcome result = vmxoff();

	return vmx_is_on() ? test_mismatch(__LINE__, "still in VMX operation") : result;
}

TEST(vmxoff, without_vmcs, "SDM VMXOFF", "it needs no current VMCS", OK, .covers = "insn:VMXOFF")
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmxoff();
}

TEST(vmxoff, twice, "SDM VMXOFF", "outside VMX operation", FAULT(UD), .covers = "insn:VMXOFF")
{
	if (vmxoff() != OK)
		return test_error(__LINE__, "VMXOFF failed");
	return vmxoff();
}

TEST(vmxoff, vmxe_may_be_cleared, "SDM Enabling and Entering VMX Operation",
	"after it CR4.VMXE may be cleared", OK, .covers = "insn:VMXOFF")
{
	uint64_t cr4 = read_cr4();
	outcome result = vmxoff();

	write_cr4(cr4 & ~CR4_VMXE);
	CHECK_EQUAL(test_observe(read_cr4() & CR4_VMXE), 0);
	write_cr4(cr4);
	return result;
}

TEST(vmxoff, vmcs_lives_on, "SDM VMXOFF",
	"the data of a VMCS that VMCLEAR wrote to memory is there after VMXOFF and VMXON", OK,
	VALUES({ VMCS_GUEST_RIP, 0x1234567 }), .covers = "insn:VMXOFF")
{
	field_write(VMCS_GUEST_RIP, 0x1234567);
	if (vmclear(vmx_address(vmx_region)) != OK || vmxoff() != OK)
		return test_error(__LINE__, "VMCLEAR or VMXOFF failed");
	vmx_enter_operation();
	return vmptrld(vmx_address(vmx_region));
}

TEST(vmcall, root_no_vmcs, "SDM VMCALL", "in root operation without a current VMCS", FAIL_INVALID,
	.covers = "insn:VMCALL")
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_VMCALL, NULL, 0);
}

TEST(vmcall, root_launched, "SDM VMCALL",
	"in root operation, where no SMM monitor is set up, with a launched current VMCS",
	FAIL_VALID(VMX_ERROR_VMCALL_IN_ROOT),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMCALL_IN_ROOT }),
	.covers = "insn:VMCALL error:VMCALL_IN_ROOT")
{
	if (guest_run(nothing) != EXIT(EXIT_REASON_VMCALL))
		return test_error(__LINE__, "the guest did not run");
	return instruction_run(INSN_VMCALL, NULL, 0);
}
