/* IA32_VMX_BASIC (Intel SDM, appendix "VMX Capability Reporting Facility", "Basic VMX
   Information"). What the reported things do is tested where they are used. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "spec/cpuid.h"
#include "vmx-tests/guest.h"

static uint64_t read_basic(void)
{
	return test_observe(rdmsr(MSR_IA32_VMX_BASIC));
}

TEST(basic, bit_31, "SDM Basic VMX Information", "bit 31 is always 0", OK,
	.covers = "cap:VMX_BASIC_REVISION")
{
	CHECK_EQUAL(test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), BIT(31))), 0);
	return OK;
}

TEST(basic, revision, "SDM Basic VMX Information",
	"the revision identifier is what VMXON and VMPTRLD ask for", OK,
	.covers = "cap:VMX_BASIC_REVISION")
{
	outcome result;

	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = (uint32_t)FIELD_GET(read_basic(), VMX_BASIC_REVISION);
	result = vmptrld(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
	return result;
}

TEST(basic, region_size, "SDM Basic VMX Information",
	"the region size is greater than 0 and at most 4096", OK,
	.covers = "cap:VMX_BASIC_REGION_SIZE")
{
	uint64_t size = test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_REGION_SIZE));

	CHECK(size > 0);
	CHECK(size <= 4096);
	return OK;
}

TEST(basic, region_size_bit_44, "SDM Basic VMX Information",
	"bit 44, for 4096, is set if and only if bits 43:32 are clear", OK,
	.covers = "cap:VMX_BASIC_REGION_SIZE")
{
	uint64_t size = test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_REGION_SIZE));

	CHECK_EQUAL(size >> 12, (size & BITS(11, 0)) == 0);
	return OK;
}

/* A VMXON region and a VMCS region are no longer than reported: what lies behind stays as it is. */
TEST(basic, region_size_enough, "SDM Basic VMX Information",
	"VMX operation with a VMCS writes nothing behind the region's size", OK,
	.covers = "cap:VMX_BASIC_REGION_SIZE")
{
	uint64_t size = FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_REGION_SIZE), i;
	static uint8_t pages[2][4096] __aligned(4096);
	struct vmcs_region *region = (void *)pages[0];
	outcome result;

	memset(pages, 0xa5, sizeof(pages));
	region->revision = vmx_revision();
	region->abort = 0;
	if (vmclear(vmx_address(region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	result = vmptrld(vmx_address(region));
	field_write(VMCS_GUEST_RIP, UINT64_MAX);
	field_write(VMCS_HOST_RIP, UINT64_MAX);
	field_write(VMCS_TSC_OFFSET, UINT64_MAX);
	vmclear(vmx_address(region));
	for (i = size; i < sizeof(pages); i++)
		if (test_observe(pages[i / 4096][i % 4096]) != 0xa5)
			return test_mismatch(__LINE__, "byte %#lx was written", i);
	return result;
}

TEST(basic, address_width, "SDM Basic VMX Information",
	"bit 48 is 0 on processors with Intel 64: VMX structures may lie anywhere", OK,
	.covers = "cap:VMX_BASIC_ADDRESSES_32BIT")
{
	CHECK_EQUAL(
		test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_ADDRESSES_32BIT)), 0);
	return OK;
}

TEST(basic, memory_type, "SDM Basic VMX Information", "the memory type for VMCSs is UC or WB", OK,
	.covers = "cap:VMX_BASIC_MEMORY_TYPE")
{
	uint64_t type = test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_MEMORY_TYPE));

	CHECK(type == MEMORY_TYPE_UC || type == MEMORY_TYPE_WB);
	return OK;
}

TEST(basic, true_controls, "SDM Basic VMX Information",
	"bit 55 is 1 where some control that defaults to 1 may be 0", OK,
	.covers = "cap:VMX_BASIC_TRUE_CONTROLS")
{
	static const struct {
		uint32_t plain, true_one;
	} pairs[] = {
		{ MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS },
		{ MSR_IA32_VMX_PROCBASED_CTLS, MSR_IA32_VMX_TRUE_PROCBASED_CTLS },
		{ MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS },
		{ MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS },
	};
	bool flexible = false;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pairs); i++)
		if (vmx_capability(pairs[i].true_one) != 0 &&
			(uint32_t)rdmsr(pairs[i].plain) !=
				(uint32_t)vmx_capability(pairs[i].true_one))
			flexible = true;
	CHECK_EQUAL(test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_TRUE_CONTROLS)),
		flexible);
	return OK;
}

TEST(basic, dual_monitor, "SDM Basic VMX Information",
	"without the dual-monitor treatment IA32_VMX_MISC reports no bit of IA32_SMM_MONITOR_CTL",
	OK, .covers = "cap:VMX_BASIC_DUAL_MONITOR cap:VMX_MISC_SMM_MONITOR_CTL")
{
	uint64_t dual = FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_DUAL_MONITOR);
	uint64_t misc = FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_SMM_MONITOR_CTL);

	CHECK(test_observe(dual || !misc));
	return OK;
}

TEST(basic, dual_monitor_msr, "SDM Dual-Monitor Treatment of SMIs and SMM",
	"IA32_SMM_MONITOR_CTL exists where the dual-monitor treatment is offered (it may where SMX "
	"is)",
	OK, .covers = "cap:VMX_BASIC_DUAL_MONITOR msr:IA32_SMM_MONITOR_CTL")
{
	bool dual = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_DUAL_MONITOR;
	bool smx = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_SMX;
	uint64_t value;
	bool exists = test_observe(rdmsr_safe(MSR_IA32_SMM_MONITOR_CTL, &value) == 0);

	CHECK_EQUAL(exists, dual || (smx && exists));
	return OK;
}

TEST(basic, dual_monitor_msr_write, "SDM Dual-Monitor Treatment of SMIs and SMM",
	"outside SMM IA32_SMM_MONITOR_CTL may not be written", FAULT(GP),
	.covers = "msr:IA32_SMM_MONITOR_CTL")
{
	wrmsr(MSR_IA32_SMM_MONITOR_CTL, 0);
	return OK;
}
