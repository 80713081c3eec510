/* Several VMCSs (Intel SDM, "Software Use of Virtual-Machine Control Structures"): active ones keep
   their data while another one is current, and none sees what is written to another. */
#define TEST_FOLDER "vmcs/"
#include "runtime/harness.h"
#include "vmx-tests/vmcs/field.h"
#include "vmx-tests/vmcs/several.h"

#define COVERS .covers = "insn:VMPTRLD insn:VMCLEAR field:*"

static void nothing(void)
{
}

/* Different for each field and each VMCS, within the field's width. */
static uint64_t value_for(enum vmcs_index field, unsigned int vmcs)
{
	return ((field + 1) * UINT64_C(0x0123456789abcdef) + vmcs * UINT64_C(0x1111111111111111)) &
	       field_bits(field);
}

/* Every field but the error, which failing instructions write. */
static bool is_compared(enum vmcs_index field)
{
	return field_is_usable(field) && field != FIELD_VM_INSTRUCTION_ERROR;
}

static void fill(unsigned int vmcs)
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		if (is_compared(i))
			field_write(vmcs_fields[i].encoding, value_for(i, vmcs));
}

static outcome compare(unsigned int vmcs)
{
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		if (is_compared(i) &&
			(field_read(vmcs_fields[i].encoding) & field_bits(i)) != value_for(i, vmcs))
			return test_mismatch(
				__LINE__, "%s of VMCS %u changed", vmcs_fields[i].name, vmcs);
	return OK;
}

TEST(pointer, independent, "SDM Software Use of Virtual-Machine Control Structures",
	"all fields of several active VMCSs are kept apart", OK, COVERS)
{
	unsigned int i;
	outcome result = OK;

	several_prepare();
	for (i = 0; i < SEVERAL; i++) {
		several_load(i);
		fill(i);
	}
	for (i = 0; i < SEVERAL && result == OK; i++) {
		several_load(SEVERAL - 1 - i);
		result = compare(SEVERAL - 1 - i);
	}
	return result;
}

TEST(pointer, interleaved, "SDM Software Use of Virtual-Machine Control Structures",
	"VMCSs made current in turn keep single writes between", OK, COVERS)
{
	unsigned int round, i;

	several_prepare();
	for (round = 0; round < 4; round++) {
		for (i = 0; i < SEVERAL; i++) {
			several_load(i);
			if (round > 0)
				CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (round - 1) * 256 + i);
			field_write(VMCS_GUEST_RIP, round * 256 + i);
		}
	}
	return OK;
}

TEST(pointer, vmptrld_same_keeps, "SDM VMPTRLD", "VMPTRLD of the current VMCS keeps its data", OK,
	COVERS)
{
	fill(3);
	if (vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	return compare(3);
}

TEST(pointer, vmclear_keeps, "SDM VMCLEAR", "VMCLEAR and VMPTRLD keep all fields", OK, COVERS)
{
	fill(5);
	if (vmclear(vmx_address(vmx_region)) != OK || vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR or VMPTRLD failed");
	return compare(5);
}

TEST(pointer, vmclear_other, "SDM VMCLEAR",
	"VMCLEAR of a VMCS that is not current keeps its data and the current one's", OK, COVERS)
{
	outcome result;

	several_prepare();
	several_load(0);
	fill(0);
	several_load(1);
	fill(1);
	if (vmclear(vmx_address(several_region(0))) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	result = compare(1);
	if (result != OK)
		return result;
	several_load(0);
	return compare(0);
}

TEST(pointer, vmxoff_keeps_cleared, "SDM Software Use of Virtual-Machine Control Structures",
	"VMCSs that were cleared keep their data over VMXOFF and VMXON", OK, COVERS)
{
	unsigned int i;
	outcome result = OK;

	several_prepare();
	for (i = 0; i < SEVERAL; i++) {
		several_load(i);
		fill(i);
		if (vmclear(vmx_address(several_region(i))) != OK)
			return test_error(__LINE__, "VMCLEAR failed");
	}
	vmx_leave_operation();
	vmx_enter_operation();
	for (i = 0; i < SEVERAL && result == OK; i++) {
		several_load(i);
		result = compare(i);
	}
	return result;
}

TEST(pointer, error_is_per_vmcs, "SDM VM-Instruction Error Field",
	"the VM-instruction error is the current VMCS's", OK,
	.covers = "field:VM_INSTRUCTION_ERROR")
{
	several_prepare();
	several_load(0);
	if (vmptrld(vmx_address(vmx_on_region)) != FAIL_VALID(VMX_ERROR_VMPTRLD_VMXON_POINTER))
		return test_error(__LINE__, "VMPTRLD did not fail");
	several_load(1);
	if (vmclear(vmx_address(vmx_on_region)) != FAIL_VALID(VMX_ERROR_VMCLEAR_VMXON_POINTER))
		return test_error(__LINE__, "VMCLEAR did not fail");
	several_load(0);
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMPTRLD_VMXON_POINTER);
	several_load(1);
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMCLEAR_VMXON_POINTER);
	return OK;
}

static uint64_t guest_of; /* the number of the guest that ran */

static void note_guest(void)
{
	__asm__ volatile("movq %%rdi, %0" : "=m"(guest_of));
}

TEST(pointer, guests_in_turn, "SDM Software Use of Virtual-Machine Control Structures",
	"guests of several VMCSs, entered in turn, save into their own VMCS", OK, COVERS)
{
	unsigned int round, i;
	outcome result;

	several_prepare();
	for (round = 0; round < 3; round++)
		for (i = 0; i < SEVERAL; i++) {
			several_load(i);
			if (round > 0)
				CHECK_EQUAL(field_read(VMCS_GUEST_CR3) & BITS(4, 3), (i & 3) << 3);
			field_write(VMCS_GUEST_CR3, field_read(VMCS_GUEST_CR3) | (i & 3) << 3);
			guest_gpr[RDI] = i + 100;
			guest_set_code(note_guest);
			result = round == 0 ? guest_launch() : guest_resume();
			if (result != EXIT(EXIT_REASON_VMCALL))
				return result;
			CHECK_EQUAL(test_observe(guest_of), i + 100);
		}
	return OK;
}

TEST(pointer, exit_information, "SDM Software Use of Virtual-Machine Control Structures",
	"a VM exit writes the current VMCS and no other", OK, COVERS)
{
	several_prepare();
	several_load(0);
	guest_set_code(nothing);
	if (guest_launch() != EXIT(EXIT_REASON_VMCALL))
		return test_error(__LINE__, "VMLAUNCH failed");
	several_load(1);
	field_write(VMCS_EXCEPTION_BITMAP, UINT32_MAX);
	field_write(VMCS_GUEST_RIP, 0);
	field_write(VMCS_GUEST_RFLAGS, 0);
	if (guest_launch() != ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE))
		return test_error(__LINE__, "the entry did not fail");
	several_load(0);
	CHECK_EQUAL(field_read(VMCS_EXIT_REASON), EXIT_REASON_VMCALL);
	several_load(1);
	CHECK_EQUAL(field_read(VMCS_EXIT_REASON),
		EXIT_REASON_ENTRY_FAILURE_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
	return OK;
}

/* Each of them fails, for a reason of its own. */
static bool fail_all(void)
{
	uint64_t value;

	return vmxon(vmx_address(vmx_on_region)) == FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT) &&
	       vmclear(vmx_address(vmx_on_region)) == FAIL_VALID(VMX_ERROR_VMCLEAR_VMXON_POINTER) &&
	       vmclear(1) == FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS) &&
	       vmptrld(vmx_address(vmx_on_region)) == FAIL_VALID(VMX_ERROR_VMPTRLD_VMXON_POINTER) &&
	       vmptrld(1) == FAIL_VALID(VMX_ERROR_VMPTRLD_ADDRESS) &&
	       vmread(UINT32_MAX, &value) == FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT) &&
	       vmwrite(UINT32_MAX, 0) == FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT);
}

TEST(pointer, failures_keep_fields, "SDM Conventions",
	"VMfailValid writes the VM-instruction error and no other field", OK,
	.covers = "field:* field:VM_INSTRUCTION_ERROR")
{
	fill(2);
	if (!fail_all())
		return test_error(__LINE__, "an instruction did not fail");
	return compare(2);
}

TEST(pointer, fail_invalid_keeps_error, "SDM Conventions",
	"VMfailInvalid leaves the VM-instruction error of a VMCS that is active, but not current",
	OK, .covers = "field:VM_INSTRUCTION_ERROR")
{
	uint64_t value;

	several_prepare();
	several_load(0);
	if (vmclear(1) != FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS))
		return test_error(__LINE__, "VMCLEAR did not fail");
	several_load(1);
	vmclear(vmx_address(several_region(1)));
	if (vmread(UINT32_MAX, &value) != FAIL_INVALID || vmptrld(1) != FAIL_INVALID)
		return test_mismatch(__LINE__, "not VMfailInvalid");
	several_load(0);
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMCLEAR_ADDRESS);
	return OK;
}

TEST(pointer, error_follows_last, "SDM VM-Instruction Error Field",
	"each failure replaces the error of the one before", OK,
	.covers = "field:VM_INSTRUCTION_ERROR")
{
	if (vmclear(1) != FAIL_VALID(VMX_ERROR_VMCLEAR_ADDRESS))
		return test_error(__LINE__, "VMCLEAR did not fail");
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMCLEAR_ADDRESS);
	if (vmptrld(1) != FAIL_VALID(VMX_ERROR_VMPTRLD_ADDRESS))
		return test_error(__LINE__, "VMPTRLD did not fail");
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMPTRLD_ADDRESS);
	return OK;
}
