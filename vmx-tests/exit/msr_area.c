/* The MSR-store and MSR-load areas of exits: counts, order, what is stored and loaded (Intel SDM,
   "VM-Exit Controls for MSRs", "Saving MSRs", "Loading MSRs"). Their bad entries end in VMX aborts,
   and are tested alone. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SAVING       "SDM Saving MSRs"
#define LOADING      "SDM Loading MSRs"
#define COVERS_STORE "field:EXIT_MSR_STORE_COUNT field:EXIT_MSR_STORE_ADDRESS"
#define COVERS_LOAD  "field:EXIT_MSR_LOAD_COUNT field:EXIT_MSR_LOAD_ADDRESS"
#define ENTRIES_MAX  512 /* that every CPU takes ("Miscellaneous Data", bits 27:25 are 0) */
#define UNTOUCHED    UINT64_C(0x5a5a5a5a5a5a5a5a)

static struct vmx_msr_entry stored[ENTRIES_MAX] __aligned(16), loaded[ENTRIES_MAX] __aligned(16);

/* MSRs that the guest and the host may have any value in. */
static const uint32_t msrs[] = { (uint32_t)MSR_IA32_STAR, (uint32_t)MSR_IA32_LSTAR,
	(uint32_t)MSR_IA32_CSTAR, (uint32_t)MSR_IA32_FMASK, (uint32_t)MSR_IA32_KERNEL_GS_BASE };
static uint64_t host_values[ARRAY_SIZE(msrs)];

static void save_host(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		host_values[i] = rdmsr(msrs[i]);
}

static void restore_host(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i], host_values[i]);
}

GUEST64(msr_area_nop, "nop");
GUEST64(msr_area_wrmsr, "wrmsr");

static void set_areas(uint32_t store_count, uint32_t load_count)
{
	field_write(VMCS_EXIT_MSR_STORE_ADDRESS, vmx_address(stored));
	field_write(VMCS_EXIT_MSR_STORE_COUNT, store_count);
	field_write(VMCS_EXIT_MSR_LOAD_ADDRESS, vmx_address(loaded));
	field_write(VMCS_EXIT_MSR_LOAD_COUNT, load_count);
}

static struct vmx_msr_entry entry(uint32_t msr, uint64_t value)
{
	return (struct vmx_msr_entry){ msr, 0, value };
}

static outcome run(void)
{
	outcome result = exit_run((struct guest_code)CODE_OF(msr_area_nop));

	restore_host();
	return result;
}

struct count_row {
	struct test_row row;
	uint32_t count;
};

#define EXITED EXIT(EXIT_REASON_VMCALL)
static const struct count_row counts[] = {
	{ { "0", EXITED }, 0 },
	{ { "1", EXITED }, 1 },
	{ { "2", EXITED }, 2 },
	{ { "255", EXITED }, 255 },
	{ { "256", EXITED }, 256 },
	{ { "512", EXITED }, ENTRIES_MAX },
};

SWEEP(msr_area, store_count, SAVING, "as many entries are stored as the count says, and no more",
	counts, .covers = COVERS_STORE " cap:VMX_MISC_MSR_LIST_SIZE")
{
	const struct count_row *row = TEST_ROW(struct count_row);
	uint64_t value = UINT64_C(0x00007654fedcba90);
	outcome result;
	uint32_t i;

	guest_reset();
	save_host();
	wrmsr((uint32_t)MSR_IA32_LSTAR, value);
	for (i = 0; i < ENTRIES_MAX; i++)
		stored[i] = entry((uint32_t)MSR_IA32_LSTAR, UNTOUCHED);
	set_areas(row->count, 0);
	result = run();
	for (i = 0; i < ENTRIES_MAX; i++)
		CHECK_EQUAL(test_observe(stored[i].value), i < row->count ? value : UNTOUCHED);
	return result;
}

TEST(msr_area, store_each, SAVING,
	"each entry gets the value of its own MSR; index and reserved half stay", EXITED,
	.covers = COVERS_STORE)
{
	outcome result;
	uint32_t i;

	save_host();
	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		wrmsr(msrs[i], 0x1000 * (i + 1));
		stored[i] = entry(msrs[i], UNTOUCHED);
	}
	set_areas(ARRAY_SIZE(msrs), 0);
	result = run();
	for (i = 0; i < ARRAY_SIZE(msrs); i++) {
		CHECK_EQUAL(test_observe(stored[i].index), msrs[i]);
		CHECK_EQUAL(test_observe(stored[i].reserved), 0);
		CHECK_EQUAL(test_observe(stored[i].value), 0x1000 * (i + 1));
	}
	return result;
}

TEST(msr_area, store_guest, SAVING, "what is stored is what the guest wrote", EXITED,
	.needs = NEEDS(&need_PROC_MSR_BITMAPS), .covers = COVERS_STORE)
{
	outcome result;

	save_host();
	exit_let_msrs_pass();
	stored[0] = entry((uint32_t)MSR_IA32_KERNEL_GS_BASE, UNTOUCHED);
	set_areas(1, 0);
	guest_gpr[RCX] = (uint32_t)MSR_IA32_KERNEL_GS_BASE;
	guest_gpr[RAX] = 0x12345678;
	guest_gpr[RDX] = 0xffff8765;
	result = exit_run((struct guest_code)CODE_OF(msr_area_wrmsr));
	restore_host();
	CHECK_EQUAL(test_observe(stored[0].value), UINT64_C(0xffff876512345678));
	return result;
}

/* These have fields in the guest-state area; the area gets the guest's values, too. */
TEST(msr_area, store_guest_state, SAVING,
	"an MSR that the exit changes is stored as the guest had it", EXITED,
	.covers = COVERS_STORE)
{
	outcome result;

	field_write(VMCS_GUEST_IA32_SYSENTER_ESP, UINT64_C(0xffff800012340000));
	field_write(VMCS_HOST_IA32_SYSENTER_ESP, UINT64_C(0x5678));
	stored[0] = entry(MSR_IA32_SYSENTER_ESP, UNTOUCHED);
	set_areas(1, 0);
	save_host();
	result = run();
	wrmsr(MSR_IA32_SYSENTER_ESP, 0);
	CHECK_EQUAL(test_observe(stored[0].value), UINT64_C(0xffff800012340000));
	return result;
}

/* "As RDMSR would read it" leaves open in which operation: with the offset or without. */
TEST(msr_area, store_tsc, SAVING, "a stored IA32_TIME_STAMP_COUNTER is the guest's or the CPU's",
	EXITED, .covers = COVERS_STORE " field:TSC_OFFSET")
{
	uint64_t offset = UINT64_C(1) << 52, before = rdtsc(), after, value;
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_TSC_OFFSETTING, true);
	field_write(VMCS_TSC_OFFSET, offset);
	stored[0] = entry(MSR_IA32_TSC, UNTOUCHED);
	set_areas(1, 0);
	save_host();
	result = run();
	after = rdtsc();
	value = test_observe(stored[0].value);
	if (value - before > after - before && value - (before + offset) > after - before)
		return test_mismatch(
			__LINE__, "%#lx is stored between %#lx and %#lx", value, before, after);
	return result;
}

SWEEP(msr_area, load_count, LOADING, "as many entries are loaded as the count says, and no more",
	counts, .covers = COVERS_LOAD " cap:VMX_MISC_MSR_LIST_SIZE")
{
	const struct count_row *row = TEST_ROW(struct count_row);
	uint64_t value;
	outcome result;
	uint32_t i;

	guest_reset();
	save_host();
	wrmsr((uint32_t)MSR_IA32_LSTAR, 0);
	for (i = 0; i < ENTRIES_MAX; i++)
		loaded[i] = entry((uint32_t)MSR_IA32_LSTAR, i + 1);
	set_areas(0, row->count);
	result = exit_run((struct guest_code)CODE_OF(msr_area_nop));
	value = rdmsr((uint32_t)MSR_IA32_LSTAR);
	restore_host();
	CHECK_EQUAL(test_observe(value), row->count); /* the last one loaded */
	return result;
}

TEST(msr_area, load_each, LOADING, "each entry's value goes to its own MSR", EXITED,
	.covers = COVERS_LOAD)
{
	uint64_t values[ARRAY_SIZE(msrs)];
	outcome result;
	uint32_t i;

	save_host();
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		loaded[i] = entry(msrs[i], 0x1000 * (i + 1));
	set_areas(0, ARRAY_SIZE(msrs));
	result = exit_run((struct guest_code)CODE_OF(msr_area_nop));
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		values[i] = rdmsr(msrs[i]);
	restore_host();
	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		CHECK_EQUAL(test_observe(values[i]), 0x1000 * (i + 1));
	return result;
}

TEST(msr_area, load_after_host_state, LOADING,
	"MSRs are loaded after the host-state area: the area's value remains", EXITED,
	.covers = COVERS_LOAD " field:HOST_IA32_SYSENTER_EIP")
{
	uint64_t value;
	outcome result;

	field_write(VMCS_HOST_IA32_SYSENTER_EIP, 0x1111);
	loaded[0] = entry(MSR_IA32_SYSENTER_EIP, 0x2222);
	set_areas(0, 1);
	result = exit_run((struct guest_code)CODE_OF(msr_area_nop));
	value = rdmsr(MSR_IA32_SYSENTER_EIP);
	wrmsr(MSR_IA32_SYSENTER_EIP, 0);
	CHECK_EQUAL(test_observe(value), 0x2222);
	return result;
}

TEST(msr_area, store_before_load, SAVING, "MSRs are stored before they are loaded", EXITED,
	.covers = COVERS_STORE " " COVERS_LOAD)
{
	uint64_t value;
	outcome result;

	save_host();
	wrmsr((uint32_t)MSR_IA32_CSTAR, 0x3333);
	stored[0] = entry((uint32_t)MSR_IA32_CSTAR, UNTOUCHED);
	loaded[0] = entry((uint32_t)MSR_IA32_CSTAR, 0x4444);
	set_areas(1, 1);
	result = exit_run((struct guest_code)CODE_OF(msr_area_nop));
	value = rdmsr((uint32_t)MSR_IA32_CSTAR);
	restore_host();
	CHECK_EQUAL(test_observe(value), 0x4444);
	CHECK_EQUAL(test_observe(stored[0].value), 0x3333);
	return result;
}

TEST(msr_area, load_area_unchanged, LOADING, "the load area is only read", EXITED,
	.covers = COVERS_LOAD)
{
	outcome result;

	save_host();
	loaded[0] = entry((uint32_t)MSR_IA32_CSTAR, 0x4444);
	loaded[1] = entry((uint32_t)MSR_IA32_CSTAR, 0x5555);
	set_areas(0, 2);
	result = run();
	CHECK_EQUAL(test_observe(loaded[0].value), 0x4444);
	CHECK_EQUAL(test_observe(loaded[1].value), 0x5555);
	return result;
}

TEST(msr_area, entry_failure_loads, "SDM VM-Entry Failures During or After Loading Guest State",
	"a failed VM entry loads host MSRs from the area as an exit does, but stores none",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE), .covers = COVERS_STORE " " COVERS_LOAD)
{
	uint64_t value;
	outcome result;

	save_host();
	wrmsr((uint32_t)MSR_IA32_CSTAR, 0x3333);
	stored[0] = entry((uint32_t)MSR_IA32_CSTAR, UNTOUCHED);
	loaded[0] = entry((uint32_t)MSR_IA32_CSTAR, 0x4444);
	set_areas(1, 1);
	guest_set_mode(GUEST_64BIT, msr_area_nop, (size_t)(msr_area_nop_end - msr_area_nop));
	field_write(VMCS_GUEST_RFLAGS, 0); /* bit 1 must be 1 */
	result = guest_run(NULL);
	value = rdmsr((uint32_t)MSR_IA32_CSTAR);
	restore_host();
	CHECK_EQUAL(test_observe(value), 0x4444);
	CHECK_EQUAL(test_observe(stored[0].value), UNTOUCHED);
	return result;
}
