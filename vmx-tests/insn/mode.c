/* Where VMX instructions are recognized (Intel SDM, "VMX Instruction Reference", the operation and
   exceptions of each instruction): outside VMX operation and in root operation. The guest's modes
   are mode_guest.c's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"

#define COVERS_ALL                                                                                 \
	.covers = "insn:VMXON insn:VMXOFF insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD "     \
		  "insn:VMWRITE insn:VMLAUNCH insn:VMRESUME insn:VMCALL insn:VMFUNC insn:INVEPT "  \
		  "insn:INVVPID"

struct mode_row {
	struct test_row row;
	enum instruction instruction;
};

static outcome run_row(enum host_mode mode)
{
	const struct mode_row *row = TEST_ROW(struct mode_row);

	if (!instruction_available(row->instruction))
		return row->row.expected;
	return instruction_run_in(mode, row->instruction,
		instruction_good_operand(row->instruction),
		instruction_good_value(row->instruction));
}

static const struct mode_row outside[] = {
	{ { "VMXOFF", FAULT(UD) }, INSN_VMXOFF },
	{ { "VMCLEAR", FAULT(UD) }, INSN_VMCLEAR },
	{ { "VMPTRLD", FAULT(UD) }, INSN_VMPTRLD },
	{ { "VMPTRST", FAULT(UD) }, INSN_VMPTRST },
	{ { "VMREAD", FAULT(UD) }, INSN_VMREAD },
	{ { "VMWRITE", FAULT(UD) }, INSN_VMWRITE },
	{ { "VMLAUNCH", FAULT(UD) }, INSN_VMLAUNCH },
	{ { "VMRESUME", FAULT(UD) }, INSN_VMRESUME },
	{ { "VMCALL", FAULT(UD) }, INSN_VMCALL },
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC },
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID },
};

SWEEP(mode, outside, "SDM VMX Instruction Reference",
	"outside VMX operation every VMX instruction but VMXON makes #UD", outside, COVERS_ALL)
{
	vmx_leave_operation();
	return run_row(HOST_64BIT);
}

SWEEP(mode, outside_user, "SDM VMX Instruction Reference",
	"outside VMX operation #UD comes before the check of the CPL", outside, COVERS_ALL)
{
	vmx_leave_operation();
	return run_row(HOST_64BIT_USER);
}

SWEEP(mode, outside_compatibility, "SDM VMX Instruction Reference",
	"outside VMX operation they make #UD in compatibility mode, too", outside, COVERS_ALL)
{
	vmx_leave_operation();
	return run_row(HOST_COMPATIBILITY);
}

SWEEP(mode, outside_vmxe_clear, "SDM Enabling and Entering VMX Operation",
	"with CR4.VMXE = 0 they make #UD", outside, COVERS_ALL)
{
	outcome result;

	vmx_leave_operation();
	write_cr4(read_cr4() & ~CR4_VMXE);
	result = run_row(HOST_64BIT);
	write_cr4(read_cr4() | CR4_VMXE);
	return result;
}

static const struct mode_row root[] = {
	{ { "VMXON", FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT) }, INSN_VMXON },
	{ { "VMCLEAR", OK }, INSN_VMCLEAR },
	{ { "VMPTRLD", OK }, INSN_VMPTRLD },
	{ { "VMPTRST", OK }, INSN_VMPTRST },
	{ { "VMREAD", OK }, INSN_VMREAD },
	{ { "VMWRITE", OK }, INSN_VMWRITE },
	{ { "VMRESUME", FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED) }, INSN_VMRESUME },
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC },
	{ { "INVEPT", OK }, INSN_INVEPT },
	{ { "INVVPID", OK }, INSN_INVVPID },
	{ { "VMXOFF", OK }, INSN_VMXOFF },
};

SWEEP(mode, root, "SDM VMX Instruction Reference",
	"in root operation, in 64-bit mode at CPL 0, they are executed; VMFUNC makes #UD", root,
	COVERS_ALL)
{
	if (!vmx_is_on())
		vmx_enter_operation();
	guest_reset();
	return run_row(HOST_64BIT);
}

static const struct mode_row root_user[] = {
	{ { "VMXON", FAULT(GP) }, INSN_VMXON },
	{ { "VMXOFF", FAULT(GP) }, INSN_VMXOFF },
	{ { "VMCLEAR", FAULT(GP) }, INSN_VMCLEAR },
	{ { "VMPTRLD", FAULT(GP) }, INSN_VMPTRLD },
	{ { "VMPTRST", FAULT(GP) }, INSN_VMPTRST },
	{ { "VMREAD", FAULT(GP) }, INSN_VMREAD },
	{ { "VMWRITE", FAULT(GP) }, INSN_VMWRITE },
	{ { "VMLAUNCH", FAULT(GP) }, INSN_VMLAUNCH },
	{ { "VMRESUME", FAULT(GP) }, INSN_VMRESUME },
	{ { "VMCALL", FAULT(GP) }, INSN_VMCALL },
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC },
	{ { "INVEPT", FAULT(GP) }, INSN_INVEPT },
	{ { "INVVPID", FAULT(GP) }, INSN_INVVPID },
};

SWEEP(mode, root_user, "SDM VMX Instruction Reference",
	"in root operation at CPL 3 they make #GP(0), VMFUNC makes #UD", root_user, COVERS_ALL)
{
	return run_row(HOST_64BIT_USER);
}

SWEEP(mode, root_user_no_vmcs, "SDM VMX Instruction Reference",
	"the check of the CPL comes before that of the current-VMCS pointer", root_user, COVERS_ALL)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return run_row(HOST_64BIT_USER);
}

static const struct mode_row compatibility[] = {
	{ { "VMXON", FAULT(UD) }, INSN_VMXON },
	{ { "VMXOFF", FAULT(UD) }, INSN_VMXOFF },
	{ { "VMCLEAR", FAULT(UD) }, INSN_VMCLEAR },
	{ { "VMPTRLD", FAULT(UD) }, INSN_VMPTRLD },
	{ { "VMPTRST", FAULT(UD) }, INSN_VMPTRST },
	{ { "VMREAD", FAULT(UD) }, INSN_VMREAD },
	{ { "VMWRITE", FAULT(UD) }, INSN_VMWRITE },
	{ { "VMLAUNCH", FAULT(UD) }, INSN_VMLAUNCH },
	{ { "VMRESUME", FAULT(UD) }, INSN_VMRESUME },
	{ { "VMCALL", FAULT(UD) }, INSN_VMCALL },
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC },
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID },
};

SWEEP(mode, root_compatibility, "SDM VMX Instruction Reference",
	"in root operation they are not recognized in compatibility mode", compatibility,
	COVERS_ALL)
{
	return run_row(HOST_COMPATIBILITY);
}

SWEEP(mode, root_compatibility_user, "SDM VMX Instruction Reference",
	"in compatibility mode #UD comes before the check of the CPL", compatibility, COVERS_ALL)
{
	return run_row(HOST_COMPATIBILITY_USER);
}

/* An operand that nothing is mapped at: its fault would come if the instruction looked at it. */
#define UNMAPPED ((void *)(uintptr_t)BIT(40))

SWEEP(mode, root_user_unmapped, "SDM VMX Instruction Reference",
	"the check of the CPL comes before the access to the operand", root_user, COVERS_ALL)
{
	enum instruction instruction = TEST_ROW(struct mode_row)->instruction;

	if (!instruction_available(instruction))
		return TEST_ROW(struct mode_row)->row.expected;
	return instruction_run_in(
		HOST_64BIT_USER, instruction, UNMAPPED, instruction_good_value(instruction));
}

SWEEP(mode, outside_unmapped, "SDM VMX Instruction Reference",
	"outside VMX operation #UD comes before the access to the operand", outside, COVERS_ALL)
{
	enum instruction instruction = TEST_ROW(struct mode_row)->instruction;

	if (!instruction_available(instruction))
		return TEST_ROW(struct mode_row)->row.expected;
	vmx_leave_operation();
	return instruction_run(instruction, UNMAPPED, instruction_good_value(instruction));
}

TEST(mode, vmxon_outside_user, "SDM VMXON", "outside VMX operation at CPL 3: #GP(0)", FAULT(GP),
	.covers = "insn:VMXON")
{
	vmx_leave_operation();
	return instruction_run_in(
		HOST_64BIT_USER, INSN_VMXON, instruction_good_operand(INSN_VMXON), 0);
}

TEST(mode, vmxon_outside_compatibility, "SDM VMXON", "in compatibility mode: #UD", FAULT(UD),
	.covers = "insn:VMXON")
{
	vmx_leave_operation();
	return instruction_run_in(
		HOST_COMPATIBILITY, INSN_VMXON, instruction_good_operand(INSN_VMXON), 0);
}
