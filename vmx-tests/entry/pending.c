/* Pending debug exceptions at VM entry: whether, when and how #DB comes (Intel SDM, "Pending Debug
   Exceptions", "Delivery of Pending Debug Exceptions after VM Entry"). Which values are allowed is
   check_state.c's. */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define TITLE     "SDM Delivery of Pending Debug Exceptions after VM Entry"
#define STI       INTERRUPTIBILITY_STI
#define MOV_SS    INTERRUPTIBILITY_MOV_SS
#define BS        DEBUG_EXCEPTION_BS
#define ENABLED   DEBUG_EXCEPTION_ENABLED
#define FIRST     0 /* instructions done when the exit comes */
#define SECOND    1
#define VMCALL_AT 3

GUEST_CODE64(pending_code, "nop; nop; nop; vmcall; 1: jmp 1b");

struct pending_row {
	struct test_row row;
	uint64_t pending, blocking, flags;
	unsigned int instructions;
	uint64_t qualification; /* of the #DB */
	uint8_t activity;
};

static void prepare(const struct pending_row *row)
{
	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(pending_code));
	field_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, row->pending);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->blocking);
	field_set(VMCS_GUEST_RFLAGS, row->flags);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
}

static outcome run_pending(const struct pending_row *row)
{
	outcome result;

	prepare(row);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP) - vmx_address(pending_code), row->instructions);
	if (result == FAULT(DB))
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), row->qualification);
	return result;
}

static const struct pending_row traps[] = {
	{ { "BS", FAULT(DB) }, BS, 0, 0, FIRST, BS, 0 },
	{ { "BS with TF", FAULT(DB) }, BS, 0, RFLAGS_TF, FIRST, BS, 0 },
	{ { "enabled breakpoint 0", FAULT(DB) }, ENABLED | BIT(0), 0, 0, FIRST, BIT(0), 0 },
	{ { "enabled breakpoint 1", FAULT(DB) }, ENABLED | BIT(1), 0, 0, FIRST, BIT(1), 0 },
	{ { "enabled breakpoint 2", FAULT(DB) }, ENABLED | BIT(2), 0, 0, FIRST, BIT(2), 0 },
	{ { "enabled breakpoint 3", FAULT(DB) }, ENABLED | BIT(3), 0, 0, FIRST, BIT(3), 0 },
	{ { "all", FAULT(DB) }, ENABLED | BS | BITS(3, 0), 0, 0, FIRST, BS | BITS(3, 0), 0 },
	{ { "BS, IF", FAULT(DB) }, BS, 0, RFLAGS_IF, FIRST, BS, 0 },
};

SWEEP(pending, delivered, TITLE,
	"with BS or \"enabled breakpoint\" #DB comes before the first instruction; its "
	"qualification is what was pending",
	traps, .covers = "field:GUEST_PENDING_DEBUG_EXCEPTIONS")
{
	return run_pending(TEST_ROW(struct pending_row));
}

static const struct pending_row none[] = {
	{ { "nothing", EXIT(EXIT_REASON_VMCALL) }, 0, 0, 0, VMCALL_AT, 0, 0 },
	{ { "breakpoint 0, not enabled", EXIT(EXIT_REASON_VMCALL) }, BIT(0), 0, 0, VMCALL_AT, 0,
		0 },
	{ { "breakpoint 3, not enabled", EXIT(EXIT_REASON_VMCALL) }, BIT(3), 0, 0, VMCALL_AT, 0,
		0 },
};

SWEEP(pending, none, TITLE, "without BS and \"enabled breakpoint\" there is no #DB", none,
	.covers = "field:GUEST_PENDING_DEBUG_EXCEPTIONS")
{
	return run_pending(TEST_ROW(struct pending_row));
}

static const struct pending_row sti[] = {
	{ { "BS with TF", FAULT(DB) }, BS, STI, RFLAGS_TF | RFLAGS_IF, FIRST, BS, 0 },
	{ { "enabled breakpoint 0", FAULT(DB) }, ENABLED | BIT(0), STI, RFLAGS_IF, FIRST, BIT(0),
		0 },
};

SWEEP(pending, sti, TITLE, "blocking by STI does not hold a pending debug exception back", sti)
{
	return run_pending(TEST_ROW(struct pending_row));
}

/* "Masking Exceptions and Interrupts When Switching Stacks": it is held pending, or lost, for one
   instruction. With TF the next instruction traps in any case. */
static const struct pending_row mov_ss[] = {
	{ { "BS with TF", FAULT(DB) }, BS, MOV_SS, RFLAGS_TF, SECOND, BS, 0 },
};

SWEEP(pending, mov_ss, TITLE,
	"blocking by MOV SS holds a pending debug exception back for one instruction", mov_ss)
{
	return run_pending(TEST_ROW(struct pending_row));
}

TEST(pending, single_step, TITLE, "TF without BS traps after the first instruction", FAULT(DB),
	VALUES({ VMCS_EXIT_QUALIFICATION, BS }))
{
	return run_pending(
		&(struct pending_row){ { "", FAULT(DB) }, 0, 0, RFLAGS_TF, SECOND, BS, 0 });
}

/* ---- HLT ---- */

static const struct pending_row halted[] = {
	{ { "enabled breakpoint 0", FAULT(DB) }, ENABLED | BIT(0), 0, 0, FIRST, BIT(0),
		ACTIVITY_HLT },
	{ { "BS with TF", FAULT(DB) }, BS, 0, RFLAGS_TF, FIRST, BS, ACTIVITY_HLT },
};

SWEEP(pending, hlt, TITLE,
	"a pending debug exception is delivered to a guest that enters HLT immediately after VM "
	"entry",
	halted, .needs = NEEDS(&need_activity_hlt, &need_preemption_timer))
{
	const struct pending_row *row = TEST_ROW(struct pending_row);
	uint64_t start, waited;
	outcome result;

	prepare(row);
	guest_set_watchdog(2 * GUEST_SOON);
	start = rdtsc();
	result = guest_run(NULL);
	waited = rdtsc() - start;
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), row->qualification);
	return test_observe(waited) < GUEST_SOON
		       ? result
		       : test_mismatch(__LINE__, "it came when the preemption timer expired");
}

/* ---- Priority ---- */

TEST(pending, before_timer, TITLE,
	"a pending debug exception comes before the exit of the preemption timer", FAULT(DB),
	.needs = NEEDS(&need_preemption_timer))
{
	prepare(&(struct pending_row){ { "", 0 }, BS, 0, 0, FIRST, BS, 0 });
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	return guest_run(NULL);
}

TEST(pending, before_interrupt_window, TITLE,
	"a pending debug exception comes before the interrupt window", FAULT(DB))
{
	prepare(&(struct pending_row){ { "", 0 }, BS, 0, RFLAGS_IF, FIRST, BS, 0 });
	field_set(VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	return guest_run(NULL);
}

TEST(pending, before_nmi_window, TITLE, "a pending debug exception comes before the NMI window",
	FAULT(DB), .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING, &need_PIN_VIRTUAL_NMIS))
{
	prepare(&(struct pending_row){ { "", 0 }, BS, 0, 0, FIRST, BS, 0 });
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	field_set(VMCS_PROC_CONTROLS, PROC_NMI_WINDOW_EXITING);
	return guest_run(NULL);
}

/* The event is delivered; after it there are no pending debug exceptions. (Software events with
   blocking by MOV SS, where they may be, are left out.) */
struct vectoring_row {
	struct test_row row;
	uint8_t type, vector;
};
static const struct vectoring_row vectoring[] = {
	{ { "external interrupt", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_EXTERNAL, 48 },
	{ { "NMI", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_NMI, VECTOR_NMI },
	{ { "hardware exception", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_HARDWARE_EXCEPTION,
		VECTOR_UD },
	{ { "INT1", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION,
		VECTOR_DB },
	{ { "software interrupt", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_SOFTWARE, 64 },
	{ { "INT3", EXIT(EXIT_REASON_VMCALL) }, INTERRUPTION_SOFTWARE_EXCEPTION, VECTOR_BP },
};

SWEEP(pending, vectoring, TITLE,
	"with an injected event, and no blocking by MOV SS, no pending debug exception is "
	"delivered after entry",
	vectoring)
{
	const struct vectoring_row *row = TEST_ROW(struct vectoring_row);

	prepare(&(struct pending_row){ { "", 0 }, BS, 0, RFLAGS_IF, FIRST, BS, 0 });
	guest_set_gate(row->vector, (void (*)(void))((uintptr_t)pending_code + VMCALL_AT));
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 1);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(row->type, INTERRUPTION_TYPE) | row->vector);
	return guest_run(NULL);
}

/* ---- What is left ---- */

TEST(pending, cleared, "SDM Saving Non-Register State",
	"what was pending is not pending any more after #DB has exited", FAULT(DB),
	VALUES({ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 }))
{
	return run_pending(&(struct pending_row){
		{ "", FAULT(DB) }, ENABLED | BIT(2), 0, 0, FIRST, BIT(2), 0 });
}
