/* The monitor trap flag: after which instructions and events it exits (Intel SDM, "Monitor Trap
 * Flag"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/landing.h"

#define SECTION     "SDM Monitor Trap Flag"
#define COVERS      "control:PROC_MONITOR_TRAP_FLAG exit:MONITOR_TRAP_FLAG"
#define NEEDED      NEEDS(&need_PROC_MONITOR_TRAP_FLAG)
#define MTF         EXIT(EXIT_REASON_MONITOR_TRAP_FLAG)
#define LANDING     -1 /* the saved RIP is the gate's target */
#define PENDING_MTF (INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_OTHER, INTERRUPTION_TYPE))
#define VECTOR      0x55

GUEST64(mtf_nop, "nop; nop");
GUEST64(mtf_jump, "jmp 1f; nop; 1: nop");
GUEST64(mtf_rep_only, "rep stosb");
GUEST64(mtf_ud, "ud2");
GUEST64(mtf_int, "int $0x55");
GUEST64(mtf_int3, "int3");
GUEST64(mtf_sti, "sti; nop");
GUEST64(mtf_mov_ss, "movl %eax, %ss; nop");
GUEST64(mtf_hlt, "hlt; nop");
GUEST64(mtf_cpuid, "cpuid");

struct mtf_row {
	struct test_row row;
	struct guest_code code;
	int offset; /* of the saved RIP from the code's start, or LANDING */
};

#define ROW(name, code, offset)                                                                    \
	{                                                                                          \
		{ name, MTF }, CODE_OF(mtf_##code), offset                                         \
	}

static const struct mtf_row rows[] = {
	ROW("an instruction", nop, 1),
	ROW("a jump", jump, 3),
	ROW("one iteration of REP STOS", rep_only, 0),
	ROW("a fault, after its delivery", ud, LANDING),
	ROW("INT n, after its delivery", int, LANDING),
	ROW("INT3, after its delivery", int3, LANDING),
	ROW("STI: its blocking does not count", sti, 1),
	ROW("MOV to SS: its blocking does not count", mov_ss, 2),
};

static outcome run_mtf(const struct mtf_row *row, bool on)
{
	guest_reset();
	landing_set_gates();
	field_write(VMCS_EXCEPTION_BITMAP, 0);
	exit_control(CONTROL_WORD_PROC, PROC_MONITOR_TRAP_FLAG, on);
	guest_gpr[RAX] = GUEST_SELECTOR_DATA;
	guest_gpr[RCX] = 3;
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return exit_run(row->code);
}

SWEEP(mtf, instructions, SECTION,
	"it exits at the boundary after one instruction, or after the delivery of what it raised",
	rows, .needs = NEEDED, .covers = COVERS)
{
	const struct mtf_row *row = TEST_ROW(struct mtf_row);
	outcome result = run_mtf(row, true);

	if (result != row->row.expected)
		return result;
	if (row->offset == LANDING)
		CHECK(landing_vector() >= 0);
	else
		CHECK_EQUAL(field_read(VMCS_GUEST_RIP),
			vmx_address(row->code.start) + (uint64_t)row->offset);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(mtf, rep_iteration, SECTION, "REP STOS has done one iteration", MTF, .needs = NEEDED,
	.covers = COVERS)
{
	outcome result = run_mtf(&rows[2], true);

	CHECK_EQUAL(test_observe(guest_gpr[RCX]), 2);
	return result;
}

TEST(mtf, off, SECTION, "with the control 0 nothing of it happens", EXIT(EXIT_REASON_VMCALL),
	.covers = COVERS)
{
	return run_mtf(&rows[0], false);
}

TEST(mtf, exit_first, SECTION, "an instruction that exits does so itself", EXIT(EXIT_REASON_CPUID),
	.needs = NEEDED, .covers = COVERS)
{
	return run_mtf(&(struct mtf_row)ROW("", cpuid, 0), true);
}

TEST(mtf, hlt, SECTION, "after HLT it exits out of the HLT state", MTF,
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDED, .covers = COVERS)
{
	return run_mtf(&(struct mtf_row)ROW("", hlt, 1), true);
}

static outcome inject(uint64_t information, bool on)
{
	landing_set_gates();
	exit_control(CONTROL_WORD_PROC, PROC_MONITOR_TRAP_FLAG, on);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
	guest_set_mode(GUEST_64BIT, mtf_nop, (size_t)(mtf_nop_end - mtf_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	return guest_run(NULL);
}

TEST(mtf, injected_event, SECTION, "with the control 1 an injected event exits after its delivery",
	MTF, .needs = NEEDED, .covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION")
{
	outcome result = inject(INTERRUPTION_VALID | VECTOR, true);

	if (result == test->expected)
		CHECK_EQUAL(landing_vector(), VECTOR);
	return result;
}

TEST(mtf, injected_pending, SECTION,
	"an injected pending MTF exits before the first instruction, whatever the control", MTF,
	.needs = NEEDED, .covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION")
{
	outcome result = inject(PENDING_MTF, false);

	if (result == test->expected)
		CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(mtf_nop));
	return result;
}

TEST(mtf, pending_debug, SECTION,
	"a pending single step is saved, not delivered: the exit of MTF comes first", MTF,
	VALUES({ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, DEBUG_EXCEPTION_BS }), .needs = NEEDED,
	.covers = COVERS " field:GUEST_PENDING_DEBUG_EXCEPTIONS")
{
	exit_control(CONTROL_WORD_PROC, PROC_MONITOR_TRAP_FLAG, true);
	guest_set_mode(GUEST_64BIT, mtf_nop, (size_t)(mtf_nop_end - mtf_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_TF);
	return guest_run(NULL);
}
