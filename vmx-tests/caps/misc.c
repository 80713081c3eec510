/* IA32_VMX_MISC and IA32_VMX_VMFUNC (Intel SDM, appendix "VMX Capability Reporting Facility",
   "Miscellaneous Data" and "VM Functions"), as far as one entry or none shows whether they are
   true. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "spec/cpuid.h"
#include "vmx-tests/caps/needs.h"
#include "vmx-tests/guest.h"

#define LIST_ENTRIES_PER_SIZE 512

static uint64_t misc_field(uint64_t mask)
{
	return test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), mask));
}

static void nothing(void)
{
}

TEST(misc, cr3_targets, "SDM Miscellaneous Data", "at most 256 CR3-target values", OK,
	.covers = "cap:VMX_MISC_CR3_TARGETS")
{
	CHECK(test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS) <= 256));
	return OK;
}

TEST(misc, cr3_targets_allowed, "SDM Checks on VMX Controls",
	"a CR3-target count as large as reported is accepted", EXIT(EXIT_REASON_VMCALL),
	.covers = "cap:VMX_MISC_CR3_TARGETS")
{
	field_write(VMCS_CR3_TARGET_COUNT, misc_field(VMX_MISC_CR3_TARGETS));
	return guest_run(nothing);
}

TEST(misc, cr3_targets_exceeded, "SDM Checks on VMX Controls",
	"a CR3-target count one larger is refused", FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS),
	.covers = "cap:VMX_MISC_CR3_TARGETS")
{
	field_write(VMCS_CR3_TARGET_COUNT, misc_field(VMX_MISC_CR3_TARGETS) + 1);
	return guest_run(nothing);
}

TEST(misc, cr3_target_fields, "SDM Field Encoding in VMCS",
	"each reported CR3-target value has its field, of the four that are defined", OK,
	.covers = "cap:VMX_MISC_CR3_TARGETS")
{
	uint64_t count = FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS), i;

	for (i = 0; i < MIN(count, 4); i++)
		CHECK(test_observe(field_exists(VMCS_CR3_TARGET_VALUE_0 + 2 * i)));
	return OK;
}

TEST(misc, stores_lma, "SDM Miscellaneous Data",
	"bit 5 is 1 where an unrestricted guest is offered", OK,
	.covers = "cap:VMX_MISC_STORES_LMA", .needs = NEEDS(&need_PROC2_UNRESTRICTED_GUEST))
{
	CHECK_EQUAL(misc_field(VMX_MISC_STORES_LMA), 1);
	return OK;
}

TEST(misc, stores_lma_kept, "SDM Saving Control Registers, Debug Registers, and MSRs",
	"after an exit from IA-32e mode \"IA-32e mode guest\" is 1", EXIT(EXIT_REASON_VMCALL),
	.covers = "cap:VMX_MISC_STORES_LMA")
{
	outcome result = guest_run(nothing);

	CHECK_EQUAL(FIELD_GET(field_read(VMCS_VM_ENTRY_CONTROLS), VM_ENTRY_IA32E_MODE_GUEST), 1);
	return result;
}

/* An activity state that is reported may be entered: an external event ends it, the preemption
   timer here. One that is not makes the entry fail. */
struct activity_row {
	struct test_row row;
	uint64_t capability;
	enum activity_state state;
};

static const struct activity_row activities[] = {
	{ { "HLT", OK }, VMX_MISC_ACTIVITY_HLT, ACTIVITY_HLT },
	{ { "shutdown", OK }, VMX_MISC_ACTIVITY_SHUTDOWN, ACTIVITY_SHUTDOWN },
};

SWEEP(misc, activity, "SDM Miscellaneous Data",
	"an activity state that is reported can be entered, others not", activities,
	.covers = "cap:VMX_MISC_ACTIVITY_HLT cap:VMX_MISC_ACTIVITY_SHUTDOWN",
	.needs = NEEDS(&need_preemption_timer))
{
	const struct activity_row *row = TEST_ROW(struct activity_row);
	bool reported = rdmsr(MSR_IA32_VMX_MISC) & row->capability;
	outcome result;

	guest_reset();
	guest_set_code(nothing);
	field_write(VMCS_GUEST_ACTIVITY_STATE, row->state);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 1);
	result = test_observe(guest_enter());
	CHECK_EQUAL(result, reported ? EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED)
				     : ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE));
	return OK;
}

TEST(misc, activity_beyond, "SDM Checks on Guest Non-Register State",
	"an activity state above 3 is never entered",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE),
	.covers = "cap:VMX_MISC_ACTIVITY_WAIT_FOR_SIPI")
{
	field_write(VMCS_GUEST_ACTIVITY_STATE, 4);
	return guest_run(nothing);
}

TEST(misc, activity_wait_for_sipi, "SDM Miscellaneous Data",
	"wait-for-SIPI, where it is not reported, cannot be entered",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE),
	.covers = "cap:VMX_MISC_ACTIVITY_WAIT_FOR_SIPI", .needs = NEEDS(&need_no_wait_for_sipi))
{
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
	return guest_run(nothing);
}

/* Where it is reported: events may not be injected into it, which refuses the entry for that reason
   alone; with no event nothing on this CPU would end it. */
TEST(misc, activity_wait_for_sipi_injection, "SDM Checks on Guest Non-Register State",
	"wait-for-SIPI with an event to be injected cannot be entered",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE),
	.covers = "cap:VMX_MISC_ACTIVITY_WAIT_FOR_SIPI")
{
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_EXTERNAL, INTERRUPTION_TYPE) | 0x40);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	return guest_run(nothing);
}

TEST(misc, inject_length_0, "SDM Miscellaneous Data",
	"bit 30: a software interrupt may be injected with instruction length 0, else the entry is "
	"refused",
	OK, .covers = "cap:VMX_MISC_INJECT_LENGTH_0")
{
	bool allowed = rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_INJECT_LENGTH_0;
	outcome result;

	guest_set_counting_gate(0x40, false);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) | 0x40);
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 0);
	result = test_observe(guest_run(nothing));
	CHECK_EQUAL(
		result, allowed ? EXIT(EXIT_REASON_VMCALL) : FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS));
	CHECK_EQUAL(guest_events, allowed);
	return OK;
}

TEST(misc, msr_list_size, "SDM Miscellaneous Data",
	"an MSR-load area of the recommended maximum is loaded to its last entry",
	EXIT(EXIT_REASON_VMCALL), .covers = "cap:VMX_MISC_MSR_LIST_SIZE")
{
	static struct vmx_msr_entry list[8 * LIST_ENTRIES_PER_SIZE] __aligned(16);
	uint64_t count = (FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_MSR_LIST_SIZE) + 1) *
			 LIST_ENTRIES_PER_SIZE,
		 i, before = rdmsr(MSR_IA32_LSTAR), seen;
	outcome result;

	for (i = 0; i < count; i++)
		list[i] = (struct vmx_msr_entry){ MSR_IA32_LSTAR, 0, i + 1 };
	field_write(VMCS_ENTRY_MSR_LOAD_COUNT, count);
	field_write(VMCS_ENTRY_MSR_LOAD_ADDRESS, vmx_address(list));
	result = guest_run(nothing);
	seen = test_observe(rdmsr(MSR_IA32_LSTAR));
	wrmsr(MSR_IA32_LSTAR, before);
	CHECK_EQUAL(seen, count);
	return result;
}

TEST(misc, preemption_timer_shift, "SDM VMX-Preemption Timer",
	"the timer counts down by 1 whenever bit X of the TSC changes", OK,
	.covers = "cap:VMX_MISC_PREEMPTION_TIMER_SHIFT", .needs = NEEDS(&need_preemption_timer))
{
	uint64_t shift = FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_PREEMPTION_TIMER_SHIFT);
	uint64_t ticks = 100000, start, spent;

	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	if (!(rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_HLT))
		return OK;
	guest_set_code(nothing);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, ticks >> shift);
	start = rdtsc();
	if (guest_enter() != EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED))
		return test_mismatch(__LINE__, "the timer did not fire");
	spent = rdtsc() - start;
	/* The last period may be a fraction; and the TSC goes on before and after the guest. */
	CHECK(test_observe(spent + (BIT(shift) << 1) >= ticks));
	return OK;
}

TEST(misc, processor_trace, "SDM Miscellaneous Data", "bit 14 is 0 where the CPU has no Intel PT",
	OK, .covers = "cap:VMX_MISC_PROCESSOR_TRACE")
{
	bool has_pt = cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_7_EBX_PT;

	CHECK(has_pt || !misc_field(VMX_MISC_PROCESSOR_TRACE));
	return OK;
}

TEST(misc, rdmsr_smbase, "SDM Miscellaneous Data",
	"bit 15 reports IA32_SMBASE for SMM only: outside SMM it is no MSR", FAULT(GP),
	.covers = "cap:VMX_MISC_RDMSR_SMBASE")
{
	rdmsr(MSR_IA32_SMBASE);
	return OK;
}

TEST(misc, smm_monitor_ctl, "SDM Miscellaneous Data",
	"bit 28, about IA32_SMM_MONITOR_CTL, is 0 without the dual-monitor treatment", OK,
	.covers = "cap:VMX_MISC_SMM_MONITOR_CTL")
{
	bool dual = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_DUAL_MONITOR;

	CHECK(dual || !misc_field(VMX_MISC_SMM_MONITOR_CTL));
	return OK;
}

TEST(vmfunc, eptp_switching, "SDM VM Functions", "EPTP switching is offered only with EPT", OK,
	.covers = "cap:VMX_VMFUNC_EPTP_SWITCHING msr:IA32_VMX_VMFUNC",
	.needs = NEEDS(&need_vmfunc_msr))
{
	bool switching = rdmsr(MSR_IA32_VMX_VMFUNC) & VMX_VMFUNC_EPTP_SWITCHING;

	CHECK(test_observe(!switching || vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_EPT)));
	return OK;
}

TEST(vmfunc, not_offered, "SDM Checks on VMX Controls",
	"a VM function that IA32_VMX_VMFUNC does not report may not be enabled",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS), .covers = "msr:IA32_VMX_VMFUNC",
	.needs = NEEDS(&need_vmfunc_msr))
{
	uint64_t offered = rdmsr(MSR_IA32_VMX_VMFUNC);

	field_write(VMCS_PROC_CONTROLS,
		field_read(VMCS_PROC_CONTROLS) | PROC_ACTIVATE_SECONDARY_CONTROLS);
	field_write(VMCS_PROC2_CONTROLS, PROC2_ENABLE_VM_FUNCTIONS);
	field_write(
		VMCS_VM_FUNCTION_CONTROLS, ~offered & -~offered); /* the lowest that is missing */
	return guest_run(nothing);
}

/* #UD has no error code: with one it may be injected only where IA32_VMX_BASIC says so. */
TEST(misc, any_error_code, "SDM Basic VMX Information",
	"bit 56: an exception may be injected with an error code whatever its vector, else the "
	"entry is refused",
	OK, .covers = "cap:VMX_BASIC_ANY_ERROR_CODE")
{
	bool allowed = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE;
	outcome result;

	guest_set_counting_gate(VECTOR_UD, true);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR |
			FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE) | VECTOR_UD);
	field_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0x18);
	result = test_observe(guest_run(nothing));
	CHECK_EQUAL(
		result, allowed ? EXIT(EXIT_REASON_VMCALL) : FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS));
	CHECK_EQUAL(guest_events, allowed);
	return OK;
}

TEST(misc, nested_exception, "SDM Basic VMX Information",
	"bit 58, about nested exceptions of FRED, is 0 on a CPU without FRED", OK,
	.covers = "cap:VMX_BASIC_NESTED_EXCEPTION")
{
	bool fred = vmx_may_set(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_FRED);
	uint64_t nested = FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_NESTED_EXCEPTION);

	CHECK(test_observe(fred || !nested));
	return OK;
}
