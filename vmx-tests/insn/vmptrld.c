/* VMPTRLD and VMPTRST (Intel SDM, "VMPTRLD - Load Pointer to Virtual-Machine Control Structure" and
   "VMPTRST - Store Pointer to Virtual-Machine Control Structure"). What a VMCS keeps is vmcs/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/insn/physical.h"
#include "vmx-tests/insn/needs.h"

#define COVERS          .covers = "insn:VMPTRLD"
#define COVERS_ADDRESS  .covers = "insn:VMPTRLD error:VMPTRLD_ADDRESS"
#define COVERS_POINTER  .covers = "insn:VMPTRLD error:VMPTRLD_VMXON_POINTER"
#define COVERS_REVISION .covers = "insn:VMPTRLD error:VMPTRLD_REVISION"
#define COVERS_STORE    .covers = "insn:VMPTRST"

static uint64_t current_pointer(void)
{
	uint64_t pointer = 0;

	vmptrst(&pointer);
	return test_observe(pointer);
}

TEST(vmptrld, success, "SDM VMPTRLD", "the current-VMCS pointer becomes the operand", OK, COVERS)
{
	outcome result = vmptrld(vmx_address(vmx_spare_region));

	CHECK_EQUAL(current_pointer(), vmx_address(vmx_spare_region));
	return result;
}

TEST(vmptrld, same, "SDM VMPTRLD", "loading the current VMCS again succeeds", OK, COVERS)
{
	outcome result = vmptrld(vmx_address(vmx_region));

	CHECK_EQUAL(current_pointer(), vmx_address(vmx_region));
	return result;
}

TEST(vmptrld, without_current, "SDM VMPTRLD", "it needs no current VMCS", OK, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmptrld(vmx_address(vmx_region));
}

static const struct address_row unaligned[] = UNALIGNED_ROWS(FAIL_VALID(VMX_ERROR_VMPTRLD_ADDRESS));

SWEEP(vmptrld, unaligned, "SDM VMPTRLD", "the address is not 4-KByte aligned", unaligned,
	COVERS_ADDRESS)
{
	return vmptrld(vmx_address(vmx_spare_region) | TEST_ROW(struct address_row)->bits);
}

static const struct physical_row beyond[] = PHYSICAL_ROWS(FAIL_VALID(VMX_ERROR_VMPTRLD_ADDRESS));

SWEEP(vmptrld, beyond_width, "SDM VMPTRLD",
	"the address sets a bit beyond the physical-address width", beyond, COVERS_ADDRESS)
{
	uint64_t bit = physical_bit();

	return bit == 0 ? TEST_ROW(struct physical_row)->row.expected
			: vmptrld(vmx_address(vmx_spare_region) | bit);
}

TEST(vmptrld, unaligned_no_vmcs, "SDM Conventions",
	"a bad address without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmptrld(vmx_address(vmx_spare_region) + 1);
}

TEST(vmptrld, vmxon_pointer, "SDM VMPTRLD", "the address is the VMXON pointer",
	FAIL_VALID(VMX_ERROR_VMPTRLD_VMXON_POINTER),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMPTRLD_VMXON_POINTER }), COVERS_POINTER)
{
	return vmptrld(vmx_address(vmx_on_region));
}

TEST(vmptrld, vmxon_pointer_no_vmcs, "SDM Conventions",
	"the VMXON pointer without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmptrld(vmx_address(vmx_on_region));
}

TEST(vmptrld, vmxon_pointer_revision, "SDM VMPTRLD",
	"the check for the VMXON pointer comes before that of the revision identifier",
	FAIL_VALID(VMX_ERROR_VMPTRLD_VMXON_POINTER), COVERS_POINTER)
{
	outcome result;

	vmx_on_region->revision ^= 1;
	result = vmptrld(vmx_address(vmx_on_region));
	vmx_on_region->revision = vmx_revision();
	return result;
}

struct revision_row {
	struct test_row row;
	uint32_t flipped;
};

static const struct revision_row revisions[] = {
	{ { "bit 0", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, BIT(0) },
	{ { "bit 7", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, BIT(7) },
	{ { "bit 15", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, BIT(15) },
	{ { "bit 30", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, BIT(30) },
	{ { "bits 30:0", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, BITS(30, 0) },
	{ { "bits 31 and 0", FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION) }, VMCS_SHADOW | 1 },
};

/* VMPTRLD of the spare region with its revision identifier changed. */
static outcome load_with_revision(uint32_t revision)
{
	outcome result;

	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = revision;
	result = vmptrld(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
	return result;
}

SWEEP(vmptrld, revision, "SDM VMPTRLD",
	"bits 30:0 of the region are not the CPU's revision identifier", revisions, COVERS_REVISION)
{
	return load_with_revision(vmx_revision() ^ TEST_ROW(struct revision_row)->flipped);
}

TEST(vmptrld, revision_no_vmcs, "SDM Conventions",
	"a bad revision identifier without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return load_with_revision(vmx_revision() ^ 1);
}

TEST(vmptrld, failed_leaves_current, "SDM VMPTRLD", "the failure leaves the current VMCS", OK,
	COVERS)
{
	if (load_with_revision(vmx_revision() ^ 1) != FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION))
		return test_error(__LINE__, "VMPTRLD did not fail");
	CHECK_EQUAL(current_pointer(), vmx_address(vmx_region));
	return OK;
}

TEST(vmptrld, shadow_indicator, "SDM VMPTRLD",
	"the shadow-VMCS indicator is accepted where VMCS shadowing is offered", OK, COVERS,
	.needs = NEEDS(&need_PROC2_VMCS_SHADOWING))
{
	outcome result = load_with_revision(vmx_revision() | VMCS_SHADOW);

	vmclear(vmx_address(vmx_spare_region));
	return result;
}

TEST(vmptrld, no_shadow_indicator, "SDM VMPTRLD",
	"the shadow-VMCS indicator is refused where VMCS shadowing is not offered",
	FAIL_VALID(VMX_ERROR_VMPTRLD_REVISION), COVERS_REVISION,
	.needs = NEEDS(&need_no_vmcs_shadowing))
{
	return load_with_revision(vmx_revision() | VMCS_SHADOW);
}

TEST(vmptrst, current, "SDM VMPTRST", "it stores the current-VMCS pointer", OK, COVERS_STORE)
{
	uint64_t pointer = 0;
	outcome result = vmptrst(&pointer);

	CHECK_EQUAL(test_observe(pointer), vmx_address(vmx_region));
	return result;
}

TEST(vmptrst, none, "SDM VMPTRST", "without a current VMCS it stores all ones, and succeeds", OK,
	COVERS_STORE)
{
	uint64_t pointer = 0;
	outcome result;

	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	result = vmptrst(&pointer);
	CHECK_EQUAL(test_observe(pointer), VMCS_NO_POINTER);
	return result;
}

TEST(vmptrst, eight_bytes, "SDM VMPTRST", "it writes 8 bytes and no more", OK, COVERS_STORE)
{
	uint64_t memory[3] = { 0x5555555555555555, 0x5555555555555555, 0x5555555555555555 };
	outcome result = vmptrst(&memory[1]);

	CHECK_EQUAL(test_observe(memory[0]), 0x5555555555555555);
	CHECK_EQUAL(test_observe(memory[1]), vmx_address(vmx_region));
	CHECK_EQUAL(test_observe(memory[2]), 0x5555555555555555);
	return result;
}
