/* The I/O bitmaps over their whole range: each port's own bit, accesses that straddle, and the wrap
   at the end of the I/O space (Intel SDM, "I/O-Bitmap Addresses", "Instructions That Cause VM Exits
   Conditionally"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/beat.h"
#include "vmx-tests/exit/io.h"

#define SECTION "SDM I/O-Bitmap Addresses"
#define PORTS   UINT32_C(0x10000)
#define COVERS  "control:PROC_IO_BITMAPS field:IO_BITMAP_A field:IO_BITMAP_B exit:IO_INSTRUCTION"

/* An exit costs an emulator some 20 microseconds: one form of access visits each port, the others
   every seventeenth, which still meets each second byte of the bitmaps and each place of a bit in a
   byte. */
#define STEP 17

/* With beat=on it costs more: another factor. */
static uint32_t step_of(uint32_t step)
{
	return step * beat_choose(1, STEP);
}

#define SWEEP_PORTS(name, step, access)                                                            \
	static void name(void)                                                                     \
	{                                                                                          \
		uint32_t port, by = step_of(step);                                                 \
                                                                                                   \
		for (port = 0; port < PORTS; port += by)                                           \
			access;                                                                    \
	}
SWEEP_PORTS(read_bytes, 1, in8((uint16_t)port))
SWEEP_PORTS(read_words, STEP, in16((uint16_t)port))
SWEEP_PORTS(read_longs, STEP, in32((uint16_t)port))
SWEEP_PORTS(write_bytes, STEP, out8((uint16_t)port, 0))
SWEEP_PORTS(write_words, STEP, out16((uint16_t)port, 0))
SWEEP_PORTS(write_longs, STEP, out32((uint16_t)port, 0))

struct sweep_row {
	struct test_row row;
	void (*code)(void);
	uint32_t size, step;
	uint64_t direction;
};

static const struct sweep_row accesses[] = {
	{ { "in, 1 byte", OK }, read_bytes, 1, 1, IO_ACCESS_IN },
	{ { "in, 2 bytes", OK }, read_words, 2, STEP, IO_ACCESS_IN },
	{ { "in, 4 bytes", OK }, read_longs, 4, STEP, IO_ACCESS_IN },
	{ { "out, 1 byte", OK }, write_bytes, 1, STEP, 0 },
	{ { "out, 2 bytes", OK }, write_words, 2, STEP, 0 },
	{ { "out, 4 bytes", OK }, write_longs, 4, STEP, 0 },
};

static uint64_t qualification_of(const struct sweep_row *row, uint32_t port)
{
	return FIELD_PUT(row->size - 1, IO_ACCESS_SIZE) | row->direction |
	       FIELD_PUT(port, IO_ACCESS_PORT);
}

/* Only one bit of both bitmaps is set at a time, that of a port that the next access touches: an
   implementation that looks elsewhere does not exit. Nothing is read or written for real. Returns
   the exits that were right. */
static uint32_t count_exits(const struct sweep_row *row)
{
	uint32_t port, bit, good = 0, step = step_of(row->step);
	uint64_t rip;

	for (port = 0; port < PORTS; port += step) {
		bit = (port + (port ^ port >> 2) % row->size) % PORTS;
		io_flip(bit);
		if (guest_enter_unobserved() != EXIT(EXIT_REASON_IO_INSTRUCTION))
			break;
		io_flip(bit);
		good += field_peek(VMCS_EXIT_QUALIFICATION) == qualification_of(row, port);
		rip = field_peek(VMCS_GUEST_RIP) + field_peek(VMCS_EXIT_INSTRUCTION_LENGTH);
		field_poke(VMCS_GUEST_RIP, rip);
	}
	return good;
}

SWEEP(io_bitmap, each_port, SECTION,
	"each of 65,536 ports has its own bit, and an access exits when one of its ports' bits is "
	"set",
	accesses, .needs = NEEDS(&need_PROC_IO_BITMAPS), .covers = COVERS)
{
	const struct sweep_row *row = TEST_ROW(struct sweep_row);
	uint32_t step = step_of(row->step);

	guest_reset();
	io_use_bitmaps(0);
	guest_set_code(row->code);
	CHECK_EQUAL(test_observe(count_exits(row)), (PORTS + step - 1) / step);
	return OK;
}

GUEST64(io_bitmap_in8, "inb %dx, %al");
GUEST64(io_bitmap_in16, "inw %dx, %ax");
GUEST64(io_bitmap_in32, "inl %dx, %eax");

/* A bit of a neighbour, all others set or all others clear. */
struct edge_row {
	struct test_row row;
	struct guest_code code;
	uint32_t port;
	uint32_t bit; /* of this port, differs from the others */
	uint8_t fill;
};

#define EXITS EXIT(EXIT_REASON_IO_INSTRUCTION)
#define RUNS  EXIT(EXIT_REASON_VMCALL)
#define SET(code, port, bit, expected)                                                             \
	{                                                                                          \
		{ #code " " #port ", only " #bit " set", expected }, CODE_OF(io_bitmap_##code),    \
			port, bit, 0                                                               \
	}
#define CLEAR(code, port, bit, expected)                                                           \
	{                                                                                          \
		{ #code " " #port ", only " #bit " clear", expected }, CODE_OF(io_bitmap_##code),  \
			port, bit, 0xff                                                            \
	}

/* Ports at the borders of a byte, of a bitmap, of the space; reading them is harmless on a PC. */
static const struct edge_row edges[] = {
	SET(in8, 0x8000, 0x7fff, RUNS),
	SET(in8, 0x7fff, 0x8000, RUNS),
	SET(in8, 0x8000, 0x0000, RUNS),
	SET(in8, 0x7ffe, 0xfffe, RUNS),
	SET(in8, 0xfff8, 0xfff9, RUNS),
	SET(in8, 0xfff8, 0xfff7, RUNS),
	SET(in8, 0xffff, 0x0000, RUNS),
	CLEAR(in8, 0x7fff, 0x7fff, RUNS),
	CLEAR(in8, 0x8000, 0x8000, RUNS),
	CLEAR(in8, 0xfff7, 0xfff7, RUNS),
	CLEAR(in8, 0xfff8, 0xfff8, RUNS),
	CLEAR(in8, 0xffff, 0xffff, RUNS),
	CLEAR(in8, 0xfff8, 0xfff9, EXITS),
	SET(in16, 0x7fff, 0x7fff, EXITS),
	SET(in16, 0x7fff, 0x8000, EXITS),
	SET(in16, 0x7fff, 0x7ffe, RUNS),
	SET(in16, 0x7fff, 0x8001, RUNS),
	SET(in16, 0xfff7, 0xfff8, EXITS),
	SET(in16, 0xfff7, 0xfff9, RUNS),
	SET(in16, 0xfff7, 0xfff6, RUNS),
	SET(in16, 0xfffe, 0xffff, EXITS),
	SET(in16, 0xfffe, 0xfffe, EXITS),
	SET(in16, 0xfffe, 0x0000, RUNS),
	CLEAR(in16, 0xfff7, 0xfff7, EXITS),
	CLEAR(in16, 0xfff7, 0xfff8, EXITS),
	SET(in32, 0x7ffd, 0x7ffc, RUNS),
	SET(in32, 0x7ffd, 0x7ffd, EXITS),
	SET(in32, 0x7ffd, 0x7ffe, EXITS),
	SET(in32, 0x7ffd, 0x7fff, EXITS),
	SET(in32, 0x7ffd, 0x8000, EXITS),
	SET(in32, 0x7ffd, 0x8001, RUNS),
	SET(in32, 0x7fff, 0x8002, EXITS),
	SET(in32, 0x7fff, 0x8003, RUNS),
	SET(in32, 0xfff5, 0xfff4, RUNS),
	SET(in32, 0xfff5, 0xfff8, EXITS),
	SET(in32, 0xfff5, 0xfff9, RUNS),
	SET(in32, 0xfffc, 0xfffb, RUNS),
	SET(in32, 0xfffc, 0xfffc, EXITS),
	SET(in32, 0xfffc, 0xffff, EXITS),
	SET(in32, 0xfffc, 0x0000, RUNS),
	CLEAR(in32, 0xfff5, 0xfff8, EXITS),
};

static outcome run_edge(const struct edge_row *row)
{
	guest_reset();
	io_use_bitmaps(row->fill);
	io_flip(row->bit);
	guest_gpr[RDX] = row->port;
	return exit_run(row->code);
}

SWEEP(io_bitmap, edges, SECTION, "an access exits exactly when a bit of its own ports is set",
	edges, .needs = NEEDS(&need_PROC_IO_BITMAPS), .covers = COVERS)
{
	return run_edge(TEST_ROW(struct edge_row));
}

/* The bit given is one that no port of the access has. */
static const struct edge_row wraps[] = {
	SET(in16, 0xffff, 0x1234, EXITS),
	SET(in32, 0xfffd, 0x1234, EXITS),
	SET(in32, 0xfffe, 0x1234, EXITS),
	SET(in32, 0xffff, 0x1234, EXITS),
};

SWEEP(io_bitmap, wrap, "SDM Instructions That Cause VM Exits Conditionally",
	"an access that wraps around the 16-bit I/O space exits although no bit of its ports is "
	"set",
	wraps, .needs = NEEDS(&need_PROC_IO_BITMAPS), .covers = COVERS)
{
	return run_edge(TEST_ROW(struct edge_row));
}
