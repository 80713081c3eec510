/* Controls that make no sense without others (Intel SDM, "Checks on VMX Controls", "Definitions of
   ..."): where VM entry asks for the second whenever the first is 1, a CPU that offers the first
   offers the second. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
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
