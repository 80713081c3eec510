/* The questions behind caps/needs.h. */
#include "vmx-tests/caps/needs.h"

#include "vmx-tests/vmx.h"

static bool has_true_controls(void)
{
	return rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;
}

static bool has_ept_vpid(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_EPT) ||
	       vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VPID);
}

static bool has_vmfunc(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS);
}

const struct test_need need_true_controls = { "no TRUE capability MSRs (IA32_VMX_BASIC bit 55)",
	has_true_controls };
const struct test_need need_ept_vpid_msr = {
	"neither EPT nor VPIDs (IA32_VMX_PROCBASED_CTLS2 bits 33, 37)", has_ept_vpid
};
const struct test_need need_vmfunc_msr = { "no VM functions (IA32_VMX_PROCBASED_CTLS2 bit 45)",
	has_vmfunc };

static bool lacks_wait_for_sipi(void)
{
	return !(rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI);
}

const struct test_need need_no_wait_for_sipi = {
	"activity state wait-for-SIPI (IA32_VMX_MISC bit 8)", lacks_wait_for_sipi
};
