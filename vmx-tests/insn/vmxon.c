/* VMXON (Intel SDM, "VMXON - Enter VMX Operation"). */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"

TEST(vmxon, success, "SDM VMXON", "outside VMX operation, with a good region, it succeeds", OK,
	.covers = "insn:VMXON")
{
	vmx_leave_operation();
	return vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, vmxe_clear, "SDM VMXON", "CR4.VMXE = 0", FAULT(UD), .covers = "insn:VMXON")
{
	vmx_leave_operation();
	write_cr4(read_cr4() & ~CR4_VMXE);
	return vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, unaligned, "SDM VMXON", "the region's address is not 4-KByte aligned", FAIL_INVALID,
	.covers = "insn:VMXON")
{
	vmx_leave_operation();
	return vmxon(vmx_address(vmx_on_region) + 1);
}
