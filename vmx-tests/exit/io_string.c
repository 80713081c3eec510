/* INS and OUTS: their qualification, linear address and instruction information, and that they exit
   before they look at their segment (Intel SDM, "Exit Qualification for I/O Instructions",
   "Information for VM Exits Due to Instruction Execution", "Relative Priority of Faults and VM
   Exits"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/io.h"

#define SECTION "SDM VM-Exit Instruction-Information Field as Used for INS and OUTS"
#define PORT    0x80
#define FS_BASE 0x12000
#define GS_BASE 0x34000
#define OFFSET  0x678 /* of RSI; RDI is OFFSET more */

enum { ES, CS, SS, DS, FS, GS };

GUEST64(io_string_insb, "insb");
GUEST64(io_string_insw, "insw");
GUEST64(io_string_insl, "insl");
GUEST64(io_string_outsb, "outsb");
GUEST64(io_string_outsw, "outsw");
GUEST64(io_string_outsl, "outsl");
GUEST64(io_string_rep_insb, "rep insb");
GUEST64(io_string_rep_outsl, "rep outsl");
GUEST64(io_string_repne_outsb, "repne; outsb");
GUEST64(io_string_insb_a32, "insb (%dx), %es:(%edi)");
GUEST64(io_string_outsb_a32, "outsb (%esi), (%dx)");
GUEST64(io_string_outsb_fs, "outsb %fs:(%rsi), (%dx)");
GUEST64(io_string_outsw_gs, "outsw %gs:(%rsi), (%dx)");
GUEST64(io_string_outsl_fs_a32, "rep outsl %fs:(%esi), (%dx)");
GUEST64(io_string_insb_fs, ".byte 0x64; insb"); /* an override does not count for INS */
GUEST32(io_string_insb32, "insb");
GUEST32(io_string_outsb32, "outsb");
GUEST32(io_string_insb32_a16, "insb (%dx), %es:(%di)");
GUEST32(io_string_outsl32_a16, "outsl (%si), (%dx)");
GUEST32(io_string_outsb_es, "outsb %es:(%esi), (%dx)");
GUEST32(io_string_outsb_cs, "outsb %cs:(%esi), (%dx)");
GUEST32(io_string_outsb_ss, "outsb %ss:(%esi), (%dx)");
GUEST32(io_string_outsb_ds, ".byte 0x3e; outsb");
GUEST32(io_string_outsb_fs32, "outsb %fs:(%esi), (%dx)");
GUEST32(io_string_outsb_gs32, "outsb %gs:(%esi), (%dx)");
GUEST16(io_string_insb16, "insb");
GUEST16(io_string_outsw16, "outsw");
GUEST16(io_string_outsb16_a32, "outsb (%esi), (%dx)");

struct string_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint32_t length;
	uint8_t bytes, address_bits, segment;
	uint64_t flags; /* of the qualification */
};

#define ROW(name, code, mode, length, bytes, address_bits, segment, flags)                         \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_IO_INSTRUCTION) }, CODE_OF(io_string_##code), mode,       \
			length, bytes, address_bits, segment, flags                                \
	}
#define INS(name, code, mode, length, bytes, address_bits, flags)                                  \
	ROW(name, code, mode, length, bytes, address_bits, ES, IO_ACCESS_IN | (flags))
#define OUTS(name, code, mode, length, bytes, address_bits, segment, flags)                        \
	ROW(name, code, mode, length, bytes, address_bits, segment, flags)

static const struct string_row forms[] = {
	INS("insb", insb, GUEST_64BIT, 1, 1, 64, 0),
	INS("insw", insw, GUEST_64BIT, 2, 2, 64, 0),
	INS("insl", insl, GUEST_64BIT, 1, 4, 64, 0),
	OUTS("outsb", outsb, GUEST_64BIT, 1, 1, 64, DS, 0),
	OUTS("outsw", outsw, GUEST_64BIT, 2, 2, 64, DS, 0),
	OUTS("outsl", outsl, GUEST_64BIT, 1, 4, 64, DS, 0),
	INS("rep insb", rep_insb, GUEST_64BIT, 2, 1, 64, IO_ACCESS_REP),
	OUTS("rep outsl", rep_outsl, GUEST_64BIT, 2, 4, 64, DS, IO_ACCESS_REP),
	INS("insb, 32-bit address", insb_a32, GUEST_64BIT, 2, 1, 32, 0),
	OUTS("outsb, 32-bit address", outsb_a32, GUEST_64BIT, 2, 1, 32, DS, 0),
	OUTS("outsb from FS", outsb_fs, GUEST_64BIT, 2, 1, 64, FS, 0),
	OUTS("outsw from GS", outsw_gs, GUEST_64BIT, 3, 2, 64, GS, 0),
	OUTS("rep outsl from FS, 32-bit address", outsl_fs_a32, GUEST_64BIT, 4, 4, 32, FS,
		IO_ACCESS_REP),
	INS("insb with an override", insb_fs, GUEST_64BIT, 2, 1, 64, 0),
	INS("insb, compatibility mode", insb32, GUEST_COMPATIBILITY, 1, 1, 32, 0),
	OUTS("outsb, compatibility mode", outsb32, GUEST_COMPATIBILITY, 1, 1, 32, DS, 0),
	INS("insb, 32-bit paging", insb32, GUEST_PAGED32, 1, 1, 32, 0),
	OUTS("outsb, PAE paging", outsb32, GUEST_PAE, 1, 1, 32, DS, 0),
	INS("insb, 16-bit address", insb32_a16, GUEST_PAGED32, 2, 1, 16, 0),
	OUTS("outsl, 16-bit address", outsl32_a16, GUEST_PAGED32, 2, 4, 16, DS, 0),
	OUTS("outsb from ES", outsb_es, GUEST_PAGED32, 2, 1, 32, ES, 0),
	OUTS("outsb from CS", outsb_cs, GUEST_PAGED32, 2, 1, 32, CS, 0),
	OUTS("outsb from SS", outsb_ss, GUEST_PAGED32, 2, 1, 32, SS, 0),
	OUTS("outsb from DS, explicit", outsb_ds, GUEST_PAGED32, 2, 1, 32, DS, 0),
	OUTS("outsb from FS", outsb_fs32, GUEST_PAGED32, 2, 1, 32, FS, 0),
	OUTS("outsb from GS", outsb_gs32, GUEST_PAGED32, 2, 1, 32, GS, 0),
	INS("insb, 16-bit protected mode", insb16, GUEST_PROTECTED16, 1, 1, 16, 0),
	OUTS("outsw, 16-bit protected mode", outsw16, GUEST_PROTECTED16, 1, 2, 16, DS, 0),
	OUTS("outsb, 16-bit mode with 32-bit address", outsb16_a32, GUEST_PROTECTED16, 2, 1, 32, DS,
		0),
};

static void write_registers(uint32_t address_bits, enum guest_mode mode)
{
	uint64_t beyond = mode == GUEST_64BIT && address_bits == 32 ? UINT64_C(0x123) << 32 : 0;

	guest_gpr[RDX] = PORT;
	guest_gpr[RCX] = 3;
	guest_gpr[RSI] = beyond | OFFSET;
	guest_gpr[RDI] = beyond | OFFSET * 2;
	field_write(VMCS_GUEST_FS_BASE, FS_BASE);
	field_write(VMCS_GUEST_GS_BASE, GS_BASE);
}

static outcome run_string(const struct string_row *row)
{
	struct exit_case as_case = { row->row, row->code, row->mode, row->length,
		row->flags | IO_ACCESS_STRING | FIELD_PUT(row->bytes - 1, IO_ACCESS_SIZE) |
			FIELD_PUT(PORT, IO_ACCESS_PORT) };

	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	write_registers(row->address_bits, row->mode);
	return exit_run_case_here(&as_case);
}

SWEEP(io_string, qualification, "SDM Exit Qualification for I/O Instructions",
	"string instructions, with and without REP, in all address sizes and modes", forms,
	.covers = "exit:IO_INSTRUCTION insn:INS insn:OUTS field:EXIT_QUALIFICATION")
{
	return run_string(TEST_ROW(struct string_row));
}

SWEEP(io_string, linear_address, "SDM Basic VM-Exit Information",
	"the guest linear address is the operand's: segment base and RSI or RDI, as wide as the "
	"address size",
	forms, .covers = "exit:IO_INSTRUCTION field:GUEST_LINEAR_ADDRESS")
{
	const struct string_row *row = TEST_ROW(struct string_row);
	uint64_t offset = row->flags & IO_ACCESS_IN ? OFFSET * 2 : OFFSET;
	outcome result = run_string(row);

	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS),
		field_read(VMCS_GUEST_ES_BASE + row->segment * 2U) + offset);
	return result;
}

SWEEP(io_string, information, SECTION, "address size and, for OUTS, the segment", forms,
	.needs = NEEDS(&need_ins_outs_information),
	.covers = "exit:IO_INSTRUCTION field:EXIT_INSTRUCTION_INFORMATION "
		  "cap:VMX_BASIC_INS_OUTS_INFORMATION")
{
	const struct string_row *row = TEST_ROW(struct string_row);
	outcome result = run_string(row);
	uint64_t information = field_read(VMCS_EXIT_INSTRUCTION_INFORMATION);

	CHECK_EQUAL(FIELD_GET(information, INSTRUCTION_ADDRESS_SIZE), row->address_bits / 32U);
	if (!(row->flags & IO_ACCESS_IN))
		CHECK_EQUAL(FIELD_GET(information, INSTRUCTION_SEGMENT), row->segment);
	return result;
}

TEST(io_string, registers_untouched, "SDM Architectural State Before a VM Exit",
	"REP OUTS exits before its first repetition: RCX and RSI keep their values",
	EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	write_registers(64, GUEST_64BIT);
	result = exit_run((struct guest_code)CODE_OF(io_string_rep_outsl));
	CHECK_EQUAL(test_observe(guest_gpr[RCX]), 3);
	CHECK_EQUAL(test_observe(guest_gpr[RSI]), OFFSET);
	return result;
}

/* REP INS from a port that the bitmaps let through stores to memory; the first repetition of one
 * that they do not exits. */
TEST(io_string, bitmap_clear, "SDM I/O-Bitmap Addresses",
	"string I/O to a port whose bit is clear runs", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC_IO_BITMAPS), .covers = "control:PROC_IO_BITMAPS")
{
	outcome result;

	io_use_bitmaps(UINT8_MAX);
	io_flip(PORT);
	guest_gpr[RDX] = PORT;
	guest_gpr[RCX] = 3;
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	result = exit_run((struct guest_code)CODE_OF(io_string_rep_insb));
	CHECK_EQUAL(test_observe(guest_gpr[RDI]), vmx_address(guest_page[0]) + 3);
	return result;
}

TEST(io_string, bitmap_set, "SDM I/O-Bitmap Addresses",
	"string I/O to a port whose bit is set exits", EXIT(EXIT_REASON_IO_INSTRUCTION),
	.needs = NEEDS(&need_PROC_IO_BITMAPS), .covers = "control:PROC_IO_BITMAPS")
{
	io_use_bitmaps(0);
	io_flip(PORT);
	guest_gpr[RDX] = PORT;
	guest_gpr[RCX] = 3;
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return exit_run((struct guest_code)CODE_OF(io_string_rep_insb));
}

/* What would fault after the exit: an unusable segment, an offset beyond the limit. */
static outcome run_unusable(struct guest_code code, uint32_t segment)
{
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_set_mode(GUEST_PAGED32, code.start, (size_t)(code.end - code.start));
	write_registers(32, GUEST_PAGED32);
	field_write(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment, ACCESS_RIGHTS_UNUSABLE);
	return guest_run(NULL);
}

TEST(io_string, ins_unusable, "SDM Relative Priority of Faults and VM Exits",
	"INS exits although ES is unusable", EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	return run_unusable((struct guest_code)CODE_OF(io_string_insb32), ES);
}

TEST(io_string, outs_unusable, "SDM Relative Priority of Faults and VM Exits",
	"OUTS exits although DS is unusable", EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	return run_unusable((struct guest_code)CODE_OF(io_string_outsb32), DS);
}

static outcome run_limited(struct guest_code code, uint32_t segment)
{
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_set_mode(GUEST_PAGED32, code.start, (size_t)(code.end - code.start));
	write_registers(32, GUEST_PAGED32);
	field_write(
		VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment, GUEST_RIGHTS_DATA16 | ACCESS_RIGHTS_DB);
	field_write(VMCS_GUEST_ES_LIMIT + 2 * segment, OFFSET / 2);
	return guest_run(NULL);
}

TEST(io_string, ins_limit, "SDM Relative Priority of Faults and VM Exits",
	"INS exits although its offset is beyond the limit of ES", EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	return run_limited((struct guest_code)CODE_OF(io_string_insb32), ES);
}

TEST(io_string, outs_limit, "SDM Relative Priority of Faults and VM Exits",
	"OUTS exits although its offset is beyond the limit of DS",
	EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	return run_limited((struct guest_code)CODE_OF(io_string_outsb32), DS);
}
