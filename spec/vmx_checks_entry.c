/* The predicates of "VM-Entry Control Fields", one function per row of spec/vmx_checks.def: the
   VM-entry controls, the event to be injected, the MSR-load area. What the event asks of the
   guest's state is in vmx_checks_guest_state.c. */
#include "spec/vmx_predicates.h"

bool check_entry_allowed0(const struct vmx_state *state)
{
	uint64_t allowed =
		vmx_state_allowed(state, MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS);

	return (FIELD_GET(allowed, CAPABILITY_MUST_BE_1) & ~VMCS(VM_ENTRY_CONTROLS)) == 0;
}

bool check_entry_allowed1(const struct vmx_state *state)
{
	uint64_t allowed =
		vmx_state_allowed(state, MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS);

	return (VMCS(VM_ENTRY_CONTROLS) & ~FIELD_GET(allowed, CAPABILITY_MAY_BE_1)) == 0;
}

bool check_entry_to_smm_outside(const struct vmx_state *state)
{
	return implies(VM_ENTRY(ENTRY_TO_SMM), state->cpu.in_smm);
}

bool check_deactivate_outside(const struct vmx_state *state)
{
	return implies(VM_ENTRY(DEACTIVATE_DUAL_MONITOR), state->cpu.in_smm);
}

bool check_entry_to_smm_or_deactivate(const struct vmx_state *state)
{
	return !(VM_ENTRY(ENTRY_TO_SMM) && VM_ENTRY(DEACTIVATE_DUAL_MONITOR));
}

bool check_load_rtit_while_tracing(const struct vmx_state *state)
{
	return implies(state->cpu.tracing, !VM_ENTRY(LOAD_RTIT_CTL));
}

MSR_AREA(entry_msr_load, ENTRY_MSR_LOAD_COUNT, ENTRY_MSR_LOAD_ADDRESS)

/* ---- Event injection ---- */

/* "Other event" needs a CPU whose monitor trap flag may be 1; type 1 is reserved on all. */
bool check_event_type(const struct vmx_state *state)
{
	uint64_t allowed = vmx_state_allowed(
		state, MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS);
	bool has_mtf = FIELD_GET(allowed, CAPABILITY_MAY_BE_1) & (uint64_t)PROC_MONITOR_TRAP_FLAG;
	uint64_t type = FIELD_GET(VMCS(ENTRY_INTERRUPTION_INFORMATION), INTERRUPTION_TYPE);

	return implies(injects(state), type != 1 && (type != INTERRUPTION_OTHER || has_mtf));
}

bool check_event_nmi_vector(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_NMI), injected_vector(state) == VECTOR_NMI);
}

bool check_event_exception_vector(const struct vmx_state *state)
{
	return implies(
		injects_type(state, INTERRUPTION_HARDWARE_EXCEPTION), injected_vector(state) <= 31);
}

bool check_event_other_vector(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_OTHER), injected_vector(state) == 0);
}

/* The exceptions with an error code. #CP, which has one too, is not counted: the CPUs that have it
   take an error code or none for every vector. */
static bool has_error_code(const struct vmx_state *state)
{
	const uint64_t vectors = BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) |
				 BIT(VECTOR_GP) | BIT(VECTOR_PF) | BIT(VECTOR_AC);

	return injected_vector(state) < 32 && (vectors & BIT(injected_vector(state)));
}

static bool delivers_error_code(const struct vmx_state *state)
{
	return injects(state) && (VMCS(ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_HAS_ERROR);
}

/* Exceptions of an unrestricted guest in real-address mode have no error code. */
static bool may_have_error_code(const struct vmx_state *state)
{
	return !PROC2(UNRESTRICTED_GUEST) || is_protected(state);
}

bool check_event_error_code_type(const struct vmx_state *state)
{
	return implies(
		delivers_error_code(state), injects_type(state, INTERRUPTION_HARDWARE_EXCEPTION));
}

bool check_event_error_code_real(const struct vmx_state *state)
{
	return implies(delivers_error_code(state), may_have_error_code(state));
}

bool check_event_error_code_unexpected(const struct vmx_state *state)
{
	return implies(delivers_error_code(state) &&
			       injects_type(state, INTERRUPTION_HARDWARE_EXCEPTION) &&
			       !CAPABILITY(VMX_BASIC, ANY_ERROR_CODE),
		has_error_code(state));
}

bool check_event_error_code_missing(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_HARDWARE_EXCEPTION) &&
			       has_error_code(state) && may_have_error_code(state) &&
			       !CAPABILITY(VMX_BASIC, ANY_ERROR_CODE),
		delivers_error_code(state));
}

bool check_event_reserved(const struct vmx_state *state)
{
	uint64_t reserved = BITS(30, 12);

	if (CAPABILITY(VMX_BASIC, NESTED_EXCEPTION))
		reserved &= ~INTERRUPTION_NESTED;
	return implies(injects(state), (VMCS(ENTRY_INTERRUPTION_INFORMATION) & reserved) == 0);
}

bool check_event_error_code_high(const struct vmx_state *state)
{
	return implies(
		delivers_error_code(state), (VMCS(ENTRY_EXCEPTION_ERROR_CODE) & BITS(31, 16)) == 0);
}

/* Software interrupts and exceptions carry the length of the instruction that RIP steps over. */
static bool has_length(const struct vmx_state *state)
{
	return injects_type(state, INTERRUPTION_SOFTWARE) ||
	       injects_type(state, INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION) ||
	       injects_type(state, INTERRUPTION_SOFTWARE_EXCEPTION);
}

bool check_event_length(const struct vmx_state *state)
{
	return implies(has_length(state), VMCS(ENTRY_INSTRUCTION_LENGTH) <= 15);
}

bool check_event_length_zero(const struct vmx_state *state)
{
	return implies(has_length(state) && VMCS(ENTRY_INSTRUCTION_LENGTH) == 0,
		CAPABILITY(VMX_MISC, INJECT_LENGTH_0));
}
