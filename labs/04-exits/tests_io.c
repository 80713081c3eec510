/* Lab 4, what an I/O exit tells: guests of one instruction, on the CPU at hand. The back ends'
   functions have one name, decode_io, and are tested alike. */
#define TEST_FOLDER "lab4/"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/apic.h"
#include "runtime/trap.h"

#define IO_TITLE "SDM Exit Qualification for I/O Instructions; APM I/O Intercept Information"
#define PORT     0x1234 /* in DX */

LAB_CODE(in8, "in %dx, %al");
LAB_CODE(in16, "in %dx, %ax");
LAB_CODE(in32, "in %dx, %eax");
LAB_CODE(out8, "out %al, %dx");
LAB_CODE(out16, "out %ax, %dx");
LAB_CODE(out32, "out %eax, %dx");
LAB_CODE(in_imm, "in $0x71, %al");
LAB_CODE(out_imm, "out %eax, $0xcf");
LAB_CODE(ins8, "insb");
LAB_CODE(outs16, "outsw");
LAB_CODE(rep_ins, "rep insl");
LAB_CODE(rep_outs, "rep outsb");
LAB_CODE(wide, "rex.w in %dx, %eax");

struct io_row {
	struct test_row row;
	const uint8_t *code, *end;
	uint16_t port;
	uint8_t size, len;
	bool in, string, rep;
};
#define ROW(name, text, ...)                                                                       \
	{                                                                                          \
		{ text, OK }, name, name##_end, __VA_ARGS__                                        \
	}

static const struct io_row direction_rows[] = {
	ROW(in8, "IN AL, DX", PORT, 1, 1, true, false, false),
	ROW(out8, "OUT DX, AL", PORT, 1, 1, false, false, false),
};
static const struct io_row size_rows[] = {
	ROW(in16, "IN AX, DX", PORT, 2, 2, true, false, false),
	ROW(in32, "IN EAX, DX", PORT, 4, 1, true, false, false),
	ROW(out16, "OUT DX, AX", PORT, 2, 2, false, false, false),
	ROW(out32, "OUT DX, EAX", PORT, 4, 1, false, false, false),
	ROW(wide, "REX.W IN EAX, DX", PORT, 4, 2, true, false, false),
};
static const struct io_row immediate_rows[] = {
	ROW(in_imm, "IN AL, 71h", 0x71, 1, 2, true, false, false),
	ROW(out_imm, "OUT CFh, EAX", 0xcf, 4, 2, false, false, false),
};
static const struct io_row string_rows[] = {
	ROW(ins8, "INSB", PORT, 1, 1, true, true, false),
	ROW(outs16, "OUTSW", PORT, 2, 2, false, true, false),
	ROW(rep_ins, "REP INSD", PORT, 4, 2, true, true, true),
	ROW(rep_outs, "REP OUTSB", PORT, 1, 2, false, true, true),
};

static void acknowledge(struct trap_frame *frame)
{
	apic_eoi();
}

#define CHECK_MEMBER(exit, row, member, wanted)                                                    \
	do {                                                                                       \
		if ((uint64_t)(exit).member != (uint64_t)(wanted))                                 \
			return test_mismatch(__LINE__, "%s: " #member " is %#lx, not %#lx",        \
				(row)->row.name, (uint64_t)(exit).member, (uint64_t)(wanted));     \
	} while (0)

static outcome check_row(void)
{
	const struct io_row *row = TEST_ROW(struct io_row);
	struct vcpu *vcpu = lab_guest_make(row->code, row->end);
	struct exit exit = { 0 };

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	trap_set_handler(APIC_VECTOR_TIMER, acknowledge);
	vcpu->gpr[GPR_RDX] = PORT;
	vcpu->gpr[GPR_RCX] = 2;
	vcpu->gpr[GPR_RSI] = vcpu->gpr[GPR_RDI] = (uintptr_t)lab_guest_data;
	backend->enter(vcpu, &exit);
	CHECK_MEMBER(exit, row, kind, EXIT_IO);
	CHECK_MEMBER(exit, row, io.port, row->port);
	CHECK_MEMBER(exit, row, io.size, row->size);
	CHECK_MEMBER(exit, row, io.in, row->in);
	CHECK_MEMBER(exit, row, io.string, row->string);
	CHECK_MEMBER(exit, row, io.rep, row->rep);
	CHECK_MEMBER(exit, row, len, row->len);
	return OK;
}

SWEEP(decode_io, direction, IO_TITLE,
	"IN or OUT, at the port in DX" CAUSE(
		"the direction's bit is 1 for IN; the port is the upper half of the low 32 bits"),
	direction_rows)
{
	return check_row();
}

SWEEP(decode_io, size, IO_TITLE,
	"1, 2 or 4 bytes" CAUSE(
		"VT-x has the size less 1 in three bits; AMD-V has a bit for each size"),
	size_rows)
{
	return check_row();
}

SWEEP(decode_io, immediate, IO_TITLE,
	"the port of the instruction itself" CAUSE(
		"the port is taken from DX, where it is the instruction's own"),
	immediate_rows)
{
	return check_row();
}

SWEEP(decode_io, string, IO_TITLE,
	"INS and OUTS, with REP or without" CAUSE("the bits of string instructions and of REP have "
						  "changed places, or the next RIP is not used"),
	string_rows)
{
	return check_row();
}
