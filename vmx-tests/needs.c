/* The questions behind needs.def. */
#include "vmx-tests/needs.h"

#include "runtime/acpi.h"
#include "spec/apic.h"
#include "spec/cpuid.h"
#include "vmx-tests/ept.h"

static bool has_ept(void)
{
	return ept_available();
}

static bool has_unrestricted(void)
{
	return unrestricted_guest_available();
}

static bool has_preemption_timer(void)
{
	return vmx_may_set(CONTROL_WORD_PIN, PIN_PREEMPTION_TIMER);
}

static bool has_secondary(void)
{
	return vmx_may_set(CONTROL_WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS);
}

static bool has_vpid(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VPID);
}

static bool has_smp(void)
{
	return acpi.cpus > 1;
}

static bool has_xsave(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE;
}

static bool has_smx(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_SMX;
}

static bool has_monitor(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_MONITOR;
}

static bool has_performance_counters(void)
{
	return cpuid(CPUID_VENDOR, 0).eax >= CPUID_PERFMON &&
	       (cpuid(CPUID_PERFMON, 0).eax & CPUID_A_EAX_COUNTERS);
}

static bool has_wbnoinvd(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).ebx & CPUID_EXT_EBX_WBNOINVD;
}

static bool has_umip(void)
{
	return cpuid(CPUID_VENDOR, 0).eax >= CPUID_STRUCTURED &&
	       (cpuid(CPUID_STRUCTURED, 0).ecx & CPUID_7_ECX_UMIP);
}

static bool has_ins_outs_information(void)
{
	return rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_INS_OUTS_INFORMATION;
}

static bool has_ept_dirty(void)
{
	return ept_available() &&
	       (vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & VMX_EPT_VPID_CAP_ACCESSED_DIRTY);
}

static bool has_eptp_switching(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS) &&
	       (vmx_capability(MSR_IA32_VMX_VMFUNC) & VMX_VMFUNC_EPTP_SWITCHING);
}

static bool has_cr3_targets_4(void)
{
	return FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS) >= 4;
}

static bool has_wait_for_sipi(void)
{
	return vmx_capability(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
}

static bool has_debugctl(void)
{
	return wrmsr_safe(MSR_IA32_DEBUGCTL, 0) == 0;
}

static bool has_activity_hlt(void)
{
	return rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_HLT;
}

static bool has_activity_shutdown(void)
{
	return rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_SHUTDOWN;
}

static bool has_activity_wait_for_sipi(void)
{
	return rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
}

static bool has_xss(void)
{
	return cpuid(CPUID_XSAVE, 1).ecx != 0 || cpuid(CPUID_XSAVE, 1).edx != 0;
}

static bool has_stores_lma(void)
{
	return rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_STORES_LMA;
}

static bool has_xapic_mode(void)
{
	return !(rdmsr(MSR_IA32_APIC_BASE) & APIC_BASE_X2APIC);
}

static bool has_perf_global_ctrl(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_IA32_PERF_GLOBAL_CTRL, &value) == 0;
}

#define NEED(name, reason) const struct test_need need_##name = { reason, has_##name };
#include "vmx-tests/needs.def"
#undef NEED
