/* VMX instructions in VMX non-root operation, in every mode of the guest (Intel SDM, "VMX
   Instruction Reference" and "Instructions That Cause VM Exits Unconditionally"). What the exits
   save is exit/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/needs.h"

#define COVERS_ALL                                                                                 \
	.covers = "insn:VMXON insn:VMXOFF insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD "     \
		  "insn:VMWRITE insn:VMLAUNCH insn:VMRESUME insn:VMCALL insn:INVEPT insn:INVVPID"

struct guest_row {
	struct test_row row;
	enum instruction instruction;
};

/* The instruction, and a VMFUNC behind it that stands for its end: not enabled, it makes #UD. */
static outcome run_in(enum guest_mode mode, enum instruction instruction)
{
	static uint8_t code[64];
	size_t bytes = instruction_encode_plain(code, instruction);

	if (!instruction_available(instruction))
		return TEST_ROW(struct guest_row)->row.expected;
	bytes += instruction_encode_plain(code + bytes, INSN_VMFUNC);
	guest_reset();
	guest_set_mode(mode, code, bytes);
	guest_gpr[RDI] = guest_gpr[RBX] = vmx_address(instruction_good_operand(instruction));
	guest_gpr[RCX] = guest_gpr[RAX] = instruction_good_value(instruction);
	if (mode == GUEST_PROTECTED16)
		guest_gpr[RBX] = 0x100; /* in its segment */
	return guest_run(NULL);
}

static const struct guest_row exiting[] = {
	{ { "VMXON", EXIT(EXIT_REASON_VMXON) }, INSN_VMXON },
	{ { "VMXOFF", EXIT(EXIT_REASON_VMXOFF) }, INSN_VMXOFF },
	{ { "VMCLEAR", EXIT(EXIT_REASON_VMCLEAR) }, INSN_VMCLEAR },
	{ { "VMPTRLD", EXIT(EXIT_REASON_VMPTRLD) }, INSN_VMPTRLD },
	{ { "VMPTRST", EXIT(EXIT_REASON_VMPTRST) }, INSN_VMPTRST },
	{ { "VMREAD", EXIT(EXIT_REASON_VMREAD) }, INSN_VMREAD },
	{ { "VMWRITE", EXIT(EXIT_REASON_VMWRITE) }, INSN_VMWRITE },
	{ { "VMLAUNCH", EXIT(EXIT_REASON_VMLAUNCH) }, INSN_VMLAUNCH },
	{ { "VMRESUME", EXIT(EXIT_REASON_VMRESUME) }, INSN_VMRESUME },
	{ { "VMCALL", EXIT(EXIT_REASON_VMCALL) }, INSN_VMCALL },
	{ { "INVEPT", EXIT(EXIT_REASON_INVEPT) }, INSN_INVEPT },
	{ { "INVVPID", EXIT(EXIT_REASON_INVVPID) }, INSN_INVVPID },
};

SWEEP(guest_mode, long_mode, "SDM Instructions That Cause VM Exits Unconditionally",
	"in non-root operation, in 64-bit mode at CPL 0, each exits", exiting, COVERS_ALL)
{
	return run_in(GUEST_64BIT, TEST_ROW(struct guest_row)->instruction);
}

SWEEP(guest_mode, long_mode_user, "SDM VMX Instruction Reference",
	"the VM exit comes before the check of the CPL: at CPL 3 each exits, too", exiting,
	COVERS_ALL)
{
	return run_in(GUEST_64BIT_USER, TEST_ROW(struct guest_row)->instruction);
}

SWEEP(guest_mode, pae, "SDM VMX Instruction Reference",
	"in protected mode with PAE paging each exits", exiting, COVERS_ALL)
{
	return run_in(GUEST_PAE, TEST_ROW(struct guest_row)->instruction);
}

SWEEP(guest_mode, protected, "SDM VMX Instruction Reference",
	"in protected mode with 32-bit paging each exits", exiting, COVERS_ALL)
{
	return run_in(GUEST_PAGED32, TEST_ROW(struct guest_row)->instruction);
}

SWEEP(guest_mode, protected16, "SDM VMX Instruction Reference",
	"in protected mode with 16-bit segments each exits", exiting, COVERS_ALL)
{
	return run_in(GUEST_PROTECTED16, TEST_ROW(struct guest_row)->instruction);
}

SWEEP(guest_mode, unpaged, "SDM VMX Instruction Reference",
	"in protected mode without paging each exits", exiting, COVERS_ALL,
	.needs = NEEDS(&need_unrestricted))
{
	return run_in(GUEST_UNPAGED32, TEST_ROW(struct guest_row)->instruction);
}

/* VMCALL alone is recognized where the others are not. */
static const struct guest_row not_recognized[] = {
	{ { "VMXON", FAULT(UD) }, INSN_VMXON },
	{ { "VMXOFF", FAULT(UD) }, INSN_VMXOFF },
	{ { "VMCLEAR", FAULT(UD) }, INSN_VMCLEAR },
	{ { "VMPTRLD", FAULT(UD) }, INSN_VMPTRLD },
	{ { "VMPTRST", FAULT(UD) }, INSN_VMPTRST },
	{ { "VMREAD", FAULT(UD) }, INSN_VMREAD },
	{ { "VMWRITE", FAULT(UD) }, INSN_VMWRITE },
	{ { "VMLAUNCH", FAULT(UD) }, INSN_VMLAUNCH },
	{ { "VMRESUME", FAULT(UD) }, INSN_VMRESUME },
	{ { "VMCALL", EXIT(EXIT_REASON_VMCALL) }, INSN_VMCALL },
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID },
};

/* Where no VMFUNC comes behind the instruction, #UD is the instruction's own. */
static outcome run_unrecognized(enum guest_mode mode)
{
	uint64_t start;
	outcome result = run_in(mode, TEST_ROW(struct guest_row)->instruction);

	if (result != FAULT(UD))
		return result;
	start = field_read(VMCS_GUEST_RIP);
	if (mode == GUEST_REAL || mode == GUEST_VIRTUAL_8086)
		CHECK_EQUAL(start, 0);
	return result;
}

SWEEP(guest_mode, compatibility, "SDM VMX Instruction Reference",
	"in compatibility mode all but VMCALL make #UD, before any VM exit", not_recognized,
	COVERS_ALL)
{
	return run_unrecognized(GUEST_COMPATIBILITY);
}

SWEEP(guest_mode, compatibility_user, "SDM VMX Instruction Reference",
	"in compatibility mode at CPL 3 all but VMCALL make #UD", not_recognized, COVERS_ALL)
{
	return run_unrecognized(GUEST_COMPATIBILITY_USER);
}

SWEEP(guest_mode, virtual_8086, "SDM VMX Instruction Reference",
	"in virtual-8086 mode all but VMCALL make #UD", not_recognized, COVERS_ALL)
{
	return run_unrecognized(GUEST_VIRTUAL_8086);
}

SWEEP(guest_mode, real, "SDM VMX Instruction Reference", "in real mode all but VMCALL make #UD",
	not_recognized, COVERS_ALL, .needs = NEEDS(&need_unrestricted))
{
	return run_unrecognized(GUEST_REAL);
}
