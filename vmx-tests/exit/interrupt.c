/* External interrupts: when they exit, what is acknowledged, in which states (Intel SDM, "Other
   Causes of VM Exits", "Event Blocking", "Information for VM Exits Due to Vectored Events").
   Windows are window.c's, NMIs nmi.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/interrupt.h"

#include "runtime/apic.h"
#include "runtime/trap.h"

#define OTHER_CAUSES "SDM Other Causes of VM Exits"
#define COVERS       "control:PIN_EXTERNAL_INTERRUPT_EXITING exit:EXTERNAL_INTERRUPT"

static unsigned int delivered; /* interrupts that the host's IDT got */

void interrupt_send(void)
{
	apic_send_fixed(apic_id(), INTERRUPT_VECTOR);
}

void interrupt_end(void)
{
	apic_eoi();
}

static void count_interrupt(struct trap_frame *frame)
{
	delivered++;
	apic_eoi();
}

unsigned int interrupt_drain(void)
{
	trap_handler *before = trap_set_handler(INTERRUPT_VECTOR, count_interrupt);

	delivered = 0;
	interrupts_window();
	trap_set_handler(INTERRUPT_VECTOR, before);
	return (unsigned int)test_observe(delivered);
}

void interrupt_set_backstop(void)
{
	if (vmx_may_set(CONTROL_WORD_PIN, PIN_PREEMPTION_TIMER))
		field_write(VMCS_PREEMPTION_TIMER_VALUE, INTERRUPT_SOON);
}

GUEST64(interrupt_nop, "nop");
GUEST64(interrupt_loop, "1: jmp 1b");
GUEST64(interrupt_sti, "sti; nop; nop");
GUEST64(interrupt_hlt, "hlt; nop");

struct interrupt_row {
	struct test_row row;
	struct guest_code code;
	uint64_t rflags, activity;
};

/* With an interrupt pending since before the entry. */
static outcome run_pending(const struct interrupt_row *row, uint64_t exit_controls)
{
	guest_reset();
	landing_set_gates();
	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
	exit_control(CONTROL_WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING, true);
	exit_control(CONTROL_WORD_VM_EXIT, exit_controls, true);
	interrupt_set_backstop();
	interrupt_send();
	return guest_run(NULL);
}

#define ROW(name, code, rflags, activity)                                                          \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_EXTERNAL_INTERRUPT) }, CODE_OF(interrupt_##code), rflags, \
			activity                                                                   \
	}

static const struct interrupt_row exits[] = {
	ROW("active", nop, RFLAGS_IF, ACTIVITY_ACTIVE),
	ROW("HLT", nop, RFLAGS_IF, ACTIVITY_HLT),
};

static outcome run_not_acknowledged(const struct interrupt_row *row)
{
	outcome result = run_pending(row, 0);
	unsigned int pending = interrupt_drain();

	if (result != row->row.expected)
		return result;
	CHECK_EQUAL(pending, 1);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.start));
	return result;
}

SWEEP(interrupt, exits, OTHER_CAUSES,
	"an external interrupt exits before the next instruction, and remains pending when it is "
	"not acknowledged",
	exits, .covers = COVERS " control:VM_EXIT_ACKNOWLEDGE_INTERRUPT field:GUEST_RIP")
{
	return run_not_acknowledged(TEST_ROW(struct interrupt_row));
}

TEST(interrupt, hlt_state, "SDM Saving Non-Register State",
	"the CPU leaves the HLT state only after the exit that an interrupt causes: the saved "
	"activity state is HLT",
	EXIT(EXIT_REASON_EXTERNAL_INTERRUPT), VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }),
	.covers = COVERS " field:GUEST_ACTIVITY_STATE")
{
	return run_not_acknowledged(&exits[1]);
}

static outcome run_acknowledged(const struct interrupt_row *row)
{
	outcome result = run_pending(row, VM_EXIT_ACKNOWLEDGE_INTERRUPT);
	unsigned int pending;

	interrupt_end();
	pending = interrupt_drain();
	if (result != row->row.expected)
		return result;
	CHECK_EQUAL(pending, 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION),
		INTERRUPTION_VALID | INTERRUPT_VECTOR);
	return result;
}

SWEEP(interrupt, acknowledged, "SDM Information for VM Exits Due to Vectored Events",
	"with \"acknowledge interrupt on exit\" 1 the vector is reported, and nothing remains "
	"pending",
	exits,
	.covers = COVERS
	" control:VM_EXIT_ACKNOWLEDGE_INTERRUPT field:EXIT_INTERRUPTION_INFORMATION")
{
	return run_acknowledged(TEST_ROW(struct interrupt_row));
}

static const struct interrupt_row masked[] = {
	ROW("active", loop, 0, ACTIVITY_ACTIVE),
	ROW("HLT", nop, 0, ACTIVITY_HLT),
	ROW("active, STI comes next", sti, 0, ACTIVITY_ACTIVE),
};

SWEEP(interrupt, exits_masked, "SDM Event Blocking",
	"with its control 1 an external interrupt exits although VM entry loaded RFLAGS.IF = 0",
	masked, .covers = COVERS)
{
	return run_not_acknowledged(TEST_ROW(struct interrupt_row));
}

static void send_masked(void)
{
	interrupts_off();
	interrupt_send();
	for (;;)
		cpu_pause();
}

TEST(interrupt, exits_after_cli, "SDM Event Blocking",
	"with its control 1 an external interrupt exits although the guest cleared RFLAGS.IF",
	EXIT(EXIT_REASON_EXTERNAL_INTERRUPT), .covers = COVERS)
{
	outcome result;

	exit_control(CONTROL_WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING, true);
	exit_let_msrs_pass();
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	interrupt_set_backstop();
	result = guest_run(send_masked);
	CHECK_EQUAL(interrupt_drain(), 1);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF, 0);
	return result;
}

TEST(interrupt, delivered, OTHER_CAUSES,
	"with its control 0 an external interrupt is delivered by the guest's IDT",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_clear_PIN_EXTERNAL_INTERRUPT_EXITING),
	.covers = COVERS)
{
	outcome result;

	landing_set_gates();
	guest_set_mode(GUEST_64BIT, interrupt_nop, (size_t)(interrupt_nop_end - interrupt_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	interrupt_send();
	result = guest_run(NULL);
	interrupt_end();
	CHECK_EQUAL(interrupt_drain(), 0);
	CHECK_EQUAL(landing_vector(), INTERRUPT_VECTOR);
	return result;
}

TEST(interrupt, delivered_wakes, OTHER_CAUSES,
	"with its control 0 an external interrupt ends the guest's HLT state",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE }),
	.covers = COVERS)
{
	outcome result;

	landing_set_gates();
	guest_set_mode(GUEST_64BIT, interrupt_nop, (size_t)(interrupt_nop_end - interrupt_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	interrupt_set_backstop();
	interrupt_send();
	result = guest_run(NULL);
	interrupt_end();
	CHECK_EQUAL(landing_vector(), INTERRUPT_VECTOR);
	return result;
}

TEST(interrupt, masked, OTHER_CAUSES,
	"with its control 0 RFLAGS.IF = 0 masks external interrupts: it remains pending",
	EXIT(EXIT_REASON_VMCALL), .covers = COVERS)
{
	outcome result;

	landing_set_gates();
	interrupt_send();
	result = exit_run((struct guest_code)CODE_OF(interrupt_nop));
	CHECK_EQUAL(interrupt_drain(), 1);
	CHECK_EQUAL(landing_vector(), -1);
	return result;
}

TEST(interrupt, hlt_executed, "SDM Saving Non-Register State",
	"an exit in the HLT state that HLT entered saves that state, and RIP behind HLT",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDS(&need_preemption_timer),
	.covers = "field:GUEST_ACTIVITY_STATE field:GUEST_RIP")
{
	outcome result;

	interrupt_set_backstop();
	result = exit_run((struct guest_code)CODE_OF(interrupt_hlt));
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(interrupt_hlt) + 1);
	return result;
}
