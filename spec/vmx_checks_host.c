/* The predicates of "Checks on Host Control Registers, MSRs, and SSP", "Checks on Host Segment and
   Descriptor-Table Registers" and "Checks Related to Address-Space Size", one function per row of
   spec/vmx_checks.def. The controls that name the MSRs are checked in vmx_checks_control.c. */
#include "spec/vmx_predicates.h"

/* ---- Control registers, MSRs, and SSP ---- */

/* NW and CD are never checked: an exit leaves them as they are. */
bool check_host_cr0_fixed0(const struct vmx_state *state)
{
	uint64_t missing = missing_bits(state, MSR_IA32_VMX_CR0_FIXED0, VMCS(HOST_CR0));

	return (missing & ~(CR0_NW | CR0_CD)) == 0;
}

bool check_host_cr0_fixed1(const struct vmx_state *state)
{
	uint64_t excess = excess_bits(state, MSR_IA32_VMX_CR0_FIXED1, VMCS(HOST_CR0));

	return (excess & ~(CR0_NW | CR0_CD)) == 0;
}

bool check_host_cr4_fixed0(const struct vmx_state *state)
{
	return missing_bits(state, MSR_IA32_VMX_CR4_FIXED0, VMCS(HOST_CR4)) == 0;
}

bool check_host_cr4_fixed1(const struct vmx_state *state)
{
	return excess_bits(state, MSR_IA32_VMX_CR4_FIXED1, VMCS(HOST_CR4)) == 0;
}

bool check_host_cet_wp(const struct vmx_state *state)
{
	return implies(VMCS(HOST_CR4) & CR4_CET, VMCS(HOST_CR0) & CR0_WP);
}

bool check_host_cr3_width(const struct vmx_state *state)
{
	return !state->cpu.intel64 || is_cr3(state, VMCS(HOST_CR3));
}

bool check_host_sysenter_esp(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(HOST_IA32_SYSENTER_ESP));
}

bool check_host_sysenter_eip(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(HOST_IA32_SYSENTER_EIP));
}

bool check_host_ssp_table(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_CET_STATE),
		is_canonical_base(state, VMCS(HOST_IA32_INTERRUPT_SSP_TABLE_ADDR)));
}

bool check_host_perf_global_ctrl(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_PERF_GLOBAL_CTRL),
		(VMCS(HOST_IA32_PERF_GLOBAL_CTRL) & ~state->cpu.perf_global_ctrl) == 0);
}

bool check_host_pat(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_PAT), vmx_is_pat(VMCS(HOST_IA32_PAT)));
}

bool check_host_efer_reserved(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_EFER), (VMCS(HOST_IA32_EFER) & ~state->cpu.efer) == 0);
}

bool check_host_efer_lma(const struct vmx_state *state)
{
	bool lma = VMCS(HOST_IA32_EFER) & EFER_LMA;

	return implies(VM_EXIT(LOAD_EFER), lma == VM_EXIT(HOST_ADDRESS_SPACE_SIZE));
}

bool check_host_efer_lme(const struct vmx_state *state)
{
	bool lme = VMCS(HOST_IA32_EFER) & EFER_LME;

	return implies(VM_EXIT(LOAD_EFER), lme == VM_EXIT(HOST_ADDRESS_SPACE_SIZE));
}

bool check_host_s_cet_reserved(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_CET_STATE), (VMCS(HOST_IA32_S_CET) & ~state->cpu.s_cet) == 0);
}

bool check_host_s_cet_suppress(const struct vmx_state *state)
{
	return implies(
		VM_EXIT(LOAD_CET_STATE), ~VMCS(HOST_IA32_S_CET) & (S_CET_SUPPRESS | S_CET_TRACKER));
}

bool check_host_ssp_aligned(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_CET_STATE), (VMCS(HOST_SSP) & BITS(1, 0)) == 0);
}

bool check_host_pkrs(const struct vmx_state *state)
{
	return implies(VM_EXIT(LOAD_PKRS), (VMCS(HOST_IA32_PKRS) & BITS(63, 32)) == 0);
}

/* ---- Segment and descriptor-table registers ---- */

#define SELECTOR_RPL_TI BITS(2, 0)
#define HOST_SELECTOR(seg, SEG)                                                                    \
	bool check_host_##seg##_rpl_ti(const struct vmx_state *state)                              \
	{                                                                                          \
		return (VMCS(HOST_##SEG##_SELECTOR) & SELECTOR_RPL_TI) == 0;                       \
	}
HOST_SELECTOR(cs, CS)
HOST_SELECTOR(ss, SS)
HOST_SELECTOR(ds, DS)
HOST_SELECTOR(es, ES)
HOST_SELECTOR(fs, FS)
HOST_SELECTOR(gs, GS)
HOST_SELECTOR(tr, TR)

bool check_host_cs_null(const struct vmx_state *state)
{
	return VMCS(HOST_CS_SELECTOR) != 0;
}

bool check_host_tr_null(const struct vmx_state *state)
{
	return VMCS(HOST_TR_SELECTOR) != 0;
}

bool check_host_ss_null(const struct vmx_state *state)
{
	return VM_EXIT(HOST_ADDRESS_SPACE_SIZE) || VMCS(HOST_SS_SELECTOR) != 0;
}

#define HOST_BASE(seg, SEG)                                                                        \
	bool check_host_##seg##_base(const struct vmx_state *state)                                \
	{                                                                                          \
		return is_canonical_base(state, VMCS(HOST_##SEG##_BASE));                          \
	}
HOST_BASE(fs, FS)
HOST_BASE(gs, GS)
HOST_BASE(gdtr, GDTR)
HOST_BASE(idtr, IDTR)
HOST_BASE(tr, TR)

/* ---- Address-space size ---- */

bool check_outside_ia32e_guest(const struct vmx_state *state)
{
	return state->cpu.ia32e || !VM_ENTRY(IA32E_MODE_GUEST);
}

bool check_outside_ia32e_host(const struct vmx_state *state)
{
	return state->cpu.ia32e || !VM_EXIT(HOST_ADDRESS_SPACE_SIZE);
}

bool check_inside_ia32e_host(const struct vmx_state *state)
{
	return implies(state->cpu.ia32e, VM_EXIT(HOST_ADDRESS_SPACE_SIZE));
}

/* After the next exit the CPU of Intel 64 architecture is not, or is, in 64-bit mode. */
static bool returns_to_32(const struct vmx_state *state)
{
	return state->cpu.intel64 && !VM_EXIT(HOST_ADDRESS_SPACE_SIZE);
}

static bool returns_to_64(const struct vmx_state *state)
{
	return state->cpu.intel64 && VM_EXIT(HOST_ADDRESS_SPACE_SIZE);
}

bool check_host32_guest(const struct vmx_state *state)
{
	return implies(returns_to_32(state), !VM_ENTRY(IA32E_MODE_GUEST));
}

bool check_host32_pcide(const struct vmx_state *state)
{
	return implies(returns_to_32(state), !(VMCS(HOST_CR4) & CR4_PCIDE));
}

bool check_host32_rip(const struct vmx_state *state)
{
	return implies(returns_to_32(state), VMCS(HOST_RIP) >> 32 == 0);
}

bool check_host32_s_cet(const struct vmx_state *state)
{
	return implies(
		returns_to_32(state) && VM_EXIT(LOAD_CET_STATE), VMCS(HOST_IA32_S_CET) >> 32 == 0);
}

bool check_host32_ssp(const struct vmx_state *state)
{
	return implies(returns_to_32(state) && VM_EXIT(LOAD_CET_STATE), VMCS(HOST_SSP) >> 32 == 0);
}

bool check_host64_pae(const struct vmx_state *state)
{
	return implies(returns_to_64(state), VMCS(HOST_CR4) & CR4_PAE);
}

bool check_host64_rip(const struct vmx_state *state)
{
	unsigned int width = VMCS(HOST_CR4) & CR4_LA57 ? 57 : 48;

	return implies(returns_to_64(state), is_canonical(VMCS(HOST_RIP), width));
}

bool check_host64_s_cet(const struct vmx_state *state)
{
	return implies(returns_to_64(state) && VM_EXIT(LOAD_CET_STATE),
		is_canonical_base(state, VMCS(HOST_IA32_S_CET)));
}

bool check_host64_ssp(const struct vmx_state *state)
{
	return implies(returns_to_64(state) && VM_EXIT(LOAD_CET_STATE),
		is_canonical_base(state, VMCS(HOST_SSP)));
}

bool check_no_intel64_guest(const struct vmx_state *state)
{
	return state->cpu.intel64 || !VM_ENTRY(IA32E_MODE_GUEST);
}

bool check_no_intel64_host(const struct vmx_state *state)
{
	return state->cpu.intel64 || !VM_EXIT(HOST_ADDRESS_SPACE_SIZE);
}
