/* VM-exit instruction information, length and displacement of every instruction that reports them,
   with every form of its operands (Intel SDM, "Information for VM Exits Due to Instruction
   Execution"). INS and OUTS are io_string.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/operand.h"

#define SECTION "SDM Information for VM Exits Due to Instruction Execution"
#define COVERS                                                                                     \
	"field:EXIT_INSTRUCTION_INFORMATION field:EXIT_INSTRUCTION_LENGTH "                        \
	"field:EXIT_QUALIFICATION"
/* Bits 29:28: which instruction it was, where several share an exit reason. */
#define IDENTITY BITS(29, 28)

/* The formats' differences: which of the upper bits mean something, and where a register operand
 * is. */
enum format {
	FORMAT_MEMORY,     /* VMCLEAR, VMPTRLD, VMPTRST, VMXON, XSAVES, XRSTORS */
	FORMAT_REGISTER2,  /* INVEPT, INVVPID, INVPCID */
	FORMAT_TABLE,      /* SGDT, SIDT, LGDT, LIDT */
	FORMAT_SELECTOR,   /* SLDT, STR, LLDT, LTR */
	FORMAT_VMCS_FIELD, /* VMREAD, VMWRITE */
};

struct instruction {
	struct test_row row;
	struct opcode opcode;
	uint8_t format, identity;
};

#define OF(name, reason)                                                                           \
	{                                                                                          \
		name, EXIT(EXIT_REASON_##reason)                                                   \
	}

#define OPCODE(prefix, extension, ...)                                                             \
	{                                                                                          \
		prefix, { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ }), extension, false      \
	}

static const struct instruction vmx[] = {
	{ OF("VMCLEAR", VMCLEAR), OPCODE(0x66, 6, 0x0f, 0xc7), FORMAT_MEMORY, 0 },
	{ OF("VMPTRLD", VMPTRLD), OPCODE(0, 6, 0x0f, 0xc7), FORMAT_MEMORY, 0 },
	{ OF("VMPTRST", VMPTRST), OPCODE(0, 7, 0x0f, 0xc7), FORMAT_MEMORY, 0 },
	{ OF("VMXON", VMXON), OPCODE(0xf3, 6, 0x0f, 0xc7), FORMAT_MEMORY, 0 },
};

static const struct instruction vmcs_access[] = {
	{ OF("VMREAD", VMREAD), OPCODE(0, 0, 0x0f, 0x78), FORMAT_VMCS_FIELD, 0 },
	{ OF("VMWRITE", VMWRITE), OPCODE(0, 0, 0x0f, 0x79), FORMAT_VMCS_FIELD, 0 },
};

static const struct instruction invept_rows[] = {
	{ OF("INVEPT", INVEPT), OPCODE(0x66, 0, 0x0f, 0x38, 0x80), FORMAT_REGISTER2, 0 },
};

static const struct instruction invvpid_rows[] = {
	{ OF("INVVPID", INVVPID), OPCODE(0x66, 0, 0x0f, 0x38, 0x81), FORMAT_REGISTER2, 0 },
};

static const struct instruction invpcid_rows[] = {
	{ OF("INVPCID", INVPCID), OPCODE(0x66, 0, 0x0f, 0x38, 0x82), FORMAT_REGISTER2, 0 },
};

static const struct instruction tables[] = {
	{ OF("SGDT", GDTR_OR_IDTR_ACCESS), OPCODE(0, 0, 0x0f, 0x01), FORMAT_TABLE, 0 },
	{ OF("SIDT", GDTR_OR_IDTR_ACCESS), OPCODE(0, 1, 0x0f, 0x01), FORMAT_TABLE, 1 },
	{ OF("LGDT", GDTR_OR_IDTR_ACCESS), OPCODE(0, 2, 0x0f, 0x01), FORMAT_TABLE, 2 },
	{ OF("LIDT", GDTR_OR_IDTR_ACCESS), OPCODE(0, 3, 0x0f, 0x01), FORMAT_TABLE, 3 },
};

static const struct instruction selectors[] = {
	{ OF("SLDT", LDTR_OR_TR_ACCESS), OPCODE(0, 0, 0x0f, 0x00), FORMAT_SELECTOR, 0 },
	{ OF("STR", LDTR_OR_TR_ACCESS), OPCODE(0, 1, 0x0f, 0x00), FORMAT_SELECTOR, 1 },
	{ OF("LLDT", LDTR_OR_TR_ACCESS), OPCODE(0, 2, 0x0f, 0x00), FORMAT_SELECTOR, 2 },
	{ OF("LTR", LDTR_OR_TR_ACCESS), OPCODE(0, 3, 0x0f, 0x00), FORMAT_SELECTOR, 3 },
};

/* A fresh guest in which all of them exit. */
static void start(void)
{
	guest_reset();
	if (vmx_may_set(CONTROL_WORD_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING))
		exit_control(CONTROL_WORD_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING, true);
	if (vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_INVPCID))
		exit_control(CONTROL_WORD_PROC2, PROC2_ENABLE_INVPCID, true);
	exit_control(CONTROL_WORD_PROC, PROC_INVLPG_EXITING, true);
}

static bool has_register_operand(const struct instruction *instruction)
{
	return instruction->format == FORMAT_REGISTER2 || instruction->format == FORMAT_VMCS_FIELD;
}

static bool has_identity(const struct instruction *instruction)
{
	return instruction->format == FORMAT_TABLE || instruction->format == FORMAT_SELECTOR;
}

/* Runs it with a memory operand, and compares all that is defined. */
static outcome run_memory(const struct instruction *instruction, const struct operand *operand,
	unsigned int reg, enum guest_mode mode)
{
	bool code64 = mode == GUEST_64BIT;
	uint64_t rip, displacement, mask = operand_mask(operand),
				    wanted = operand_information(operand, code64);
	uint8_t bytes[OPERAND_BYTES_MAX];
	size_t length;

	if (!has_register_operand(instruction))
		reg = instruction->opcode.extension;
	length = operand_encode(&instruction->opcode, reg, operand, code64, bytes);
	rip = exit_set_bytes(bytes, length);
	if (!code64)
		guest_set_mode(mode, (const void *)(uintptr_t)rip, length + VMCALL_LENGTH);
	CHECK_EQUAL(guest_run(NULL), instruction->row.expected);
	if (has_register_operand(instruction)) {
		mask |= INSTRUCTION_REGISTER2;
		wanted |= FIELD_PUT(reg, INSTRUCTION_REGISTER2);
	}
	if (has_identity(instruction)) {
		mask |= IDENTITY;
		wanted |= FIELD_PUT(instruction->identity, IDENTITY);
	}
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_INFORMATION) & mask, wanted);
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), length);
	displacement = (uint64_t)(int64_t)operand->displacement;
	if (operand->base == OPERAND_RIP)
		displacement += rip + length;
	mask = code64 && !operand->address32
		       ? UINT64_MAX
		       : UINT32_MAX; /* the address size: bits beyond are undefined */
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & mask, displacement & mask);
	return instruction->row.expected;
}

/* Base, index, scale, displacement with its bytes; DS or SS. */
#define MEMORY(base, index, scale, bytes, displacement)                                            \
	((struct operand){ base, index, scale, bytes, displacement, OPERAND_NONE, false })
#define NONE OPERAND_NONE

static uint8_t displacement_needed(int base)
{
	return (base & 7) == RBP ? 1 : 0;
}

/* Runs it with several operands; the first outcome that is not expected, or the expected one. */
static outcome run_operands(const struct instruction *instruction, const struct operand *operands,
	size_t count, enum guest_mode mode)
{
	outcome result = instruction->row.expected;
	size_t i;

	start();
	for (i = 0; i < count && result == instruction->row.expected; i++)
		result = run_memory(instruction, &operands[i], 0, mode);
	return result;
}

static outcome check_bases(const struct instruction *instruction)
{
	struct operand operands[16];
	int8_t base;

	for (base = 0; base < 16; base++)
		operands[base] = MEMORY(base, NONE, 0, displacement_needed(base), 0);
	return run_operands(instruction, operands, 16, GUEST_64BIT);
}

/* RSP is no index: its number there means none. */
static outcome check_indexes(const struct instruction *instruction)
{
	struct operand operands[16];
	int8_t index;

	for (index = 0; index < 16; index++)
		operands[index] = MEMORY(
			RBX, index == RSP ? NONE : index, index == RSP ? 0 : index & 3, 0, 0);
	return run_operands(instruction, operands, 16, GUEST_64BIT);
}

static outcome check_scales(const struct instruction *instruction)
{
	static const struct operand operands[] = {
		MEMORY(RSI, RDI, 0, 0, 0),
		MEMORY(RSI, RDI, 1, 0, 0),
		MEMORY(RSI, RDI, 2, 0, 0),
		MEMORY(RSI, RDI, 3, 0, 0),
		MEMORY(NONE, R9, 0, 4, 0x12345678),
		MEMORY(NONE, R9, 1, 4, 0x12345678),
		MEMORY(NONE, R9, 2, 4, 0x12345678),
		MEMORY(NONE, R9, 3, 4, 0x12345678),
	};

	return run_operands(instruction, operands, ARRAY_SIZE(operands), GUEST_64BIT);
}

static outcome check_displacements(const struct instruction *instruction)
{
	static const struct operand operands[] = {
		MEMORY(RAX, NONE, 0, 1, 0x7f),
		MEMORY(RAX, NONE, 0, 1, -0x80),
		MEMORY(RAX, NONE, 0, 4, 0x7fffffff),
		MEMORY(RAX, NONE, 0, 4, -1),
		MEMORY(NONE, NONE, 0, 4, 0x345678),
		MEMORY(NONE, NONE, 0, 4, -0x1000),
	};

	return run_operands(instruction, operands, ARRAY_SIZE(operands), GUEST_64BIT);
}

static outcome check_rip_relative(const struct instruction *instruction)
{
	static const struct operand operands[] = {
		MEMORY(OPERAND_RIP, NONE, 0, 4, 0x1234),
		MEMORY(OPERAND_RIP, NONE, 0, 4, -0x1234),
	};

	return run_operands(instruction, operands, ARRAY_SIZE(operands), GUEST_64BIT);
}

static outcome check_address_size(const struct instruction *instruction)
{
	static const struct operand operands[] = {
		{ RBX, NONE, 0, 0, 0, NONE, true },
		{ R10, RCX, 2, 4, -16, NONE, true },
		{ RSP, NONE, 0, 0, 0, SEGMENT_FS, true },
	};

	return run_operands(instruction, operands, ARRAY_SIZE(operands), GUEST_64BIT);
}

static outcome check_segments64(const struct instruction *instruction)
{
	static const struct operand operands[] = {
		{ RSP, NONE, 0, 0, 0, SEGMENT_FS, false },
		{ RSP, NONE, 0, 0, 0, SEGMENT_GS, false },
	};

	return run_operands(instruction, operands, ARRAY_SIZE(operands), GUEST_64BIT);
}

static outcome check_segments32(const struct instruction *instruction)
{
	struct operand operands[6];
	int8_t segment;

	for (segment = SEGMENT_ES; segment <= SEGMENT_GS; segment++)
		operands[segment] = (struct operand){ RBX, RSI, 1, 1, -3, segment, false };
	return run_operands(instruction, operands, 6, GUEST_PAGED32);
}

static outcome check_bases32(const struct instruction *instruction)
{
	struct operand operands[8];
	int8_t base;

	for (base = 0; base < 8; base++)
		operands[base] = MEMORY(base, NONE, 0, displacement_needed(base), 0);
	return run_operands(instruction, operands, 8, GUEST_PAGED32);
}

/* check(name, rows, function, "rule"): one sweep over instructions. */
#define CHECK_ROWS(name, rows, check, rule, ...)                                                   \
	SWEEP(information, name, SECTION, rule, rows, .covers = COVERS, ##__VA_ARGS__)             \
	{                                                                                          \
		return check(TEST_ROW(struct instruction));                                        \
	}

/* All forms of a memory operand. */
#define INFORMATION(name, rows, ...)                                                               \
	CHECK_ROWS(name##_base, rows, check_bases,                                                 \
		"each of 16 base registers, and the segment that it chooses", ##__VA_ARGS__)       \
	CHECK_ROWS(name##_index, rows, check_indexes, "each of 15 index registers, and none",      \
		##__VA_ARGS__)                                                                     \
	CHECK_ROWS(name##_scale, rows, check_scales, "each scale, with a base and without",        \
		##__VA_ARGS__)                                                                     \
	CHECK_ROWS(name##_displacement, rows, check_displacements,                                 \
		"the qualification is the displacement, sign-extended", ##__VA_ARGS__)             \
	CHECK_ROWS(name##_rip_relative, rows, check_rip_relative,                                  \
		"the qualification is the sum of displacement and next RIP", ##__VA_ARGS__)        \
	CHECK_ROWS(name##_address_size, rows, check_address_size,                                  \
		"32-bit addresses in 64-bit mode", ##__VA_ARGS__)                                  \
	CHECK_ROWS(                                                                                \
		name##_segment, rows, check_segments64, "FS and GS in 64-bit mode", ##__VA_ARGS__) \
	CHECK_ROWS(name##_protected_base, rows, check_bases32, "each base with 32-bit paging",     \
		##__VA_ARGS__)                                                                     \
	CHECK_ROWS(name##_protected_segment, rows, check_segments32,                               \
		"each segment with 32-bit paging", ##__VA_ARGS__)

INFORMATION(vmx, vmx)
INFORMATION(vmcs_access, vmcs_access)
INFORMATION(invept, invept_rows, .needs = NEEDS(&need_ept))
INFORMATION(invvpid, invvpid_rows, .needs = NEEDS(&need_vpid))
INFORMATION(invpcid, invpcid_rows, .needs = NEEDS(&need_PROC2_ENABLE_INVPCID))
INFORMATION(tables, tables, .needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING))
INFORMATION(selectors, selectors, .needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING))

static outcome check_register2(const struct instruction *instruction)
{
	outcome result = instruction->row.expected;
	unsigned int reg;

	start();
	for (reg = 0; reg < 16 && result == instruction->row.expected; reg++)
		result = run_memory(instruction, &MEMORY(RBX, NONE, 0, 0, 0), reg, GUEST_64BIT);
	return result;
}

#define REGISTER2 "the register beside the memory operand: each of 16"
CHECK_ROWS(vmcs_access_register2, vmcs_access, check_register2, REGISTER2)
CHECK_ROWS(invept_register2, invept_rows, check_register2, REGISTER2, .needs = NEEDS(&need_ept))
CHECK_ROWS(invvpid_register2, invvpid_rows, check_register2, REGISTER2, .needs = NEEDS(&need_vpid))
CHECK_ROWS(invpcid_register2, invpcid_rows, check_register2, REGISTER2,
	.needs = NEEDS(&need_PROC2_ENABLE_INVPCID))

/* A register in the place of the memory operand. */
static outcome run_register(
	const struct instruction *instruction, unsigned int reg, unsigned int rm)
{
	uint64_t mask = INSTRUCTION_IS_REGISTER | INSTRUCTION_REGISTER1;
	uint64_t wanted = INSTRUCTION_IS_REGISTER | FIELD_PUT(rm, INSTRUCTION_REGISTER1);
	uint8_t bytes[OPERAND_BYTES_MAX];
	size_t length;

	if (instruction->format == FORMAT_VMCS_FIELD) {
		mask |= INSTRUCTION_REGISTER2;
		wanted |= FIELD_PUT(reg, INSTRUCTION_REGISTER2);
	} else {
		mask |= IDENTITY;
		wanted |= FIELD_PUT(instruction->identity, IDENTITY);
		reg = instruction->opcode.extension;
	}
	length = operand_encode_register(&instruction->opcode, reg, rm, true, bytes);
	exit_set_bytes(bytes, length);
	CHECK_EQUAL(guest_run(NULL), instruction->row.expected);
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_INFORMATION) & mask, wanted);
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), length);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	return instruction->row.expected;
}

static outcome check_registers(const struct instruction *instruction)
{
	outcome result = instruction->row.expected;
	unsigned int rm;

	start();
	for (rm = 0; rm < 16 && result == instruction->row.expected; rm++)
		result = run_register(instruction, 15 - rm, rm);
	return result;
}

#define REGISTERS "each of 16 registers as operand: bit 10 is 1, there is no displacement"
CHECK_ROWS(vmcs_access_registers, vmcs_access, check_registers, REGISTERS)
CHECK_ROWS(selectors_registers, selectors, check_registers, REGISTERS,
	.needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING))
