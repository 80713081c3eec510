/* RDMSR and WRMSR: when they exit, and the MSR bitmaps over both their ranges (Intel SDM,
   "MSR-Bitmap Address", "Instructions That Cause VM Exits Conditionally"). The MSR areas of entries
   and exits are msr_area.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/string.h"
#include "vmx-tests/beat.h"
#include "vmx-tests/exit/exit.h"

#define SECTION      "SDM MSR-Bitmap Address"
#define COVERS       "control:PROC_MSR_BITMAPS field:MSR_BITMAP exit:RDMSR exit:WRMSR"
#define RDMSR_LENGTH 2

static uint8_t bitmap[4096] __aligned(4096);

static void use_bitmap(uint8_t fill)
{
	memset(bitmap, fill, sizeof(bitmap));
	exit_control(CONTROL_WORD_PROC, PROC_MSR_BITMAPS, true);
	field_write(VMCS_MSR_BITMAP, vmx_address(bitmap));
}

/* The bit of an MSR of the two ranges. */
static void flip(uint32_t msr, bool write)
{
	uint32_t area = msr >= MSR_BITMAP_HIGH_FIRST ? MSR_BITMAP_READ_HIGH : MSR_BITMAP_READ_LOW;
	uint32_t number = msr % MSR_BITMAP_MSRS;

	area += write ? MSR_BITMAP_WRITE_LOW : 0;
	bitmap[area + number / 8] ^= (uint8_t)(1 << number % 8);
}

GUEST64(msr_rdmsr, "rdmsr");
GUEST64(msr_wrmsr, "wrmsr");

/* Without bitmaps everything exits: MSRs of both ranges, of neither, and ones that no CPU has. */
struct msr_row {
	struct test_row row;
	uint64_t rcx;
};

static const struct msr_row rows_read[] = {
	{ { "IA32_TSC", EXIT(EXIT_REASON_RDMSR) }, MSR_IA32_TSC },
	{ { "0", EXIT(EXIT_REASON_RDMSR) }, 0 },
	{ { "IA32_EFER", EXIT(EXIT_REASON_RDMSR) }, (uint32_t)MSR_IA32_EFER },
	{ { "IA32_VMX_BASIC", EXIT(EXIT_REASON_RDMSR) }, MSR_IA32_VMX_BASIC },
	{ { "0x2000", EXIT(EXIT_REASON_RDMSR) }, 0x2000 },
	{ { "0x40000000", EXIT(EXIT_REASON_RDMSR) }, 0x40000000 },
	{ { "0xbfffffff", EXIT(EXIT_REASON_RDMSR) }, 0xbfffffff },
	{ { "0xc0002000", EXIT(EXIT_REASON_RDMSR) }, 0xc0002000 },
	{ { "0xffffffff", EXIT(EXIT_REASON_RDMSR) }, 0xffffffff },
};

static outcome run_msr(struct guest_code code, outcome expected, uint64_t rcx)
{
	struct exit_case as_case = { { "", expected }, code, GUEST_64BIT, RDMSR_LENGTH, 0 };

	guest_gpr[RCX] = rcx;
	return exit_run_case(&as_case);
}

SWEEP(msr, rdmsr_without_bitmaps, "SDM Instructions That Cause VM Exits Conditionally",
	"RDMSR always exits when \"use MSR bitmaps\" is 0", rows_read,
	.needs = NEEDS(&need_clear_PROC_MSR_BITMAPS), .covers = COVERS " insn:RDMSR")
{
	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_MSR_BITMAPS, false);
	return run_msr((struct guest_code)CODE_OF(msr_rdmsr), EXIT(EXIT_REASON_RDMSR),
		TEST_ROW(struct msr_row)->rcx);
}

static const struct msr_row rows_write[] = {
	{ { "IA32_TSC", EXIT(EXIT_REASON_WRMSR) }, MSR_IA32_TSC },
	{ { "0", EXIT(EXIT_REASON_WRMSR) }, 0 },
	{ { "IA32_EFER", EXIT(EXIT_REASON_WRMSR) }, (uint32_t)MSR_IA32_EFER },
	{ { "IA32_VMX_BASIC", EXIT(EXIT_REASON_WRMSR) }, MSR_IA32_VMX_BASIC },
	{ { "0x2000", EXIT(EXIT_REASON_WRMSR) }, 0x2000 },
	{ { "0x40000000", EXIT(EXIT_REASON_WRMSR) }, 0x40000000 },
	{ { "0xbfffffff", EXIT(EXIT_REASON_WRMSR) }, 0xbfffffff },
	{ { "0xc0002000", EXIT(EXIT_REASON_WRMSR) }, 0xc0002000 },
	{ { "0xffffffff", EXIT(EXIT_REASON_WRMSR) }, 0xffffffff },
};

SWEEP(msr, wrmsr_without_bitmaps, "SDM Instructions That Cause VM Exits Conditionally",
	"WRMSR always exits when \"use MSR bitmaps\" is 0", rows_write,
	.needs = NEEDS(&need_clear_PROC_MSR_BITMAPS), .covers = COVERS " insn:WRMSR")
{
	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_MSR_BITMAPS, false);
	return run_msr((struct guest_code)CODE_OF(msr_wrmsr), EXIT(EXIT_REASON_WRMSR),
		TEST_ROW(struct msr_row)->rcx);
}

/* Outside both ranges: at their borders, and where only bits 12:0 would be in a range. */
static const struct msr_row outside[] = {
	{ { "0x2000", OK }, 0x2000 },
	{ { "0x2001", OK }, 0x2001 },
	{ { "0x4000", OK }, 0x4000 },
	{ { "0x80000000", OK }, 0x80000000 },
	{ { "0x80000010", OK }, 0x80000010 },
	{ { "0x40000000", OK }, 0x40000000 },
	{ { "0xbfffffff", OK }, 0xbfffffff },
	{ { "0xbfffe080", OK }, 0xbfffe080 },
	{ { "0xc0002000", OK }, 0xc0002000 },
	{ { "0xc0010117", OK }, 0xc0010117 },
	{ { "0xffffffff", OK }, 0xffffffff },
};

static outcome run_outside(struct guest_code code, outcome expected)
{
	guest_reset();
	use_bitmap(0);
	CHECK_EQUAL(run_msr(code, expected, TEST_ROW(struct msr_row)->rcx), expected);
	return OK;
}

SWEEP(msr, rdmsr_outside, SECTION, "RDMSR exits outside both ranges, whatever the bitmaps hold",
	outside, .needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	return run_outside((struct guest_code)CODE_OF(msr_rdmsr), EXIT(EXIT_REASON_RDMSR));
}

SWEEP(msr, wrmsr_outside, SECTION, "WRMSR exits outside both ranges, whatever the bitmaps hold",
	outside, .needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	return run_outside((struct guest_code)CODE_OF(msr_wrmsr), EXIT(EXIT_REASON_WRMSR));
}

/* The sweeps over the whole of both ranges: as with I/O, only the bit of the MSR that comes next is
 * set. With beat=on only each seventeenth MSR is tried. */
static uint32_t step_of_range(void)
{
	return beat_choose(1, 17);
}

static void read_range(uint64_t first)
{
	uint32_t i, step = step_of_range();

	for (i = 0; i < MSR_BITMAP_MSRS; i += step)
		rdmsr((uint32_t)first + i);
}

static void write_range(uint64_t first)
{
	uint32_t i, step = step_of_range();

	for (i = 0; i < MSR_BITMAP_MSRS; i += step)
		wrmsr((uint32_t)first + i, 0);
}

struct range_row {
	struct test_row row;
	uint32_t first;
	bool write;
};

static const struct range_row ranges[] = {
	{ { "RDMSR, low MSRs", OK }, MSR_BITMAP_LOW_FIRST, false },
	{ { "RDMSR, high MSRs", OK }, MSR_BITMAP_HIGH_FIRST, false },
	{ { "WRMSR, low MSRs", OK }, MSR_BITMAP_LOW_FIRST, true },
	{ { "WRMSR, high MSRs", OK }, MSR_BITMAP_HIGH_FIRST, true },
};

static void start_range(const struct range_row *row)
{
	guest_set_code((void (*)(void))(uintptr_t)(row->write ? write_range : read_range));
	guest_gpr[RDI] = row->first;
}

static void step_over(void)
{
	field_poke(VMCS_GUEST_RIP, field_peek(VMCS_GUEST_RIP) + RDMSR_LENGTH);
}

static uint32_t count_exits(const struct range_row *row)
{
	outcome wanted = EXIT(row->write ? EXIT_REASON_WRMSR : EXIT_REASON_RDMSR);
	uint32_t i, good = 0, step = step_of_range();

	for (i = 0; i < MSR_BITMAP_MSRS; i += step) {
		flip(row->first + i, row->write);
		if (guest_enter_unobserved() != wanted)
			break;
		flip(row->first + i, row->write);
		good += (uint32_t)guest_gpr[RCX] == row->first + i;
		step_over();
	}
	return good;
}

SWEEP(msr, each_bit, SECTION, "each MSR of both ranges has its own bit for reads and for writes",
	ranges, .needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	guest_reset();
	use_bitmap(0);
	start_range(TEST_ROW(struct range_row));
	CHECK_EQUAL(test_observe(count_exits(TEST_ROW(struct range_row))),
		(MSR_BITMAP_MSRS + step_of_range() - 1) / step_of_range());
	return OK;
}

/* Reads only: they change nothing. An MSR that is not there makes #GP, which exits too, but not as
 * RDMSR. */
static const struct range_row reads[] = {
	{ { "low MSRs", OK }, MSR_BITMAP_LOW_FIRST, false },
	{ { "high MSRs", OK }, MSR_BITMAP_HIGH_FIRST, false },
};

SWEEP(msr, clear_bits, SECTION, "RDMSR of no MSR of the ranges exits when its bit is clear", reads,
	.needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	uint32_t count = 0;
	outcome result;

	guest_reset();
	use_bitmap(0);
	memset(bitmap + MSR_BITMAP_WRITE_LOW, UINT8_MAX, sizeof(bitmap) - MSR_BITMAP_WRITE_LOW);
	start_range(TEST_ROW(struct range_row));
	while ((result = guest_enter_unobserved()) == EXIT(EXIT_REASON_EXCEPTION_OR_NMI) &&
		count <= MSR_BITMAP_MSRS) {
		step_over();
		count++;
	}
	CHECK_EQUAL(test_observe(result), EXIT(EXIT_REASON_VMCALL));
	return OK;
}

/* MSRs that any value may be written to, and that the guest and the host have apart, or that nobody
 * here uses. */
static const struct msr_row writable[] = {
	{ { "IA32_SYSENTER_CS", OK }, MSR_IA32_SYSENTER_CS },
	{ { "IA32_SYSENTER_ESP", OK }, MSR_IA32_SYSENTER_ESP },
	{ { "IA32_SYSENTER_EIP", OK }, MSR_IA32_SYSENTER_EIP },
	{ { "IA32_STAR", OK }, (uint32_t)MSR_IA32_STAR },
	{ { "IA32_LSTAR", OK }, (uint32_t)MSR_IA32_LSTAR },
	{ { "IA32_CSTAR", OK }, (uint32_t)MSR_IA32_CSTAR },
	{ { "IA32_FMASK", OK }, (uint32_t)MSR_IA32_FMASK },
	{ { "IA32_FS_BASE", OK }, (uint32_t)MSR_IA32_FS_BASE },
	{ { "IA32_KERNEL_GS_BASE", OK }, (uint32_t)MSR_IA32_KERNEL_GS_BASE },
};

static outcome write_one(uint32_t msr)
{
	guest_gpr[RCX] = msr;
	guest_gpr[RAX] = 0x1230;
	guest_gpr[RDX] = 0;
	return exit_run((struct guest_code)CODE_OF(msr_wrmsr));
}

SWEEP(msr, clear_write_bit, SECTION,
	"WRMSR writes when its bit alone is clear, and exits when its bit alone is set", writable,
	.needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	uint32_t msr = (uint32_t)TEST_ROW(struct msr_row)->rcx;
	uint64_t saved = rdmsr(msr);
	outcome clear, set;

	guest_reset();
	use_bitmap(UINT8_MAX);
	flip(msr, true);
	clear = write_one(msr);
	guest_reset();
	use_bitmap(0);
	flip(msr, true);
	set = write_one(msr);
	wrmsr(msr, saved);
	CHECK_EQUAL(clear, EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(set, EXIT(EXIT_REASON_WRMSR));
	return OK;
}

TEST(msr, upper_half, SECTION, "the upper half of RCX is ignored", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	use_bitmap(UINT8_MAX);
	flip(MSR_IA32_TSC, false);
	guest_gpr[RCX] = UINT64_C(0xffffffff00000000) | MSR_IA32_TSC;
	return exit_run((struct guest_code)CODE_OF(msr_rdmsr));
}

TEST(msr, registers_untouched, "SDM Architectural State Before a VM Exit",
	"the exit is fault-like: RAX, RCX and RDX keep their values", EXIT(EXIT_REASON_RDMSR))
{
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_MSR_BITMAPS, false);
	guest_gpr[RAX] = guest_gpr[RDX] = UINT64_MAX;
	guest_gpr[RCX] = UINT64_C(0x8765432100000000) | MSR_IA32_TSC;
	result = exit_run((struct guest_code)CODE_OF(msr_rdmsr));
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), UINT64_MAX);
	CHECK_EQUAL(test_observe(guest_gpr[RDX]), UINT64_MAX);
	CHECK_EQUAL(test_observe(guest_gpr[RCX]), UINT64_C(0x8765432100000000) | MSR_IA32_TSC);
	return result;
}
