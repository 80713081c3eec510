/* VMXON (Intel SDM, "VMXON - Enter VMX Operation"). Its operand's faults are memory.c's, its modes
   mode.c's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/physical.h"

#define COVERS .covers = "insn:VMXON"

/* Outside VMX operation, on a region that is put right again afterwards. */
static outcome run_vmxon(uint64_t region)
{
	outcome result;

	vmx_leave_operation();
	result = vmxon(region);
	vmx_on_region->revision = vmx_revision();
	return result;
}

TEST(vmxon, success, "SDM VMXON", "outside VMX operation, with a good region, it succeeds", OK,
	COVERS)
{
	outcome result = run_vmxon(vmx_address(vmx_on_region));

	return result == OK && !vmx_is_on() ? test_mismatch(__LINE__, "not in VMX operation")
					    : result;
}

TEST(vmxon, success_flags_clear, "SDM Conventions",
	"success clears CF, PF, AF, ZF, SF, OF, and keeps them clear", OK, COVERS)
{
	struct host_registers registers = { .rflags = RFLAGS_FIXED };
	uint64_t region = vmx_address(vmx_on_region);
	uint8_t code[HOST_CODE_MAX];
	outcome result;

	vmx_leave_operation();
	registers.gpr[RDI] = vmx_address(&region);
	result = host_execute(
		HOST_64BIT, code, instruction_encode_plain(code, INSN_VMXON), &registers, NULL);
	CHECK_EQUAL(test_observe(registers.rflags) & VMX_FLAGS, 0);
	return result;
}

TEST(vmxon, no_current_vmcs, "SDM VMXON", "there is no current VMCS after it", OK, COVERS)
{
	uint64_t pointer = 0;

	if (run_vmxon(vmx_address(vmx_on_region)) != OK || vmptrst(&pointer) != OK)
		return test_error(__LINE__, "VMXON or VMPTRST failed");
	CHECK_EQUAL(test_observe(pointer), VMCS_NO_POINTER);
	return OK;
}

TEST(vmxon, no_current_vmcs_fails_invalid, "SDM VMXON",
	"an instruction that needs a current VMCS fails without one after it", FAIL_INVALID, COVERS)
{
	uint64_t value;

	if (run_vmxon(vmx_address(vmx_on_region)) != OK)
		return test_error(__LINE__, "VMXON failed");
	return vmread(VMCS_GUEST_RIP, &value);
}

TEST(vmxon, again_after_vmxoff, "SDM VMXON", "another region may be used each time", OK, COVERS)
{
	if (run_vmxon(vmx_address(vmx_spare_region)) != OK)
		return test_error(__LINE__, "VMXON of the spare region failed");
	return run_vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, vmxe_clear, "SDM VMXON", "CR4.VMXE = 0", FAULT(UD), COVERS)
{
	vmx_leave_operation();
	write_cr4(read_cr4() & ~CR4_VMXE);
	return vmxon(vmx_address(vmx_on_region));
}

static const struct address_row unaligned[] = UNALIGNED_ROWS(FAIL_INVALID);

SWEEP(vmxon, unaligned, "SDM VMXON", "the region's address is not 4-KByte aligned", unaligned,
	COVERS)
{
	return run_vmxon(vmx_address(vmx_on_region) | TEST_ROW(struct address_row)->bits);
}

static const struct physical_row beyond[] = PHYSICAL_ROWS(FAIL_INVALID);

SWEEP(vmxon, beyond_width, "SDM VMXON", "the address sets a bit beyond the physical-address width",
	beyond, COVERS)
{
	uint64_t bit = physical_bit();

	return bit == 0 ? FAIL_INVALID : run_vmxon(vmx_address(vmx_on_region) | bit);
}

struct revision_row {
	struct test_row row;
	uint32_t flipped;
};

static const struct revision_row revisions[] = {
	{ { "bit 0", FAIL_INVALID }, BIT(0) },
	{ { "bit 7", FAIL_INVALID }, BIT(7) },
	{ { "bit 15", FAIL_INVALID }, BIT(15) },
	{ { "bit 30", FAIL_INVALID }, BIT(30) },
	{ { "bits 30:0", FAIL_INVALID }, BITS(30, 0) },
	{ { "bit 31, the shadow-VMCS indicator", FAIL_INVALID }, VMCS_SHADOW },
};

SWEEP(vmxon, revision, "SDM VMXON",
	"the region's revision identifier is not the CPU's, or bit 31 is set", revisions, COVERS)
{
	vmx_leave_operation();
	vmx_on_region->revision = vmx_revision() ^ TEST_ROW(struct revision_row)->flipped;
	return run_vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, failed_stays_outside, "SDM VMXON",
	"after VMfailInvalid the CPU is not in VMX operation", FAULT(UD), COVERS)
{
	uint64_t pointer;

	if (run_vmxon(vmx_address(vmx_on_region) + 1) != FAIL_INVALID)
		return test_error(__LINE__, "VMXON did not fail");
	return vmptrst(&pointer);
}

TEST(vmxon, in_root, "SDM VMXON", "in VMX root operation with a current VMCS",
	FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMXON_IN_ROOT }),
	.covers = "insn:VMXON error:VMXON_IN_ROOT")
{
	return vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, in_root_no_vmcs, "SDM VMXON", "in VMX root operation without a current VMCS",
	FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmxon(vmx_address(vmx_on_region));
}

TEST(vmxon, in_root_other_region, "SDM VMXON",
	"in VMX root operation another region makes no difference",
	FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT), COVERS)
{
	return vmxon(vmx_address(vmx_spare_region));
}

TEST(vmxon, in_root_keeps_pointer, "SDM VMXON",
	"the failure in root operation leaves the current VMCS", OK, COVERS)
{
	uint64_t pointer = 0;

	if (vmxon(vmx_address(vmx_spare_region)) != FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT))
		return test_error(__LINE__, "VMXON did not fail");
	if (vmptrst(&pointer) != OK)
		return test_error(__LINE__, "VMPTRST failed");
	CHECK_EQUAL(test_observe(pointer), vmx_address(vmx_region));
	return OK;
}

/* ---- IA32_FEATURE_CONTROL: what came of VMXON before the suite locked it ---- */

static bool was_unlocked(void)
{
	return vmx_unlocked[false] != 0;
}

static const struct test_need need_unlocked = {
	"firmware has locked IA32_FEATURE_CONTROL (MSR 0x3a bit 0)", was_unlocked
};

TEST(vmxon, unlocked, "SDM VMXON", "with bit 0 of IA32_FEATURE_CONTROL 0 it makes #GP(0)",
	FAULT(GP), .needs = NEEDS(&need_unlocked), .covers = "insn:VMXON msr:IA32_FEATURE_CONTROL")
{
	return vmx_unlocked[false];
}

TEST(vmxon, unlocked_enabled, "SDM VMXON",
	"with bit 0 of IA32_FEATURE_CONTROL 0 it makes #GP(0), even if bit 2 is 1", FAULT(GP),
	.needs = NEEDS(&need_unlocked), .covers = "insn:VMXON msr:IA32_FEATURE_CONTROL")
{
	return vmx_unlocked[true];
}
