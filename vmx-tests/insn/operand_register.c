/* Register operands: every register, with 32 and 64 bits (Intel SDM, "VMREAD", "VMWRITE", "INVEPT",
   "INVVPID"). Operands in memory are operand.c's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"
#include "vmx-tests/insn/operand.h"

#define PATTERN UINT64_C(0x123456789abcdef0)

struct register_row {
	struct test_row row;
	uint8_t number;
};

static const struct register_row registers[] = {
	{ { "RAX", OK }, RAX },
	{ { "RCX", OK }, RCX },
	{ { "RDX", OK }, RDX },
	{ { "RBX", OK }, RBX },
	{ { "RSP", OK }, RSP },
	{ { "RBP", OK }, RBP },
	{ { "RSI", OK }, RSI },
	{ { "RDI", OK }, RDI },
	{ { "R8", OK }, R8 },
	{ { "R9", OK }, R9 },
	{ { "R10", OK }, R10 },
	{ { "R11", OK }, R11 },
	{ { "R12", OK }, R12 },
	{ { "R13", OK }, R13 },
	{ { "R14", OK }, R14 },
	{ { "R15", OK }, R15 },
};

struct host_registers operand_registers(void)
{
	struct host_registers state = { .rflags = RFLAGS_FIXED | VMX_FLAGS };
	unsigned int i;

	for (i = 0; i < 16; i++)
		state.gpr[i] = i == RSP ? 0 : UINT64_C(0xdead000000000000) + i;
	return state;
}

/* instruction reg, r/m with r/m a register. */
static outcome run_registers(
	enum instruction instruction, uint8_t reg, uint8_t rm, struct host_registers *state)
{
	const struct operand operand = { .is_register = true, .base = rm };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, instruction, reg, &operand);
	outcome result = host_execute(HOST_64BIT, code, bytes, state, NULL);

	return result == OK ? vmx_outcome(state->rflags) : result;
}

SWEEP(operand, vmread_registers, "SDM VMREAD",
	"every destination register, from every source register", registers,
	.covers = "insn:VMREAD")
{
	uint8_t to = TEST_ROW(struct register_row)->number, from;
	outcome result;

	field_write(VMCS_GUEST_RIP, PATTERN);
	for (from = 0; from < 16; from++) {
		struct host_registers state = operand_registers();

		state.gpr[from] = VMCS_GUEST_RIP;
		result = run_registers(INSN_VMREAD, from, to, &state);
		if (result != OK)
			return result;
		CHECK_EQUAL(test_observe(state.gpr[to]), PATTERN);
		if (from != to)
			CHECK_EQUAL(state.gpr[from], VMCS_GUEST_RIP);
	}
	return OK;
}

SWEEP(operand, vmwrite_registers, "SDM VMWRITE",
	"every source register, with every register for the field", registers,
	.covers = "insn:VMWRITE")
{
	uint8_t from = TEST_ROW(struct register_row)->number, field;
	outcome result;

	for (field = 0; field < 16; field++) {
		struct host_registers state = operand_registers();

		state.gpr[from] = PATTERN;
		state.gpr[field] = VMCS_GUEST_RIP;
		result = run_registers(INSN_VMWRITE, field, from, &state);
		if (result != OK)
			return result;
		CHECK_EQUAL(field_read(VMCS_GUEST_RIP), from == field ? VMCS_GUEST_RIP : PATTERN);
	}
	return OK;
}

/* The type of INVEPT or INVVPID in every register. */
static outcome run_type(enum instruction instruction)
{
	uint8_t type = TEST_ROW(struct register_row)->number, base = type == RDI ? RSI : RDI;
	const struct operand operand = { .base = base };
	struct host_registers state = operand_registers();
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, instruction, type, &operand);
	outcome result;

	state.gpr[base] = vmx_address(instruction_good_operand(instruction));
	state.gpr[type] = instruction_good_value(instruction);
	result = host_execute(HOST_64BIT, code, bytes, &state, NULL);
	return result == OK ? vmx_outcome(state.rflags) : result;
}

SWEEP(operand, invept_registers, "SDM INVEPT", "every register may hold the type", registers,
	.covers = "insn:INVEPT", .needs = NEEDS(&need_invept_instruction))
{
	return run_type(INSN_INVEPT);
}

SWEEP(operand, invvpid_registers, "SDM INVVPID", "every register may hold the type", registers,
	.covers = "insn:INVVPID", .needs = NEEDS(&need_invvpid_instruction, &need_invvpid_all))
{
	return run_type(INSN_INVVPID);
}
