/* Interrupt-window exiting: where the window opens, and what comes first (Intel SDM, "Other Causes
   of VM Exits", "Interrupt-Window Exiting and Virtual-Interrupt Delivery"). NMI windows are
   nmi.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/interrupt.h"

#define OTHER_CAUSES "SDM Other Causes of VM Exits"
#define ENTRY        "SDM Interrupt-Window Exiting and Virtual-Interrupt Delivery"
#define COVERS       "control:PROC_INTERRUPT_WINDOW_EXITING exit:INTERRUPT_WINDOW"
#define NO_WINDOW    UINT32_MAX

GUEST64(window_nop, "nop; nop");
GUEST64(window_sti, "sti; nop; nop");
GUEST64(window_sti_sti, "sti; sti; nop");
GUEST64(window_sti_cli, "sti; cli; nop");
GUEST64(window_popf, "pushq $0x202; popfq; nop");
GUEST64(window_mov_ss, "movl %ss, %eax; movl %eax, %ss; nop; nop");
GUEST64(window_hlt, "sti; hlt; nop");

struct window_row {
	struct test_row row;
	struct guest_code code;
	uint64_t rflags;
	uint32_t offset; /* of the saved RIP from the code's start */
	uint64_t interruptibility, activity;
};

#define ROW(name, code, rflags, offset, ...)                                                       \
	{                                                                                          \
		.row = { name, EXIT(EXIT_REASON_INTERRUPT_WINDOW) }, CODE_OF(window_##code),       \
		rflags, offset, ##__VA_ARGS__                                                      \
	}

static outcome run_window(const struct window_row *row, bool on)
{
	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->interruptibility);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
	exit_control(CONTROL_WORD_PROC, PROC_INTERRUPT_WINDOW_EXITING, on);
	interrupt_set_backstop();
	return guest_run(NULL);
}

static const struct window_row opens[] = {
	ROW("open at entry", nop, RFLAGS_IF, 0),
	ROW("after STI and one instruction", sti, 0, 2),
	ROW("a second STI does not block again", sti_sti, 0, 2),
	ROW("after POPF at once", popf, 0, 6),
	ROW("blocking by STI from VM entry ends after one instruction", nop, RFLAGS_IF, 1,
		.interruptibility = INTERRUPTIBILITY_STI),
	ROW("blocking by MOV SS from VM entry ends after one instruction", nop, RFLAGS_IF, 1,
		.interruptibility = INTERRUPTIBILITY_MOV_SS),
};

SWEEP(window, opens, OTHER_CAUSES,
	"it exits at the start of the first instruction with RFLAGS.IF = 1 and no blocking by STI "
	"or MOV SS",
	opens, .covers = COVERS)
{
	const struct window_row *row = TEST_ROW(struct window_row);
	outcome result;

	guest_reset();
	result = run_window(row, true);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.start) + row->offset);
	return result;
}

SWEEP(window, information, "SDM Basic VM-Exit Information",
	"no qualification, no event; blocking by STI and MOV SS is saved as 0", opens,
	.covers = COVERS " field:EXIT_QUALIFICATION field:GUEST_INTERRUPTIBILITY_STATE")
{
	outcome result;

	guest_reset();
	result = run_window(TEST_ROW(struct window_row), true);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
	return result;
}

static const struct window_row closed[] = {
	{ .row = { "RFLAGS.IF = 0", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(window_nop), 0, NO_WINDOW },
	{ .row = { "STI, CLI", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(window_sti_cli), 0, NO_WINDOW },
};

SWEEP(window, closed, OTHER_CAUSES, "it does not exit while RFLAGS.IF = 0, nor between STI and CLI",
	closed, .covers = COVERS)
{
	guest_reset();
	return run_window(TEST_ROW(struct window_row), true);
}

TEST(window, off, OTHER_CAUSES, "with its control 0 an open window does not exit",
	EXIT(EXIT_REASON_VMCALL), .covers = COVERS)
{
	return run_window(&opens[0], false);
}

TEST(window, mov_ss, "SDM Other Causes of VM Exits",
	"a MOV to SS in the guest closes the window for one instruction",
	EXIT(EXIT_REASON_INTERRUPT_WINDOW), .covers = COVERS)
{
	outcome result;

	/* From the window at the entry on, single steps by the window itself would not pass: start
	 * blocked. */
	result = run_window(&(struct window_row){ .code = CODE_OF(window_mov_ss),
				    .rflags = RFLAGS_IF,
				    .interruptibility = INTERRUPTIBILITY_MOV_SS },
		true);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(window_mov_ss) + 2);
	exit_control(CONTROL_WORD_PROC, PROC_INTERRUPT_WINDOW_EXITING, true);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
	result = guest_run(
		NULL); /* executes the MOV to SS; the next instruction is not interrupted */
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(window_mov_ss) + 5);
	return result;
}

TEST(window, before_interrupt, OTHER_CAUSES,
	"an open window comes before an external interrupt that is pending",
	EXIT(EXIT_REASON_INTERRUPT_WINDOW), .covers = COVERS " exit:EXTERNAL_INTERRUPT")
{
	outcome result;

	exit_control(CONTROL_WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING, true);
	interrupt_send();
	result = run_window(&opens[0], true);
	CHECK_EQUAL(interrupt_drain(), 1);
	return result;
}

TEST(window, before_delivery, OTHER_CAUSES,
	"an open window comes before the delivery of a pending external interrupt",
	EXIT(EXIT_REASON_INTERRUPT_WINDOW), .covers = COVERS)
{
	outcome result;

	landing_set_gates();
	interrupt_send();
	result = run_window(&opens[0], true);
	CHECK_EQUAL(interrupt_drain(), 1);
	return result;
}

TEST(window, after_injection, ENTRY,
	"an event that VM entry injects comes before the window: its handler has IF = 0",
	EXIT(EXIT_REASON_VMCALL), .covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION")
{
	outcome result;

	landing_set_gates();
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | INTERRUPT_VECTOR);
	result = run_window(&opens[0], true);
	CHECK_EQUAL(landing_vector(), INTERRUPT_VECTOR);
	return result;
}

static const struct window_row halted[] = {
	ROW("HLT from VM entry", nop, RFLAGS_IF, 0, .activity = ACTIVITY_HLT),
	ROW("STI, HLT", hlt, 0, 2),
};

SWEEP(window, halted, OTHER_CAUSES,
	"the window wakes a CPU from HLT as an interrupt would; HLT is what the exit saves", halted,
	.covers = COVERS " field:GUEST_ACTIVITY_STATE")
{
	const struct window_row *row = TEST_ROW(struct window_row);
	outcome result;

	guest_reset();
	result = run_window(row, true);
	if (result != row->row.expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.start) + row->offset);
	CHECK_EQUAL(field_read(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_HLT);
	return result;
}
