/* The predicates of "VM-Execution Control Fields" and "VM-Exit Control Fields", one function per
   row of spec/vmx_checks.def. VM-entry control fields: vmx_checks_entry.c. */
#include "spec/vmx_predicates.h"

/* ---- Reserved bits of the control words ---- */

/* The bits of the word must include those that the capability MSR says must be 1. */
#define ALLOWED0(id, FIELD, msr)                                                                   \
	bool check_##id(const struct vmx_state *state)                                             \
	{                                                                                          \
		uint64_t allowed = vmx_state_allowed(                                              \
			state, MSR_IA32_VMX_##msr##_CTLS, MSR_IA32_VMX_TRUE_##msr##_CTLS);         \
		return (FIELD_GET(allowed, CAPABILITY_MUST_BE_1) & ~VMCS(FIELD)) == 0;             \
	}
ALLOWED0(pin_allowed0, PIN_CONTROLS, PINBASED)
ALLOWED0(proc_allowed0, PROC_CONTROLS, PROCBASED)
ALLOWED0(exit_allowed0, VM_EXIT_CONTROLS, EXIT)

/* ... and must be among those that it says may be 1. */
#define ALLOWED1(id, FIELD, msr)                                                                   \
	bool check_##id(const struct vmx_state *state)                                             \
	{                                                                                          \
		uint64_t allowed = vmx_state_allowed(                                              \
			state, MSR_IA32_VMX_##msr##_CTLS, MSR_IA32_VMX_TRUE_##msr##_CTLS);         \
		return (VMCS(FIELD) & ~FIELD_GET(allowed, CAPABILITY_MAY_BE_1)) == 0;              \
	}
ALLOWED1(pin_allowed1, PIN_CONTROLS, PINBASED)
ALLOWED1(proc_allowed1, PROC_CONTROLS, PROCBASED)
ALLOWED1(exit_allowed1, VM_EXIT_CONTROLS, EXIT)

bool check_proc2_allowed1(const struct vmx_state *state)
{
	uint64_t capability = vmx_state_capability(state, MSR_IA32_VMX_PROCBASED_CTLS2);

	return (vmx_state_proc2(state) & ~FIELD_GET(capability, CAPABILITY_MAY_BE_1)) == 0;
}

bool check_proc3_allowed1(const struct vmx_state *state)
{
	uint64_t allowed = vmx_state_capability(state, MSR_IA32_VMX_PROCBASED_CTLS3);

	return (vmx_state_proc3(state) & ~allowed) == 0;
}

bool check_exit2_allowed1(const struct vmx_state *state)
{
	uint64_t allowed = vmx_state_capability(state, MSR_IA32_VMX_EXIT_CTLS2);

	return implies(
		VM_EXIT(ACTIVATE_SECONDARY_CONTROLS), (VMCS(VM_EXIT2_CONTROLS) & ~allowed) == 0);
}

/* ---- Physical addresses of structures that a control puts to use ---- */

/* id_aligned: its low bits (a mask) are 0. id_width: nothing beyond the physical-address width. */
#define STRUCTURE(id, in_use, FIELD, low)                                                          \
	bool check_##id##_aligned(const struct vmx_state *state)                                   \
	{                                                                                          \
		return implies(in_use, (VMCS(FIELD) & (low)) == 0);                                \
	}                                                                                          \
	bool check_##id##_width(const struct vmx_state *state)                                     \
	{                                                                                          \
		return implies(in_use, is_physical(state, VMCS(FIELD)));                           \
	}
#define PAGE_OFFSET BITS(11, 0)
#define SWITCHES_EPTP                                                                              \
	(PROC2(ENABLE_VM_FUNCTIONS) && (VMCS(VM_FUNCTION_CONTROLS) & VMX_VMFUNC_EPTP_SWITCHING))
STRUCTURE(io_bitmap_a, PROC(IO_BITMAPS), IO_BITMAP_A, PAGE_OFFSET)
STRUCTURE(io_bitmap_b, PROC(IO_BITMAPS), IO_BITMAP_B, PAGE_OFFSET)
STRUCTURE(msr_bitmap, PROC(MSR_BITMAPS), MSR_BITMAP, PAGE_OFFSET)
STRUCTURE(virtual_apic, PROC(TPR_SHADOW), VIRTUAL_APIC_ADDRESS, PAGE_OFFSET)
STRUCTURE(apic_access, PROC2(VIRTUALIZE_APIC_ACCESSES), APIC_ACCESS_ADDRESS, PAGE_OFFSET)
STRUCTURE(
	posted_descriptor, PIN(POSTED_INTERRUPTS), POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, BITS(5, 0))
STRUCTURE(pml, PROC2(ENABLE_PML), PML_ADDRESS, PAGE_OFFSET)
STRUCTURE(spptp, PROC2(SUB_PAGE_WRITE_PERMISSIONS), SPPTP, PAGE_OFFSET)
STRUCTURE(eptp_list, SWITCHES_EPTP, EPTP_LIST_ADDRESS, PAGE_OFFSET)
STRUCTURE(vmread_bitmap, PROC2(VMCS_SHADOWING), VMREAD_BITMAP_ADDRESS, PAGE_OFFSET)
STRUCTURE(vmwrite_bitmap, PROC2(VMCS_SHADOWING), VMWRITE_BITMAP_ADDRESS, PAGE_OFFSET)
STRUCTURE(ve_information, PROC2(EPT_VIOLATION_VE), VE_INFORMATION_ADDRESS, PAGE_OFFSET)
STRUCTURE(pid_table, PROC3(IPI_VIRTUALIZATION), PID_POINTER_TABLE_ADDRESS, BITS(2, 0))
STRUCTURE(low_pasid, PROC2(PASID_TRANSLATION), LOW_PASID_DIRECTORY_ADDRESS, PAGE_OFFSET)
STRUCTURE(high_pasid, PROC2(PASID_TRANSLATION), HIGH_PASID_DIRECTORY_ADDRESS, PAGE_OFFSET)

bool check_pid_table_end(const struct vmx_state *state)
{
	uint64_t size = (VMCS(LAST_PID_POINTER_INDEX) + 1) * sizeof(uint64_t);

	return implies(PROC3(IPI_VIRTUALIZATION),
		ends_physical(state, VMCS(PID_POINTER_TABLE_ADDRESS), size));
}

/* ---- Controls that ask for other controls ---- */

/* a is 1 only together with b. */
#define NEEDS(id, a, b)                                                                            \
	bool check_##id(const struct vmx_state *state)                                             \
	{                                                                                          \
		return implies(a, b);                                                              \
	}
NEEDS(virtual_nmis, PIN(VIRTUAL_NMIS), PIN(NMI_EXITING))
NEEDS(nmi_window, PROC(NMI_WINDOW_EXITING), PIN(VIRTUAL_NMIS))
NEEDS(x2apic_needs_tpr_shadow, PROC2(VIRTUALIZE_X2APIC_MODE), PROC(TPR_SHADOW))
NEEDS(apic_registers_need_tpr_shadow, PROC2(APIC_REGISTER_VIRTUALIZATION), PROC(TPR_SHADOW))
NEEDS(virtual_interrupts_need_tpr_shadow, PROC2(VIRTUAL_INTERRUPT_DELIVERY), PROC(TPR_SHADOW))
NEEDS(ipi_virtualization_needs_tpr_shadow, PROC3(IPI_VIRTUALIZATION), PROC(TPR_SHADOW))
NEEDS(x2apic_or_apic_access, PROC2(VIRTUALIZE_X2APIC_MODE), !PROC2(VIRTUALIZE_APIC_ACCESSES))
NEEDS(virtual_interrupts_need_exiting, PROC2(VIRTUAL_INTERRUPT_DELIVERY),
	PIN(EXTERNAL_INTERRUPT_EXITING))
NEEDS(posted_needs_virtual_interrupts, PIN(POSTED_INTERRUPTS), PROC2(VIRTUAL_INTERRUPT_DELIVERY))
NEEDS(posted_needs_acknowledge, PIN(POSTED_INTERRUPTS), VM_EXIT(ACKNOWLEDGE_INTERRUPT))
NEEDS(pml_needs_ept, PROC2(ENABLE_PML), PROC2(ENABLE_EPT))
NEEDS(unrestricted_needs_ept, PROC2(UNRESTRICTED_GUEST), PROC2(ENABLE_EPT))
NEEDS(mode_based_needs_ept, PROC2(MODE_BASED_EXECUTE), PROC2(ENABLE_EPT))
NEEDS(spp_needs_ept, PROC2(SUB_PAGE_WRITE_PERMISSIONS), PROC2(ENABLE_EPT))
NEEDS(eptp_switching_needs_ept, SWITCHES_EPTP, PROC2(ENABLE_EPT))
NEEDS(pt_needs_ept, PROC2(PT_USES_GUEST_PHYSICAL), PROC2(ENABLE_EPT))
NEEDS(pt_needs_load, PROC2(PT_USES_GUEST_PHYSICAL), VM_ENTRY(LOAD_RTIT_CTL))
NEEDS(pt_needs_clear, PROC2(PT_USES_GUEST_PHYSICAL), VM_EXIT(CLEAR_RTIT_CTL))
NEEDS(hlat_needs_ept, PROC3(ENABLE_HLAT), PROC2(ENABLE_EPT))
NEEDS(paging_write_needs_ept, PROC3(EPT_PAGING_WRITE), PROC2(ENABLE_EPT))
NEEDS(paging_verification_needs_ept, PROC3(GUEST_PAGING_VERIFICATION), PROC2(ENABLE_EPT))
NEEDS(save_preemption_timer, VM_EXIT(SAVE_PREEMPTION_TIMER), PIN(PREEMPTION_TIMER))

/* ---- Values ---- */

bool check_cr3_target_count(const struct vmx_state *state)
{
	return VMCS(CR3_TARGET_COUNT) <=
	       FIELD_GET(vmx_state_capability(state, MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS);
}

/* The TPR threshold is only looked at where the CPU does not deliver virtual interrupts. */
static bool uses_tpr_threshold(const struct vmx_state *state)
{
	return PROC(TPR_SHADOW) && !PROC2(VIRTUAL_INTERRUPT_DELIVERY);
}

bool check_tpr_threshold_reserved(const struct vmx_state *state)
{
	return implies(uses_tpr_threshold(state), (VMCS(TPR_THRESHOLD) & BITS(31, 4)) == 0);
}

enum vmx_verdict check_tpr_threshold_vtpr(const struct vmx_state *state)
{
	if (!uses_tpr_threshold(state) || PROC2(VIRTUALIZE_APIC_ACCESSES))
		return VMX_HOLDS;
	if (!state->vtpr.known)
		return VMX_UNKNOWN;
	return FIELD_GET(VMCS(TPR_THRESHOLD), BITS(3, 0)) <=
	       FIELD_GET(state->vtpr.value, BITS(7, 4));
}

bool check_posted_vector(const struct vmx_state *state)
{
	return implies(PIN(POSTED_INTERRUPTS),
		(VMCS(POSTED_INTERRUPT_NOTIFICATION_VECTOR) & BITS(15, 8)) == 0);
}

bool check_vpid(const struct vmx_state *state)
{
	return implies(PROC2(ENABLE_VPID), VMCS(VPID) != 0);
}

bool check_vm_functions_reserved(const struct vmx_state *state)
{
	uint64_t allowed = vmx_state_capability(state, MSR_IA32_VMX_VMFUNC);

	return implies(PROC2(ENABLE_VM_FUNCTIONS), (VMCS(VM_FUNCTION_CONTROLS) & ~allowed) == 0);
}

bool check_tsc_multiplier(const struct vmx_state *state)
{
	return implies(PROC2(TSC_SCALING), VMCS(TSC_MULTIPLIER) != 0);
}

/* ---- The EPT pointer ("Format of Extended-Page-Table Pointer") and the HLAT pointer ---- */

bool check_eptp_memory_type(const struct vmx_state *state)
{
	uint64_t type = FIELD_GET(VMCS(EPTP), EPTP_MEMORY_TYPE);

	return implies(PROC2(ENABLE_EPT),
		(type == MEMORY_TYPE_UC && CAPABILITY(VMX_EPT_VPID_CAP, EPTP_UC)) ||
			(type == MEMORY_TYPE_WB && CAPABILITY(VMX_EPT_VPID_CAP, EPTP_WB)));
}

bool check_eptp_walk_length(const struct vmx_state *state)
{
	uint64_t length = FIELD_GET(VMCS(EPTP), EPTP_WALK_LENGTH) + 1;

	return implies(
		PROC2(ENABLE_EPT), (length == 4 && CAPABILITY(VMX_EPT_VPID_CAP, WALK_4)) ||
					   (length == 5 && CAPABILITY(VMX_EPT_VPID_CAP, WALK_5)));
}

bool check_eptp_accessed_dirty(const struct vmx_state *state)
{
	return implies(PROC2(ENABLE_EPT) && (VMCS(EPTP) & EPTP_ACCESSED_DIRTY),
		CAPABILITY(VMX_EPT_VPID_CAP, ACCESSED_DIRTY));
}

bool check_eptp_shadow_stack(const struct vmx_state *state)
{
	return implies(PROC2(ENABLE_EPT) && (VMCS(EPTP) & EPTP_SHADOW_STACK),
		CAPABILITY(VMX_EPT_VPID_CAP, SHADOW_STACK));
}

bool check_eptp_reserved(const struct vmx_state *state)
{
	return implies(PROC2(ENABLE_EPT), (VMCS(EPTP) & BITS(11, 8)) == 0);
}

bool check_eptp_width(const struct vmx_state *state)
{
	return implies(PROC2(ENABLE_EPT), VMCS(EPTP) >> state->cpu.physical_width == 0);
}

bool check_hlatp_reserved(const struct vmx_state *state)
{
	return implies(PROC3(ENABLE_HLAT), (VMCS(HLATP) & (BITS(2, 0) | BITS(11, 5))) == 0);
}

bool check_hlatp_width(const struct vmx_state *state)
{
	return implies(PROC3(ENABLE_HLAT), VMCS(HLATP) >> state->cpu.physical_width == 0);
}

/* ---- The areas of MSRs ---- */

MSR_AREA(exit_msr_store, EXIT_MSR_STORE_COUNT, EXIT_MSR_STORE_ADDRESS)
MSR_AREA(exit_msr_load, EXIT_MSR_LOAD_COUNT, EXIT_MSR_LOAD_ADDRESS)
