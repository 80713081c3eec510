/* The capability MSRs of the control words (Intel SDM, appendix "VMX Capability Reporting
   Facility", "Reserved Controls and Default Settings" to "VM-Entry Controls"). That VM entry obeys
   them is entry/'s. */
#define TEST_FOLDER "caps/"
#include "runtime/harness.h"
#include "vmx-tests/caps/needs.h"
#include "vmx-tests/guest.h"

/* "Reserved Controls and Default Settings": the default1 class of each word. */
#define DEFAULT1_PIN   (BIT(1) | BIT(2) | BIT(4))
#define DEFAULT1_PROC  (BIT(1) | BITS(6, 4) | BIT(8) | BITS(16, 13) | BIT(26))
#define DEFAULT1_EXIT  (BITS(8, 0) | BIT(10) | BIT(11) | BIT(13) | BIT(14) | BIT(16) | BIT(17))
#define DEFAULT1_ENTRY (BITS(8, 0) | BIT(12))
#define COVERS                                                                                     \
	.covers = "msr:IA32_VMX_PINBASED_CTLS msr:IA32_VMX_PROCBASED_CTLS msr:IA32_VMX_EXIT_CTLS " \
		  "msr:IA32_VMX_ENTRY_CTLS"
#define COVERS_TRUE                                                                                \
	.covers = "msr:IA32_VMX_TRUE_PINBASED_CTLS msr:IA32_VMX_TRUE_PROCBASED_CTLS "              \
		  "msr:IA32_VMX_TRUE_EXIT_CTLS msr:IA32_VMX_TRUE_ENTRY_CTLS"

struct word_row {
	struct test_row row;
	uint32_t plain, true_one;
	uint64_t default1;
	enum vmx_control_word word;
};

static const struct word_row words[] = {
	{ { "pin-based", OK }, MSR_IA32_VMX_PINBASED_CTLS, MSR_IA32_VMX_TRUE_PINBASED_CTLS,
		DEFAULT1_PIN, CONTROL_WORD_PIN },
	{ { "primary processor-based", OK }, MSR_IA32_VMX_PROCBASED_CTLS,
		MSR_IA32_VMX_TRUE_PROCBASED_CTLS, DEFAULT1_PROC, CONTROL_WORD_PROC },
	{ { "VM-exit", OK }, MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS, DEFAULT1_EXIT,
		CONTROL_WORD_VM_EXIT },
	{ { "VM-entry", OK }, MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS, DEFAULT1_ENTRY,
		CONTROL_WORD_VM_ENTRY },
};

static uint32_t low(uint64_t capability)
{
	return (uint32_t)capability;
}

static uint32_t high(uint64_t capability)
{
	return (uint32_t)(capability >> 32);
}

static uint64_t read_plain(void)
{
	return test_observe(rdmsr(TEST_ROW(struct word_row)->plain));
}

static uint64_t read_true(void)
{
	return test_observe(rdmsr(TEST_ROW(struct word_row)->true_one));
}

SWEEP(control, plain_within, "SDM VM-Execution Controls",
	"a control that must be 1 may be 1: each bit of the low half is in the high half", words,
	COVERS)
{
	uint64_t capability = rdmsr(TEST_ROW(struct word_row)->plain);

	CHECK_EQUAL(test_observe(low(capability) & ~high(capability)), 0);
	return OK;
}

SWEEP(control, true_within, "SDM VM-Execution Controls",
	"the same in the TRUE MSRs: each bit of the low half is in the high half", words,
	COVERS_TRUE, .needs = NEEDS(&need_true_controls))
{
	uint64_t capability = rdmsr(TEST_ROW(struct word_row)->true_one);

	CHECK_EQUAL(test_observe(low(capability) & ~high(capability)), 0);
	return OK;
}

SWEEP(control, default1, "SDM Reserved Controls and Default Settings",
	"the low half of a plain MSR is the default1 class, and no other control must be 1", words,
	COVERS)
{
	CHECK_EQUAL(low(read_plain()), TEST_ROW(struct word_row)->default1);
	return OK;
}

SWEEP(control, default1_allowed, "SDM Reserved Controls and Default Settings",
	"the controls of the default1 class may be 1", words, COVERS)
{
	uint64_t default1 = TEST_ROW(struct word_row)->default1;

	CHECK_EQUAL(
		test_observe(high(rdmsr(TEST_ROW(struct word_row)->plain)) & default1), default1);
	return OK;
}

SWEEP(control, true_must_be_1, "SDM Reserved Controls and Default Settings",
	"a TRUE MSR asks for no control that is not in the default1 class", words, COVERS_TRUE,
	.needs = NEEDS(&need_true_controls))
{
	CHECK_EQUAL(test_observe(low(rdmsr(TEST_ROW(struct word_row)->true_one)) &
				 ~TEST_ROW(struct word_row)->default1),
		0);
	return OK;
}

SWEEP(control, true_reserved, "SDM Reserved Controls and Default Settings",
	"reserved controls of the default1 class must be 1 by the TRUE MSR, too", words,
	COVERS_TRUE, .needs = NEEDS(&need_true_controls))
{
	const struct word_row *row = TEST_ROW(struct word_row);
	uint64_t reserved = row->default1;
	unsigned int bit;

	for (bit = 0; bit < 32; bit++)
		if (vmx_control_name(row->word, bit) != NULL)
			reserved &= ~BIT(bit);
	CHECK_EQUAL(test_observe(rdmsr(row->true_one) & reserved), reserved);
	return OK;
}

SWEEP(control, true_allowed, "SDM VM-Execution Controls",
	"plain and TRUE MSR report the same controls that may be 1", words, COVERS_TRUE,
	.needs = NEEDS(&need_true_controls))
{
	CHECK_EQUAL(high(read_true() ^ rdmsr(TEST_ROW(struct word_row)->plain)), 0);
	CHECK_EQUAL(
		test_observe(high(rdmsr(TEST_ROW(struct word_row)->true_one))), high(read_plain()));
	return OK;
}

/* A bit that the table does not know: reserved for all that this suite knows. */
static outcome check_reserved(
	enum vmx_control_word word, uint64_t may_be_1, uint64_t default1, unsigned int bits)
{
	uint64_t reserved = bits == 64 ? UINT64_MAX : BITS(31, 0);
	unsigned int bit;

	for (bit = 0; bit < bits; bit++)
		if (vmx_control_name(word, bit) != NULL)
			reserved &= ~BIT(bit);
	CHECK_EQUAL(test_observe(may_be_1 & reserved & ~default1), 0);
	return OK;
}

SWEEP(control, reserved, "SDM Reserved Controls and Default Settings",
	"a reserved control outside the default1 class may not be 1", words, COVERS)
{
	const struct word_row *row = TEST_ROW(struct word_row);

	return check_reserved(row->word, high(rdmsr(row->plain)), row->default1, 32);
}

TEST(control, secondary_low, "SDM Secondary Processor-Based VM-Execution Controls",
	"the low half of IA32_VMX_PROCBASED_CTLS2 is 0: all may be 0", OK,
	.covers = "msr:IA32_VMX_PROCBASED_CTLS2", .needs = NEEDS(&need_secondary))
{
	CHECK_EQUAL(test_observe(low(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2))), 0);
	return OK;
}

TEST(control, secondary_reserved, "SDM Secondary Processor-Based VM-Execution Controls",
	"a reserved secondary control may not be 1", OK, .covers = "msr:IA32_VMX_PROCBASED_CTLS2",
	.needs = NEEDS(&need_secondary))
{
	return check_reserved(CONTROL_WORD_PROC2, high(rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2)), 0, 32);
}

TEST(control, tertiary_reserved, "SDM Tertiary Processor-Based VM-Execution Controls",
	"a reserved tertiary control may not be 1", OK, .covers = "msr:IA32_VMX_PROCBASED_CTLS3",
	.needs = NEEDS(&need_PROC_ACTIVATE_TERTIARY_CONTROLS))
{
	return check_reserved(CONTROL_WORD_PROC3, rdmsr(MSR_IA32_VMX_PROCBASED_CTLS3), 0, 64);
}

TEST(control, exit2_reserved, "SDM Secondary VM-Exit Controls",
	"a reserved secondary VM-exit control may not be 1", OK,
	.covers = "msr:IA32_VMX_EXIT_CTLS2",
	.needs = NEEDS(&need_VM_EXIT_ACTIVATE_SECONDARY_CONTROLS))
{
	return check_reserved(CONTROL_WORD_VM_EXIT2, rdmsr(MSR_IA32_VMX_EXIT_CTLS2), 0, 64);
}
