/* PAUSE-loop exiting: PLE_Gap, PLE_Window, CPL (Intel SDM, "Controls for PAUSE-Loop Exiting",
   "Instructions That Cause VM Exits Conditionally"). That PAUSE exits by "PAUSE exiting" is
   conditional.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Instructions That Cause VM Exits Conditionally"
#define COVERS  "control:PROC2_PAUSE_LOOP_EXITING field:PLE_GAP field:PLE_WINDOW exit:PAUSE"
#define NEEDED  NEEDS(&need_PROC2_PAUSE_LOOP_EXITING)
#define ROUNDS  3000
#define GAP     2000   /* TSC ticks: far more than a PAUSE takes */
#define WINDOW  100000 /* far fewer than ROUNDS of them */

GUEST64(pause_loop_tight, "movl $3000, %ecx; 1: pause; decl %ecx; jnz 1b");
/* Much more than a gap of 10 ticks between two. */
GUEST64(pause_loop_sparse,
	"movl $300, %ecx; 1: pause; movl $200, %eax; 2: decl %eax; jnz 2b; decl %ecx; jnz 1b");

static outcome run_pauses(
	enum guest_mode mode, struct guest_code code, uint32_t gap, uint32_t window, bool on)
{
	exit_control(CONTROL_WORD_PROC2, PROC2_PAUSE_LOOP_EXITING, on);
	field_write(VMCS_PLE_GAP, gap);
	field_write(VMCS_PLE_WINDOW, window);
	return exit_run_mode(mode, code);
}

#define TIGHT  (struct guest_code) CODE_OF(pause_loop_tight)
#define SPARSE (struct guest_code) CODE_OF(pause_loop_sparse)

TEST(pause_loop, exits, SECTION, "a loop of PAUSEs that lasts longer than PLE_Window exits",
	EXIT(EXIT_REASON_PAUSE),
	VALUES({ VMCS_EXIT_INSTRUCTION_LENGTH, 2 }, { VMCS_EXIT_QUALIFICATION, 0 }),
	.needs = NEEDED, .covers = COVERS)
{
	outcome result = run_pauses(GUEST_64BIT, TIGHT, GAP, 1000, true);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(pause_loop_tight) + 5);
	return result;
}

TEST(pause_loop, not_first, SECTION,
	"the first PAUSE of a loop never exits, even with PLE_Window 0", EXIT(EXIT_REASON_PAUSE),
	.needs = NEEDED, .covers = COVERS)
{
	outcome result = run_pauses(GUEST_64BIT, TIGHT, GAP, 0, true);

	CHECK(test_observe(guest_gpr[RCX]) < ROUNDS);
	return result;
}

TEST(pause_loop, window, SECTION,
	"it does not exit before PLE_Window ticks have passed since the loop's first PAUSE",
	EXIT(EXIT_REASON_PAUSE), .needs = NEEDED, .covers = COVERS)
{
	uint64_t before = rdtsc();
	outcome result = run_pauses(GUEST_64BIT, TIGHT, GAP, 4000, true);

	CHECK(test_observe(rdtsc() - before) > 4000);
	return result;
}

TEST(pause_loop, short_loop, SECTION, "a loop that is over before PLE_Window does not exit",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = COVERS)
{
	return run_pauses(GUEST_64BIT, TIGHT, GAP, UINT32_MAX, true);
}

TEST(pause_loop, gap, SECTION, "PAUSEs with more than PLE_Gap ticks between them are no loop",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = COVERS)
{
	return run_pauses(GUEST_64BIT, SPARSE, 10, 1000, true);
}

TEST(pause_loop, gap_large, SECTION,
	"the same PAUSEs with fewer than PLE_Gap ticks between them are one",
	EXIT(EXIT_REASON_PAUSE), .needs = NEEDED, .covers = COVERS)
{
	return run_pauses(GUEST_64BIT, SPARSE, 1000000, 1000, true);
}

TEST(pause_loop, off, SECTION, "with the control 0 no loop exits", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDED, .covers = COVERS)
{
	return run_pauses(GUEST_64BIT, TIGHT, GAP, 0, false);
}

TEST(pause_loop, user, SECTION, "at CPL 3 the control is ignored", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDED, .covers = COVERS)
{
	return run_pauses(GUEST_64BIT_USER, TIGHT, GAP, 0, true);
}

TEST(pause_loop, user_pause_exiting, SECTION, "at CPL 3 \"PAUSE exiting\" is not",
	EXIT(EXIT_REASON_PAUSE), .needs = NEEDED, .covers = COVERS " control:PROC_PAUSE_EXITING")
{
	exit_control(CONTROL_WORD_PROC, PROC_PAUSE_EXITING, true);
	return run_pauses(GUEST_64BIT_USER, TIGHT, GAP, UINT32_MAX, true);
}

TEST(pause_loop, pause_exiting, SECTION,
	"with \"PAUSE exiting\" 1 the first PAUSE exits, loop or not", EXIT(EXIT_REASON_PAUSE),
	.needs = NEEDED, .covers = COVERS " control:PROC_PAUSE_EXITING")
{
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_PAUSE_EXITING, true);
	result = run_pauses(GUEST_64BIT, TIGHT, GAP, UINT32_MAX, true);
	CHECK_EQUAL(test_observe(guest_gpr[RCX]), ROUNDS);
	return result;
}
