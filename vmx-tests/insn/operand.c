/* Operands in memory of VMX instructions on the host: every way to address them (Intel SDM,
   "Instruction Format"). Registers are operand_register.c's; what exits say about operands is
   exit/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"
#include "vmx-tests/insn/operand.h"

#define PATTERN UINT64_C(0x123456789abcdef0)
#define COVERS                                                                                     \
	.covers = "insn:VMXON insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD insn:VMWRITE "    \
		  "insn:INVEPT insn:INVVPID"
#define SEGMENT_FS  0x64
#define SEGMENT_GS  0x65
#define INDEX_VALUE 0x111

/* ---- Memory ---- */

struct instruction_row {
	struct test_row row;
	enum instruction instruction;
};

static const struct instruction_row with_memory[] = {
	{ { "VMXON", OK }, INSN_VMXON },
	{ { "VMCLEAR", OK }, INSN_VMCLEAR },
	{ { "VMPTRLD", OK }, INSN_VMPTRLD },
	{ { "VMPTRST", OK }, INSN_VMPTRST },
	{ { "VMREAD", OK }, INSN_VMREAD },
	{ { "VMWRITE", OK }, INSN_VMWRITE },
	{ { "INVEPT", OK }, INSN_INVEPT },
	{ { "INVVPID", OK }, INSN_INVVPID },
};

/* All ones but for the operand: read at any other place it makes the instruction fail. */
static uint8_t memory[4096] __aligned(4096);
#define TARGET (memory + 2048)

static void fill_memory(enum instruction instruction)
{
	memset(memory, 0xff, sizeof(memory));
	if (!instruction_writes_memory(instruction))
		memcpy(TARGET, instruction_good_operand(instruction), 16);
	if (instruction == INSN_VMWRITE)
		memset(TARGET, 0x5a, 8);
}

/* What was read or written, and that nothing else was written. */
static outcome check_effect(enum instruction instruction)
{
	uint64_t expected = UINT64_MAX, actual, i;

	if (instruction == INSN_VMPTRST)
		expected = vmx_address(vmx_region);
	if (instruction == INSN_VMREAD)
		expected = PATTERN;
	if (instruction == INSN_VMWRITE)
		CHECK_EQUAL(field_read(VMCS_GUEST_RIP), 0x5a5a5a5a5a5a5a5a);
	if (!instruction_writes_memory(instruction))
		return OK;
	memcpy(&actual, TARGET, sizeof(actual));
	CHECK_EQUAL(test_observe(actual), expected);
	for (i = 0; i < sizeof(memory); i++)
		if (memory[i] != 0xff && (memory + i < TARGET || memory + i >= TARGET + 8))
			return test_mismatch(__LINE__, "byte %#lx was written", i);
	return OK;
}

/* A register that the operand does not use, for the register operand. */
static uint8_t free_register(const struct operand *operand)
{
	static const uint8_t candidates[] = { RCX, RDX, RBX };
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (candidates[i] != operand->base &&
			!(operand->has_index && candidates[i] == operand->index))
			return candidates[i];
	return candidates[2];
}

/* Runs the row's instruction on TARGET, addressed in that form; segment_base is that of a segment
 * override. */
static outcome run_form(const struct operand *operand, uint64_t segment_base)
{
	enum instruction instruction = TEST_ROW(struct instruction_row)->instruction;
	struct host_registers state = operand_registers();
	uint8_t code[HOST_CODE_MAX], reg = free_register(operand);
	size_t bytes = instruction_encode(code, instruction, reg, operand);
	uint64_t address =
		vmx_address(TARGET) - segment_base - (uint64_t)(int64_t)operand->displacement;
	outcome result;

	if (operand->has_index) {
		address -= (uint64_t)INDEX_VALUE << operand->scale;
		state.gpr[operand->index] = INDEX_VALUE;
	}
	if (operand->base != OPERAND_NONE && !operand->rip_relative)
		state.gpr[operand->base] = address | (operand->address32 ? BITS(63, 32) : 0);
	state.gpr[reg] = instruction_good_value(instruction);
	result = host_execute(HOST_64BIT, code, bytes, &state, NULL);
	return result == OK ? vmx_outcome(state.rflags) : result;
}

static outcome try_form(const struct operand *operand, uint64_t segment_base)
{
	enum instruction instruction = TEST_ROW(struct instruction_row)->instruction;
	outcome result;

	if (instruction == INSN_VMXON)
		vmx_leave_operation();
	else if (vmptrld(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMPTRLD failed");
	if (instruction != INSN_VMXON)
		field_write(VMCS_GUEST_RIP, PATTERN);
	fill_memory(instruction);
	result = run_form(operand, segment_base);
	return result == OK ? check_effect(instruction) : result;
}

/* Leaves what VMXON's rows may have left off. */
static outcome start_row(void)
{
	if (!vmx_is_on())
		vmx_enter_operation();
	guest_reset();
	return instruction_available(TEST_ROW(struct instruction_row)->instruction) ? OK
										    : FAULT(UD);
}

SWEEP(operand, base, "SDM Instruction Format",
	"memory at every base register: without, with 8 bits, with 32 bits of displacement",
	with_memory, COVERS)
{
	uint8_t base, form;

	if (start_row() != OK)
		return OK;
	for (base = 0; base < 16; base++)
		for (form = 0; form < 4; form++) {
			struct operand operand = { .base = base,
				.displacement_bytes = form == 0   ? 0
						      : form == 1 ? 1
								  : 4,
				.displacement = form == 0   ? 0
						: form == 1 ? -77
						: form == 2 ? 0x7654321
							    : -4096 };
			outcome result;

			if (form == 0 && (base & 7) == RBP)
				continue; /* that form stands for RIP or no base */
			result = try_form(&operand, 0);
			if (result != OK)
				return result;
		}
	return OK;
}

SWEEP(operand, index, "SDM Instruction Format",
	"memory at base and every index register, times 1, 2, 4, 8", with_memory, COVERS)
{
	uint8_t index, scale;

	if (start_row() != OK)
		return OK;
	for (index = 0; index < 16; index++)
		for (scale = 0; scale < 4; scale++) {
			struct operand operand = { .base = index == RDI ? RSI : RDI,
				.has_index = true,
				.index = index,
				.scale = scale,
				.displacement_bytes = scale == 0   ? 0
						      : scale == 1 ? 4
								   : 1,
				.displacement = scale == 0 ? 0 : 100 };
			outcome result;

			if (index == RSP)
				continue; /* stands for no index */
			result = try_form(&operand, 0);
			if (result != OK)
				return result;
		}
	return OK;
}

SWEEP(operand, base_with_index, "SDM Instruction Format",
	"memory at every base register and an index", with_memory, COVERS)
{
	uint8_t base;

	if (start_row() != OK)
		return OK;
	for (base = 0; base < 16; base++) {
		struct operand operand = { .base = base,
			.has_index = true,
			.index = base == R9 ? R10 : R9,
			.scale = 2,
			.displacement_bytes = 1,
			.displacement = -1 };
		outcome result = try_form(&operand, 0);

		if (result != OK)
			return result;
	}
	return OK;
}

SWEEP(operand, index_only, "SDM Instruction Format",
	"memory at index and 32 bits of displacement, without a base", with_memory, COVERS)
{
	struct operand operand = {
		.base = OPERAND_NONE, .has_index = true, .index = R12, .scale = 3
	};

	if (start_row() != OK)
		return OK;
	operand.displacement = (int32_t)(vmx_address(TARGET) - (INDEX_VALUE << 3));
	return try_form(&operand, 0);
}

SWEEP(operand, absolute, "SDM Instruction Format", "memory at 32 bits of displacement alone",
	with_memory, COVERS)
{
	struct operand operand = { .base = OPERAND_NONE };

	if (start_row() != OK)
		return OK;
	operand.displacement = (int32_t)vmx_address(TARGET);
	return try_form(&operand, 0);
}

SWEEP(operand, rip_relative, "SDM RIP-Relative Addressing",
	"memory relative to the next instruction", with_memory, COVERS)
{
	enum instruction instruction = TEST_ROW(struct instruction_row)->instruction;
	struct operand operand = { .rip_relative = true };
	uint8_t code[16];
	uint64_t next;

	if (start_row() != OK)
		return OK;
	next = vmx_address(host_code_page()) + instruction_encode(code, instruction, RCX, &operand);
	operand.displacement = (int32_t)(vmx_address(TARGET) - next);
	return try_form(&operand, 0);
}

SWEEP(operand, address_size, "SDM Address-Size and Operand-Size Prefixes",
	"with prefix 67H the address has 32 bits", with_memory, COVERS)
{
	struct operand operand = { .base = RDI, .address32 = true };

	if (start_row() != OK)
		return OK;
	return try_form(&operand, 0);
}

SWEEP(operand, fs_segment, "SDM Segmentation in 64-Bit Mode", "FS's base is added", with_memory,
	COVERS)
{
	struct operand operand = { .base = RDI, .segment = SEGMENT_FS };
	uint64_t base = rdmsr(MSR_IA32_FS_BASE);
	outcome result;

	if (start_row() != OK)
		return OK;
	wrmsr(MSR_IA32_FS_BASE, 0x12345);
	result = try_form(&operand, 0x12345);
	wrmsr(MSR_IA32_FS_BASE, base);
	return result;
}

SWEEP(operand, gs_segment, "SDM Segmentation in 64-Bit Mode", "GS's base is added", with_memory,
	COVERS)
{
	struct operand operand = { .base = RSI, .segment = SEGMENT_GS };

	if (start_row() != OK)
		return OK;
	return try_form(&operand, rdmsr(MSR_IA32_GS_BASE));
}

struct segment_row {
	struct test_row row;
	uint8_t prefix;
};

static const struct segment_row ignored[] = {
	{ { "ES", OK }, 0x26 },
	{ { "CS", OK }, 0x2e },
	{ { "SS", OK }, 0x36 },
	{ { "DS", OK }, 0x3e },
};

SWEEP(operand, ignored_segments, "SDM Segmentation in 64-Bit Mode",
	"overrides by ES, CS, SS, DS are ignored", ignored, .covers = "insn:VMPTRST")
{
	struct operand operand = { .base = RDI, .segment = TEST_ROW(struct segment_row)->prefix };
	struct host_registers state = operand_registers();
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, INSN_VMPTRST, RCX, &operand);
	outcome result;

	fill_memory(INSN_VMPTRST);
	state.gpr[RDI] = vmx_address(TARGET);
	result = host_execute(HOST_64BIT, code, bytes, &state, NULL);
	if (result == OK)
		result = vmx_outcome(state.rflags);
	return result == OK ? check_effect(INSN_VMPTRST) : result;
}
