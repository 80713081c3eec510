/* RDRAND and RDSEED: their instruction information (Intel SDM, "Format of the VM-Exit
   Instruction-Information Field as Used for RDRAND, RDSEED, TPAUSE, and UMWAIT"). That they exit is
   conditional.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/operand.h"

#define SECTION "SDM Information for VM Exits Due to Instruction Execution"
#define COVERS  "field:EXIT_INSTRUCTION_INFORMATION field:EXIT_INSTRUCTION_LENGTH"

/* Operand size as the field has it. */
struct random_row {
	struct test_row row;
	struct opcode opcode;
	uint8_t size;
	uint64_t control;
};

#define ROWS(mnemonic, extension)                                                                  \
	{ { #mnemonic ", 16 bits", EXIT(EXIT_REASON_##mnemonic) },                                 \
		{ 0x66, { 0x0f, 0xc7 }, 2, extension, false }, 0, PROC2_##mnemonic##_EXITING },    \
		{ { #mnemonic ", 32 bits", EXIT(EXIT_REASON_##mnemonic) },                         \
			{ 0, { 0x0f, 0xc7 }, 2, extension, false }, 1,                             \
			PROC2_##mnemonic##_EXITING },                                              \
	{                                                                                          \
		{ #mnemonic ", 64 bits", EXIT(EXIT_REASON_##mnemonic) },                           \
			{ 0, { 0x0f, 0xc7 }, 2, extension, true }, 2, PROC2_##mnemonic##_EXITING   \
	}

static const struct random_row rdrand[] = { ROWS(RDRAND, 6) };
static const struct random_row rdseed[] = { ROWS(RDSEED, 7) };

static outcome run_random(const struct random_row *row)
{
	uint8_t bytes[OPERAND_BYTES_MAX];
	unsigned int reg;
	size_t length;

	guest_reset();
	exit_control(CONTROL_WORD_PROC2, row->control, true);
	for (reg = 0; reg < 16; reg++) {
		length = operand_encode_register(
			&row->opcode, row->opcode.extension, reg, true, bytes);
		exit_set_bytes(bytes, length);
		CHECK_EQUAL(guest_run(NULL), row->row.expected);
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_INFORMATION) &
				    (INSTRUCTION_REGISTER1 | INSTRUCTION_OPERAND_SIZE),
			FIELD_PUT(reg, INSTRUCTION_REGISTER1) |
				FIELD_PUT(row->size, INSTRUCTION_OPERAND_SIZE));
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), length);
	}
	return row->row.expected;
}

SWEEP(random, rdrand, SECTION, "RDRAND: each destination register in each size", rdrand,
	.needs = NEEDS(&need_PROC2_RDRAND_EXITING), .covers = COVERS " exit:RDRAND")
{
	return run_random(TEST_ROW(struct random_row));
}

SWEEP(random, rdseed, SECTION, "RDSEED: each destination register in each size", rdseed,
	.needs = NEEDS(&need_PROC2_RDSEED_EXITING), .covers = COVERS " exit:RDSEED")
{
	return run_random(TEST_ROW(struct random_row));
}
