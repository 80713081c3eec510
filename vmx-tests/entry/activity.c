/* Entering the HLT, shutdown and wait-for-SIPI activity states (Intel SDM, "Activity State"): the
   guest runs no instruction until an event ends the state. Events that VM entry injects are
   inject.c's, windows and timers at 0 window.c's. */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define TITLE "SDM Activity State"
#define TICKS 1000 /* of the preemption timer */

GUEST_CODE64(activity_code, "nop; vmcall; 1: jmp 1b");

static void prepare(enum activity_state state, uint64_t flags)
{
	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(activity_code));
	field_write(VMCS_GUEST_ACTIVITY_STATE, state);
	field_set(VMCS_GUEST_RFLAGS, flags);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, TICKS);
}

/* The guest must not have run. */
static outcome run_inactive(void)
{
	outcome result = guest_run(NULL);

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(activity_code));
	return result;
}

TEST(activity, active, TITLE, "the active state runs", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE }),
	.covers = "field:GUEST_ACTIVITY_STATE")
{
	prepare(ACTIVITY_ACTIVE, 0);
	return guest_run(NULL);
}

TEST(activity, hlt, TITLE,
	"a guest entered in HLT runs nothing until the preemption timer's exit, which saves HLT",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }),
	.needs = NEEDS(&need_preemption_timer, &need_activity_hlt),
	.covers = "field:GUEST_ACTIVITY_STATE exit:PREEMPTION_TIMER_EXPIRED "
		  "cap:VMX_MISC_ACTIVITY_HLT")
{
	prepare(ACTIVITY_HLT, 0);
	return run_inactive();
}

TEST(activity, hlt_if, TITLE, "so it does with RFLAGS.IF 1 and no interrupt",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }),
	.needs = NEEDS(&need_preemption_timer, &need_activity_hlt))
{
	prepare(ACTIVITY_HLT, RFLAGS_IF);
	return run_inactive();
}

TEST(activity, shutdown, TITLE,
	"a guest entered in shutdown runs nothing until the preemption timer's exit, which saves "
	"shutdown",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_SHUTDOWN }),
	.needs = NEEDS(&need_preemption_timer, &need_activity_shutdown),
	.covers = "field:GUEST_ACTIVITY_STATE cap:VMX_MISC_ACTIVITY_SHUTDOWN")
{
	prepare(ACTIVITY_SHUTDOWN, 0);
	return run_inactive();
}

TEST(activity, hlt_again, TITLE,
	"a halted guest that is resumed as it was saved goes on being halted",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }),
	.needs = NEEDS(&need_preemption_timer, &need_activity_hlt))
{
	prepare(ACTIVITY_HLT, 0);
	CHECK_EQUAL(run_inactive(), EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED));
	field_write(VMCS_PREEMPTION_TIMER_VALUE, TICKS);
	return run_inactive();
}

TEST(activity, hlt_ended, TITLE,
	"a halted guest that is resumed as active runs its next instruction",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_preemption_timer, &need_activity_hlt))
{
	prepare(ACTIVITY_HLT, 0);
	CHECK_EQUAL(run_inactive(), EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED));
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, UINT32_MAX);
	return guest_run(NULL);
}
