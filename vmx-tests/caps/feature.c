/* IA32_FEATURE_CONTROL (Intel SDM, "Enabling and Entering VMX Operation"). That VMXON obeys it can
   only be seen before the firmware locks it. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "spec/cpuid.h"
#include "vmx-tests/guest.h"

static uint64_t field(uint64_t mask)
{
	return test_observe(FIELD_GET(rdmsr(MSR_IA32_FEATURE_CONTROL), mask));
}

TEST(feature, locked, "SDM Enabling and Entering VMX Operation",
	"where VMXON succeeds the lock bit is 1", OK, .covers = "cap:FEATURE_CONTROL_LOCK")
{
	CHECK_EQUAL(field(FEATURE_CONTROL_LOCK), 1);
	return OK;
}

TEST(feature, outside_smx, "SDM Enabling and Entering VMX Operation",
	"where VMXON succeeds outside SMX operation bit 2 is 1", OK,
	.covers = "cap:FEATURE_CONTROL_VMX_OUTSIDE_SMX")
{
	CHECK_EQUAL(field(FEATURE_CONTROL_VMX_OUTSIDE_SMX), 1);
	return OK;
}

struct write_row {
	struct test_row row;
	uint64_t flipped;
};

static const struct write_row writes[] = {
	{ { "the value it has", FAULT(GP) }, 0 },
	{ { "the lock bit", FAULT(GP) }, FEATURE_CONTROL_LOCK },
	{ { "VMX inside SMX", FAULT(GP) }, FEATURE_CONTROL_VMX_INSIDE_SMX },
	{ { "VMX outside SMX", FAULT(GP) }, FEATURE_CONTROL_VMX_OUTSIDE_SMX },
	{ { "a reserved bit", FAULT(GP) }, BIT(63) },
};

SWEEP(feature, write_locked, "SDM Enabling and Entering VMX Operation",
	"once the lock bit is set, writing the MSR makes #GP(0)", writes,
	.covers = "cap:FEATURE_CONTROL_LOCK cap:FEATURE_CONTROL_VMX_INSIDE_SMX "
		  "msr:IA32_FEATURE_CONTROL")
{
	wrmsr(MSR_IA32_FEATURE_CONTROL,
		rdmsr(MSR_IA32_FEATURE_CONTROL) ^ TEST_ROW(struct write_row)->flipped);
	return OK;
}

TEST(feature, write_locked_kept, "SDM Enabling and Entering VMX Operation",
	"the attempt leaves the MSR as it was", OK, .covers = "cap:FEATURE_CONTROL_LOCK")
{
	uint64_t before = rdmsr(MSR_IA32_FEATURE_CONTROL);

	wrmsr_safe(MSR_IA32_FEATURE_CONTROL, before ^ FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	CHECK_EQUAL(test_observe(rdmsr(MSR_IA32_FEATURE_CONTROL)), before);
	return OK;
}

/* Bits that only CPUs with the feature can have. */
struct feature_row {
	struct test_row row;
	uint64_t bits;
	bool (*offered)(void);
};

static bool has_smx(void)
{
	return cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_SMX;
}

static bool has_sgx(void)
{
	return cpuid(CPUID_STRUCTURED, 0).ebx & CPUID_7_EBX_SGX;
}

static bool has_lmce(void)
{
	return vmx_capability(MSR_IA32_MCG_CAP) & BIT(27);
}

static const struct feature_row features[] = {
	{ { "VMX inside SMX: SMX", OK }, FEATURE_CONTROL_VMX_INSIDE_SMX, has_smx },
	{ { "SENTER local: SMX", OK }, FEATURE_CONTROL_SENTER_LOCAL, has_smx },
	{ { "SENTER global: SMX", OK }, FEATURE_CONTROL_SENTER_GLOBAL, has_smx },
	{ { "SGX launch control: SGX", OK }, FEATURE_CONTROL_SGX_LAUNCH_CONTROL, has_sgx },
	{ { "SGX global: SGX", OK }, FEATURE_CONTROL_SGX_GLOBAL, has_sgx },
	{ { "LMCE", OK }, FEATURE_CONTROL_LMCE, has_lmce },
};

SWEEP(feature, offered, "SDM Enabling and Entering VMX Operation",
	"a bit for a feature that the CPU lacks is 0", features,
	.covers = "cap:FEATURE_CONTROL_VMX_INSIDE_SMX cap:FEATURE_CONTROL_SENTER_LOCAL "
		  "cap:FEATURE_CONTROL_SENTER_GLOBAL cap:FEATURE_CONTROL_SGX_LAUNCH_CONTROL "
		  "cap:FEATURE_CONTROL_SGX_GLOBAL cap:FEATURE_CONTROL_LMCE")
{
	const struct feature_row *row = TEST_ROW(struct feature_row);
	uint64_t value = FIELD_GET(rdmsr(MSR_IA32_FEATURE_CONTROL), row->bits);

	CHECK(test_observe(row->offered() || value == 0));
	return OK;
}
