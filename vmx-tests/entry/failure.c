/* VM entries that fail: in which order the checks are made, what is left in the fields, and what a
   failure does to the host (Intel SDM, "VM Entries", "VM-Entry Failures During or After Loading
   Guest State"). The single rules are check_*.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#include "vmx-tests/entry/state.h"

#define TITLE_LATE "SDM VM-Entry Failures During or After Loading Guest State"

static void break_control(void)
{
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
}

static void break_host(void)
{
	field_write(VMCS_HOST_CS_SELECTOR, 0);
}

static void break_guest(void)
{
	field_clear(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
}

/* ---- Order ---- */

TEST(failure, control_before_guest, "SDM VM Entries",
	"the controls are checked before the guest state", FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS),
	.covers = "error:ENTRY_CONTROLS")
{
	check_begin(CHECK_LONG);
	break_control();
	break_guest();
	return guest_enter();
}

TEST(failure, host_before_guest, "SDM VM Entries",
	"the host state is checked before the guest state", FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE),
	.covers = "error:ENTRY_HOST_STATE")
{
	check_begin(CHECK_LONG);
	break_host();
	break_guest();
	return guest_enter();
}

TEST(failure, control_and_host, "SDM Checks on VMX Controls and Host-State Area",
	"controls and host state are checked in any order: either error may be reported", OK)
{
	outcome result;

	check_begin(CHECK_LONG);
	break_control();
	break_host();
	result = guest_enter();
	CHECK(result == FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS) ||
		result == FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE));
	CHECK_EQUAL(field_read(VMCS_VM_INSTRUCTION_ERROR), outcome_value(result));
	return OK;
}

TEST(failure, launch_state_before_checks, "SDM VMLAUNCH/VMRESUME",
	"the launch state is checked before the controls",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED), .covers = "error:VMRESUME_NOT_LAUNCHED")
{
	check_begin(CHECK_LONG);
	break_control();
	return guest_resume();
}

TEST(failure, launched_before_checks, "SDM VMLAUNCH/VMRESUME",
	"the launch state is checked before the controls", FAIL_VALID(VMX_ERROR_VMLAUNCH_NOT_CLEAR),
	.covers = "error:VMLAUNCH_NOT_CLEAR", .needs = NEEDS(&need_preemption_timer))
{
	check_begin(CHECK_LONG);
	CHECK_EQUAL(guest_launch(), EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED));
	break_control();
	return guest_launch();
}

/* "VMLAUNCH/VMRESUME": blocking by MOV SS lasts for one instruction, here the entry itself. */
static outcome enter_after_mov_ss(bool launch)
{
	uint64_t flags;

	if (launch)
		__asm__ volatile("movl %%ss, %%eax; movl %%eax, %%ss; vmlaunch; pushfq; popq %0"
				 : "=r"(flags)
				 :
				 : "rax", "memory", "cc");
	else
		__asm__ volatile("movl %%ss, %%eax; movl %%eax, %%ss; vmresume; pushfq; popq %0"
				 : "=r"(flags)
				 :
				 : "rax", "memory", "cc");
	return vmx_outcome(flags);
}

TEST(failure, vmlaunch_after_mov_ss, "SDM VMLAUNCH/VMRESUME",
	"VMLAUNCH fails while events are blocked by MOV SS", FAIL_VALID(VMX_ERROR_ENTRY_MOV_SS),
	.covers = "error:ENTRY_MOV_SS insn:VMLAUNCH")
{
	check_begin(CHECK_LONG);
	return enter_after_mov_ss(true);
}

TEST(failure, vmresume_after_mov_ss, "SDM VMLAUNCH/VMRESUME",
	"VMRESUME fails while events are blocked by MOV SS, before the launch state is looked at",
	FAIL_VALID(VMX_ERROR_ENTRY_MOV_SS), .covers = "error:ENTRY_MOV_SS insn:VMRESUME")
{
	check_begin(CHECK_LONG);
	return enter_after_mov_ss(false);
}

/* ---- What is left ---- */

GUEST_CODE64(failure_int, "int $0x30; 1: jmp 1b");

TEST(failure, information, TITLE_LATE,
	"but for exit reason and qualification a late failure leaves the VM-exit information "
	"fields as they were",
	REFUSED_GUEST)
{
	unsigned int i;
	outcome result;

	/* The guest's IDT is empty: INT meets #GP, whose exit fills the fields about events, too. It
	   has 2 bytes, the entries have 3. */
	guest_set_mode(GUEST_64BIT, CODE(failure_int));
	CHECK_EQUAL(guest_enter(), EXIT(EXIT_REASON_EXCEPTION_OR_NMI));
	break_guest();
	state_read(&state_before);
	result = guest_enter();
	state_read_fields(&state_after);
	for (i = 0; i < VMCS_FIELDS; i++)
		if (vmcs_fields[i].area == AREA_READONLY && i != FIELD_EXIT_REASON &&
			i != FIELD_EXIT_QUALIFICATION &&
			state_before.field[i] != state_after.field[i])
			return test_mismatch(__LINE__, "%s changed from %#lx to %#lx",
				vmcs_fields[i].name, state_before.field[i], state_after.field[i]);
	return result;
}

TEST(failure, vmfail_writes_the_error_only, "SDM VM Instruction Error Numbers",
	"VMfailValid writes the VM-instruction error and no other field",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_ENTRY_CONTROLS }))
{
	int different;
	outcome result;

	check_begin(CHECK_LONG);
	break_control();
	state_read(&state_before);
	result = guest_enter();
	state_read_fields(&state_after);
	different = state_difference(false);
	if (different >= 0)
		return test_mismatch(__LINE__, "%s changed", vmcs_fields[different].name);
	return result;
}

static const uint64_t nmi = INTERRUPTION_VALID | (INTERRUPTION_NMI << 8) | VECTOR_NMI;

TEST(failure, event_stays_valid, TITLE_LATE,
	"a late failure leaves the valid bit of the event to be injected", REFUSED_GUEST,
	VALUES({ VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | (INTERRUPTION_NMI << 8) | VECTOR_NMI }))
{
	check_begin(CHECK_LONG);
	break_guest();
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, nmi);
	return guest_enter();
}

TEST(failure, vmfail_event_stays_valid, "SDM VM Entries",
	"VMfailValid leaves the valid bit of the event to be injected",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS),
	VALUES({ VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | (INTERRUPTION_NMI << 8) | VECTOR_NMI }))
{
	check_begin(CHECK_LONG);
	break_control();
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, nmi);
	return guest_enter();
}

/* ---- The launch state ---- */

TEST(failure, stays_clear, "SDM VMLAUNCH/VMRESUME",
	"a launch that fails in the guest-state checks leaves the launch state clear",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), .needs = NEEDS(&need_preemption_timer))
{
	check_begin(CHECK_LONG);
	break_guest();
	CHECK_EQUAL(guest_launch(), REFUSED_GUEST);
	CHECK_EQUAL(guest_resume(), FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	return guest_launch();
}

static outcome resume_after_failure(void (*break_it)(void), outcome failure)
{
	check_begin(CHECK_LONG);
	CHECK_EQUAL(guest_launch(), EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED));
	break_it();
	CHECK_EQUAL(guest_resume(), failure);
	field_write(VMCS_CR3_TARGET_COUNT, 0);
	guest_set_host();
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
	return guest_resume();
}

TEST(failure, stays_launched_control, "SDM VMLAUNCH/VMRESUME",
	"a failed VMRESUME leaves the launch state launched",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), .needs = NEEDS(&need_preemption_timer))
{
	return resume_after_failure(break_control, FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS));
}

TEST(failure, stays_launched_host, "SDM VMLAUNCH/VMRESUME",
	"a failed VMRESUME leaves the launch state launched",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), .needs = NEEDS(&need_preemption_timer))
{
	return resume_after_failure(break_host, FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE));
}

TEST(failure, stays_launched_guest, "SDM VMLAUNCH/VMRESUME",
	"a failed VMRESUME leaves the launch state launched",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), .needs = NEEDS(&need_preemption_timer))
{
	return resume_after_failure(break_guest, REFUSED_GUEST);
}

TEST(failure, current_vmcs, "SDM VMLAUNCH/VMRESUME",
	"a failed entry leaves the current VMCS current", REFUSED_GUEST)
{
	uint64_t before, after;
	outcome result;

	check_begin(CHECK_LONG);
	break_guest();
	vmptrst(&before);
	result = guest_enter();
	vmptrst(&after);
	CHECK_EQUAL(test_observe(after), before);
	return result;
}

/* ---- The host ---- */

#define SYSENTER_EIP UINT64_C(0x12345000)

/* Enters with another SYSENTER_EIP in the host-state area than the host has; checks what it has
 * then. */
static outcome enter_and_compare_host(uint64_t expected)
{
	uint64_t held = rdmsr(MSR_IA32_SYSENTER_EIP), now;
	outcome result;

	field_write(VMCS_HOST_IA32_SYSENTER_EIP, SYSENTER_EIP);
	result = guest_enter();
	now = test_observe(rdmsr(MSR_IA32_SYSENTER_EIP));
	wrmsr(MSR_IA32_SYSENTER_EIP, held);
	CHECK_EQUAL(now, expected);
	return result;
}

TEST(failure, loads_host_state, TITLE_LATE,
	"a late failure loads the host state, as a VM exit does", REFUSED_GUEST,
	.covers = "exit:ENTRY_FAILURE_GUEST_STATE")
{
	check_begin(CHECK_LONG);
	break_guest();
	return enter_and_compare_host(SYSENTER_EIP);
}

TEST(failure, vmfail_loads_no_host_state, "SDM VM Entries", "VMfailValid loads no host state",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS))
{
	check_begin(CHECK_LONG);
	break_control();
	return enter_and_compare_host(rdmsr(MSR_IA32_SYSENTER_EIP));
}

static struct vmx_msr_entry *msr_area(unsigned int page)
{
	return (struct vmx_msr_entry *)(void *)guest_page[page];
}

TEST(failure, msr_areas, TITLE_LATE,
	"a late failure loads MSRs from the VM-exit MSR-load area, and stores none into the "
	"VM-exit MSR-store area",
	REFUSED_GUEST)
{
	uint64_t held = rdmsr(MSR_IA32_CSTAR), now, stored;
	outcome result;

	check_begin(CHECK_LONG);
	break_guest();
	msr_area(1)[0] = (struct vmx_msr_entry){ MSR_IA32_CSTAR, 0, SYSENTER_EIP };
	msr_area(2)[0] = (struct vmx_msr_entry){ MSR_IA32_CSTAR, 0, 1 };
	field_write(VMCS_EXIT_MSR_LOAD_ADDRESS, vmx_address(msr_area(1)));
	field_write(VMCS_EXIT_MSR_LOAD_COUNT, 1);
	field_write(VMCS_EXIT_MSR_STORE_ADDRESS, vmx_address(msr_area(2)));
	field_write(VMCS_EXIT_MSR_STORE_COUNT, 1);
	result = guest_enter();
	now = test_observe(rdmsr(MSR_IA32_CSTAR));
	stored = test_observe(msr_area(2)[0].value);
	wrmsr(MSR_IA32_CSTAR, held);
	CHECK_EQUAL(now, SYSENTER_EIP);
	CHECK_EQUAL(stored, 1);
	return result;
}

TEST(failure, late_again_and_again, TITLE_LATE, "a late failure can be mended and entered",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), .needs = NEEDS(&need_preemption_timer))
{
	unsigned int i;

	check_begin(CHECK_LONG);
	break_guest();
	for (i = 0; i < 10; i++)
		CHECK_EQUAL(guest_enter(), REFUSED_GUEST);
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	return guest_enter();
}
