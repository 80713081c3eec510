/* RFLAGS after VMX instructions (Intel SDM, "Conventions" of the VMX instruction reference). */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"

#define COVERS                                                                                     \
	.covers = "insn:VMXON insn:VMXOFF insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD "     \
		  "insn:VMWRITE insn:VMLAUNCH insn:VMRESUME insn:VMCALL insn:INVEPT insn:INVVPID"
/* Flags that no VMX instruction touches. */
#define OTHER_FLAGS (RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

struct flags_row {
	struct test_row row;
	enum instruction instruction;
};

/* Runs it with those flags before; the flags after in *flags. */
static outcome run_with_flags(
	enum instruction instruction, void *memory, uint64_t value, uint64_t *flags)
{
	struct host_registers state = { .rflags = RFLAGS_FIXED | *flags };
	uint8_t code[HOST_CODE_MAX];
	outcome result;

	state.gpr[RDI] = vmx_address(memory);
	state.gpr[RCX] = value;
	result = host_execute(
		HOST_64BIT, code, instruction_encode_plain(code, instruction), &state, NULL);
	*flags = test_observe(state.rflags);
	return result;
}

/* From each of: no flag set, all set, each set alone; the other flags are kept. */
static outcome check_flags(
	enum instruction instruction, void *memory, uint64_t value, uint64_t expected)
{
	static const uint64_t before[] = { 0, VMX_FLAGS, RFLAGS_CF, RFLAGS_PF, RFLAGS_AF, RFLAGS_ZF,
		RFLAGS_SF, RFLAGS_OF, VMX_FLAGS | OTHER_FLAGS, OTHER_FLAGS };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(before); i++) {
		uint64_t flags = before[i];
		outcome result;

		if (instruction == INSN_VMXON && expected == 0)
			vmx_leave_operation();
		else if (!vmx_is_on())
			vmx_enter_operation();
		result = run_with_flags(instruction, memory, value, &flags);
		if (result != OK)
			return result;
		CHECK_EQUAL(flags, RFLAGS_FIXED | expected | (before[i] & OTHER_FLAGS));
	}
	return OK;
}

static const struct flags_row successes[] = {
	{ { "VMXON", OK }, INSN_VMXON },
	{ { "VMXOFF", OK }, INSN_VMXOFF },
	{ { "VMCLEAR", OK }, INSN_VMCLEAR },
	{ { "VMPTRLD", OK }, INSN_VMPTRLD },
	{ { "VMPTRST", OK }, INSN_VMPTRST },
	{ { "VMREAD", OK }, INSN_VMREAD },
	{ { "VMWRITE", OK }, INSN_VMWRITE },
	{ { "INVEPT", OK }, INSN_INVEPT },
	{ { "INVVPID", OK }, INSN_INVVPID },
};

SWEEP(flags, success, "SDM Conventions",
	"VMsucceed clears CF, PF, AF, ZF, SF, OF and leaves the others", successes, COVERS)
{
	enum instruction instruction = TEST_ROW(struct flags_row)->instruction;

	if (!vmx_is_on())
		vmx_enter_operation();
	guest_reset();
	if (!instruction_available(instruction))
		return OK;
	return check_flags(instruction, instruction_good_operand(instruction),
		instruction_good_value(instruction), 0);
}

/* What fails whatever the VMCS: bad operands, and instructions that are out of place. */
static const struct flags_row failures[] = {
	{ { "VMXON", OK }, INSN_VMXON },
	{ { "VMCLEAR", OK }, INSN_VMCLEAR },
	{ { "VMPTRLD", OK }, INSN_VMPTRLD },
	{ { "VMREAD", OK }, INSN_VMREAD },
	{ { "VMWRITE", OK }, INSN_VMWRITE },
	{ { "VMRESUME", OK }, INSN_VMRESUME },
	{ { "INVEPT", OK }, INSN_INVEPT },
	{ { "INVVPID", OK }, INSN_INVVPID },
};

static outcome check_failure(uint64_t expected)
{
	static uint64_t unaligned[2] = { 1, 0 };
	enum instruction instruction = TEST_ROW(struct flags_row)->instruction;

	if (!instruction_available(instruction))
		return OK;
	return check_flags(instruction, unaligned, UINT32_MAX, expected);
}

SWEEP(flags, fail_valid, "SDM Conventions",
	"VMfailValid sets ZF, clears CF, PF, AF, SF, OF and leaves the others", failures, COVERS)
{
	return check_failure(RFLAGS_ZF);
}

SWEEP(flags, fail_invalid, "SDM Conventions",
	"VMfailInvalid sets CF, clears PF, AF, ZF, SF, OF and leaves the others", failures, COVERS)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return check_failure(RFLAGS_CF);
}

TEST(flags, vmlaunch_fail_valid, "SDM Conventions", "VMLAUNCH that fails sets ZF alone", OK,
	.covers = "insn:VMLAUNCH")
{
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	return check_flags(INSN_VMLAUNCH, NULL, 0, RFLAGS_ZF);
}

TEST(flags, vmlaunch_fail_invalid, "SDM Conventions",
	"VMLAUNCH without a current VMCS sets CF alone", OK, .covers = "insn:VMLAUNCH")
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return check_flags(INSN_VMLAUNCH, NULL, 0, RFLAGS_CF);
}

TEST(flags, vmcall_fail_invalid, "SDM Conventions", "VMCALL without a current VMCS sets CF alone",
	OK, .covers = "insn:VMCALL")
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return check_flags(INSN_VMCALL, NULL, 0, RFLAGS_CF);
}
