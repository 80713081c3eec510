/* IA32_VMX_EPT_VPID_CAP (Intel SDM, appendix "VMX Capability Reporting Facility", "VPID and EPT
   Capabilities"), each field against the others. What they promise is tested in ept/ and
   insn/invept.c. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "spec/cpuid.h"
#include "vmx-tests/caps/needs.h"
#include "vmx-tests/guest.h"

#define MSR NEEDS(&need_ept_vpid_msr)

static uint64_t field(uint64_t mask)
{
	return test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), mask));
}

static bool has_ept(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_EPT);
}

static bool has_vpid(void)
{
	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_VPID);
}

struct field_row {
	struct test_row row;
	uint64_t mask;
};

#define FIELD_ROW(name)                                                                            \
	{                                                                                          \
		{ #name, OK }, VMX_EPT_VPID_CAP_##name                                             \
	}
static const struct field_row of_ept[] = {
	FIELD_ROW(EXECUTE_ONLY),
	FIELD_ROW(WALK_4),
	FIELD_ROW(WALK_5),
	FIELD_ROW(EPTP_UC),
	FIELD_ROW(EPTP_WB),
	FIELD_ROW(PAGE_2M),
	FIELD_ROW(PAGE_1G),
	FIELD_ROW(INVEPT),
	FIELD_ROW(ACCESSED_DIRTY),
	FIELD_ROW(ADVANCED_INFORMATION),
	FIELD_ROW(SHADOW_STACK),
	FIELD_ROW(INVEPT_SINGLE),
	FIELD_ROW(INVEPT_ALL),
	FIELD_ROW(HLAT_PREFIX_SIZE),
};

SWEEP(ept_vpid, needs_ept, "SDM VPID and EPT Capabilities",
	"a capability of EPT is reported only with EPT", of_ept,
	.covers = "cap:VMX_EPT_VPID_CAP_EXECUTE_ONLY cap:VMX_EPT_VPID_CAP_WALK_4 "
		  "cap:VMX_EPT_VPID_CAP_WALK_5 cap:VMX_EPT_VPID_CAP_EPTP_UC "
		  "cap:VMX_EPT_VPID_CAP_EPTP_WB "
		  "cap:VMX_EPT_VPID_CAP_PAGE_2M cap:VMX_EPT_VPID_CAP_PAGE_1G "
		  "cap:VMX_EPT_VPID_CAP_INVEPT "
		  "cap:VMX_EPT_VPID_CAP_ACCESSED_DIRTY cap:VMX_EPT_VPID_CAP_ADVANCED_INFORMATION "
		  "cap:VMX_EPT_VPID_CAP_SHADOW_STACK cap:VMX_EPT_VPID_CAP_INVEPT_SINGLE "
		  "cap:VMX_EPT_VPID_CAP_INVEPT_ALL cap:VMX_EPT_VPID_CAP_HLAT_PREFIX_SIZE",
	.needs = MSR)
{
	uint64_t value =
		FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), TEST_ROW(struct field_row)->mask);

	CHECK(test_observe(value == 0 || has_ept()));
	return OK;
}

static const struct field_row of_vpid[] = {
	FIELD_ROW(INVVPID),
	FIELD_ROW(INVVPID_ADDRESS),
	FIELD_ROW(INVVPID_SINGLE),
	FIELD_ROW(INVVPID_ALL),
	FIELD_ROW(INVVPID_SINGLE_KEEP_GLOBAL),
};

SWEEP(ept_vpid, needs_vpid, "SDM VPID and EPT Capabilities",
	"a capability of VPIDs is reported only with VPIDs", of_vpid,
	.covers = "cap:VMX_EPT_VPID_CAP_INVVPID cap:VMX_EPT_VPID_CAP_INVVPID_ADDRESS "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE cap:VMX_EPT_VPID_CAP_INVVPID_ALL "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE_KEEP_GLOBAL",
	.needs = MSR)
{
	uint64_t value =
		FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), TEST_ROW(struct field_row)->mask);

	CHECK(test_observe(value == 0 || has_vpid()));
	return OK;
}

TEST(ept_vpid, walk, "SDM VPID and EPT Capabilities",
	"with EPT at least one walk length is reported", OK,
	.covers = "cap:VMX_EPT_VPID_CAP_WALK_4 cap:VMX_EPT_VPID_CAP_WALK_5",
	.needs = NEEDS(&need_PROC2_ENABLE_EPT))
{
	uint64_t four = field(VMX_EPT_VPID_CAP_WALK_4), five = field(VMX_EPT_VPID_CAP_WALK_5);

	CHECK(four || five);
	return OK;
}

TEST(ept_vpid, memory_type, "SDM VPID and EPT Capabilities",
	"with EPT at least one memory type for its structures is reported", OK,
	.covers = "cap:VMX_EPT_VPID_CAP_EPTP_UC cap:VMX_EPT_VPID_CAP_EPTP_WB",
	.needs = NEEDS(&need_PROC2_ENABLE_EPT))
{
	uint64_t types =
		test_observe((rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) &
				     (VMX_EPT_VPID_CAP_EPTP_UC | VMX_EPT_VPID_CAP_EPTP_WB)) != 0);

	CHECK(types);
	return OK;
}

static const struct field_row invept_types[] = {
	FIELD_ROW(INVEPT_SINGLE),
	FIELD_ROW(INVEPT_ALL),
};

SWEEP(ept_vpid, invept, "SDM VPID and EPT Capabilities",
	"an INVEPT type is reported only with INVEPT", invept_types,
	.covers = "cap:VMX_EPT_VPID_CAP_INVEPT cap:VMX_EPT_VPID_CAP_INVEPT_SINGLE "
		  "cap:VMX_EPT_VPID_CAP_INVEPT_ALL",
	.needs = MSR)
{
	uint64_t type =
		FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), TEST_ROW(struct field_row)->mask);
	uint64_t instruction = FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), VMX_EPT_VPID_CAP_INVEPT);

	CHECK(test_observe(!type || instruction));
	return OK;
}

static const struct field_row invvpid_types[] = {
	FIELD_ROW(INVVPID_ADDRESS),
	FIELD_ROW(INVVPID_SINGLE),
	FIELD_ROW(INVVPID_ALL),
	FIELD_ROW(INVVPID_SINGLE_KEEP_GLOBAL),
};

SWEEP(ept_vpid, invvpid, "SDM VPID and EPT Capabilities",
	"an INVVPID type is reported only with INVVPID", invvpid_types,
	.covers = "cap:VMX_EPT_VPID_CAP_INVVPID cap:VMX_EPT_VPID_CAP_INVVPID_ADDRESS "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE cap:VMX_EPT_VPID_CAP_INVVPID_ALL "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE_KEEP_GLOBAL",
	.needs = MSR)
{
	uint64_t type =
		FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), TEST_ROW(struct field_row)->mask);
	uint64_t instruction =
		FIELD_GET(rdmsr(MSR_IA32_VMX_EPT_VPID_CAP), VMX_EPT_VPID_CAP_INVVPID);

	CHECK(test_observe(!type || instruction));
	return OK;
}

TEST(ept_vpid, hlat_prefix, "SDM VPID and EPT Capabilities",
	"a maximum HLAT prefix size is reported only with HLAT, and is at most 52", OK,
	.covers = "cap:VMX_EPT_VPID_CAP_HLAT_PREFIX_SIZE", .needs = MSR)
{
	uint64_t size = field(VMX_EPT_VPID_CAP_HLAT_PREFIX_SIZE);

	CHECK(size == 0 || vmx_may_set(CONTROL_WORD_PROC3, PROC3_ENABLE_HLAT));
	CHECK(size <= 52);
	return OK;
}

TEST(ept_vpid, shadow_stack, "SDM VPID and EPT Capabilities",
	"supervisor shadow-stack control is reported only with shadow stacks", OK,
	.covers = "cap:VMX_EPT_VPID_CAP_SHADOW_STACK", .needs = MSR)
{
	bool cet = cpuid(CPUID_STRUCTURED, 0).ecx & CPUID_7_ECX_CET_SS;
	uint64_t value = field(VMX_EPT_VPID_CAP_SHADOW_STACK);

	CHECK(value == 0 || cet);
	return OK;
}
