/* Controls that make no sense without others (Intel SDM, "Checks on VMX Controls", "Definitions of
   ..."): where VM entry asks for the second whenever the first is 1, a CPU that offers the first
   offers the second. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "spec/cpuid.h"
#include "vmx-tests/guest.h"

struct implication_row {
	struct test_row row;
	enum vmx_control_index control, implied;
};

#define IMPLIES(word, name, implied_word, implied_name)                                            \
	{                                                                                          \
		{ #word "_" #name " implies " #implied_word "_" #implied_name, OK },               \
			CONTROL_##word##_##name, CONTROL_##implied_word##_##implied_name           \
	}

static const struct implication_row implications[] = {
	IMPLIES(PIN, VIRTUAL_NMIS, PIN, NMI_EXITING),
	IMPLIES(PIN, POSTED_INTERRUPTS, PROC2, VIRTUAL_INTERRUPT_DELIVERY),
	IMPLIES(PIN, POSTED_INTERRUPTS, VM_EXIT, ACKNOWLEDGE_INTERRUPT),
	IMPLIES(PROC, NMI_WINDOW_EXITING, PIN, VIRTUAL_NMIS),
	IMPLIES(PROC2, VIRTUALIZE_X2APIC_MODE, PROC, TPR_SHADOW),
	IMPLIES(PROC2, APIC_REGISTER_VIRTUALIZATION, PROC, TPR_SHADOW),
	IMPLIES(PROC2, VIRTUAL_INTERRUPT_DELIVERY, PROC, TPR_SHADOW),
	IMPLIES(PROC2, VIRTUAL_INTERRUPT_DELIVERY, PIN, EXTERNAL_INTERRUPT_EXITING),
	IMPLIES(PROC2, UNRESTRICTED_GUEST, PROC2, ENABLE_EPT),
	IMPLIES(PROC2, ENABLE_PML, PROC2, ENABLE_EPT),
	IMPLIES(PROC2, MODE_BASED_EXECUTE, PROC2, ENABLE_EPT),
	IMPLIES(PROC2, SUB_PAGE_WRITE_PERMISSIONS, PROC2, ENABLE_EPT),
	IMPLIES(PROC2, PT_USES_GUEST_PHYSICAL, PROC2, ENABLE_EPT),
	IMPLIES(PROC2, PT_USES_GUEST_PHYSICAL, VM_ENTRY, LOAD_RTIT_CTL),
	IMPLIES(PROC2, PT_USES_GUEST_PHYSICAL, VM_EXIT, CLEAR_RTIT_CTL),
	IMPLIES(PROC3, IPI_VIRTUALIZATION, PROC, TPR_SHADOW),
	IMPLIES(PROC3, ENABLE_HLAT, PROC2, ENABLE_EPT),
	IMPLIES(PROC3, EPT_PAGING_WRITE, PROC2, ENABLE_EPT),
	IMPLIES(PROC3, GUEST_PAGING_VERIFICATION, PROC2, ENABLE_EPT),
	IMPLIES(PROC3, APIC_TIMER_VIRTUALIZATION, PROC2, VIRTUAL_INTERRUPT_DELIVERY),
	IMPLIES(VM_EXIT, SAVE_PREEMPTION_TIMER, PIN, PREEMPTION_TIMER),
};

static bool offers(enum vmx_control_index control)
{
	return vmx_may_set(vmx_controls[control].word, BIT(vmx_controls[control].bit));
}

SWEEP(feature_set, implied, "SDM Checks on VMX Controls",
	"a control that VM entry accepts only with another one is offered only with that one",
	implications, .covers = "msr:IA32_VMX_PROCBASED_CTLS2 msr:IA32_VMX_PINBASED_CTLS")
{
	const struct implication_row *row = TEST_ROW(struct implication_row);

	CHECK(test_observe(!offers(row->control) || offers(row->implied)));
	return OK;
}

/* Controls that can only be 1 on a 64-bit host. */
static const struct implication_row always[] = {
	{ { "VM_EXIT_HOST_ADDRESS_SPACE_SIZE", OK }, CONTROL_VM_EXIT_HOST_ADDRESS_SPACE_SIZE, 0 },
	{ { "VM_ENTRY_IA32E_MODE_GUEST", OK }, CONTROL_VM_ENTRY_IA32E_MODE_GUEST, 0 },
};

SWEEP(feature_set, intel_64, "SDM Host Address-Space Size",
	"a CPU with Intel 64 can run a 64-bit host and a 64-bit guest", always,
	.covers = "control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE control:VM_ENTRY_IA32E_MODE_GUEST")
{
	CHECK(test_observe(offers(TEST_ROW(struct implication_row)->control)));
	return OK;
}

/* Controls about an instruction or a feature that CPUID reports. "MONITOR exiting" is none: the
   CPUID bit of MONITOR follows IA32_MISC_ENABLE. */
struct cpuid_row {
	struct test_row row;
	enum vmx_control_index control;
	uint32_t leaf, subleaf;
	char part; /* of "abcd": EAX to EDX */
	uint64_t bit;
};

#define ABOUT(word, name, ...)                                                                     \
	{                                                                                          \
		{ #word "_" #name, OK }, CONTROL_##word##_##name, __VA_ARGS__                      \
	}
#define LEAF_1 CPUID_FEATURES, 0
#define LEAF_7 CPUID_STRUCTURED, 0

static const struct cpuid_row features[] = {
	ABOUT(PROC2, ENABLE_RDTSCP, CPUID_EXT_FEATURES, 0, 'd', CPUID_EXT_EDX_RDTSCP),
	ABOUT(PROC2, ENABLE_INVPCID, LEAF_7, 'b', CPUID_7_EBX_INVPCID),
	ABOUT(PROC2, ENABLE_XSAVES, CPUID_XSAVE, 1, 'a', CPUID_D1_EAX_XSAVES),
	ABOUT(PROC2, RDRAND_EXITING, LEAF_1, 'c', CPUID_1_ECX_RDRAND),
	ABOUT(PROC2, RDSEED_EXITING, LEAF_7, 'b', CPUID_7_EBX_RDSEED),
	ABOUT(PROC2, ENCLS_EXITING, LEAF_7, 'b', CPUID_7_EBX_SGX),
	ABOUT(PROC2, ENCLV_EXITING, LEAF_7, 'b', CPUID_7_EBX_SGX),
	ABOUT(PROC2, ENABLE_USER_WAIT_PAUSE, LEAF_7, 'c', CPUID_7_ECX_WAITPKG),
	ABOUT(PROC2, ENABLE_PCONFIG, LEAF_7, 'd', CPUID_7_EDX_PCONFIG),
	ABOUT(PROC2, PASID_TRANSLATION, LEAF_7, 'c', CPUID_7_ECX_ENQCMD),
	ABOUT(PROC2, CONCEAL_VMX_FROM_PT, LEAF_7, 'b', CPUID_7_EBX_PT),
	ABOUT(VM_ENTRY, LOAD_BNDCFGS, LEAF_7, 'b', CPUID_7_EBX_MPX),
	ABOUT(VM_ENTRY, LOAD_CET_STATE, LEAF_7, 'c', CPUID_7_ECX_CET_SS),
	ABOUT(VM_ENTRY, LOAD_PKRS, LEAF_7, 'c', CPUID_7_ECX_PKS),
	ABOUT(VM_ENTRY, LOAD_RTIT_CTL, LEAF_7, 'b', CPUID_7_EBX_PT),
	ABOUT(VM_EXIT, CLEAR_RTIT_CTL, LEAF_7, 'b', CPUID_7_EBX_PT),
	ABOUT(VM_EXIT, LOAD_CET_STATE, LEAF_7, 'c', CPUID_7_ECX_CET_SS),
	ABOUT(VM_EXIT, LOAD_PKRS, LEAF_7, 'c', CPUID_7_ECX_PKS),
	ABOUT(VM_EXIT, CLEAR_BNDCFGS, LEAF_7, 'b', CPUID_7_EBX_MPX),
};

static uint32_t cpuid_part(const struct cpuid_row *row)
{
	struct cpuid id;

	if (cpuid(row->leaf & CPUID_EXT_MAX, 0).eax < row->leaf)
		return 0;
	id = cpuid(row->leaf, row->subleaf);
	return row->part == 'a'   ? id.eax
	       : row->part == 'b' ? id.ebx
	       : row->part == 'c' ? id.ecx
				  : id.edx;
}

SWEEP(feature_set, cpuid, "SDM Definitions of VM-Execution Control Fields",
	"a control about a feature of the CPU is offered only where CPUID reports the feature",
	features,
	.covers = "msr:IA32_VMX_PROCBASED_CTLS2 msr:IA32_VMX_ENTRY_CTLS msr:IA32_VMX_EXIT_CTLS")
{
	const struct cpuid_row *row = TEST_ROW(struct cpuid_row);
	bool reported = cpuid_part(row) & row->bit;

	CHECK(test_observe(!offers(row->control) || reported));
	return OK;
}

/* Pairs of controls that save and load one thing: where it can be loaded at entry it can be loaded
 * at exit. */
static const struct implication_row pairs[] = {
	IMPLIES(VM_ENTRY, LOAD_PERF_GLOBAL_CTRL, VM_EXIT, LOAD_PERF_GLOBAL_CTRL),
	IMPLIES(VM_ENTRY, LOAD_PAT, VM_EXIT, LOAD_PAT),
	IMPLIES(VM_ENTRY, LOAD_PAT, VM_EXIT, SAVE_PAT),
	IMPLIES(VM_ENTRY, LOAD_EFER, VM_EXIT, LOAD_EFER),
	IMPLIES(VM_ENTRY, LOAD_EFER, VM_EXIT, SAVE_EFER),
	IMPLIES(VM_ENTRY, LOAD_BNDCFGS, VM_EXIT, CLEAR_BNDCFGS),
	IMPLIES(VM_ENTRY, LOAD_CET_STATE, VM_EXIT, LOAD_CET_STATE),
	IMPLIES(VM_ENTRY, LOAD_PKRS, VM_EXIT, LOAD_PKRS),
};

SWEEP(feature_set, pairs, "SDM VM-Entry Controls",
	"what can be loaded at VM entry can be saved, loaded or cleared at VM exit", pairs,
	.covers = "msr:IA32_VMX_ENTRY_CTLS msr:IA32_VMX_EXIT_CTLS")
{
	const struct implication_row *row = TEST_ROW(struct implication_row);

	CHECK(test_observe(!offers(row->control) || offers(row->implied)));
	return OK;
}
