/* The VMX-preemption timer: its rate, its saving, in which states it counts, what it precedes
   (Intel SDM, "VMX-Preemption Timer", "Other Causes of VM Exits"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/interrupt.h"

#define TIMER  "SDM VMX-Preemption Timer"
#define CAUSES "SDM Other Causes of VM Exits"
#define COVERS                                                                                     \
	"control:PIN_PREEMPTION_TIMER field:PREEMPTION_TIMER_VALUE exit:PREEMPTION_TIMER_EXPIRED"
#define NEEDED  NEEDS(&need_preemption_timer)
#define EXPIRED EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED)
#define LATENESS                                                                                   \
	200000 /* TSC ticks that an exit may come late, an interrupt of a host below us included   \
		*/

GUEST64(preemption_nop, "nop");
GUEST64(preemption_loop, "1: jmp 1b");
GUEST64(preemption_spin, "movl $5000, %ecx; 1: decl %ecx; jnz 1b");
GUEST64(preemption_hlt, "hlt");

static unsigned int rate_shift(void)
{
	return (unsigned int)FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_PREEMPTION_TIMER_SHIFT);
}

static outcome run_timer(struct guest_code code, uint64_t value, bool save)
{
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_PREEMPTION_TIMER, save);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, value);
	return exit_run(code);
}

#define LOOP (struct guest_code) CODE_OF(preemption_loop)
#define NOP  (struct guest_code) CODE_OF(preemption_nop)
#define SPIN (struct guest_code) CODE_OF(preemption_spin)

struct value_row {
	struct test_row row;
	uint32_t ticks; /* of the TSC */
};

static const struct value_row values[] = {
	{ { "1000", EXPIRED }, 1000 },
	{ { "10000", EXPIRED }, 10000 },
	{ { "100000", EXPIRED }, 100000 },
	{ { "1000000", EXPIRED }, 1000000 },
};

SWEEP(preemption, rate, TIMER,
	"it counts down once when the bit of the TSC that IA32_VMX_MISC names changes", values,
	.needs = NEEDED, .covers = COVERS " cap:VMX_MISC_PREEMPTION_TIMER_SHIFT")
{
	unsigned int shift = rate_shift();
	uint64_t value = (TEST_ROW(struct value_row)->ticks >> shift) + 1, before, elapsed;
	outcome result;

	guest_reset();
	before = rdtsc();
	result = run_timer(LOOP, value, false);
	elapsed = test_observe(rdtsc() - before);
	CHECK(elapsed >= (value - 1) << shift);
	CHECK(elapsed < (value << shift) + LATENESS);
	return result;
}

TEST(preemption, zero, "SDM VMX-Preemption Timer",
	"a value of 0 exits before the first instruction", EXPIRED,
	VALUES({ VMCS_EXIT_QUALIFICATION, 0 }), .needs = NEEDED, .covers = COVERS)
{
	outcome result = run_timer(NOP, 0, false);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(preemption_nop));
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(preemption, off, TIMER, "with the control 0 the value does not count",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = COVERS)
{
	exit_control(CONTROL_WORD_PIN, PIN_PREEMPTION_TIMER, false);
	return run_timer(SPIN, 0, false);
}

#define PLENTY UINT64_C(100000000)

TEST(preemption, not_saved, "SDM Saving Non-Register State",
	"with \"save VMX-preemption timer value\" 0 the field keeps its value",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_PREEMPTION_TIMER_VALUE, PLENTY }), .needs = NEEDED,
	.covers = COVERS " control:VM_EXIT_SAVE_PREEMPTION_TIMER")
{
	return run_timer(SPIN, PLENTY, false);
}

TEST(preemption, not_saved_expired, "SDM Saving Non-Register State", "the same when it expired",
	EXPIRED, VALUES({ VMCS_PREEMPTION_TIMER_VALUE, 7 }), .needs = NEEDED,
	.covers = COVERS " control:VM_EXIT_SAVE_PREEMPTION_TIMER")
{
	return run_timer(LOOP, 7, false);
}

TEST(preemption, saved, "SDM Saving Non-Register State",
	"with \"save VMX-preemption timer value\" 1 the field gets what is left",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_preemption_timer, &need_VM_EXIT_SAVE_PREEMPTION_TIMER),
	.covers = COVERS " control:VM_EXIT_SAVE_PREEMPTION_TIMER")
{
	unsigned int shift = rate_shift();
	uint64_t before = rdtsc(), elapsed, spent;
	outcome result = run_timer(SPIN, PLENTY, true);

	elapsed = rdtsc() - before;
	spent = PLENTY - field_read(VMCS_PREEMPTION_TIMER_VALUE);
	CHECK(spent <= (elapsed >> shift) + 1);
	CHECK(spent >= 1); /* the guest spun for 10,000 instructions */
	return result;
}

TEST(preemption, saved_expired, "SDM Saving Non-Register State", "when it expired it is saved as 0",
	EXPIRED, VALUES({ VMCS_PREEMPTION_TIMER_VALUE, 0 }),
	.needs = NEEDS(&need_preemption_timer, &need_VM_EXIT_SAVE_PREEMPTION_TIMER),
	.covers = COVERS " control:VM_EXIT_SAVE_PREEMPTION_TIMER")
{
	return run_timer(LOOP, 1000, true);
}

struct state_row {
	struct test_row row;
	uint64_t activity;
};

static const struct state_row hlt[] = { { { "HLT", EXPIRED }, ACTIVITY_HLT } };
static const struct state_row shutdown[] = { { { "shutdown", EXPIRED }, ACTIVITY_SHUTDOWN } };

static outcome run_inactive(const struct state_row *row)
{
	outcome result;

	guest_reset();
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
	result = run_timer(NOP, 1000, false);
	if (result != row->row.expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_ACTIVITY_STATE), row->activity);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(preemption_nop));
	return result;
}

SWEEP(preemption, hlt, TIMER, "it counts in the HLT state, and exits out of it", hlt,
	.needs = NEEDS(&need_preemption_timer, &need_activity_hlt),
	.covers = COVERS " cap:VMX_MISC_ACTIVITY_HLT")
{
	return run_inactive(TEST_ROW(struct state_row));
}

SWEEP(preemption, shutdown, TIMER, "it counts in the shutdown state, and exits out of it", shutdown,
	.needs = NEEDS(&need_preemption_timer, &need_activity_shutdown),
	.covers = COVERS " cap:VMX_MISC_ACTIVITY_SHUTDOWN")
{
	return run_inactive(TEST_ROW(struct state_row));
}

TEST(preemption, hlt_zero, TIMER, "a value of 0 exits at once out of the HLT state", EXPIRED,
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDED, .covers = COVERS)
{
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	return run_timer(NOP, 0, false);
}

/* Priorities. */
static outcome run_with(uint64_t proc, uint64_t rflags)
{
	exit_control(CONTROL_WORD_PROC, proc, true);
	guest_set_mode(GUEST_64BIT, preemption_nop, (size_t)(preemption_nop_end - preemption_nop));
	field_set(VMCS_GUEST_RFLAGS, rflags);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	return guest_run(NULL);
}

TEST(preemption, before_interrupt_window, CAUSES, "it comes before the interrupt window", EXPIRED,
	.needs = NEEDED, .covers = COVERS " exit:INTERRUPT_WINDOW")
{
	return run_with(PROC_INTERRUPT_WINDOW_EXITING, RFLAGS_IF);
}

TEST(preemption, before_nmi_window, CAUSES, "it comes before the NMI window", EXPIRED,
	.needs = NEEDS(&need_preemption_timer, &need_PROC_NMI_WINDOW_EXITING),
	.covers = COVERS " exit:NMI_WINDOW")
{
	exit_control(CONTROL_WORD_PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, true);
	return run_with(PROC_NMI_WINDOW_EXITING, 0);
}

TEST(preemption, before_interrupt, CAUSES, "it comes before an external interrupt that exits",
	EXPIRED, .needs = NEEDED, .covers = COVERS " exit:EXTERNAL_INTERRUPT")
{
	outcome result;

	exit_control(CONTROL_WORD_PIN, PIN_EXTERNAL_INTERRUPT_EXITING, true);
	interrupt_send();
	result = run_with(0, RFLAGS_IF);
	CHECK_EQUAL(interrupt_drain(), 1);
	return result;
}

TEST(preemption, after_pending_debug, CAUSES, "a pending debug exception comes before it",
	FAULT(DB), .needs = NEEDED, .covers = COVERS " field:GUEST_PENDING_DEBUG_EXCEPTIONS")
{
	field_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, DEBUG_EXCEPTION_BS);
	return run_with(0, RFLAGS_TF);
}

TEST(preemption, after_injection, "SDM VM Entry: Event Injection",
	"an event that VM entry injects is delivered before it exits", EXPIRED,
	VALUES({ VMCS_IDT_VECTORING_INFORMATION, 0 }), .needs = NEEDED,
	.covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION")
{
	outcome result;

	landing_set_gates();
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | INTERRUPT_VECTOR);
	result = run_with(0, RFLAGS_IF);
	if (result == test->expected)
		CHECK_EQUAL(landing_vector(), INTERRUPT_VECTOR);
	return result;
}

TEST(preemption, blocked_by_nothing, CAUSES,
	"neither RFLAGS.IF = 0 nor blocking by MOV SS holds it back", EXPIRED, .needs = NEEDED,
	.covers = COVERS)
{
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_MOV_SS);
	return run_timer(LOOP, 100, false);
}
