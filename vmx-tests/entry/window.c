/* What happens right after VM entry, before the guest's first instruction or after it: windows, the
   preemption timer, the TPR threshold, MTF (Intel SDM, "Event Injection", "Special Features of VM
   Entry"). */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

#define STI     INTERRUPTIBILITY_STI
#define MOV_SS  INTERRUPTIBILITY_MOV_SS
#define NMI     INTERRUPTIBILITY_NMI
#define FIRST   0 /* instructions done when the exit comes */
#define SECOND  1
#define THIRD   2
#define TPR_50H 0x50
#define VTPR    0x80 /* byte offset in the virtual-APIC page */

/* One-byte instructions, so that RIP counts them. */
GUEST_CODE64(window_code, "nop; nop; nop; vmcall; 1: jmp 1b");
#define VMCALL_AT 3

struct window_row {
	struct test_row row;
	uint64_t flags, blocking;
	unsigned int instructions; /* done at the exit */
	uint8_t activity;          /* enum activity_state at entry */
};

/* IRET in a guest ends virtual-NMI blocking. A CPU that does not load the state of blocking at
   entry (see virtual_nmi_blocking_is_loaded) would have it from an earlier guest. */
GUEST_CODE64(window_iret, "movq %rsp, %rax; pushq %rbx; pushq %rax; pushfq; pushq %rcx; leaq "
			  "1f(%rip), %rdx; pushq %rdx;"
			  "iretq; 1: vmcall; 2: jmp 2b");

static void unblock_virtual_nmis(void)
{
	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(window_iret));
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	guest_gpr[RBX] = GUEST_SELECTOR_DATA;
	guest_gpr[RCX] = GUEST_SELECTOR_CODE64;
	guest_run(NULL);
}

/* Enters with the controls; the row's instructions must be done when it exits. */
static outcome run_window(const struct window_row *row, uint64_t pin, uint64_t proc)
{
	outcome result;

	if (pin & PIN_VIRTUAL_NMIS)
		unblock_virtual_nmis();
	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(window_code));
	field_set(VMCS_PIN_CONTROLS, pin);
	field_set(VMCS_PROC_CONTROLS, proc);
	field_set(VMCS_GUEST_RFLAGS, row->flags);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->blocking);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
	guest_set_watchdog(GUEST_SOON);
	if (pin & PIN_PREEMPTION_TIMER)
		field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP) - vmx_address(window_code), row->instructions);
	return result;
}

/* ---- Interrupt-window exiting ---- */

#define WINDOW    EXIT(EXIT_REASON_INTERRUPT_WINDOW)
#define NO_WINDOW EXIT(EXIT_REASON_VMCALL)
static const struct window_row interrupt_window[] = {
	{ { "IF 1", WINDOW }, RFLAGS_IF, 0, FIRST, 0 },
	{ { "IF 0", NO_WINDOW }, 0, 0, VMCALL_AT, 0 },
	{ { "IF 1, blocking by STI", WINDOW }, RFLAGS_IF, STI, SECOND, 0 },
	{ { "IF 1, blocking by MOV SS", WINDOW }, RFLAGS_IF, MOV_SS, SECOND, 0 },
	{ { "IF 1, blocking by NMI", WINDOW }, RFLAGS_IF, NMI, FIRST, 0 },
	{ { "IF 0, blocking by MOV SS", NO_WINDOW }, 0, MOV_SS, VMCALL_AT, 0 },
};

SWEEP(window, interrupt, "SDM Interrupt-Window Exiting and Virtual-Interrupt Delivery",
	"the exit comes at once if IF is 1, after one instruction with blocking by STI or MOV SS",
	interrupt_window, .covers = "control:PROC_INTERRUPT_WINDOW_EXITING exit:INTERRUPT_WINDOW")
{
	return run_window(TEST_ROW(struct window_row), 0, PROC_INTERRUPT_WINDOW_EXITING);
}

static const struct window_row interrupt_window_off[] = {
	{ { "IF 1", NO_WINDOW }, RFLAGS_IF, 0, VMCALL_AT, 0 },
	{ { "IF 1, blocking by STI", NO_WINDOW }, RFLAGS_IF, STI, VMCALL_AT, 0 },
};

SWEEP(window, interrupt_off, "SDM Interrupt-Window Exiting and Virtual-Interrupt Delivery",
	"without the control there is no such exit", interrupt_window_off,
	.covers = "control:PROC_INTERRUPT_WINDOW_EXITING exit:INTERRUPT_WINDOW")
{
	return run_window(TEST_ROW(struct window_row), 0, 0);
}

static const struct window_row interrupt_window_hlt[] = {
	{ { "HLT, IF 1", WINDOW }, RFLAGS_IF, 0, FIRST, ACTIVITY_HLT },
};

SWEEP(window, interrupt_hlt, "SDM Interrupt-Window Exiting and Virtual-Interrupt Delivery",
	"the exit wakes a halted guest; the activity state saved is HLT", interrupt_window_hlt,
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDS(&need_activity_hlt),
	.covers = "exit:INTERRUPT_WINDOW")
{
	return run_window(TEST_ROW(struct window_row), 0, PROC_INTERRUPT_WINDOW_EXITING);
}

/* ---- NMI-window exiting ---- */

#define NMI_WINDOW EXIT(EXIT_REASON_NMI_WINDOW)
static const struct window_row nmi_window[] = {
	{ { "nothing blocks", NMI_WINDOW }, 0, 0, FIRST, 0 },
	{ { "IF 1", NMI_WINDOW }, RFLAGS_IF, 0, FIRST, 0 },
	{ { "blocking by MOV SS", NMI_WINDOW }, 0, MOV_SS, SECOND, 0 },
	{ { "virtual-NMI blocking", NO_WINDOW }, 0, NMI, VMCALL_AT, 0 },
	{ { "HLT", NMI_WINDOW }, 0, 0, FIRST, ACTIVITY_HLT },
	{ { "shutdown", NMI_WINDOW }, 0, 0, FIRST, ACTIVITY_SHUTDOWN },
};

SWEEP(window, nmi, "SDM NMI-Window Exiting",
	"the exit comes at once unless there is virtual-NMI blocking, after one instruction with "
	"blocking by MOV SS",
	nmi_window,
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING, &need_PIN_VIRTUAL_NMIS, &need_activity_hlt,
		&need_activity_shutdown),
	.covers = "control:PROC_NMI_WINDOW_EXITING exit:NMI_WINDOW")
{
	return run_window(TEST_ROW(struct window_row), PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
		PROC_NMI_WINDOW_EXITING);
}

TEST(window, virtual_nmi_blocking_is_loaded, "SDM Interruptibility State",
	"there is virtual-NMI blocking after entry if and only if the field says so, whatever was "
	"blocked before",
	NMI_WINDOW, .needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING, &need_PIN_VIRTUAL_NMIS),
	.covers = "control:PIN_VIRTUAL_NMIS")
{
	outcome result;

	CHECK_EQUAL(run_window(&(struct window_row){ { "", NO_WINDOW }, 0, NMI, VMCALL_AT, 0 },
			    PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, PROC_NMI_WINDOW_EXITING),
		NO_WINDOW);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	result = guest_run(NULL);
	unblock_virtual_nmis();
	return result;
}

static const struct window_row nmi_window_off[] = { { { "nothing blocks", NO_WINDOW }, 0, 0,
	VMCALL_AT, 0 } };

SWEEP(window, nmi_off, "SDM NMI-Window Exiting", "without the control there is no such exit",
	nmi_window_off, .needs = NEEDS(&need_PIN_VIRTUAL_NMIS),
	.covers = "control:PROC_NMI_WINDOW_EXITING exit:NMI_WINDOW")
{
	return run_window(TEST_ROW(struct window_row), PIN_NMI_EXITING | PIN_VIRTUAL_NMIS, 0);
}

TEST(window, nmi_before_interrupt, "SDM NMI-Window Exiting",
	"the NMI window comes before the interrupt window", NMI_WINDOW,
	.needs = NEEDS(&need_PROC_NMI_WINDOW_EXITING, &need_PIN_VIRTUAL_NMIS),
	.covers = "exit:NMI_WINDOW")
{
	return run_window(&(struct window_row){ { "", NMI_WINDOW }, RFLAGS_IF, 0, FIRST, 0 },
		PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
		PROC_NMI_WINDOW_EXITING | PROC_INTERRUPT_WINDOW_EXITING);
}

/* ---- The preemption timer at 0 ---- */

#define TIMER EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED)
static const struct window_row timer[] = {
	{ { "IF 0", TIMER }, 0, 0, FIRST, 0 },
	{ { "IF 1", TIMER }, RFLAGS_IF, 0, FIRST, 0 },
	{ { "blocking by NMI", TIMER }, 0, NMI, FIRST, 0 },
	{ { "HLT", TIMER }, 0, 0, FIRST, ACTIVITY_HLT },
	{ { "HLT, IF 1", TIMER }, RFLAGS_IF, 0, FIRST, ACTIVITY_HLT },
	{ { "shutdown", TIMER }, 0, 0, FIRST, ACTIVITY_SHUTDOWN },
};

SWEEP(window, timer, "SDM VMX-Preemption Timer",
	"a timer that starts at 0 exits before the guest's first instruction", timer,
	.needs = NEEDS(&need_preemption_timer, &need_activity_hlt, &need_activity_shutdown),
	.covers = "control:PIN_PREEMPTION_TIMER exit:PREEMPTION_TIMER_EXPIRED")
{
	return run_window(TEST_ROW(struct window_row), PIN_PREEMPTION_TIMER, 0);
}

static const struct window_row timer_blocked[] = {
	{ { "blocking by STI", TIMER }, RFLAGS_IF, STI, FIRST, 0 },
	{ { "blocking by MOV SS", TIMER }, 0, MOV_SS, FIRST, 0 },
};

SWEEP(window, timer_blocked, "SDM VMX-Preemption Timer",
	"a timer that starts at 0 exits before the guest's first instruction, with blocking by STI "
	"or MOV SS too",
	timer_blocked, .needs = NEEDS(&need_preemption_timer),
	.covers = "exit:PREEMPTION_TIMER_EXPIRED")
{
	return run_window(TEST_ROW(struct window_row), PIN_PREEMPTION_TIMER, 0);
}

TEST(window, timer_before_windows, "SDM Other Causes of VM Exits",
	"the preemption timer comes before NMI and interrupt windows", TIMER,
	.needs = NEEDS(
		&need_preemption_timer, &need_PROC_NMI_WINDOW_EXITING, &need_PIN_VIRTUAL_NMIS),
	.covers = "exit:PREEMPTION_TIMER_EXPIRED")
{
	return run_window(&(struct window_row){ { "", TIMER }, RFLAGS_IF, 0, FIRST, 0 },
		PIN_PREEMPTION_TIMER | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS,
		PROC_NMI_WINDOW_EXITING | PROC_INTERRUPT_WINDOW_EXITING);
}

/* ---- The TPR threshold ---- */

#define BELOW EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD)

/* With "virtualize APIC accesses" a threshold above VTPR exits at entry, instead of making it fail.
 */
static outcome run_threshold(
	const struct window_row *row, uint64_t threshold, uint64_t pin, uint64_t proc)
{
	outcome result;

	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(window_code));
	guest_page[0][VTPR] = TPR_50H;
	proc2_set(PROC2_VIRTUALIZE_APIC_ACCESSES);
	field_set(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW | proc);
	field_set(VMCS_PIN_CONTROLS, pin);
	if (pin & PIN_PREEMPTION_TIMER)
		field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	field_write(VMCS_VIRTUAL_APIC_ADDRESS, vmx_address(guest_page[0]));
	field_write(VMCS_APIC_ACCESS_ADDRESS, vmx_address(guest_page[1]));
	field_write(VMCS_TPR_THRESHOLD, threshold);
	field_set(VMCS_GUEST_RFLAGS, row->flags);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->blocking);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->activity);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP) - vmx_address(window_code), row->instructions);
	return result;
}

static const struct window_row threshold[] = {
	{ { "IF 0", BELOW }, 0, 0, FIRST, 0 },
	{ { "IF 1", BELOW }, RFLAGS_IF, 0, FIRST, 0 },
	{ { "blocking by STI", BELOW }, RFLAGS_IF, STI, FIRST, 0 },
	{ { "blocking by MOV SS", BELOW }, 0, MOV_SS, FIRST, 0 },
	{ { "HLT", BELOW }, 0, 0, FIRST, ACTIVITY_HLT },
	{ { "shutdown", BELOW }, 0, 0, FIRST, ACTIVITY_SHUTDOWN },
};

SWEEP(window, tpr_threshold, "SDM VM Exits Induced by the TPR Threshold",
	"with virtualized APIC accesses a threshold above VTPR exits at once, whatever blocks",
	threshold,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,
		&need_activity_hlt, &need_activity_shutdown),
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	return run_threshold(TEST_ROW(struct window_row), 6, 0, 0);
}

TEST(window, tpr_threshold_equal, "SDM VM Exits Induced by the TPR Threshold",
	"a threshold that equals bits 7:4 of VTPR does not exit", NO_WINDOW,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES),
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	return run_threshold(
		&(struct window_row){ { "", NO_WINDOW }, 0, 0, VMCALL_AT, 0 }, 5, 0, 0);
}

TEST(window, tpr_threshold_first, "SDM VM Exits Induced by the TPR Threshold",
	"the exit comes before those of the preemption timer and of windows", BELOW,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,
		&need_preemption_timer),
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	return run_threshold(&(struct window_row){ { "", BELOW }, RFLAGS_IF, 0, FIRST, 0 }, 6,
		PIN_PREEMPTION_TIMER, PROC_INTERRUPT_WINDOW_EXITING);
}

/* ---- The monitor trap flag ---- */

#define MTF EXIT(EXIT_REASON_MONITOR_TRAP_FLAG)
static const struct window_row mtf[] = {
	{ { "nothing blocks", MTF }, 0, 0, SECOND, 0 },
	{ { "blocking by STI", MTF }, RFLAGS_IF, STI, SECOND, 0 },
	{ { "blocking by MOV SS", MTF }, 0, MOV_SS, SECOND, 0 },
};

SWEEP(window, mtf, "SDM Monitor Trap Flag", "an MTF exit comes after the first instruction", mtf,
	.needs = NEEDS(&need_PROC_MONITOR_TRAP_FLAG),
	.covers = "control:PROC_MONITOR_TRAP_FLAG exit:MONITOR_TRAP_FLAG")
{
	return run_window(TEST_ROW(struct window_row), 0, PROC_MONITOR_TRAP_FLAG);
}
