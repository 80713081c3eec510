/* The TSC as the guest sees it: offset and multiplier (Intel SDM, "Time-Stamp Counter Offset and
   Multiplier", "Changes to Instruction Behavior in VMX Non-Root Operation"). That RDTSC exits is
   conditional.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Time-Stamp Counter Offset and Multiplier"
#define COVERS  "control:PROC_TSC_OFFSETTING field:TSC_OFFSET"
#define SCALING "control:PROC2_TSC_SCALING field:TSC_MULTIPLIER"
#define ONE     (UINT64_C(1) << 48) /* the multiplier's binary point */

GUEST64(tsc_rdtsc, "rdtsc");
GUEST64(tsc_rdtscp, "rdtscp");
GUEST64(tsc_rdmsr, "movl $0x10, %ecx; rdmsr");

struct tsc_row {
	struct test_row row;
	bool offsetting, scaling;
	uint64_t offset, multiplier;
};

#define ROW(name, offsetting, scaling, offset, multiplier)                                         \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMCALL) }, offsetting, scaling, offset, multiplier        \
	}

static uint64_t scale(const struct tsc_row *row, uint64_t tsc)
{
	if (!row->offsetting)
		return tsc;
	if (row->scaling)
		tsc = (uint64_t)((__uint128_t)tsc * row->multiplier >> 48);
	return tsc + row->offset;
}

/* The guest reads its TSC between two reads of the host's: its value is between theirs. */
static outcome run_tsc(const struct tsc_row *row, struct guest_code code)
{
	uint64_t before, after, guest;
	outcome result;

	guest_reset();
	exit_let_msrs_pass();
	exit_control(CONTROL_WORD_PROC2, PROC2_ENABLE_RDTSCP, code.start == tsc_rdtscp);
	exit_control(CONTROL_WORD_PROC, PROC_TSC_OFFSETTING, row->offsetting);
	field_write(VMCS_TSC_OFFSET, row->offset);
	if (row->multiplier != 0) {
		exit_control(CONTROL_WORD_PROC2, PROC2_TSC_SCALING, row->scaling);
		field_write(VMCS_TSC_MULTIPLIER, row->multiplier);
	}
	before = rdtsc();
	result = exit_run(code);
	after = rdtsc();
	guest = test_observe(guest_gpr[RDX] << 32 | guest_gpr[RAX]);
	CHECK(guest - scale(row, before) <= scale(row, after) - scale(row, before));
	return result;
}

static const struct tsc_row offsets[] = {
	ROW("offset 0", true, false, 0, 0),
	ROW("offset 2^40", true, false, UINT64_C(1) << 40, 0),
	ROW("offset -2^40", true, false, -(UINT64_C(1) << 40), 0),
	ROW("offset 2^63", true, false, UINT64_C(1) << 63, 0),
	ROW("not offset", false, false, UINT64_C(1) << 40, 0),
};

SWEEP(tsc, rdtsc, SECTION, "RDTSC returns the TSC plus the offset when \"use TSC offsetting\" is 1",
	offsets, .covers = COVERS)
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdtsc));
}

SWEEP(tsc, rdtscp, SECTION, "RDTSCP does the same", offsets,
	.needs = NEEDS(&need_PROC2_ENABLE_RDTSCP), .covers = COVERS " control:PROC2_ENABLE_RDTSCP")
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdtscp));
}

SWEEP(tsc, rdmsr, SECTION, "RDMSR of IA32_TIME_STAMP_COUNTER does the same", offsets,
	.needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS)
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdmsr));
}

static const struct tsc_row multipliers[] = {
	ROW("1", true, true, 0, ONE),
	ROW("1/2", true, true, 0, ONE / 2),
	ROW("2", true, true, 0, ONE * 2),
	ROW("3/4, with an offset", true, true, UINT64_C(1) << 50, ONE * 3 / 4),
	ROW("65535", true, true, 0, ONE * 65535),
	ROW("the least", true, true, 0, 1),
	ROW("scaling 0", true, false, 12345, ONE / 2),
	ROW("offsetting 0", false, true, 12345, ONE / 2),
};

SWEEP(tsc, rdtsc_scaled, SECTION,
	"with \"use TSC scaling\" 1 the TSC is multiplied before the offset is added", multipliers,
	.needs = NEEDS(&need_PROC2_TSC_SCALING), .covers = COVERS " " SCALING)
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdtsc));
}

SWEEP(tsc, rdtscp_scaled, SECTION, "RDTSCP does the same", multipliers,
	.needs = NEEDS(&need_PROC2_TSC_SCALING, &need_PROC2_ENABLE_RDTSCP),
	.covers = COVERS " " SCALING)
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdtscp));
}

SWEEP(tsc, rdmsr_scaled, SECTION, "RDMSR of IA32_TIME_STAMP_COUNTER does the same", multipliers,
	.needs = NEEDS(&need_PROC2_TSC_SCALING, &need_PROC_MSR_BITMAPS),
	.covers = COVERS " " SCALING)
{
	return run_tsc(TEST_ROW(struct tsc_row), (struct guest_code)CODE_OF(tsc_rdmsr));
}

TEST(tsc, tsc_aux, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"RDTSCP loads IA32_TSC_AUX into ECX", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC2_ENABLE_RDTSCP), .covers = "control:PROC2_ENABLE_RDTSCP")
{
	uint64_t saved = rdmsr((uint32_t)MSR_IA32_TSC_AUX);
	outcome result;

	wrmsr((uint32_t)MSR_IA32_TSC_AUX, 0x12345678);
	exit_control(CONTROL_WORD_PROC2, PROC2_ENABLE_RDTSCP, true);
	result = exit_run((struct guest_code)CODE_OF(tsc_rdtscp));
	wrmsr((uint32_t)MSR_IA32_TSC_AUX, saved);
	CHECK_EQUAL(test_observe(guest_gpr[RCX]), 0x12345678);
	return result;
}
