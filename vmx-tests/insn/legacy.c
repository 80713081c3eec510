/* VMX instructions on a host outside IA-32e mode (Intel SDM, "VMX Instruction Reference": operand
   sizes, and the exceptions of protected, virtual-8086 and real-address mode). */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/host_legacy.h"
#include "vmx-tests/insn/instruction.h"

#define COVERS_ALL                                                                                 \
	.covers = "insn:VMXON insn:VMXOFF insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD "     \
		  "insn:VMWRITE insn:VMLAUNCH insn:VMRESUME insn:VMCALL insn:VMFUNC insn:INVEPT "  \
		  "insn:INVVPID"

struct legacy_row {
	struct test_row row;
	enum instruction instruction;
};

/* The row's instruction on its good operand, in a mode. */
static outcome run_row(enum legacy_mode mode, bool vmx)
{
	enum instruction instruction = TEST_ROW(struct legacy_row)->instruction;
	struct legacy_state state = { .vmx = vmx, .eflags = VMX_FLAGS };
	uint8_t code[LEGACY_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, instruction);
	outcome result;

	if (!instruction_available(instruction))
		return TEST_ROW(struct legacy_row)->row.expected;
	state.gpr[RDI] = (uint32_t)vmx_address(instruction_good_operand(instruction));
	state.gpr[RCX] = state.gpr[RAX] = (uint32_t)instruction_good_value(instruction);
	result = legacy_execute(mode, code, bytes, &state, NULL);
	return result == OK && (state.eflags & VMX_FLAGS) ? FAIL_INVALID : result;
}

/* All but those that end elsewhere: VMXON, VMLAUNCH, VMRESUME, VMCALL, VMFUNC. */
#define COMMON_ROWS(expected)                                                                      \
	{ { "VMXOFF", expected }, INSN_VMXOFF }, { { "VMCLEAR", expected }, INSN_VMCLEAR },        \
		{ { "VMPTRLD", expected }, INSN_VMPTRLD },                                         \
		{ { "VMPTRST", expected }, INSN_VMPTRST },                                         \
		{ { "VMREAD", expected }, INSN_VMREAD },                                           \
		{ { "VMWRITE", expected }, INSN_VMWRITE },                                         \
		{ { "INVEPT", expected }, INSN_INVEPT },                                           \
	{                                                                                          \
		{ "INVVPID", expected }, INSN_INVVPID                                              \
	}
#define OTHER_ROWS(expected)                                                                       \
	{ { "VMLAUNCH", expected }, INSN_VMLAUNCH }, { { "VMRESUME", expected }, INSN_VMRESUME },  \
		{ { "VMCALL", expected }, INSN_VMCALL },                                           \
	{                                                                                          \
		{ "VMFUNC", FAULT(UD) }, INSN_VMFUNC                                               \
	}

static const struct legacy_row protected[] = { COMMON_ROWS(OK),
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC } };

SWEEP(legacy, protected, "SDM VMX Instruction Reference",
	"in root operation in protected mode they succeed; VMFUNC makes #UD", protected, COVERS_ALL)
{
	return run_row(LEGACY_PROTECTED, true);
}

SWEEP(legacy, protected16, "SDM VMX Instruction Reference",
	"in a 16-bit code segment they do the same: CS.D does not count", protected, COVERS_ALL)
{
	enum instruction instruction = TEST_ROW(struct legacy_row)->instruction;
	struct legacy_state state = {
		.vmx = true, .ds = LEGACY_SELECTOR_SMALL, .eflags = VMX_FLAGS
	};
	uint8_t code[LEGACY_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, instruction); /* (%bx) */
	outcome result;

	if (!instruction_available(instruction))
		return TEST_ROW(struct legacy_row)->row.expected;
	memcpy(legacy_area, instruction_good_operand(instruction), 16);
	state.gpr[RCX] = state.gpr[RAX] = (uint32_t)instruction_good_value(instruction);
	result = legacy_execute(LEGACY_PROTECTED16, code, bytes, &state, NULL);
	return result == OK && (state.eflags & VMX_FLAGS) ? FAIL_INVALID : result;
}

static const struct legacy_row user[] = { { { "VMXON", FAULT(GP) }, INSN_VMXON },
	COMMON_ROWS(FAULT(GP)), OTHER_ROWS(FAULT(GP)) };

SWEEP(legacy, user, "SDM VMX Instruction Reference",
	"in root operation in protected mode at CPL 3 they make #GP(0), VMFUNC makes #UD", user,
	COVERS_ALL)
{
	return run_row(LEGACY_USER, true);
}

static const struct legacy_row undefined[] = { { { "VMXON", FAULT(UD) }, INSN_VMXON },
	COMMON_ROWS(FAULT(UD)), OTHER_ROWS(FAULT(UD)) };

SWEEP(legacy, virtual_8086, "SDM VMX Instruction Reference",
	"in root operation in virtual-8086 mode they are not recognized", undefined, COVERS_ALL)
{
	return run_row(LEGACY_VIRTUAL_8086, true);
}

SWEEP(legacy, virtual_8086_outside, "SDM VMX Instruction Reference",
	"outside VMX operation in virtual-8086 mode they are not recognized", undefined, COVERS_ALL)
{
	return run_row(LEGACY_VIRTUAL_8086, false);
}

SWEEP(legacy, real, "SDM VMX Instruction Reference", "in real-address mode they are not recognized",
	undefined, COVERS_ALL)
{
	return run_row(LEGACY_REAL, false);
}

static const struct legacy_row outside[] = { COMMON_ROWS(FAULT(UD)), OTHER_ROWS(FAULT(UD)) };

SWEEP(legacy, outside, "SDM VMX Instruction Reference",
	"outside VMX operation in protected mode all but VMXON make #UD", outside, COVERS_ALL)
{
	return run_row(LEGACY_PROTECTED, false);
}

SWEEP(legacy, outside_unpaged, "SDM VMX Instruction Reference",
	"outside VMX operation without paging all but VMXON make #UD", outside, COVERS_ALL)
{
	return run_row(LEGACY_UNPAGED, false);
}

static outcome run_vmxon(enum legacy_mode mode)
{
	struct legacy_state state = { .eflags = VMX_FLAGS };
	uint8_t code[LEGACY_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, INSN_VMXON);
	outcome result;

	state.gpr[RDI] = (uint32_t)vmx_address(instruction_good_operand(INSN_VMXON));
	result = legacy_execute(mode, code, bytes, &state, NULL);
	return result == OK ? vmx_outcome(state.eflags) : result;
}

TEST(legacy, vmxon, "SDM VMXON", "in protected mode with paging VMXON succeeds", OK,
	.covers = "insn:VMXON")
{
	return run_vmxon(LEGACY_PROTECTED);
}

TEST(legacy, vmxon_user, "SDM VMXON", "in protected mode at CPL 3 VMXON makes #GP(0)", FAULT(GP),
	.covers = "insn:VMXON")
{
	return run_vmxon(LEGACY_USER);
}

TEST(legacy, vmxon_unpaged, "SDM VMXON",
	"with CR0.PG = 0, which VMX operation does not allow, VMXON makes #GP(0)", FAULT(GP),
	.covers = "insn:VMXON msr:IA32_VMX_CR0_FIXED0")
{
	return run_vmxon(LEGACY_UNPAGED);
}

static void nothing(void)
{
}

/* mov %eax, %cr0 with CR0.PG = 0 in protected mode; mov %ecx, %cr0 behind it undoes it, should it
 * be done. */
TEST(legacy, cr0_pg, "SDM Restrictions on VMX Operation",
	"in root operation in protected mode clearing CR0.PG makes #GP(0)", FAULT(GP),
	.covers = "msr:IA32_VMX_CR0_FIXED0")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xc0, 0x0f, 0x22, 0xc1 };
	struct legacy_state state = { .vmx = true };

	if (guest_run(nothing) !=
		EXIT(EXIT_REASON_VMCALL)) /* not an unrestricted one, as may have run before */
		return test_error(__LINE__, "the guest did not run");
	state.gpr[RAX] = (uint32_t)(read_cr0() & ~CR0_PG);
	state.gpr[RCX] = (uint32_t)read_cr0();
	return legacy_execute(LEGACY_PROTECTED, code, sizeof(code), &state, NULL);
}

TEST(legacy, cr4_vmxe, "SDM Restrictions on VMX Operation",
	"in root operation in protected mode clearing CR4.VMXE makes #GP(0)", FAULT(GP),
	.covers = "msr:IA32_VMX_CR4_FIXED0")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xe0 }; /* mov %eax, %cr4 */
	struct legacy_state state = { .vmx = true };

	state.gpr[RAX] = (uint32_t)((read_cr4() & ~(CR4_VMXE | CR4_PAE)) | CR4_PSE);
	return legacy_execute(LEGACY_PROTECTED, code, sizeof(code), &state, NULL);
}
