/* Operand sizes outside IA-32e mode (Intel SDM, "VMREAD", "VMWRITE", "VMPTRST", "VMPTRLD",
   "INVEPT", "INVVPID"). Where operands in memory may lie is legacy_operand.c's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/host_legacy.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"

#define PATTERN UINT64_C(0x123456789abcdef0)

/* VMX operation again, with the suite's VMCS as the code in protected mode left it. */
static void load_vmcs(void)
{
	vmx_enter_operation();
	vmptrld(vmx_address(vmx_region));
}

struct size_row {
	struct test_row row;
	uint32_t field;
	uint64_t value; /* what is read, or what a write of 0x89abcdef leaves of PATTERN */
};

static const struct size_row reads[] = {
	{ { "16 bits", OK }, VMCS_GUEST_ES_SELECTOR, 0xdef0 },
	{ { "32 bits", OK }, VMCS_GUEST_ES_LIMIT, 0x9abcdef0 },
	{ { "64 bits, full", OK }, VMCS_GUEST_IA32_DEBUGCTL, 0x9abcdef0 },
	{ { "64 bits, high", OK }, VMCS_GUEST_IA32_DEBUGCTL | ENCODING_HIGH, 0x12345678 },
	{ { "natural width", OK }, VMCS_GUEST_RIP, 0x9abcdef0 },
};

SWEEP(legacy_operand, vmread_register, "SDM VMREAD",
	"outside IA-32e mode a register takes 32 bits of the field", reads, .covers = "insn:VMREAD")
{
	static const struct operand eax = { .is_register = true, .base = RAX };
	const struct size_row *row = TEST_ROW(struct size_row);
	struct legacy_state state = { .vmx = true };
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	if (!vmx_is_on())
		load_vmcs();
	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	state.gpr[RCX] = row->field;
	state.gpr[RAX] = UINT32_MAX;
	result = legacy_execute(LEGACY_PROTECTED, code,
		instruction_encode(code, INSN_VMREAD, RCX, &eax), &state, NULL);
	CHECK_EQUAL(test_observe(state.gpr[RAX]), row->value);
	CHECK_EQUAL(state.eflags & VMX_FLAGS, 0);
	return result;
}

SWEEP(legacy_operand, vmread_memory, "SDM VMREAD",
	"outside IA-32e mode 4 bytes of memory are written", reads, .covers = "insn:VMREAD")
{
	const struct size_row *row = TEST_ROW(struct size_row);
	struct legacy_state state = { .vmx = true };
	uint64_t memory = UINT64_MAX;
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	if (!vmx_is_on())
		load_vmcs();
	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	memcpy(legacy_area, &memory, sizeof(memory));
	state.gpr[RCX] = row->field;
	state.gpr[RDI] = (uint32_t)vmx_address(legacy_area);
	result = legacy_execute(
		LEGACY_PROTECTED, code, instruction_encode_plain(code, INSN_VMREAD), &state, NULL);
	memcpy(&memory, legacy_area, sizeof(memory));
	CHECK_EQUAL(test_observe(memory), BITS(63, 32) | row->value);
	return result;
}

static const struct size_row writes[] = {
	{ { "16 bits", OK }, VMCS_GUEST_ES_SELECTOR, 0xcdef },
	{ { "32 bits", OK }, VMCS_GUEST_ES_LIMIT, 0x89abcdef },
	{ { "64 bits, full: the high half becomes 0", OK }, VMCS_GUEST_IA32_DEBUGCTL, 0x89abcdef },
	{ { "64 bits, high: the low half stays", OK }, VMCS_GUEST_IA32_DEBUGCTL | ENCODING_HIGH,
		0x89abcdef9abcdef0 },
	{ { "natural width: the high half becomes 0", OK }, VMCS_GUEST_RIP, 0x89abcdef },
};

SWEEP(legacy_operand, vmwrite_register, "SDM VMWRITE",
	"outside IA-32e mode 32 bits are written, and what a field has above them becomes 0",
	writes, .covers = "insn:VMWRITE")
{
	static const struct operand eax = { .is_register = true, .base = RAX };
	const struct size_row *row = TEST_ROW(struct size_row);
	struct legacy_state state = { .vmx = true };
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	if (!vmx_is_on())
		load_vmcs();
	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	state.gpr[RCX] = row->field;
	state.gpr[RAX] = 0x89abcdef;
	result = legacy_execute(LEGACY_PROTECTED, code,
		instruction_encode(code, INSN_VMWRITE, RCX, &eax), &state, NULL);
	load_vmcs();
	CHECK_EQUAL(field_read(row->field & ~ENCODING_HIGH), row->value);
	return result;
}

SWEEP(legacy_operand, vmwrite_memory, "SDM VMWRITE",
	"outside IA-32e mode 4 bytes of memory are read", writes, .covers = "insn:VMWRITE")
{
	const struct size_row *row = TEST_ROW(struct size_row);
	struct legacy_state state = { .vmx = true };
	uint64_t memory = BITS(63, 32) | 0x89abcdef;
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	if (!vmx_is_on())
		load_vmcs();
	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	memcpy(legacy_area, &memory, sizeof(memory));
	state.gpr[RCX] = row->field;
	state.gpr[RDI] = (uint32_t)vmx_address(legacy_area);
	result = legacy_execute(
		LEGACY_PROTECTED, code, instruction_encode_plain(code, INSN_VMWRITE), &state, NULL);
	load_vmcs();
	CHECK_EQUAL(field_read(row->field & ~ENCODING_HIGH), row->value);
	return result;
}

TEST(legacy_operand, vmptrst, "SDM VMPTRST", "outside IA-32e mode, too, 8 bytes are stored", OK,
	.covers = "insn:VMPTRST")
{
	struct legacy_state state = { .vmx = true };
	uint64_t memory[2] = { UINT64_MAX, UINT64_MAX };
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	memcpy(legacy_area, memory, sizeof(memory));
	state.gpr[RDI] = (uint32_t)vmx_address(legacy_area);
	result = legacy_execute(
		LEGACY_PROTECTED, code, instruction_encode_plain(code, INSN_VMPTRST), &state, NULL);
	memcpy(memory, legacy_area, sizeof(memory));
	CHECK_EQUAL(test_observe(memory[0]), vmx_address(vmx_region));
	CHECK_EQUAL(test_observe(memory[1]), UINT64_MAX);
	return result;
}

TEST(legacy_operand, vmptrld_upper, "SDM VMPTRLD",
	"outside IA-32e mode, too, the pointer has 64 bits: one beyond the width fails", OK,
	.covers = "insn:VMPTRLD error:VMPTRLD_ADDRESS")
{
	struct legacy_state state = { .vmx = true };
	uint64_t memory = vmx_address(vmx_spare_region) | BIT(63);
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	memcpy(legacy_area, &memory, sizeof(memory));
	state.gpr[RDI] = (uint32_t)vmx_address(legacy_area);
	result = legacy_execute(
		LEGACY_PROTECTED, code, instruction_encode_plain(code, INSN_VMPTRLD), &state, NULL);
	CHECK_EQUAL(state.eflags & VMX_FLAGS, RFLAGS_ZF);
	load_vmcs();
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMPTRLD_ADDRESS);
	return result;
}

struct type_row {
	struct test_row row;
	enum instruction instruction;
	uint32_t type;
};

static const struct type_row bad_types[] = {
	{ { "INVEPT, type 0", OK }, INSN_INVEPT, 0 },
	{ { "INVEPT, type 3", OK }, INSN_INVEPT, 3 },
	{ { "INVEPT, bit 31", OK }, INSN_INVEPT, BIT(31) | 2 },
	{ { "INVVPID, type 4", OK }, INSN_INVVPID, 4 },
	{ { "INVVPID, bit 31", OK }, INSN_INVVPID, BIT(31) | 2 },
};

SWEEP(legacy_operand, bad_type, "SDM INVEPT",
	"outside IA-32e mode the type has 32 bits; one that no CPU has fails", bad_types,
	.covers = "insn:INVEPT insn:INVVPID error:INVEPT_INVVPID_OPERAND")
{
	const struct type_row *row = TEST_ROW(struct type_row);
	struct legacy_state state = { .vmx = true };
	uint8_t code[LEGACY_CODE_MAX];
	outcome result;

	if (!instruction_available(row->instruction))
		return OK;
	state.gpr[RDI] = (uint32_t)vmx_address(instruction_good_operand(row->instruction));
	state.gpr[RCX] = row->type;
	result = legacy_execute(LEGACY_PROTECTED, code,
		instruction_encode_plain(code, row->instruction), &state, NULL);
	CHECK_EQUAL(state.eflags & VMX_FLAGS, RFLAGS_ZF);
	load_vmcs();
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_INVEPT_INVVPID_OPERAND);
	return result;
}
