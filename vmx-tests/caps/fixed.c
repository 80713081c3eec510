/* IA32_VMX_CR0_FIXED0 to IA32_VMX_CR4_FIXED1 against each other (Intel SDM, appendices "VMX-Fixed
   Bits in CR0" and "VMX-Fixed Bits in CR4"). That the CPU enforces them is insn/fixed.c's. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"

#define COVERS_CR0 .covers = "msr:IA32_VMX_CR0_FIXED0 msr:IA32_VMX_CR0_FIXED1"
#define COVERS_CR4 .covers = "msr:IA32_VMX_CR4_FIXED0 msr:IA32_VMX_CR4_FIXED1"

struct fixed_row {
	struct test_row row;
	uint32_t fixed0, fixed1;
};

static const struct fixed_row registers[] = {
	{ { "CR0", OK }, MSR_IA32_VMX_CR0_FIXED0, MSR_IA32_VMX_CR0_FIXED1 },
	{ { "CR4", OK }, MSR_IA32_VMX_CR4_FIXED0, MSR_IA32_VMX_CR4_FIXED1 },
};

SWEEP(fixed, within, "SDM VMX-Fixed Bits in CR0",
	"no bit is fixed to 1 by FIXED0 and to 0 by FIXED1", registers,
	.covers = "msr:IA32_VMX_CR0_FIXED0 msr:IA32_VMX_CR0_FIXED1 msr:IA32_VMX_CR4_FIXED0 "
		  "msr:IA32_VMX_CR4_FIXED1")
{
	const struct fixed_row *row = TEST_ROW(struct fixed_row);

	CHECK_EQUAL(test_observe(rdmsr(row->fixed0) & ~rdmsr(row->fixed1)), 0);
	return OK;
}

SWEEP(fixed, host, "SDM Restrictions on VMX Operation",
	"the registers in VMX operation obey both MSRs", registers,
	.covers = "msr:IA32_VMX_CR0_FIXED0 msr:IA32_VMX_CR0_FIXED1 msr:IA32_VMX_CR4_FIXED0 "
		  "msr:IA32_VMX_CR4_FIXED1")
{
	const struct fixed_row *row = TEST_ROW(struct fixed_row);
	uint64_t value = row->fixed0 == MSR_IA32_VMX_CR0_FIXED0 ? read_cr0() : read_cr4();

	CHECK_EQUAL(test_observe(rdmsr(row->fixed0) & ~value), 0);
	CHECK_EQUAL(test_observe(value & ~rdmsr(row->fixed1)), 0);
	return OK;
}

TEST(fixed, cr0_ones, "SDM Restrictions on VMX Operation", "CR0.PE, NE and PG are fixed to 1", OK,
	COVERS_CR0)
{
	uint64_t ones = CR0_PE | CR0_NE | CR0_PG;

	CHECK_EQUAL(test_observe(rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & ones, ones);
	return OK;
}

TEST(fixed, cr0_upper, "SDM VMX-Fixed Bits in CR0", "bits 63:32 of CR0 are fixed to 0", OK,
	COVERS_CR0)
{
	CHECK_EQUAL(test_observe(rdmsr(MSR_IA32_VMX_CR0_FIXED1) >> 32), 0);
	return OK;
}

TEST(fixed, cr4_vmxe, "SDM Restrictions on VMX Operation", "CR4.VMXE is fixed to 1", OK, COVERS_CR4)
{
	CHECK_EQUAL(test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_CR4_FIXED0), CR4_VMXE)), 1);
	return OK;
}

TEST(fixed, cr4_pae, "SDM VMX-Fixed Bits in CR4", "CR4.PAE may be 1: an Intel 64 host needs it", OK,
	COVERS_CR4)
{
	CHECK_EQUAL(test_observe(FIELD_GET(rdmsr(MSR_IA32_VMX_CR4_FIXED1), CR4_PAE)), 1);
	return OK;
}

TEST(fixed, cr4_upper, "SDM VMX-Fixed Bits in CR4",
	"bits 63:33 of CR4 are reserved, and fixed to 0", OK, COVERS_CR4)
{
	CHECK_EQUAL(test_observe(rdmsr(MSR_IA32_VMX_CR4_FIXED1) >> 33), 0);
	return OK;
}
