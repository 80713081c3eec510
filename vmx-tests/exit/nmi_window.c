/* NMI windows, injected NMIs, and what IRET does to blocking by NMI (Intel SDM, "Other Causes of VM
   Exits", "Information for VM Exits Due to Vectored Events"). Exits by NMIs are nmi.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/apic.h"
#include "vmx-tests/exit/nmi.h"

GUEST64(nmi_window_nop, "nop; nop");
/* IRETQ to the next instruction; to a code segment that is none: #GP with its selector. */
#define IRET_FRAME(cs)                                                                             \
	"movq %rsp, %rdx; movl %ss, %ecx; pushq %rcx; pushq %rdx; pushfq; pushq $" cs              \
	"; pushq $2f; "
GUEST64(nmi_iret, IRET_FRAME("8") "iretq; 2: nop; nop");
GUEST64(nmi_iret_fault, IRET_FRAME("0x7c") "1: iretq; 2: nop");
GUEST64(nmi_mov_ss, "movl %ss, %eax; movl %eax, %ss; nop; nop");
GUEST64(nmi_fault, "movl $0x7c, %eax; movl %eax, %ds");

/* A guest's IRET ends virtual-NMI blocking, should the CPU remember one (see
 * virtual_blocking_cleared). */
static void forget_blocking(void)
{
	nmi_set_controls(true, true);
	exit_run((struct guest_code)CODE_OF(nmi_iret));
}

static outcome enter_window(struct guest_code code, uint64_t interruptibility, uint64_t activity)
{
	nmi_set_controls(true, true);
	exit_control(CONTROL_WORD_PROC, PROC_NMI_WINDOW_EXITING, true);
	guest_set_mode(GUEST_64BIT, code.start, (size_t)(code.end - code.start));
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, interruptibility);
	field_write(VMCS_GUEST_ACTIVITY_STATE, activity);
	return guest_run(NULL);
}

static outcome run_window(struct guest_code code, uint64_t interruptibility, uint64_t activity)
{
	forget_blocking();
	return enter_window(code, interruptibility, activity);
}

TEST(nmi, window, OTHER_CAUSES,
	"with \"NMI-window exiting\" 1 and no virtual-NMI blocking it exits before an instruction",
	EXIT(EXIT_REASON_NMI_WINDOW), VALUES({ VMCS_EXIT_QUALIFICATION, 0 }),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	outcome result = run_window((struct guest_code)CODE_OF(nmi_window_nop), 0, ACTIVITY_ACTIVE);

	if (result != test->expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(nmi_window_nop));
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(nmi, window_off, OTHER_CAUSES, "with \"NMI-window exiting\" 0 it does not",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	nmi_set_controls(true, true);
	return exit_run((struct guest_code)CODE_OF(nmi_window_nop));
}

TEST(nmi, window_blocked, OTHER_CAUSES, "virtual-NMI blocking keeps the window closed",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	return run_window(
		(struct guest_code)CODE_OF(nmi_window_nop), INTERRUPTIBILITY_NMI, ACTIVITY_ACTIVE);
}

TEST(nmi, virtual_blocking_cleared, "SDM Interruptibility State",
	"virtual-NMI blocking is what VM entry loads: none, although the guest was left with it",
	EXIT(EXIT_REASON_NMI_WINDOW), .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING),
	.covers = WINDOW " field:GUEST_INTERRUPTIBILITY_STATE")
{
	outcome result = run_window(
		(struct guest_code)CODE_OF(nmi_window_nop), INTERRUPTIBILITY_NMI, ACTIVITY_ACTIVE);

	CHECK_EQUAL(result, EXIT(EXIT_REASON_VMCALL));
	result = enter_window((struct guest_code)CODE_OF(nmi_window_nop), 0, ACTIVITY_ACTIVE);
	forget_blocking();
	return result;
}

TEST(nmi, window_iret, OTHER_CAUSES, "IRET ends virtual-NMI blocking, and so opens the window",
	EXIT(EXIT_REASON_NMI_WINDOW), VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	outcome result = run_window(
		(struct guest_code)CODE_OF(nmi_iret), INTERRUPTIBILITY_NMI, ACTIVITY_ACTIVE);

	if (result != test->expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(nmi_iret_end) - 7);
	return result;
}

TEST(nmi, window_mov_ss, OTHER_CAUSES,
	"blocking by MOV SS keeps the window closed for one instruction",
	EXIT(EXIT_REASON_NMI_WINDOW), .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING),
	.covers = WINDOW)
{
	outcome result = run_window((struct guest_code)CODE_OF(nmi_window_nop),
		INTERRUPTIBILITY_MOV_SS, ACTIVITY_ACTIVE);

	if (result != test->expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(nmi_window_nop) + 1);
	return result;
}

TEST(nmi, window_hlt, OTHER_CAUSES, "the NMI window wakes a CPU from HLT as an NMI would",
	EXIT(EXIT_REASON_NMI_WINDOW), .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING),
	.covers = WINDOW)
{
	return run_window((struct guest_code)CODE_OF(nmi_window_nop), 0, ACTIVITY_HLT);
}

TEST(nmi, window_hlt_state, "SDM Saving Non-Register State", "HLT is what that exit saves",
	EXIT(EXIT_REASON_NMI_WINDOW), VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	return run_window((struct guest_code)CODE_OF(nmi_window_nop), 0, ACTIVITY_HLT);
}

TEST(nmi, window_before_interrupt_window, OTHER_CAUSES,
	"the NMI window comes before the interrupt window", EXIT(EXIT_REASON_NMI_WINDOW),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW)
{
	forget_blocking();
	exit_control(
		CONTROL_WORD_PROC, PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING, true);
	guest_set_mode(GUEST_64BIT, nmi_window_nop, (size_t)(nmi_window_nop_end - nmi_window_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	return guest_run(NULL);
}

static outcome inject_nmi(uint64_t window)
{
	forget_blocking();
	exit_control(CONTROL_WORD_PROC, window, true);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, NMI_EVENT);
	return exit_run((struct guest_code)CODE_OF(nmi_window_nop));
}

TEST(nmi, injected_blocks, "SDM VM-Entry Controls for Event Injection",
	"with \"virtual NMIs\" 1 an injected NMI is delivered, and virtual-NMI blocking begins",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.needs = NEEDS(&need_PIN_VIRTUAL_NMIS), .covers = VIRTUAL)
{
	outcome result = inject_nmi(0);

	CHECK_EQUAL(landing_vector(), VECTOR_NMI);
	return result;
}

TEST(nmi, injected_window, OTHER_CAUSES,
	"an injected NMI closes the window until its handler's IRET", EXIT(EXIT_REASON_NMI_WINDOW),
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING), .covers = WINDOW " " VIRTUAL)
{
	outcome result;

	forget_blocking();
	guest_set_counting_gate(VECTOR_NMI, false);
	exit_control(CONTROL_WORD_PROC, PROC_NMI_WINDOW_EXITING, true);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, NMI_EVENT);
	result = exit_run((struct guest_code)CODE_OF(nmi_window_nop));
	CHECK_EQUAL(test_observe(guest_events), 1);
	if (result != test->expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(nmi_window_nop));
	return result;
}

/* Bit 12: an IRET that faults has ended the blocking before it faulted. */
struct unblocking_row {
	struct test_row row;
	struct guest_code code;
	bool virtual, blocked, unblocking;
};

#define ROW(name, code, virtual, blocked, unblocking)                                              \
	{                                                                                          \
		{ name, FAULT(GP, 0x7c) }, CODE_OF(nmi_##code), virtual, blocked, unblocking       \
	}

static const struct unblocking_row unblocking[] = {
	ROW("IRET, blocked", iret_fault, false, true, true),
	ROW("IRET, not blocked", iret_fault, false, false, false),
	ROW("not IRET, blocked", fault, false, true, false),
};

static outcome run_unblocking(const struct unblocking_row *row)
{
	outcome result;
	uint64_t information;

	guest_reset();
	nmi_set_controls(row->virtual, row->virtual);
	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->blocked ? INTERRUPTIBILITY_NMI : 0);
	result = guest_run(NULL);
	nmi_unblock();
	information = field_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
	CHECK_EQUAL(information & INTERRUPTION_NMI_UNBLOCKING,
		row->unblocking ? INTERRUPTION_NMI_UNBLOCKING : 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE),
		row->blocked && !row->unblocking ? INTERRUPTIBILITY_NMI : 0);
	return result;
}

SWEEP(nmi, unblocking, "SDM Information for VM Exits Due to Vectored Events",
	"\"NMI exiting\" 0: a fault of IRET under blocking by NMI sets bit 12 and saves no "
	"blocking; others do not",
	unblocking, .needs = NEEDS(&need_clear_PIN_NMI_EXITING),
	.covers = COVERS " field:EXIT_INTERRUPTION_INFORMATION")
{
	return run_unblocking(TEST_ROW(struct unblocking_row));
}

static const struct unblocking_row virtual_unblocking[] = {
	ROW("IRET, blocked", iret_fault, true, true, true),
	ROW("IRET, not blocked", iret_fault, true, false, false),
	ROW("not IRET, blocked", fault, true, true, false),
};

SWEEP(nmi, virtual_unblocking, "SDM Information for VM Exits Due to Vectored Events",
	"\"virtual NMIs\" 1: the same for virtual-NMI blocking", virtual_unblocking,
	.needs = NEEDS(&need_PIN_VIRTUAL_NMIS),
	.covers = VIRTUAL " field:EXIT_INTERRUPTION_INFORMATION")
{
	return run_unblocking(TEST_ROW(struct unblocking_row));
}
