/* Non-maskable interrupts: "NMI exiting", "virtual NMIs", and how NMIs are blocked (Intel SDM,
   "Other Causes of VM Exits", "Updating Non-Register State"). Windows, and what IRET does to the
   blocking, are nmi_window.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/apic.h"
#include "runtime/trap.h"
#include "vmx-tests/exit/nmi.h"

GUEST64(nmi_nop, "nop; nop");
GUEST64(nmi_ud, "ud2");

static volatile unsigned int received; /* NMIs that the host's IDT got */

static void count_nmi(struct trap_frame *frame)
{
	received++;
}

unsigned int nmi_unblock(void)
{
	trap_handler *before = trap_set_handler(VECTOR_NMI, count_nmi);

	received = 0;
	__asm__ volatile("movq %%rsp, %%rax; movl %%ss, %%ecx; pushq %%rcx; pushq %%rax; pushfq; "
			 "movl %%cs, %%ecx; pushq %%rcx; pushq $1f; iretq; 1: nop; nop"
			 :
			 :
			 : "rax", "rcx", "memory", "cc");
	trap_set_handler(VECTOR_NMI, before);
	return (unsigned int)test_observe(received);
}

void nmi_send(void)
{
	apic_send_nmi(apic_id());
	for (;;)
		cpu_pause();
}

void nmi_set_controls(bool exiting, bool virtual)
{
	exit_control(CONTROL_WORD_PIN, PIN_NMI_EXITING, exiting);
	exit_control(CONTROL_WORD_PIN, PIN_VIRTUAL_NMIS, virtual);
	exit_let_msrs_pass();
	landing_set_gates();
	interrupt_set_backstop();
}

static outcome exit_by_nmi(void)
{
	outcome result;

	nmi_set_controls(true, false);
	guest_set_code(nmi_send);
	result = guest_enter();
	nmi_unblock();
	return result;
}

TEST(nmi, exits, OTHER_CAUSES, "an NMI exits when its control is 1",
	EXIT(EXIT_REASON_EXCEPTION_OR_NMI),
	VALUES({ VMCS_EXIT_INTERRUPTION_INFORMATION, NMI_EVENT }, { VMCS_EXIT_QUALIFICATION, 0 }),
	.covers = COVERS " field:EXIT_INTERRUPTION_INFORMATION")
{
	outcome result = exit_by_nmi();

	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(nmi, exit_saves_no_blocking, "SDM Architectural State Before a VM Exit",
	"an NMI that exits blocks NMIs only after the exit: no blocking is saved",
	EXIT(EXIT_REASON_EXCEPTION_OR_NMI), VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }),
	.covers = COVERS " field:GUEST_INTERRUPTIBILITY_STATE")
{
	return exit_by_nmi();
}

TEST(nmi, blocked_after_exit, "SDM Updating Non-Register State",
	"after the exit of an NMI the host has NMIs blocked", OK, .covers = COVERS)
{
	trap_handler *before = trap_set_handler(VECTOR_NMI, count_nmi);
	unsigned int early;

	nmi_set_controls(true, false);
	guest_set_code(nmi_send);
	guest_enter();
	received = 0;
	apic_send_nmi(apic_id());
	early = received;
	trap_set_handler(VECTOR_NMI, before);
	CHECK_EQUAL(nmi_unblock(), 1);
	CHECK_EQUAL(early, 0);
	return OK;
}

TEST(nmi, not_blocked_after_others, "SDM Updating Non-Register State",
	"after another exit the host has NMIs blocked no more than before it", OK, .covers = COVERS)
{
	trap_handler *before;

	nmi_set_controls(true, false);
	received = 0;
	CHECK_EQUAL(exit_run((struct guest_code)CODE_OF(nmi_ud)),
		FAULT(UD)); /* an exit with reason 0 as well */
	before = trap_set_handler(VECTOR_NMI, count_nmi);
	apic_send_nmi(apic_id());
	trap_set_handler(VECTOR_NMI, before);
	CHECK_EQUAL(test_observe(received), 1);
	return OK;
}

TEST(nmi, delivered, OTHER_CAUSES,
	"an NMI is delivered by the guest's IDT when its control is 0; then NMIs are blocked",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.needs = NEEDS(&need_clear_PIN_NMI_EXITING),
	.covers = COVERS " field:GUEST_INTERRUPTIBILITY_STATE")
{
	outcome result;

	nmi_set_controls(false, false);
	guest_set_gate(VECTOR_NMI, (void (*)(void))(uintptr_t)nmi_nop);
	result = guest_run(nmi_send);
	nmi_unblock();
	if (result == test->expected)
		CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(nmi_nop) + 2);
	return result;
}

TEST(nmi, handler, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an exit of the first instruction of the NMI's handler saves that instruction's RIP",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_clear_PIN_NMI_EXITING),
	.covers = "field:GUEST_RIP")
{
	outcome result;

	nmi_set_controls(false, false);
	result = guest_run(nmi_send);
	nmi_unblock();
	if (result == test->expected)
		CHECK_EQUAL(landing_vector(), VECTOR_NMI);
	return result;
}

static void take_nmi(void)
{
	apic_send_nmi(apic_id());
	while (guest_events == 0)
		cpu_pause();
}

TEST(nmi, iret_unblocks, "SDM Guest Non-Register State", "the guest's IRET ends blocking by NMI",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, 0 }),
	.covers = COVERS " field:GUEST_INTERRUPTIBILITY_STATE")
{
	outcome result;

	nmi_set_controls(false, false);
	guest_set_counting_gate(VECTOR_NMI, false);
	result = guest_run(take_nmi);
	nmi_unblock();
	CHECK_EQUAL(test_observe(guest_events), 1);
	return result;
}

static void send_nmi_once(void)
{
	apic_send_nmi(apic_id());
}

TEST(nmi, blocked, "SDM Guest Non-Register State",
	"blocking by NMI loaded at entry holds an NMI back; it remains pending and blocked in the "
	"host",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.covers = COVERS " field:GUEST_INTERRUPTIBILITY_STATE")
{
	outcome result;

	nmi_set_controls(false, false);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	result = guest_run(send_nmi_once);
	CHECK_EQUAL(nmi_unblock(), 1);
	return result;
}

TEST(nmi, virtual_blocking, "SDM Guest Non-Register State",
	"with \"virtual NMIs\" 1 the blocking in the interruptibility state does not keep an NMI "
	"from exiting",
	EXIT(EXIT_REASON_EXCEPTION_OR_NMI),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI },
		{ VMCS_EXIT_INTERRUPTION_INFORMATION, NMI_EVENT }),
	.needs = NEEDS(&need_PIN_VIRTUAL_NMIS), .covers = COVERS " " VIRTUAL)
{
	outcome result;

	nmi_set_controls(true, true);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	guest_set_code(nmi_send);
	result = guest_enter();
	nmi_unblock();
	return result;
}
