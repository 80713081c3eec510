/* XSAVES and XRSTORS: #UD, the XSS-exiting bitmap, instruction information (Intel SDM, "XSS-Exiting
   Bitmap", "Changes to Instruction Behavior in VMX Non-Root Operation"). */
#define TEST_FOLDER "exit/"
#include "spec/cpuid.h"
#include "vmx-tests/exit/operand.h"

#define SECTION "SDM Instructions That Cause VM Exits Conditionally"
#define COVERS  "control:PROC2_ENABLE_XSAVES field:XSS_EXITING_BITMAP exit:XSAVES exit:XRSTORS"
#define NEEDED  NEEDS(&need_PROC2_ENABLE_XSAVES)

/* XRSTORS restores what XSAVES saved; both are given EDX:EAX. */
GUEST64(xsaves_xsaves, "xsaves (%rdi)");
GUEST64(xsaves_both, "xsaves (%rdi); xrstors (%rdi)");

static outcome run_xsaves(
	struct guest_code code, enum guest_mode mode, bool enabled, uint64_t bitmap, uint64_t mask)
{
	exit_control(CONTROL_WORD_PROC2, PROC2_ENABLE_XSAVES, enabled);
	if (field_exists(VMCS_XSS_EXITING_BITMAP))
		field_write(VMCS_XSS_EXITING_BITMAP, bitmap);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	guest_gpr[RAX] = (uint32_t)mask;
	guest_gpr[RDX] = mask >> 32;
	guest_set_mode(mode, code.start, (size_t)(code.end - code.start));
	field_set(VMCS_GUEST_CR4, CR4_OSXSAVE);
	return guest_run(NULL);
}

#define XSAVES (struct guest_code) CODE_OF(xsaves_xsaves)
#define BOTH   (struct guest_code) CODE_OF(xsaves_both)

TEST(xsaves, disabled, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"XSAVES is #UD when \"enable XSAVES/XRSTORS\" is 0", FAULT(UD), .needs = NEEDS(&need_xsave),
	.covers = COVERS)
{
	return run_xsaves(XSAVES, GUEST_64BIT, false, UINT64_MAX, 1);
}

GUEST64(xsaves_xrstors, "xrstors (%rdi)");

TEST(xsaves, xrstors_disabled, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"XRSTORS is #UD when \"enable XSAVES/XRSTORS\" is 0", FAULT(UD),
	.needs = NEEDS(&need_xsave), .covers = COVERS)
{
	return run_xsaves(
		(struct guest_code)CODE_OF(xsaves_xrstors), GUEST_64BIT, false, UINT64_MAX, 1);
}

TEST(xsaves, enabled, SECTION, "both run when the bitmap is 0", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDED, .covers = COVERS)
{
	return run_xsaves(BOTH, GUEST_64BIT, true, 0, 1);
}

TEST(xsaves, no_supervisor_state, SECTION, "bits that are not in IA32_XSS do not exit",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = COVERS)
{
	uint64_t saved = rdmsr(MSR_IA32_XSS);
	outcome result;

	wrmsr(MSR_IA32_XSS, 0);
	result = run_xsaves(BOTH, GUEST_64BIT, true, UINT64_MAX, 1);
	wrmsr(MSR_IA32_XSS, saved);
	return result;
}

TEST(xsaves, user, "SDM Relative Priority of Faults and VM Exits", "at CPL 3 XSAVES is #GP",
	FAULT(GP), .needs = NEEDED, .covers = COVERS)
{
	return run_xsaves(XSAVES, GUEST_64BIT_USER, true, UINT64_MAX, UINT64_MAX);
}

/* The components that the CPU lets IA32_XSS have. */
static uint64_t supervisor_components(void)
{
	struct cpuid leaf = cpuid(CPUID_XSAVE, 1);

	return leaf.ecx | (uint64_t)leaf.edx << 32;
}

struct xss_row {
	struct test_row row;
	struct guest_code code;
	bool in_bitmap, in_mask, in_xss;
};

#define EXITS EXIT(EXIT_REASON_XSAVES)
#define RUNS  EXIT(EXIT_REASON_VMCALL)
static const struct xss_row xss[] = {
	{ { "in all three", EXITS }, CODE_OF(xsaves_xsaves), true, true, true },
	{ { "not in the bitmap", RUNS }, CODE_OF(xsaves_xsaves), false, true, true },
	{ { "not in EDX:EAX", RUNS }, CODE_OF(xsaves_xsaves), true, false, true },
	{ { "not in IA32_XSS", RUNS }, CODE_OF(xsaves_xsaves), true, true, false },
	{ { "XRSTORS, in all three", EXIT(EXIT_REASON_XRSTORS) }, CODE_OF(xsaves_xrstors), true,
		true, true },
};

SWEEP(xsaves, xss, SECTION, "they exit when a bit is in the bitmap, in EDX:EAX and in IA32_XSS",
	xss, .needs = NEEDS(&need_PROC2_ENABLE_XSAVES, &need_xss), .covers = COVERS)
{
	const struct xss_row *row = TEST_ROW(struct xss_row);
	uint64_t saved = rdmsr(MSR_IA32_XSS), components = supervisor_components(),
		 bit = components & -components;
	outcome result;

	guest_reset();
	wrmsr(MSR_IA32_XSS, row->in_xss ? bit : 0);
	result = run_xsaves(row->code, GUEST_64BIT, true, row->in_bitmap ? bit : ~bit,
		row->in_mask ? bit | 1 : 1);
	wrmsr(MSR_IA32_XSS, saved);
	return result;
}
