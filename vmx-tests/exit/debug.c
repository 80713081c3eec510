/* Debug exceptions that exit: their qualification, and that DR6, DR7 and IA32_DEBUGCTL keep their
   values (Intel SDM, "Exit Qualification for Debug Exceptions", "Architectural State Before a VM
   Exit"). Pending ones are pending_debug.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/landing.h"

#define SECTION      "SDM Exit Qualification for Debug Exceptions"
#define COVERS       "exit:EXCEPTION_OR_NMI field:EXIT_QUALIFICATION"
#define DEBUGCTL_BTF BIT(1)

/* DR7 ("Debug Control Register (DR7)"): breakpoint n enabled globally, with a condition and a
 * length. */
enum { ON_EXECUTION, ON_WRITE, ON_IO, ON_ACCESS };
#define DR7_ENABLE(n, condition, bytes)                                                            \
	(BIT(2 * (n) + 1) | (uint64_t)(condition) << (16 + 4 * (n)) |                              \
		(uint64_t)((bytes)-1) << (18 + 4 * (n)))

GUEST64(debug_step, "nop");
GUEST64(debug_write, "movl %eax, (%rdi)");
GUEST64(debug_read, "movl (%rdi), %eax");
GUEST64(debug_jump, "jmp 1f; nop; 1:");
GUEST64(debug_int1, ".byte 0xf1");

struct debug_row {
	struct test_row row;
	struct guest_code code;
	uint64_t dr7, rflags;
	uint64_t qualification;
	uint32_t trap_bytes; /* RIP of the exit beyond the start: 0 for a fault */
};

#define ROW(name, code, dr7, rflags, qualification, bytes)                                         \
	{                                                                                          \
		{ name, FAULT(DB) }, CODE_OF(debug_##code), dr7, rflags, qualification, bytes      \
	}

static const struct debug_row rows[] = {
	ROW("single step", step, 0, RFLAGS_TF, DEBUG_EXCEPTION_BS, 1),
	ROW("data write, DR0", write, DR7_ENABLE(0, ON_WRITE, 4), 0, BIT(0), 2),
	ROW("data write, DR1", write, DR7_ENABLE(1, ON_WRITE, 4), 0, BIT(1), 2),
	ROW("data write, DR2", write, DR7_ENABLE(2, ON_WRITE, 4), 0, BIT(2), 2),
	ROW("data write, DR3", write, DR7_ENABLE(3, ON_WRITE, 4), 0, BIT(3), 2),
	ROW("data read", read, DR7_ENABLE(0, ON_ACCESS, 4), 0, BIT(0), 2),
	ROW("two breakpoints", write, DR7_ENABLE(0, ON_WRITE, 4) | DR7_ENABLE(2, ON_ACCESS, 4), 0,
		BIT(0) | BIT(2), 2),
	ROW("data write and step", write, DR7_ENABLE(1, ON_WRITE, 4), RFLAGS_TF,
		BIT(1) | DEBUG_EXCEPTION_BS, 2),
};

/* Enabled breakpoints are at the page or at the instruction; the others are elsewhere, since their
   bits may be set too when they are met. */
static void write_breakpoints(uint64_t address, uint64_t dr7)
{
	write_dr0(dr7 & BIT(1) ? address : 0);
	write_dr1(dr7 & BIT(3) ? address : 0);
	write_dr2(dr7 & BIT(5) ? address : 0);
	write_dr3(dr7 & BIT(7) ? address : 0);
}

static outcome run_debug(const struct debug_row *row, bool execution)
{
	outcome result;

	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	field_set(VMCS_GUEST_DR7, row->dr7);
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, true);
	write_breakpoints(vmx_address(execution ? row->code.start : guest_page[0]), row->dr7);
	write_dr6(DR6_RESET);
	result = guest_run(NULL);
	write_breakpoints(0, 0);
	return result;
}

SWEEP(debug, traps, SECTION,
	"each breakpoint's bit, BS, and both together; RIP is behind the instruction", rows,
	.covers = COVERS " field:GUEST_RIP")
{
	const struct debug_row *row = TEST_ROW(struct debug_row);
	outcome result;

	guest_reset();
	result = run_debug(row, false);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), row->qualification);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.start) + row->trap_bytes);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION),
		INTERRUPTION_VALID | VECTOR_DB |
			FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE));
	return result;
}

SWEEP(debug, registers_untouched, "SDM Architectural State Before a VM Exit",
	"DR6, DR7 and the pending debug exceptions are not changed by a #DB that exits", rows,
	.covers = COVERS " field:GUEST_DR7 field:GUEST_PENDING_DEBUG_EXCEPTIONS")
{
	const struct debug_row *row = TEST_ROW(struct debug_row);
	outcome result;

	guest_reset();
	result = run_debug(row, false);
	CHECK_EQUAL(test_observe(read_dr6()), DR6_RESET);
	CHECK_EQUAL(field_read(VMCS_GUEST_DR7), DR7_RESET | row->dr7);
	CHECK_EQUAL(field_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
	return result;
}

static const struct debug_row execution[] = {
	ROW("DR0", step, DR7_ENABLE(0, ON_EXECUTION, 1), 0, BIT(0), 0),
	ROW("DR3", step, DR7_ENABLE(3, ON_EXECUTION, 1), 0, BIT(3), 0),
};

SWEEP(debug, instruction, SECTION,
	"an instruction breakpoint is a fault: RIP is at the instruction", execution,
	.covers = COVERS " field:GUEST_RIP")
{
	const struct debug_row *row = TEST_ROW(struct debug_row);
	outcome result;

	guest_reset();
	result = run_debug(row, true);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), row->qualification);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.start));
	CHECK_EQUAL(test_observe(read_dr6()), DR6_RESET);
	return result;
}

TEST(debug, resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"with RFLAGS.RF = 1 an instruction breakpoint is not met", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_RFLAGS")
{
	return run_debug(
		&(struct debug_row)ROW("", step, DR7_ENABLE(0, ON_EXECUTION, 1), RFLAGS_RF, 0, 0),
		true);
}

TEST(debug, int1_qualification, SECTION, "INT1 met no breakpoint: the qualification is 0",
	FAULT(DB), VALUES({ VMCS_EXIT_QUALIFICATION, 0 }, { VMCS_EXIT_INSTRUCTION_LENGTH, 1 }),
	.covers = COVERS)
{
	outcome result = run_debug(&(struct debug_row)ROW("", int1, 0, 0, 0, 0), false);

	CHECK_EQUAL(test_observe(read_dr6()), DR6_RESET);
	return result;
}

TEST(debug, branch_step_not_taken, "SDM Single-Stepping on Branches",
	"with IA32_DEBUGCTL.BTF = 1 only branches are stepped", FAULT(DB),
	VALUES({ VMCS_EXIT_QUALIFICATION, DEBUG_EXCEPTION_BS }),
	.covers = COVERS " field:GUEST_IA32_DEBUGCTL")
{
	outcome result;

	field_write(VMCS_GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF);
	result = run_debug(&(struct debug_row)ROW("", jump, 0, RFLAGS_TF, 0, 0), false);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(debug_jump) + 3);
	CHECK_EQUAL(field_read(VMCS_GUEST_IA32_DEBUGCTL), DEBUGCTL_BTF);
	return result;
}

TEST(debug, delivered, "SDM Exception Bitmap",
	"a #DB that does not exit sets DR6 and clears nothing in DR7", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:EXCEPTION_BITMAP")
{
	uint64_t dr6;
	outcome result;

	landing_set_gates();
	field_write(VMCS_EXCEPTION_BITMAP, ~BIT(VECTOR_DB) & UINT32_MAX);
	result = run_debug(&rows[1], false);
	dr6 = test_observe(read_dr6());
	write_dr6(DR6_RESET);
	CHECK_EQUAL(dr6, DR6_RESET | BIT(0));
	CHECK_EQUAL(landing_vector(), VECTOR_DB);
	CHECK_EQUAL(field_read(VMCS_GUEST_DR7), DR7_RESET | rows[1].dr7);
	return result;
}
