/* MOV to and from debug registers: "MOV-DR exiting", its qualification, and that this exit alone
   comes before faults by privilege (Intel SDM, "Instructions That Cause VM Exits Conditionally",
   "Exit Qualification for MOV DR"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define COVERS "control:PROC_MOV_DR_EXITING exit:MOV_DR"
#define DR7_GD BIT(13)

struct access_row {
	struct test_row row;
	uint8_t number;
	bool from;
};

#define ROWS(number)                                                                               \
	{ { "mov to DR" #number, EXIT(EXIT_REASON_MOV_DR) }, number, false },                      \
	{                                                                                          \
		{ "mov from DR" #number, EXIT(EXIT_REASON_MOV_DR) }, number, true                  \
	}

static const struct access_row accesses[] = { ROWS(0), ROWS(1), ROWS(2), ROWS(3), ROWS(4), ROWS(5),
	ROWS(6), ROWS(7) };

static outcome run_access(const struct access_row *row, unsigned int gpr)
{
	uint8_t code[] = { (uint8_t)(0x40 | gpr >> 3), 0x0f, row->from ? 0x21 : 0x23,
		(uint8_t)(0xc0 | row->number << 3 | (gpr & 7)) };
	uint64_t qualification = FIELD_PUT(row->number, DR_ACCESS_NUMBER) |
				 (row->from ? DR_ACCESS_FROM : 0) | FIELD_PUT(gpr, DR_ACCESS_GPR);
	outcome result, check;
	uint64_t rip;

	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_MOV_DR_EXITING, true);
	rip = exit_set_bytes(code, sizeof(code));
	result = guest_run(NULL);
	check = exit_check_instruction(rip, sizeof(code), qualification);
	return check == OK ? result : check;
}

SWEEP(dr, qualification, "SDM Exit Qualification for MOV DR",
	"number, direction and each of 16 general registers", accesses,
	.covers = COVERS " field:EXIT_QUALIFICATION")
{
	unsigned int gpr;
	outcome result;

	for (gpr = 0; gpr < 16; gpr++) {
		result = run_access(TEST_ROW(struct access_row), gpr);
		if (result != TEST_ROW(struct access_row)->row.expected)
			return result;
	}
	return result;
}

GUEST64(dr_from_dr0, "movq %dr0, %rax");
GUEST64(dr_to_dr0, "movq %rax, %dr0");
GUEST64(dr_from_dr4, ".byte 0x0f, 0x21, 0xe0"); /* mov rax, dr4 */
GUEST64(dr_to_dr7, "movq %rax, %dr7");
GUEST32(dr_from_dr0_32, "movl %dr0, %eax");

struct case_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint64_t cr4, dr7; /* bits to set */
};

static outcome run_case(const struct case_row *row, bool exiting)
{
	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_MOV_DR_EXITING, exiting);
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	field_set(VMCS_GUEST_CR4, row->cr4);
	field_set(VMCS_GUEST_DR7, row->dr7);
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, true);
	return guest_run(NULL);
}

#define ROW(name, expected, code, mode, cr4, dr7)                                                  \
	{                                                                                          \
		{ name, expected }, CODE_OF(dr_##code), mode, cr4, dr7                             \
	}
#define EXITS EXIT(EXIT_REASON_MOV_DR)

static const struct case_row first[] = {
	ROW("CPL 3", EXITS, from_dr0, GUEST_64BIT_USER, 0, 0),
	ROW("CPL 3, to DR7", EXITS, to_dr7, GUEST_64BIT_USER, 0, 0),
	ROW("virtual-8086 mode", EXITS, from_dr0_32, GUEST_VIRTUAL_8086, 0, 0),
	ROW("DR4 with CR4.DE = 1", EXITS, from_dr4, GUEST_64BIT, CR4_DE, 0),
	ROW("DR4 with CR4.DE = 1 at CPL 3", EXITS, from_dr4, GUEST_64BIT_USER, CR4_DE, 0),
	ROW("DR7.GD = 1", EXITS, from_dr0, GUEST_64BIT, 0, DR7_GD),
};

SWEEP(dr, exit_first, "SDM Instructions That Cause VM Exits Conditionally",
	"the exit of MOV DR comes before #GP by privilege, #UD of DR4 and #DB of DR7.GD", first,
	.covers = COVERS)
{
	return run_case(TEST_ROW(struct case_row), true);
}

static const struct case_row faults[] = {
	ROW("CPL 0", EXIT(EXIT_REASON_VMCALL), from_dr0, GUEST_64BIT, 0, 0),
	ROW("CPL 0, to DR0", EXIT(EXIT_REASON_VMCALL), to_dr0, GUEST_64BIT, 0, 0),
	ROW("CPL 3", FAULT(GP), from_dr0, GUEST_64BIT_USER, 0, 0),
	ROW("virtual-8086 mode", FAULT(GP), from_dr0_32, GUEST_VIRTUAL_8086, 0, 0),
	ROW("DR4 with CR4.DE = 0", EXIT(EXIT_REASON_VMCALL), from_dr4, GUEST_64BIT, 0, 0),
	ROW("DR4 with CR4.DE = 1", FAULT(UD), from_dr4, GUEST_64BIT, CR4_DE, 0),
	ROW("DR7.GD = 1", FAULT(DB), from_dr0, GUEST_64BIT, 0, DR7_GD),
};

SWEEP(dr, not_exiting, "SDM Instructions That Cause VM Exits Conditionally",
	"with \"MOV-DR exiting\" 0 MOV DR runs or faults as it does elsewhere", faults,
	.covers = COVERS)
{
	uint64_t dr0 = read_dr0();
	outcome result = run_case(TEST_ROW(struct case_row), false);

	write_dr0(dr0);
	return result;
}

TEST(dr, general_detect, "SDM Exit Qualification for Debug Exceptions",
	"the #DB of DR7.GD sets BD in the qualification, and leaves DR6 and DR7 alone", FAULT(DB),
	VALUES({ VMCS_EXIT_QUALIFICATION, DEBUG_EXCEPTION_BD },
		{ VMCS_GUEST_DR7, DR7_RESET | DR7_GD }),
	.covers = "exit:EXCEPTION_OR_NMI field:EXIT_QUALIFICATION field:GUEST_DR7")
{
	uint64_t dr6 = read_dr6();
	outcome result =
		run_case(&(struct case_row)ROW("", 0, from_dr0, GUEST_64BIT, 0, DR7_GD), false);
	CHECK_EQUAL(test_observe(read_dr6()), dr6);
	return result;
}
