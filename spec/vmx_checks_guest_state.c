/* The predicates of "Checks on Guest Non-Register State" and "Checks on Guest
   Page-Directory-Pointer-Table Entries", one function per row of spec/vmx_checks.def. The event
   that some of them speak of is itself checked in vmx_checks_entry.c. */
#include "spec/vmx_predicates.h"

/* ---- Activity state ---- */

static bool is_activity(const struct vmx_state *state, enum activity_state activity)
{
	return VMCS(GUEST_ACTIVITY_STATE) == activity;
}

static bool is_blocked_by_sti(const struct vmx_state *state)
{
	return VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_STI;
}

static bool is_blocked_by_mov_ss(const struct vmx_state *state)
{
	return VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS;
}

bool check_guest_activity_known(const struct vmx_state *state)
{
	return VMCS(GUEST_ACTIVITY_STATE) <= ACTIVITY_WAIT_FOR_SIPI;
}

/* States beyond the known ones are the row above's. */
bool check_guest_activity_supported(const struct vmx_state *state)
{
	switch (VMCS(GUEST_ACTIVITY_STATE)) {
	case ACTIVITY_HLT:
		return CAPABILITY(VMX_MISC, ACTIVITY_HLT);
	case ACTIVITY_SHUTDOWN:
		return CAPABILITY(VMX_MISC, ACTIVITY_SHUTDOWN);
	case ACTIVITY_WAIT_FOR_SIPI:
		return CAPABILITY(VMX_MISC, ACTIVITY_WAIT_FOR_SIPI);
	}
	return true;
}

bool check_guest_activity_hlt_dpl(const struct vmx_state *state)
{
	return implies(is_activity(state, ACTIVITY_HLT),
		(VMCS(GUEST_SS_ACCESS_RIGHTS) & ACCESS_RIGHTS_DPL) == 0);
}

bool check_guest_activity_blocking(const struct vmx_state *state)
{
	return implies(is_blocked_by_sti(state) || is_blocked_by_mov_ss(state),
		is_activity(state, ACTIVITY_ACTIVE));
}

static bool injects_exception(const struct vmx_state *state, enum vector vector)
{
	return injects_type(state, INTERRUPTION_HARDWARE_EXCEPTION) &&
	       injected_vector(state) == vector;
}

bool check_guest_activity_hlt_event(const struct vmx_state *state)
{
	return implies(is_activity(state, ACTIVITY_HLT) && injects(state),
		injects_type(state, INTERRUPTION_EXTERNAL) ||
			injects_type(state, INTERRUPTION_NMI) ||
			injects_type(state, INTERRUPTION_OTHER) ||
			injects_exception(state, VECTOR_DB) || injects_exception(state, VECTOR_MC));
}

bool check_guest_activity_shutdown_event(const struct vmx_state *state)
{
	return implies(is_activity(state, ACTIVITY_SHUTDOWN) && injects(state),
		injects_type(state, INTERRUPTION_NMI) || injects_exception(state, VECTOR_MC));
}

bool check_guest_activity_sipi_event(const struct vmx_state *state)
{
	return implies(is_activity(state, ACTIVITY_WAIT_FOR_SIPI), !injects(state));
}

bool check_guest_activity_sipi_smm(const struct vmx_state *state)
{
	return implies(VM_ENTRY(ENTRY_TO_SMM), !is_activity(state, ACTIVITY_WAIT_FOR_SIPI));
}

/* ---- Interruptibility state ---- */

bool check_guest_interruptibility_reserved(const struct vmx_state *state)
{
	return (VMCS(GUEST_INTERRUPTIBILITY_STATE) & BITS(31, 5)) == 0;
}

bool check_guest_sti_and_mov_ss(const struct vmx_state *state)
{
	return !(is_blocked_by_sti(state) && is_blocked_by_mov_ss(state));
}

bool check_guest_sti_if(const struct vmx_state *state)
{
	return implies(is_blocked_by_sti(state), VMCS(GUEST_RFLAGS) & RFLAGS_IF);
}

bool check_guest_sti_interrupt(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_EXTERNAL), !is_blocked_by_sti(state));
}

bool check_guest_mov_ss_interrupt(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_EXTERNAL), !is_blocked_by_mov_ss(state));
}

bool check_guest_mov_ss_nmi(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_NMI), !is_blocked_by_mov_ss(state));
}

bool check_guest_sti_nmi(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_NMI), !is_blocked_by_sti(state));
}

bool check_guest_smi_outside(const struct vmx_state *state)
{
	return implies(
		VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_SMI, state->cpu.in_smm);
}

bool check_guest_smi_entry(const struct vmx_state *state)
{
	return implies(
		VM_ENTRY(ENTRY_TO_SMM), VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_SMI);
}

bool check_guest_nmi_nmi(const struct vmx_state *state)
{
	return implies(PIN(VIRTUAL_NMIS) && injects_type(state, INTERRUPTION_NMI),
		!(VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_NMI));
}

static bool interrupts_enclave(const struct vmx_state *state)
{
	return VMCS(GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_ENCLAVE;
}

bool check_guest_enclave_mov_ss(const struct vmx_state *state)
{
	return implies(interrupts_enclave(state), !is_blocked_by_mov_ss(state));
}

bool check_guest_enclave_sgx(const struct vmx_state *state)
{
	return implies(interrupts_enclave(state), state->cpu.sgx);
}

/* ---- Pending debug exceptions ---- */

bool check_guest_pending_reserved(const struct vmx_state *state)
{
	uint64_t reserved = BITS(10, 4) | BIT(13) | BIT(15) | BITS(63, 17);

	if (!state->cpu.bus_lock_detection)
		reserved |= DEBUG_EXCEPTION_BUS_LOCK;
	return (VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & reserved) == 0;
}

/* In these states a single step may be pending, and BS has to say whether one is. */
static bool may_have_step_pending(const struct vmx_state *state)
{
	return is_blocked_by_sti(state) || is_blocked_by_mov_ss(state) ||
	       is_activity(state, ACTIVITY_HLT);
}

static bool steps(const struct vmx_state *state)
{
	return (VMCS(GUEST_RFLAGS) & RFLAGS_TF) && !(VMCS(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

bool check_guest_pending_bs_set(const struct vmx_state *state)
{
	return implies(may_have_step_pending(state) && steps(state),
		VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & DEBUG_EXCEPTION_BS);
}

bool check_guest_pending_bs_clear(const struct vmx_state *state)
{
	return implies(may_have_step_pending(state) && !steps(state),
		!(VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & DEBUG_EXCEPTION_BS));
}

static bool has_rtm_pending(const struct vmx_state *state)
{
	return VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & DEBUG_EXCEPTION_RTM;
}

bool check_guest_pending_rtm_others(const struct vmx_state *state)
{
	uint64_t others = BITS(11, 0) | BITS(15, 13) | BITS(63, 17);

	return implies(
		has_rtm_pending(state), (VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & others) == 0);
}

bool check_guest_pending_rtm_enabled(const struct vmx_state *state)
{
	return implies(has_rtm_pending(state),
		VMCS(GUEST_PENDING_DEBUG_EXCEPTIONS) & DEBUG_EXCEPTION_ENABLED);
}

bool check_guest_pending_rtm_cpu(const struct vmx_state *state)
{
	return implies(has_rtm_pending(state), state->cpu.rtm);
}

bool check_guest_pending_rtm_mov_ss(const struct vmx_state *state)
{
	return implies(has_rtm_pending(state), !is_blocked_by_mov_ss(state));
}

/* ---- VMCS link pointer ---- */

static bool has_link(const struct vmx_state *state)
{
	return VMCS(VMCS_LINK_POINTER) != VMCS_NO_POINTER;
}

bool check_guest_link_aligned(const struct vmx_state *state)
{
	return implies(has_link(state), (VMCS(VMCS_LINK_POINTER) & BITS(11, 0)) == 0);
}

bool check_guest_link_width(const struct vmx_state *state)
{
	return implies(has_link(state), is_physical(state, VMCS(VMCS_LINK_POINTER)));
}

enum vmx_verdict check_guest_link_revision(const struct vmx_state *state)
{
	uint64_t revision =
		FIELD_GET(vmx_state_capability(state, MSR_IA32_VMX_BASIC), VMX_BASIC_REVISION);

	if (!has_link(state))
		return VMX_HOLDS;
	if (!state->link_revision.known)
		return VMX_UNKNOWN;
	return (state->link_revision.value & BITS(30, 0)) == revision;
}

enum vmx_verdict check_guest_link_shadow(const struct vmx_state *state)
{
	bool is_shadow = state->link_revision.value & VMCS_SHADOW;

	if (!has_link(state))
		return VMX_HOLDS;
	if (!state->link_revision.known)
		return VMX_UNKNOWN;
	return is_shadow == PROC2(VMCS_SHADOWING);
}

/* An entry that returns from SMM has the executive VMCS in the current one's place. */
static bool returns_from_smm(const struct vmx_state *state)
{
	return state->cpu.in_smm && !VM_ENTRY(ENTRY_TO_SMM);
}

bool check_guest_link_current(const struct vmx_state *state)
{
	return implies(has_link(state) && !returns_from_smm(state),
		VMCS(VMCS_LINK_POINTER) != state->cpu.current_vmcs);
}

bool check_guest_link_executive(const struct vmx_state *state)
{
	return implies(has_link(state) && returns_from_smm(state),
		VMCS(VMCS_LINK_POINTER) != VMCS(EXECUTIVE_VMCS_POINTER));
}

/* ---- Page-directory-pointer-table entries ---- */

/* With EPT they are fields of the VMCS, else CR3 refers to them. */
static enum vmx_verdict judge_pdpte(const struct vmx_state *state, unsigned int number)
{
	uint64_t reserved = BITS(2, 1) | BITS(8, 5) | BITS(63, state->cpu.physical_width);
	uint64_t pdpte = state->field[FIELD_GUEST_PDPTE0 + number];

	if (!vmx_state_uses_pdptes(state))
		return VMX_HOLDS;
	if (!PROC2(ENABLE_EPT)) {
		if (!state->pdpte[number].known)
			return VMX_UNKNOWN;
		pdpte = state->pdpte[number].value;
	}
	return !(pdpte & PTE_P) || (pdpte & reserved) == 0;
}

enum vmx_verdict check_guest_pdpte0(const struct vmx_state *state)
{
	return judge_pdpte(state, 0);
}

enum vmx_verdict check_guest_pdpte1(const struct vmx_state *state)
{
	return judge_pdpte(state, 1);
}

enum vmx_verdict check_guest_pdpte2(const struct vmx_state *state)
{
	return judge_pdpte(state, 2);
}

enum vmx_verdict check_guest_pdpte3(const struct vmx_state *state)
{
	return judge_pdpte(state, 3);
}
