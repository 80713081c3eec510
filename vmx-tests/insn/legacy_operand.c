/* Operands in memory of VMX instructions on a host in protected mode (Intel SDM, "VMX Instruction
   Reference": the "Protected Mode Exceptions" of segments). Their sizes are legacy_size.c's, 64-bit
   mode's are memory.c's. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/host_legacy.h"
#include "vmx-tests/insn/instruction.h"

#define COVERS_MEMORY                                                                              \
	.covers = "insn:VMXON insn:VMCLEAR insn:VMPTRLD insn:VMPTRST insn:VMREAD insn:VMWRITE "    \
		  "insn:INVEPT insn:INVVPID"
#define PATTERN    UINT64_C(0x123456789abcdef0)
#define SEGMENT_ES 0x26
#define SEGMENT_CS 0x2e
#define SEGMENT_SS 0x36
#define SEGMENT_FS 0x64
#define SEGMENT_GS 0x65
#define SMALL_END  4096 /* the first offset beyond a small segment */

struct memory_row {
	struct test_row row;
	enum instruction instruction;
};

/* All that have a memory operand, each with the outcome for one that reads it or writes it. */
#define ROWS(reads, writes)                                                                        \
	{                                                                                          \
		{ { "VMXON", reads }, INSN_VMXON }, { { "VMCLEAR", reads }, INSN_VMCLEAR },        \
			{ { "VMPTRLD", reads }, INSN_VMPTRLD },                                    \
			{ { "VMPTRST", writes }, INSN_VMPTRST },                                   \
			{ { "VMREAD", writes }, INSN_VMREAD },                                     \
			{ { "VMWRITE", reads }, INSN_VMWRITE },                                    \
			{ { "INVEPT", reads }, INSN_INVEPT },                                      \
			{ { "INVVPID", reads }, INSN_INVVPID },                                    \
	}

static const struct memory_row faults_gp[] = ROWS(FAULT(GP), FAULT(GP));
static const struct memory_row faults_ss[] = ROWS(FAULT(SS), FAULT(SS));
static const struct memory_row succeeds[] = ROWS(OK, OK);
static const struct memory_row write_faults_gp[] = ROWS(OK, FAULT(GP));

/* Bytes of the operand in protected mode. */
static unsigned int operand_bytes(enum instruction instruction)
{
	if (instruction == INSN_INVEPT || instruction == INSN_INVVPID)
		return 16;
	return instruction == INSN_VMREAD || instruction == INSN_VMWRITE ? 4 : 8;
}

/* Runs the row's instruction at that offset of a segment, by a prefix (0: DS). VMXON runs outside
 * VMX operation. */
static outcome run_at(struct legacy_state state, uint8_t prefix, uint32_t offset)
{
	enum instruction instruction = TEST_ROW(struct memory_row)->instruction;
	const struct operand operand = { .base = RDI, .segment = prefix };
	uint8_t code[LEGACY_CODE_MAX];
	size_t bytes = instruction_encode(code, instruction, RCX, &operand);
	outcome result;

	if (!instruction_available(instruction))
		return TEST_ROW(struct memory_row)->row.expected;
	state.vmx = instruction != INSN_VMXON;
	state.eflags = VMX_FLAGS;
	state.gpr[RDI] = offset;
	state.gpr[RCX] = (uint32_t)instruction_good_value(instruction);
	result = legacy_execute(LEGACY_PROTECTED, code, bytes, &state, NULL);
	return result == OK && (state.eflags & VMX_FLAGS) ? FAIL_INVALID : result;
}

/* The good operand into legacy_area, at an offset. */
static void put_operand(uint32_t offset)
{
	memcpy(legacy_area + offset,
		instruction_good_operand(TEST_ROW(struct memory_row)->instruction), 16);
}

static uint32_t last_offset(void)
{
	return SMALL_END - operand_bytes(TEST_ROW(struct memory_row)->instruction);
}

SWEEP(legacy_operand, ds_within, "SDM VMX Instruction Reference",
	"an operand whose last byte is at DS's limit is good", succeeds, COVERS_MEMORY)
{
	put_operand(last_offset());
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_SMALL }, 0, last_offset());
}

SWEEP(legacy_operand, ds_limit, "SDM VMX Instruction Reference",
	"an operand whose last byte is beyond DS's limit makes #GP(0)", faults_gp, COVERS_MEMORY)
{
	put_operand(last_offset() + 1);
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_SMALL }, 0, last_offset() + 1);
}

SWEEP(legacy_operand, ds_beyond, "SDM VMX Instruction Reference",
	"an operand that is all beyond DS's limit makes #GP(0)", faults_gp, COVERS_MEMORY)
{
	put_operand(SMALL_END);
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_SMALL }, 0, SMALL_END);
}

struct segment {
	const char *name;
	uint8_t prefix;
	struct legacy_state state;
};

static const struct segment small_segments[] = {
	{ "ES", SEGMENT_ES, { .es = LEGACY_SELECTOR_SMALL } },
	{ "FS", SEGMENT_FS, { .fs = LEGACY_SELECTOR_SMALL } },
	{ "GS", SEGMENT_GS, { .gs = LEGACY_SELECTOR_SMALL } },
};

SWEEP(legacy_operand, override_within, "SDM VMX Instruction Reference",
	"an operand within ES's, FS's or GS's limit is good", succeeds, COVERS_MEMORY)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(small_segments); i++) {
		outcome result;

		put_operand(last_offset());
		result = run_at(small_segments[i].state, small_segments[i].prefix, last_offset());
		if (result != OK)
			return result;
	}
	return OK;
}

/* Each of a list of segments at one offset: all of them make the row's outcome. */
static outcome run_segments(const struct segment *segments, size_t count, uint32_t offset)
{
	outcome expected = TEST_ROW(struct memory_row)->row.expected, result;
	size_t i;

	for (i = 0; i < count; i++) {
		put_operand(offset % SMALL_END);
		result = run_at(segments[i].state, segments[i].prefix, offset);
		if (result != expected) {
			test_mismatch(__LINE__, "by %s", segments[i].name);
			return result;
		}
	}
	return expected;
}

SWEEP(legacy_operand, override_limit, "SDM VMX Instruction Reference",
	"an operand beyond ES's, FS's or GS's limit makes #GP(0)", faults_gp, COVERS_MEMORY)
{
	return run_segments(small_segments, ARRAY_SIZE(small_segments), last_offset() + 1);
}

static const struct segment null_segments[] = {
	{ "DS", 0, { .null_ds = true } },
	{ "FS", SEGMENT_FS, { .fs = LEGACY_SELECTOR_NULL } },
	{ "GS", SEGMENT_GS, { .gs = LEGACY_SELECTOR_NULL } },
};

SWEEP(legacy_operand, unusable, "SDM VMX Instruction Reference",
	"an operand in DS, FS or GS that is unusable makes #GP(0)", faults_gp, COVERS_MEMORY)
{
	return run_segments(
		null_segments, ARRAY_SIZE(null_segments), (uint32_t)vmx_address(legacy_area));
}

SWEEP(legacy_operand, ss_within, "SDM VMX Instruction Reference",
	"an operand within SS's limit is good", succeeds, COVERS_MEMORY)
{
	put_operand(last_offset());
	return run_at(
		(struct legacy_state){ .ss = LEGACY_SELECTOR_SMALL }, SEGMENT_SS, last_offset());
}

SWEEP(legacy_operand, ss_limit, "SDM VMX Instruction Reference",
	"an operand beyond SS's limit makes #SS(0)", faults_ss, COVERS_MEMORY)
{
	put_operand(last_offset() + 1);
	return run_at((struct legacy_state){ .ss = LEGACY_SELECTOR_SMALL }, SEGMENT_SS,
		last_offset() + 1);
}

SWEEP(legacy_operand, expand_down_within, "SDM Limit Checking",
	"an operand above an expand-down segment's limit is good", succeeds, COVERS_MEMORY)
{
	put_operand(SMALL_END);
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_EXPAND_DOWN }, 0, SMALL_END);
}

SWEEP(legacy_operand, expand_down_limit, "SDM Limit Checking",
	"an operand that starts at an expand-down segment's limit makes #GP(0)", faults_gp,
	COVERS_MEMORY)
{
	put_operand(SMALL_END - 1);
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_EXPAND_DOWN }, 0, SMALL_END - 1);
}

SWEEP(legacy_operand, read_only_segment, "SDM VMX Instruction Reference",
	"a read-only data segment: #GP(0) for VMPTRST and VMREAD, which write, none for the others",
	write_faults_gp, COVERS_MEMORY)
{
	put_operand(0);
	return run_at((struct legacy_state){ .ds = LEGACY_SELECTOR_READ_ONLY }, 0,
		(uint32_t)vmx_address(legacy_area));
}

SWEEP(legacy_operand, code_segment, "SDM VMX Instruction Reference",
	"a readable code segment: #GP(0) for VMPTRST and VMREAD, which write, none for the others",
	write_faults_gp, COVERS_MEMORY)
{
	put_operand(0);
	return run_at((struct legacy_state){ 0 }, SEGMENT_CS, (uint32_t)vmx_address(legacy_area));
}

SWEEP(legacy_operand, execute_only_segment, "SDM VMX Instruction Reference",
	"an operand in an execute-only code segment makes #GP(0)", faults_gp, COVERS_MEMORY)
{
	put_operand(0);
	return run_at((struct legacy_state){ .cs = LEGACY_SELECTOR_EXECUTE_ONLY }, SEGMENT_CS,
		(uint32_t)vmx_address(legacy_area));
}
