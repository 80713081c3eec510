/* The VMX capability MSRs as registers (Intel SDM, appendix "VMX Capability Reporting Facility"):
   which of them exist, that they are read-only, that their reserved bits are 0. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"

#define COVERS                                                                                     \
	.covers = "msr:IA32_VMX_BASIC msr:IA32_VMX_PINBASED_CTLS msr:IA32_VMX_PROCBASED_CTLS "     \
		  "msr:IA32_VMX_EXIT_CTLS msr:IA32_VMX_ENTRY_CTLS msr:IA32_VMX_MISC "              \
		  "msr:IA32_VMX_CR0_FIXED0 msr:IA32_VMX_CR0_FIXED1 msr:IA32_VMX_CR4_FIXED0 "       \
		  "msr:IA32_VMX_CR4_FIXED1 msr:IA32_VMX_VMCS_ENUM msr:IA32_VMX_PROCBASED_CTLS2 "   \
		  "msr:IA32_VMX_EPT_VPID_CAP msr:IA32_VMX_TRUE_PINBASED_CTLS "                     \
		  "msr:IA32_VMX_TRUE_PROCBASED_CTLS msr:IA32_VMX_TRUE_EXIT_CTLS "                  \
		  "msr:IA32_VMX_TRUE_ENTRY_CTLS msr:IA32_VMX_VMFUNC msr:IA32_VMX_PROCBASED_CTLS3 " \
		  "msr:IA32_VMX_EXIT_CTLS2"

static bool always(void)
{
	return true;
}

static bool has_true(void)
{
	return rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
}

/* Only the plain MSRs are asked here, since the others are what is tested. */
static bool may_set(uint32_t msr, uint64_t bit)
{
	return rdmsr(msr) >> 32 & bit;
}

static bool has_secondary(void)
{
	return may_set(MSR_IA32_VMX_PROCBASED_CTLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
}

static bool has_tertiary(void)
{
	return may_set(MSR_IA32_VMX_PROCBASED_CTLS, PROC_ACTIVATE_TERTIARY_CONTROLS);
}

static bool has_exit2(void)
{
	return may_set(MSR_IA32_VMX_EXIT_CTLS, VM_EXIT_ACTIVATE_SECONDARY_CONTROLS);
}

static bool has_ept_vpid(void)
{
	return has_secondary() &&
	       may_set(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_ENABLE_EPT | PROC2_ENABLE_VPID);
}

static bool has_vmfunc(void)
{
	return has_secondary() && may_set(MSR_IA32_VMX_PROCBASED_CTLS2, PROC2_ENABLE_VM_FUNCTIONS);
}

struct msr_row {
	struct test_row row;
	uint32_t msr;
	bool (*exists)(void);
};

static const struct msr_row msrs[] = {
	{ { "IA32_VMX_BASIC", OK }, MSR_IA32_VMX_BASIC, always },
	{ { "IA32_VMX_PINBASED_CTLS", OK }, MSR_IA32_VMX_PINBASED_CTLS, always },
	{ { "IA32_VMX_PROCBASED_CTLS", OK }, MSR_IA32_VMX_PROCBASED_CTLS, always },
	{ { "IA32_VMX_EXIT_CTLS", OK }, MSR_IA32_VMX_EXIT_CTLS, always },
	{ { "IA32_VMX_ENTRY_CTLS", OK }, MSR_IA32_VMX_ENTRY_CTLS, always },
	{ { "IA32_VMX_MISC", OK }, MSR_IA32_VMX_MISC, always },
	{ { "IA32_VMX_CR0_FIXED0", OK }, MSR_IA32_VMX_CR0_FIXED0, always },
	{ { "IA32_VMX_CR0_FIXED1", OK }, MSR_IA32_VMX_CR0_FIXED1, always },
	{ { "IA32_VMX_CR4_FIXED0", OK }, MSR_IA32_VMX_CR4_FIXED0, always },
	{ { "IA32_VMX_CR4_FIXED1", OK }, MSR_IA32_VMX_CR4_FIXED1, always },
	{ { "IA32_VMX_VMCS_ENUM", OK }, MSR_IA32_VMX_VMCS_ENUM, always },
	{ { "IA32_VMX_PROCBASED_CTLS2", OK }, MSR_IA32_VMX_PROCBASED_CTLS2, has_secondary },
	{ { "IA32_VMX_EPT_VPID_CAP", OK }, MSR_IA32_VMX_EPT_VPID_CAP, has_ept_vpid },
	{ { "IA32_VMX_TRUE_PINBASED_CTLS", OK }, MSR_IA32_VMX_TRUE_PINBASED_CTLS, has_true },
	{ { "IA32_VMX_TRUE_PROCBASED_CTLS", OK }, MSR_IA32_VMX_TRUE_PROCBASED_CTLS, has_true },
	{ { "IA32_VMX_TRUE_EXIT_CTLS", OK }, MSR_IA32_VMX_TRUE_EXIT_CTLS, has_true },
	{ { "IA32_VMX_TRUE_ENTRY_CTLS", OK }, MSR_IA32_VMX_TRUE_ENTRY_CTLS, has_true },
	{ { "IA32_VMX_VMFUNC", OK }, MSR_IA32_VMX_VMFUNC, has_vmfunc },
};

static const struct msr_row later_msrs[] = {
	{ { "IA32_VMX_PROCBASED_CTLS3", OK }, MSR_IA32_VMX_PROCBASED_CTLS3, has_tertiary },
	{ { "IA32_VMX_EXIT_CTLS2", OK }, MSR_IA32_VMX_EXIT_CTLS2, has_exit2 },
};

/* Reading it works if the CPU has it, and makes #GP(0) if not. */
static outcome check_existence(void)
{
	const struct msr_row *row = TEST_ROW(struct msr_row);
	uint64_t value;
	bool readable = test_observe(rdmsr_safe(row->msr, &value) == 0);

	CHECK_EQUAL(readable, row->exists());
	return OK;
}

SWEEP(msr, exists, "SDM VMX Capability Reporting Facility",
	"an MSR exists where the capabilities say so, else reading it makes #GP(0)", msrs, COVERS)
{
	return check_existence();
}

SWEEP(msr, exists_later, "SDM VMX Capability Reporting Facility",
	"the MSRs of the 64-bit control words exist where those are offered, else reading them "
	"makes #GP(0)",
	later_msrs, .covers = "msr:IA32_VMX_PROCBASED_CTLS3 msr:IA32_VMX_EXIT_CTLS2")
{
	return check_existence();
}

struct write_row {
	struct test_row row;
	uint32_t msr;
};

#define READ_ONLY(name)                                                                            \
	{                                                                                          \
		{ #name, FAULT(GP) }, MSR_##name                                                   \
	}
static const struct write_row writes[] = {
	READ_ONLY(IA32_VMX_BASIC),
	READ_ONLY(IA32_VMX_PINBASED_CTLS),
	READ_ONLY(IA32_VMX_PROCBASED_CTLS),
	READ_ONLY(IA32_VMX_EXIT_CTLS),
	READ_ONLY(IA32_VMX_ENTRY_CTLS),
	READ_ONLY(IA32_VMX_MISC),
	READ_ONLY(IA32_VMX_CR0_FIXED0),
	READ_ONLY(IA32_VMX_CR0_FIXED1),
	READ_ONLY(IA32_VMX_CR4_FIXED0),
	READ_ONLY(IA32_VMX_CR4_FIXED1),
	READ_ONLY(IA32_VMX_VMCS_ENUM),
	READ_ONLY(IA32_VMX_PROCBASED_CTLS2),
	READ_ONLY(IA32_VMX_EPT_VPID_CAP),
	READ_ONLY(IA32_VMX_TRUE_PINBASED_CTLS),
	READ_ONLY(IA32_VMX_TRUE_PROCBASED_CTLS),
	READ_ONLY(IA32_VMX_TRUE_EXIT_CTLS),
	READ_ONLY(IA32_VMX_TRUE_ENTRY_CTLS),
	READ_ONLY(IA32_VMX_VMFUNC),
	READ_ONLY(IA32_VMX_PROCBASED_CTLS3),
	READ_ONLY(IA32_VMX_EXIT_CTLS2),
};

SWEEP(msr, read_only, "SDM VMX Capability Reporting Facility",
	"writing its own value back makes #GP(0), as writing an MSR that does not exist", writes,
	COVERS)
{
	uint32_t msr = TEST_ROW(struct write_row)->msr;

	wrmsr(msr, vmx_capability(msr));
	return OK;
}

SWEEP(msr, read_only_zero, "SDM VMX Capability Reporting Facility", "writing 0 makes #GP(0)",
	writes, COVERS)
{
	wrmsr(TEST_ROW(struct write_row)->msr, 0);
	return OK;
}

SWEEP(msr, read_only_outside, "SDM VMX Capability Reporting Facility",
	"they are read-only outside VMX operation, too", writes, COVERS)
{
	uint32_t msr = TEST_ROW(struct write_row)->msr;

	vmx_leave_operation();
	wrmsr(msr, vmx_capability(msr));
	return OK;
}

SWEEP(msr, constant, "SDM VMX Capability Reporting Facility",
	"an MSR reads the same in VMX operation and outside it", msrs, COVERS)
{
	uint32_t msr = TEST_ROW(struct msr_row)->msr;
	uint64_t inside, outside;

	if (!vmx_is_on())
		vmx_enter_operation();
	inside = vmx_capability(msr);
	vmx_leave_operation();
	outside = test_observe(vmx_capability(msr));
	CHECK_EQUAL(outside, inside);
	return OK;
}

/* The MSRs whose fields vmx_caps.def lists. */
static const struct write_row with_fields[] = {
	{ { "IA32_VMX_BASIC", OK }, MSR_IA32_VMX_BASIC },
	{ { "IA32_VMX_MISC", OK }, MSR_IA32_VMX_MISC },
	{ { "IA32_VMX_VMCS_ENUM", OK }, MSR_IA32_VMX_VMCS_ENUM },
	{ { "IA32_VMX_VMFUNC", OK }, MSR_IA32_VMX_VMFUNC },
	{ { "IA32_VMX_EPT_VPID_CAP", OK }, MSR_IA32_VMX_EPT_VPID_CAP },
	{ { "IA32_FEATURE_CONTROL", OK }, MSR_IA32_FEATURE_CONTROL },
};

SWEEP(msr, reserved, "SDM VMX Capability Reporting Facility", "reserved bits read as 0",
	with_fields,
	.covers = "msr:IA32_VMX_BASIC msr:IA32_VMX_MISC msr:IA32_VMX_VMCS_ENUM msr:IA32_VMX_VMFUNC "
		  "msr:IA32_VMX_EPT_VPID_CAP msr:IA32_FEATURE_CONTROL")
{
	uint32_t msr = TEST_ROW(struct write_row)->msr;
	uint64_t known = 0;
	unsigned int i;

	for (i = 0; i < VMX_CAPABILITIES; i++)
		if (vmx_capabilities[i].msr == msr)
			known |= BITS(vmx_capabilities[i].high, vmx_capabilities[i].low);
	CHECK_EQUAL(test_observe(vmx_capability(msr) & ~known), 0);
	return OK;
}
