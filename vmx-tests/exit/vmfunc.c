/* VMFUNC: when it is #UD and when it exits (Intel SDM, "VM Functions"). What EPTP switching does is
 * ept/'s. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Enabling VM Functions; General Operation of the VMFUNC Instruction"
#define COVERS                                                                                     \
	"control:PROC2_ENABLE_VM_FUNCTIONS field:VM_FUNCTION_CONTROLS exit:VMFUNC insn:VMFUNC"
#define NEEDED NEEDS(&need_PROC2_ENABLE_VM_FUNCTIONS)

GUEST64(vmfunc_vmfunc, "vmfunc");

struct vmfunc_row {
	struct test_row row;
	enum guest_mode mode;
	uint64_t rax;
};

static outcome run_vmfunc(const struct vmfunc_row *row, bool enabled)
{
	struct exit_case as_case = { row->row, CODE_OF(vmfunc_vmfunc), row->mode, 3, 0 };

	guest_reset();
	exit_control(CONTROL_WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS, enabled);
	guest_gpr[RAX] = row->rax;
	return exit_run_case(&as_case);
}

#define ROW(name, mode, rax)                                                                       \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMFUNC) }, mode, rax                                      \
	}
static const struct vmfunc_row exits[] = {
	ROW("0, its control 0", GUEST_64BIT, 0),
	ROW("1", GUEST_64BIT, 1),
	ROW("63", GUEST_64BIT, 63),
	ROW("0 at CPL 3", GUEST_64BIT_USER, 0),
	ROW("upper half of RAX", GUEST_64BIT, UINT64_C(64) << 32),
	ROW("0 in compatibility mode", GUEST_COMPATIBILITY, 0),
	ROW("0 with PAE paging", GUEST_PAE, 0),
	ROW("0 in virtual-8086 mode", GUEST_VIRTUAL_8086, 0),
};

SWEEP(vmfunc, exits, SECTION,
	"a function from 0 to 63 whose control is 0 exits, at every CPL and in every mode", exits,
	.needs = NEEDED, .covers = COVERS)
{
	return run_vmfunc(TEST_ROW(struct vmfunc_row), true);
}

static const struct vmfunc_row above[] = {
	{ { "64", FAULT(UD) }, GUEST_64BIT, 64 },
	{ { "64 at CPL 3", FAULT(UD) }, GUEST_64BIT_USER, 64 },
	{ { "-1", FAULT(UD) }, GUEST_64BIT, UINT64_MAX },
};

SWEEP(vmfunc, above_63, SECTION, "a function above 63 is #UD, although VM functions are enabled",
	above, .needs = NEEDED, .covers = COVERS)
{
	return run_vmfunc(TEST_ROW(struct vmfunc_row), true);
}

static const struct vmfunc_row disabled[] = {
	{ { "CPL 0", FAULT(UD) }, GUEST_64BIT, 0 },
	{ { "CPL 3", FAULT(UD) }, GUEST_64BIT_USER, 0 },
	{ { "function 64", FAULT(UD) }, GUEST_64BIT, 64 },
};

SWEEP(vmfunc, disabled, SECTION, "VMFUNC is #UD when \"enable VM functions\" is 0", disabled,
	.covers = COVERS)
{
	return run_vmfunc(TEST_ROW(struct vmfunc_row), false);
}
