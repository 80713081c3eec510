/* Encodings that are not VMX instructions though they look like them (Intel SDM, the opcode tables,
   and "VMX Instruction Reference": LOCK, 66H, F2H, F3H, register operands). All of them make #UD.
 */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "spec/cpuid.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"

#define LOCK 0xf0
#define COVERS_ALL                                                                                 \
	.covers = "insn:VMXON insn:VMXOFF insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD "     \
		  "insn:VMWRITE insn:VMLAUNCH insn:VMRESUME insn:VMCALL insn:VMFUNC insn:INVEPT "  \
		  "insn:INVVPID"

struct prefix_row {
	struct test_row row;
	enum instruction instruction;
	uint8_t prefix;
};

static outcome run_bytes(const uint8_t *code, size_t bytes, enum instruction instruction)
{
	struct host_registers state = { .rflags = RFLAGS_FIXED };
	outcome result;

	state.gpr[RDI] = vmx_address(instruction_good_operand(instruction));
	state.gpr[RCX] = instruction_good_value(instruction);
	result = host_execute(HOST_64BIT, code, bytes, &state, NULL);
	return result == OK ? vmx_outcome(state.rflags) : result;
}

static outcome run_prefixed(void)
{
	const struct prefix_row *row = TEST_ROW(struct prefix_row);
	uint8_t code[HOST_CODE_MAX] = { row->prefix };

	return run_bytes(
		code, 1 + instruction_encode_plain(code + 1, row->instruction), row->instruction);
}

static const struct prefix_row locked[] = {
	{ { "VMXON", FAULT(UD) }, INSN_VMXON, LOCK },
	{ { "VMXOFF", FAULT(UD) }, INSN_VMXOFF, LOCK },
	{ { "VMCLEAR", FAULT(UD) }, INSN_VMCLEAR, LOCK },
	{ { "VMPTRLD", FAULT(UD) }, INSN_VMPTRLD, LOCK },
	{ { "VMPTRST", FAULT(UD) }, INSN_VMPTRST, LOCK },
	{ { "VMREAD", FAULT(UD) }, INSN_VMREAD, LOCK },
	{ { "VMWRITE", FAULT(UD) }, INSN_VMWRITE, LOCK },
	{ { "VMLAUNCH", FAULT(UD) }, INSN_VMLAUNCH, LOCK },
	{ { "VMRESUME", FAULT(UD) }, INSN_VMRESUME, LOCK },
	{ { "VMCALL", FAULT(UD) }, INSN_VMCALL, LOCK },
	{ { "VMFUNC", FAULT(UD) }, INSN_VMFUNC, LOCK },
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT, LOCK },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID, LOCK },
};

SWEEP(prefix, lock, "SDM LOCK", "the LOCK prefix makes #UD", locked, COVERS_ALL)
{
	return run_prefixed();
}

SWEEP(prefix, lock_guest, "SDM Relative Priority of Faults and VM Exits",
	"in non-root operation, too, #UD by LOCK comes before the VM exit", locked, COVERS_ALL)
{
	const struct prefix_row *row = TEST_ROW(struct prefix_row);
	static uint8_t code[16];

	code[0] = row->prefix;
	guest_reset();
	guest_set_mode(GUEST_64BIT, code, 1 + instruction_encode_plain(code + 1, row->instruction));
	guest_gpr[RDI] = vmx_address(instruction_good_operand(row->instruction));
	return guest_run(NULL);
}

static const struct prefix_row forbidden[] = {
	{ { "66 VMREAD", FAULT(UD) }, INSN_VMREAD, 0x66 },
	{ { "F2 VMREAD", FAULT(UD) }, INSN_VMREAD, 0xf2 },
	{ { "F3 VMREAD", FAULT(UD) }, INSN_VMREAD, 0xf3 },
	{ { "66 VMWRITE", FAULT(UD) }, INSN_VMWRITE, 0x66 },
	{ { "F2 VMWRITE", FAULT(UD) }, INSN_VMWRITE, 0xf2 },
	{ { "F3 VMWRITE", FAULT(UD) }, INSN_VMWRITE, 0xf3 },
	{ { "66 VMPTRST", FAULT(UD) }, INSN_VMPTRST, 0x66 },
	{ { "F2 VMPTRST", FAULT(UD) }, INSN_VMPTRST, 0xf2 },
	{ { "F3 VMPTRST", FAULT(UD) }, INSN_VMPTRST, 0xf3 },
	{ { "F2 VMPTRLD", FAULT(UD) }, INSN_VMPTRLD, 0xf2 },
};

SWEEP(prefix, forbidden, "SDM VMX Instruction Reference",
	"66H, F2H and F3H make other instructions or none of those that are marked NP", forbidden,
	.covers = "insn:VMREAD insn:VMWRITE insn:VMPTRLD insn:VMPTRST")
{
	return run_prefixed();
}

static const struct prefix_row vmfunc[] = {
	{ { "66", FAULT(UD) }, INSN_VMFUNC, 0x66 },
	{ { "F2", FAULT(UD) }, INSN_VMFUNC, 0xf2 },
	{ { "F3", FAULT(UD) }, INSN_VMFUNC, 0xf3 },
	{ { "LOCK", FAULT(UD) }, INSN_VMFUNC, LOCK },
};

SWEEP(prefix, vmfunc, "SDM VMFUNC",
	"VMFUNC, enabled in the guest, is none with one of these prefixes", vmfunc,
	.covers = "insn:VMFUNC", .needs = NEEDS(&need_PROC2_ENABLE_VM_FUNCTIONS))
{
	static uint8_t code[16];

	code[0] = TEST_ROW(struct prefix_row)->prefix;
	guest_reset();
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	guest_set_mode(GUEST_64BIT, code, 1 + instruction_encode_plain(code + 1, INSN_VMFUNC));
	return guest_run(NULL);
}

static const struct prefix_row missing[] = {
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT, 0 },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID, 0 },
};

SWEEP(prefix, missing, "SDM Opcode Map", "without their prefix 66H INVEPT and INVVPID are none",
	missing, .covers = "insn:INVEPT insn:INVVPID")
{
	const struct prefix_row *row = TEST_ROW(struct prefix_row);
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode_plain(code, row->instruction);

	return run_bytes(code + 1, bytes - 1, row->instruction);
}

/* 0F C7 /6 with a register is RDRAND, or SENDUIPI behind F3, where the CPU has those: only these
 * remain. */
static const struct prefix_row register_operands[] = {
	{ { "INVEPT", FAULT(UD) }, INSN_INVEPT, 0 },
	{ { "INVVPID", FAULT(UD) }, INSN_INVVPID, 0 },
};

static outcome run_register(void)
{
	static const struct operand rdi = { .is_register = true, .base = RDI };
	enum instruction instruction = TEST_ROW(struct prefix_row)->instruction;
	uint8_t code[HOST_CODE_MAX];

	return run_bytes(code, instruction_encode(code, instruction, RCX, &rdi), instruction);
}

SWEEP(prefix, register_operand, "SDM VMX Instruction Reference",
	"instructions with a memory operand make #UD with a register in its place",
	register_operands, .covers = "insn:INVEPT insn:INVVPID")
{
	return run_register();
}

static bool lacks_rdrand(void)
{
	return !(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_RDRAND);
}
static const struct test_need need_no_rdrand = { "RDRAND (CPUID.1:ECX bit 30) has that encoding",
	lacks_rdrand };

static const struct prefix_row no_rdrand[] = {
	{ { "VMPTRLD", FAULT(UD) }, INSN_VMPTRLD, 0 },
	{ { "VMCLEAR", FAULT(UD) }, INSN_VMCLEAR, 0 },
};

SWEEP(prefix, register_operand_rdrand, "SDM VMX Instruction Reference",
	"a register in place of the memory operand makes #UD where that is not RDRAND", no_rdrand,
	.covers = "insn:VMCLEAR insn:VMPTRLD", .needs = NEEDS(&need_no_rdrand))
{
	return run_register();
}

static bool lacks_rdseed(void)
{
	return !(cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_7_EBX_RDSEED);
}
static const struct test_need need_no_rdseed = { "RDSEED (CPUID.7:EBX bit 18) has that encoding",
	lacks_rdseed };

static const struct prefix_row no_rdseed[] = {
	{ { "VMPTRST", FAULT(UD) }, INSN_VMPTRST, 0 },
};

SWEEP(prefix, register_operand_rdseed, "SDM VMPTRST",
	"a register in place of the memory operand makes #UD where that is not RDSEED", no_rdseed,
	.covers = "insn:VMPTRST", .needs = NEEDS(&need_no_rdseed))
{
	return run_register();
}

static bool lacks_uintr(void)
{
	return !(cpuid(CPUID_STRUCTURED, 0).edx & CPUID_7_EDX_UINTR);
}
static const struct test_need need_no_uintr = { "SENDUIPI (CPUID.7:EDX bit 5) has that encoding",
	lacks_uintr };

static const struct prefix_row no_uintr[] = {
	{ { "VMXON", FAULT(UD) }, INSN_VMXON, 0 },
};

SWEEP(prefix, register_operand_senduipi, "SDM VMXON",
	"a register in place of the memory operand makes #UD where that is not SENDUIPI", no_uintr,
	.covers = "insn:VMXON", .needs = NEEDS(&need_no_uintr))
{
	vmx_leave_operation();
	return run_register();
}

/* REX.W changes nothing: the operands have 64 bits anyway. */
static const struct prefix_row with_rex[] = {
	{ { "VMPTRLD", OK }, INSN_VMPTRLD, 0x48 },
	{ { "VMPTRST", OK }, INSN_VMPTRST, 0x48 },
	{ { "VMREAD", OK }, INSN_VMREAD, 0x48 },
	{ { "VMWRITE", OK }, INSN_VMWRITE, 0x48 },
	{ { "VMXOFF", OK }, INSN_VMXOFF, 0x48 },
};

SWEEP(prefix, rex_w, "SDM REX Prefixes", "REX.W changes nothing", with_rex,
	.covers = "insn:VMPTRLD insn:VMPTRST insn:VMREAD insn:VMWRITE insn:VMXOFF")
{
	return run_prefixed();
}
