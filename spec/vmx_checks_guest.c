/* The predicates of "Checks on Guest Control Registers, Debug Registers, and MSRs", "Checks on
   Guest Descriptor-Table Registers" and "Checks on Guest RIP, RFLAGS, and SSP", one function per
   row of spec/vmx_checks.def. Segments and non-register state have files of their own. */
#include "spec/vmx_predicates.h"

/* ---- Control registers, debug registers, and MSRs ---- */

/* What VM entry does not check in CR0: NW and CD, which it leaves as they are, and for an
   unrestricted guest PE and PG, as far as they would have to be 1. */
bool check_guest_cr0_fixed0(const struct vmx_state *state)
{
	uint64_t missing = missing_bits(state, MSR_IA32_VMX_CR0_FIXED0, VMCS(GUEST_CR0));
	uint64_t unchecked = CR0_NW | CR0_CD;

	if (PROC2(UNRESTRICTED_GUEST))
		unchecked |= CR0_PE | CR0_PG;
	return (missing & ~unchecked) == 0;
}

bool check_guest_cr0_fixed1(const struct vmx_state *state)
{
	uint64_t excess = excess_bits(state, MSR_IA32_VMX_CR0_FIXED1, VMCS(GUEST_CR0));

	return (excess & ~(CR0_NW | CR0_CD)) == 0;
}

bool check_guest_cr0_pg_pe(const struct vmx_state *state)
{
	return implies(VMCS(GUEST_CR0) & CR0_PG, is_protected(state));
}

bool check_guest_cr4_fixed0(const struct vmx_state *state)
{
	return missing_bits(state, MSR_IA32_VMX_CR4_FIXED0, VMCS(GUEST_CR4)) == 0;
}

bool check_guest_cr4_fixed1(const struct vmx_state *state)
{
	return excess_bits(state, MSR_IA32_VMX_CR4_FIXED1, VMCS(GUEST_CR4)) == 0;
}

bool check_guest_cet_wp(const struct vmx_state *state)
{
	return implies(VMCS(GUEST_CR4) & CR4_CET, VMCS(GUEST_CR0) & CR0_WP);
}

bool check_guest_debugctl(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_DEBUG_CONTROLS),
		(VMCS(GUEST_IA32_DEBUGCTL) & ~state->cpu.debugctl) == 0);
}

bool check_guest_ia32e_pg(const struct vmx_state *state)
{
	return implies(is_ia32e(state), VMCS(GUEST_CR0) & CR0_PG);
}

bool check_guest_ia32e_pae(const struct vmx_state *state)
{
	return implies(is_ia32e(state), VMCS(GUEST_CR4) & CR4_PAE);
}

bool check_guest_pcide(const struct vmx_state *state)
{
	return implies(VMCS(GUEST_CR4) & CR4_PCIDE, is_ia32e(state));
}

bool check_guest_cr3_width(const struct vmx_state *state)
{
	return !state->cpu.intel64 || is_cr3(state, VMCS(GUEST_CR3));
}

bool check_guest_dr7_high(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_DEBUG_CONTROLS), VMCS(GUEST_DR7) >> 32 == 0);
}

bool check_guest_sysenter_esp(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(GUEST_IA32_SYSENTER_ESP));
}

bool check_guest_sysenter_eip(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(GUEST_IA32_SYSENTER_EIP));
}

bool check_guest_s_cet_canonical(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE), is_canonical_base(state, VMCS(GUEST_IA32_S_CET)));
}

bool check_guest_ssp_table(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE),
		is_canonical_base(state, VMCS(GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR)));
}

bool check_guest_perf_global_ctrl(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_PERF_GLOBAL_CTRL),
		(VMCS(GUEST_IA32_PERF_GLOBAL_CTRL) & ~state->cpu.perf_global_ctrl) == 0);
}

bool check_guest_pat(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_PAT), vmx_is_pat(VMCS(GUEST_IA32_PAT)));
}

bool check_guest_efer_reserved(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_EFER), (VMCS(GUEST_IA32_EFER) & ~state->cpu.efer) == 0);
}

bool check_guest_efer_lma(const struct vmx_state *state)
{
	bool lma = VMCS(GUEST_IA32_EFER) & EFER_LMA;

	return implies(VM_ENTRY(LOAD_EFER), lma == is_ia32e(state));
}

bool check_guest_efer_lme(const struct vmx_state *state)
{
	bool lma = VMCS(GUEST_IA32_EFER) & EFER_LMA;
	bool lme = VMCS(GUEST_IA32_EFER) & EFER_LME;

	return implies(VM_ENTRY(LOAD_EFER) && (VMCS(GUEST_CR0) & CR0_PG), lma == lme);
}

bool check_guest_bndcfgs_reserved(const struct vmx_state *state)
{
	return implies(
		VM_ENTRY(LOAD_BNDCFGS), (VMCS(GUEST_IA32_BNDCFGS) & ~state->cpu.bndcfgs) == 0);
}

bool check_guest_bndcfgs_base(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_BNDCFGS),
		is_canonical_base(state, VMCS(GUEST_IA32_BNDCFGS) & BNDCFGS_BASE));
}

bool check_guest_rtit_ctl(const struct vmx_state *state)
{
	return implies(
		VM_ENTRY(LOAD_RTIT_CTL), (VMCS(GUEST_IA32_RTIT_CTL) & ~state->cpu.rtit_ctl) == 0);
}

bool check_guest_s_cet_reserved(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE), (VMCS(GUEST_IA32_S_CET) & ~state->cpu.s_cet) == 0);
}

bool check_guest_s_cet_suppress(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE),
		~VMCS(GUEST_IA32_S_CET) & (S_CET_SUPPRESS | S_CET_TRACKER));
}

bool check_guest_lbr_ctl(const struct vmx_state *state)
{
	return implies(
		VM_ENTRY(LOAD_LBR_CTL), (VMCS(GUEST_IA32_LBR_CTL) & ~state->cpu.lbr_ctl) == 0);
}

bool check_guest_pkrs(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_PKRS), VMCS(GUEST_IA32_PKRS) >> 32 == 0);
}

bool check_guest_uinv(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_UINV), (VMCS(GUEST_UINV) & BITS(15, 8)) == 0);
}

/* ---- Descriptor-table registers ---- */

bool check_guest_gdtr_base(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(GUEST_GDTR_BASE));
}

bool check_guest_idtr_base(const struct vmx_state *state)
{
	return is_canonical_base(state, VMCS(GUEST_IDTR_BASE));
}

bool check_guest_gdtr_limit(const struct vmx_state *state)
{
	return (VMCS(GUEST_GDTR_LIMIT) & BITS(31, 16)) == 0;
}

bool check_guest_idtr_limit(const struct vmx_state *state)
{
	return (VMCS(GUEST_IDTR_LIMIT) & BITS(31, 16)) == 0;
}

/* ---- RIP, RFLAGS, and SSP ---- */

static bool is_64bit(const struct vmx_state *state)
{
	return is_ia32e(state) && (VMCS(GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L);
}

bool check_guest_rip_32(const struct vmx_state *state)
{
	return is_64bit(state) || VMCS(GUEST_RIP) >> 32 == 0;
}

bool check_guest_rip_64(const struct vmx_state *state)
{
	return implies(is_64bit(state), is_identical_above(state, VMCS(GUEST_RIP)));
}

bool check_guest_rflags_reserved(const struct vmx_state *state)
{
	return (VMCS(GUEST_RFLAGS) & (BITS(63, 22) | BIT(15) | BIT(5) | BIT(3))) == 0;
}

bool check_guest_rflags_fixed(const struct vmx_state *state)
{
	return VMCS(GUEST_RFLAGS) & RFLAGS_FIXED;
}

bool check_guest_rflags_vm_ia32e(const struct vmx_state *state)
{
	return implies(is_ia32e(state), !is_v8086(state));
}

bool check_guest_rflags_vm_real(const struct vmx_state *state)
{
	return implies(is_v8086(state), is_protected(state));
}

bool check_guest_rflags_if(const struct vmx_state *state)
{
	return implies(injects_type(state, INTERRUPTION_EXTERNAL), VMCS(GUEST_RFLAGS) & RFLAGS_IF);
}

bool check_guest_ssp_aligned(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE), (VMCS(GUEST_SSP) & BITS(1, 0)) == 0);
}

bool check_guest_ssp_width(const struct vmx_state *state)
{
	return implies(VM_ENTRY(LOAD_CET_STATE), is_identical_above(state, VMCS(GUEST_SSP)));
}
