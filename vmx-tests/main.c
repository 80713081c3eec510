/* The conformance suite for VT-x: turns VMX on, gives each test a healthy VMCS, and checks that the
   test left the host as it was. The tests are in the folders beside it, one per part of the manual.
 */
#include "runtime/harness.h"
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "spec/cpuid.h"
#include "vmx-tests/beat.h"
#include "vmx-tests/guest.h"

const char image_name[] = "vmx-tests";
const char *const image_words[] = { HARNESS_WORDS, "beat", NULL };

/* What a test must leave as it found it. */
struct host_state {
	uint64_t cr0, cr3, cr4, efer, gs_base, pat, gdtr_base, idtr_base, dr7;
	uint16_t cs, ss, tr, gdtr_limit, idtr_limit;
};

static struct host_state good;

static struct host_state read_host(void)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();

	return (struct host_state){ .cr0 = read_cr0(),
		.cr3 = read_cr3(),
		.cr4 = read_cr4(),
		.efer = rdmsr(MSR_IA32_EFER),
		.gs_base = rdmsr(MSR_IA32_GS_BASE),
		.pat = rdmsr(MSR_IA32_PAT),
		.gdtr_base = gdtr.base,
		.idtr_base = idtr.base,
		.dr7 = read_dr7(),
		.cs = read_cs(),
		.ss = read_ss(),
		.tr = read_tr(),
		.gdtr_limit = gdtr.limit,
		.idtr_limit = idtr.limit };
}

static void before(const struct test *test)
{
	beat_start();
	if (string_matches("*/alone", test->group))
		beat_wait_for_console();
	if (!vmx_is_on())
		vmx_enter_operation();
	guest_reset();
	good = read_host();
}

/* Differences are named, and mended where that is possible, so that the next test starts well. */
static outcome after(const struct test *test)
{
	struct host_state now;

	if (!vmx_is_on())
		vmx_enter_operation();
	/* A VM exit sets the limits to their maximum ("Loading Host Segment and Descriptor-Table
	   Registers"): they are put back here, and are no difference. */
	write_gdtr((struct descriptor_table){ good.gdtr_limit, good.gdtr_base });
	write_idtr((struct descriptor_table){ good.idtr_limit, good.idtr_base });
	now = read_host();
	write_dr7(good.dr7);
	wrmsr(MSR_IA32_PAT, good.pat);
	wrmsr(MSR_IA32_GS_BASE, good.gs_base);
	CHECK_EQUAL(now.cr0, good.cr0);
	CHECK_EQUAL(now.cr3, good.cr3);
	CHECK_EQUAL(now.cr4, good.cr4);
	CHECK_EQUAL(now.efer, good.efer);
	CHECK_EQUAL(now.gs_base, good.gs_base);
	CHECK_EQUAL(now.pat, good.pat);
	CHECK_EQUAL(now.dr7, good.dr7);
	CHECK_EQUAL(now.cs, good.cs);
	CHECK_EQUAL(now.ss, good.ss);
	CHECK_EQUAL(now.tr, good.tr);
	return OK;
}

static uint64_t read_value(uint32_t field)
{
	return field_read(field);
}

static const char *value_name(uint32_t field)
{
	return vmcs_field_name(field);
}

/* The capability MSRs and the CPU's signature, so that a report says what it is about. */
static void print_fingerprint(void)
{
	struct cpuid id = cpuid(CPUID_FEATURES, 0), vendor = cpuid(CPUID_VENDOR, 0);
	uint32_t msr;

	print("# cpu %.4s%.4s%.4s signature %#x\n", (char *)&vendor.ebx, (char *)&vendor.edx,
		(char *)&vendor.ecx, id.eax);
	for (msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_EXIT_CTLS2; msr++)
		print("# msr %#x %s %#lx\n", msr, msr_name(msr), vmx_capability(msr));
}

void image_main(void)
{
	static const struct suite suite = { .name = "vmx-tests",
		.before = before,
		.after = after,
		.read = read_value,
		.field_name = value_name };

	beat_init();
	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX))
		image_error("this CPU has no VT-x (CPUID.1:ECX.VMX)");
	vmx_enter_operation();
	print_fingerprint();
	power_end(harness_run(&suite));
}
