/* I/O instructions: what makes them exit, their qualification, bit by bit (Intel SDM, "Instructions
   That Cause VM Exits Conditionally", "Exit Qualification for I/O Instructions"). The bitmaps'
   whole range is io_bitmap.c's, string instructions are io_string.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/string.h"
#include "vmx-tests/exit/io.h"

#define SECTION "SDM Exit Qualification for I/O Instructions"
#define PORT    0x80 /* of power-on self-test codes: harmless to read and write */

uint8_t io_bitmaps[2][4096] __aligned(4096);

void io_use_bitmaps(uint8_t fill)
{
	memset(io_bitmaps, fill, sizeof(io_bitmaps));
	exit_control(CONTROL_WORD_PROC, PROC_IO_BITMAPS, true);
	field_write(VMCS_IO_BITMAP_A, vmx_address(io_bitmaps[0]));
	field_write(VMCS_IO_BITMAP_B, vmx_address(io_bitmaps[1]));
}

GUEST64(io_in8, "inb %dx, %al");
GUEST64(io_in16, "inw %dx, %ax");
GUEST64(io_in32, "inl %dx, %eax");
GUEST64(io_out8, "outb %al, %dx");
GUEST64(io_out16, "outw %ax, %dx");
GUEST64(io_out32, "outl %eax, %dx");
GUEST64(io_in8_immediate, "inb $0x80, %al");
GUEST64(io_in16_immediate, "inw $0x80, %ax");
GUEST64(io_in32_immediate, "inl $0x80, %eax");
GUEST64(io_out8_immediate, "outb %al, $0x80");
GUEST64(io_out16_immediate, "outw %ax, $0x80");
GUEST64(io_out32_immediate, "outl %eax, $0x80");
GUEST64(io_in8_high, "inb $0xff, %al");
GUEST64(io_in64, "rex.w inl %dx, %eax");

struct io_row {
	struct test_row row;
	struct guest_code code;
	uint32_t length;
	uint64_t qualification; /* without the port, where the port is in DX */
	uint64_t dx;
};

#define ROW(name, code, length, qualification, dx)                                                 \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_IO_INSTRUCTION) }, CODE_OF(io_##code), length,            \
			(qualification) | FIELD_PUT((dx)&0xffff, IO_ACCESS_PORT), dx               \
	}
#define SIZE(bytes) FIELD_PUT((bytes)-1, IO_ACCESS_SIZE)

static const struct io_row forms[] = {
	ROW("in al, dx", in8, 1, SIZE(1) | IO_ACCESS_IN, PORT),
	ROW("in ax, dx", in16, 2, SIZE(2) | IO_ACCESS_IN, PORT),
	ROW("in eax, dx", in32, 1, SIZE(4) | IO_ACCESS_IN, PORT),
	ROW("out dx, al", out8, 1, SIZE(1), PORT),
	ROW("out dx, ax", out16, 2, SIZE(2), PORT),
	ROW("out dx, eax", out32, 1, SIZE(4), PORT),
	ROW("in al, imm8", in8_immediate, 2, SIZE(1) | IO_ACCESS_IN | IO_ACCESS_IMMEDIATE, PORT),
	ROW("in ax, imm8", in16_immediate, 3, SIZE(2) | IO_ACCESS_IN | IO_ACCESS_IMMEDIATE, PORT),
	ROW("in eax, imm8", in32_immediate, 2, SIZE(4) | IO_ACCESS_IN | IO_ACCESS_IMMEDIATE, PORT),
	ROW("out imm8, al", out8_immediate, 2, SIZE(1) | IO_ACCESS_IMMEDIATE, PORT),
	ROW("out imm8, ax", out16_immediate, 3, SIZE(2) | IO_ACCESS_IMMEDIATE, PORT),
	ROW("out imm8, eax", out32_immediate, 2, SIZE(4) | IO_ACCESS_IMMEDIATE, PORT),
	ROW("in al, 0xff", in8_high, 2, SIZE(1) | IO_ACCESS_IN | IO_ACCESS_IMMEDIATE, 0xff),
	ROW("in eax, dx with REX.W", in64, 2, SIZE(4) | IO_ACCESS_IN, PORT),
	ROW("port 0", in8, 1, SIZE(1) | IO_ACCESS_IN, 0),
	ROW("port 0x5555", in8, 1, SIZE(1) | IO_ACCESS_IN, 0x5555),
	ROW("port 0xaaaa", out8, 1, SIZE(1), 0xaaaa),
	ROW("port 0xffff", in8, 1, SIZE(1) | IO_ACCESS_IN, 0xffff),
	ROW("upper bits of RDX", in8, 1, SIZE(1) | IO_ACCESS_IN, 0xfffffffffff00080),
};

static outcome run_row(const struct io_row *row)
{
	struct exit_case as_case = { row->row, row->code, GUEST_64BIT, row->length,
		row->qualification };

	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_gpr[RDX] = row->dx;
	return exit_run_case(&as_case);
}

SWEEP(io, forms, SECTION, "every form of IN and OUT, each with its length and qualification", forms,
	.covers = "control:PROC_UNCONDITIONAL_IO_EXITING exit:IO_INSTRUCTION insn:IN insn:OUT")
{
	return run_row(TEST_ROW(struct io_row));
}

TEST(io, unconditional_0, "SDM Instructions That Cause VM Exits Conditionally",
	"no exit when neither control is 1", EXIT(EXIT_REASON_VMCALL),
	.covers =
		"control:PROC_UNCONDITIONAL_IO_EXITING control:PROC_IO_BITMAPS exit:IO_INSTRUCTION")
{
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING | PROC_IO_BITMAPS, false);
	guest_gpr[RDX] = PORT;
	return exit_run((struct guest_code)CODE_OF(io_out8));
}

TEST(io, bitmaps_first, "SDM Instructions That Cause VM Exits Conditionally",
	"\"unconditional I/O exiting\" is ignored when \"use I/O bitmaps\" is 1: a clear bit does "
	"not exit",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_PROC_IO_BITMAPS),
	.covers = "control:PROC_UNCONDITIONAL_IO_EXITING control:PROC_IO_BITMAPS")
{
	io_use_bitmaps(0);
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_gpr[RDX] = PORT;
	return exit_run((struct guest_code)CODE_OF(io_out8));
}

TEST(io, bitmaps_ignored, "SDM Instructions That Cause VM Exits Conditionally",
	"the bitmaps are ignored when \"use I/O bitmaps\" is 0", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC_IO_BITMAPS, &need_clear_PROC_IO_BITMAPS),
	.covers = "control:PROC_IO_BITMAPS")
{
	io_use_bitmaps(UINT8_MAX);
	exit_control(CONTROL_WORD_PROC, PROC_IO_BITMAPS, false);
	guest_gpr[RDX] = PORT;
	return exit_run((struct guest_code)CODE_OF(io_out8));
}

static uint64_t read_rax(void)
{
	return test_observe(guest_gpr[RAX]);
}

TEST(io, operand_untouched, "SDM Architectural State Before a VM Exit",
	"the exit is fault-like: the destination of IN keeps its value",
	EXIT(EXIT_REASON_IO_INSTRUCTION))
{
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_gpr[RAX] = UINT64_C(0x0123456789abcdef);
	guest_gpr[RDX] = PORT;
	result = exit_run((struct guest_code)CODE_OF(io_in32));
	CHECK_EQUAL(read_rax(), UINT64_C(0x0123456789abcdef));
	return result;
}

/* The I/O privilege level and the TSS's bitmap come before the exit. guest_tss has no I/O bitmap:
   its offset 0 points into the TSS itself, so it is moved beyond the limit. */
static outcome run_user(uint64_t iopl)
{
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_gpr[RDX] = PORT;
	io_tss_bitmap(UINT16_MAX);
	guest_set_mode(GUEST_64BIT_USER, io_in8, (size_t)(io_in8_end - io_in8));
	field_set(VMCS_GUEST_RFLAGS, FIELD_PUT(iopl, RFLAGS_IOPL));
	return guest_run(NULL);
}

TEST(io, privilege, "SDM Relative Priority of Faults and VM Exits",
	"at CPL 3 with IOPL 0 and no I/O permission bitmap #GP comes before the exit", FAULT(GP),
	.covers = "control:PROC_UNCONDITIONAL_IO_EXITING exit:IO_INSTRUCTION")
{
	return run_user(0);
}

TEST(io, privilege_iopl, "SDM Relative Priority of Faults and VM Exits",
	"at CPL 3 with IOPL 3 it exits", EXIT(EXIT_REASON_IO_INSTRUCTION),
	.covers = "control:PROC_UNCONDITIONAL_IO_EXITING exit:IO_INSTRUCTION")
{
	return run_user(3);
}

/* Virtual-8086 mode always asks the TSS's bitmap; a 32-bit TSS has it at the same place. */
static outcome run_v86(uint8_t permission)
{
	exit_control(CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING, true);
	guest_gpr[RDX] = PORT;
	io_tss_bitmap(GUEST_TSS_LIMIT + 1);
	io_tss_fill(permission);
	guest_set_mode(GUEST_VIRTUAL_8086, io_in8, (size_t)(io_in8_end - io_in8));
	field_write(VMCS_GUEST_TR_LIMIT, IO_TSS_LIMIT);
	return guest_run(NULL);
}

TEST(io, v86_denied, "SDM Relative Priority of Faults and VM Exits",
	"a set bit of the TSS's I/O permission bitmap is #GP before the exit", FAULT(GP),
	.covers = "exit:IO_INSTRUCTION")
{
	return run_v86(UINT8_MAX);
}

TEST(io, v86_allowed, "SDM Relative Priority of Faults and VM Exits",
	"with a clear bit of the TSS's I/O permission bitmap it exits",
	EXIT(EXIT_REASON_IO_INSTRUCTION), .covers = "exit:IO_INSTRUCTION")
{
	return run_v86(0);
}
