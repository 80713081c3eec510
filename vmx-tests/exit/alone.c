/* VM exits that cannot be completed: VMX aborts, each on another CPU than the one that watches and
   reports (Intel SDM, "VMX Aborts"). What the areas and the host state do when all is well is
   msr_area.c's and host.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/clock.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/exit/exit.h"
#include "vmx-tests/guest_tables.h"
#include "vmx-tests/host_legacy.h"
#include "vmx-tests/worker.h"

#define ABORTS   "SDM VMX Aborts"
#define NO_MSR   UINT32_C(0x3fffffff) /* of no CPU */
#define HIGH_MSR UINT32_C(0x8ff)      /* the last one of the APIC's registers */
#define PATIENCE                                                                                   \
	(clock_tsc_hz() / 4) /* for the abort, and for a CPU that must stay where it is            \
			      */

/* ---- A CPU that aborts, and one that watches ---- */

/* The CPUs up to this one have aborted. */
static unsigned int used;

/* A CPU that works, or 0. One that shut down may be started again on a platform that is wrong about
   that: then two CPUs are enough for all rows. */
static unsigned int next_cpu(void)
{
	static bool none_left;

	if (used + 1 < worker_cpus())
		return ++used;
	none_left = none_left || !worker_revive(used);
	return none_left ? 0 : used;
}

static bool is_over(unsigned int cpu)
{
	return __atomic_load_n(&vmx_region->abort, __ATOMIC_RELAXED) != 0 || worker_is_done(cpu);
}

static void wait(unsigned int cpu, uint64_t ticks)
{
	uint64_t start = rdtsc();

	while (!is_over(cpu) && rdtsc() - start < ticks)
		cpu_pause();
}

/* Returns ABORT(indicator), or what the job came to. */
static outcome read_indicator(unsigned int cpu)
{
	uint32_t indicator = vmx_region->abort;

	if (indicator == 0 && worker_is_done(cpu))
		return worker_wait(cpu);
	wait(cpu, PATIENCE / 16);
	CHECK(!worker_is_done(cpu)); /* it is in the shutdown state */
	return test_observe(indicator) == 0 ? SHUTDOWN : ABORT(indicator);
}

/* The prepared VMCS goes to another CPU, which runs the job; the job may use vmx_on_region. */
static outcome watch(const struct test *test, worker_job *job)
{
	struct vmcs_region *mine = vmx_on_region, *other;
	unsigned int cpu = next_cpu();
	outcome result;

	if (cpu == 0)
		return test_not_tried(test, "no CPU is left that has not aborted");
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	vmx_region->abort = 0;
	other = vmx_new_region();
	vmx_on_region = other;
	worker_start(cpu, job, NULL);
	wait(cpu, PATIENCE);
	result = read_indicator(cpu);
	vmx_on_region = mine;
	return result;
}

static outcome enter_once(void *arg)
{
	outcome result = vmptrld(vmx_address(vmx_region));

	if (result != OK)
		return result;
	guest_set_host();
	result = guest_launch();
	vmclear(vmx_address(vmx_region));
	return result;
}

/* ---- The MSR areas ---- */

#define SAVE_FAILS ABORT(VMX_ABORT_SAVING_GUEST_MSRS)
#define LOAD_FAILS ABORT(VMX_ABORT_LOADING_HOST_MSRS)

struct area_row {
	struct test_row row;
	struct vmx_msr_entry entry;
};

static const struct area_row bad_stores[] = {
	{ { "bits 63:32 not 0", SAVE_FAILS }, { MSR_IA32_SYSENTER_ESP, 1, 0 } },
	{ { "bit 63", SAVE_FAILS }, { MSR_IA32_SYSENTER_ESP, (uint32_t)BIT(31), 0 } },
	{ { "no such MSR", SAVE_FAILS }, { NO_MSR, 0, 0 } },
	{ { "first of the APIC's registers", SAVE_FAILS }, { 0x800, 0, 0 } },
	{ { "an APIC register", SAVE_FAILS }, { MSR_IA32_X2APIC_APICID, 0, 0 } },
	{ { "last of the APIC's registers", SAVE_FAILS }, { HIGH_MSR, 0, 0 } },
	{ { "IA32_SMBASE, outside SMM", SAVE_FAILS }, { MSR_IA32_SMBASE, 0, 0 } },
};

static const struct area_row bad_loads[] = {
	{ { "bits 63:32 not 0", LOAD_FAILS }, { MSR_IA32_SYSENTER_ESP, 1, 0 } },
	{ { "bit 63", LOAD_FAILS }, { MSR_IA32_SYSENTER_ESP, (uint32_t)BIT(31), 0 } },
	{ { "no such MSR", LOAD_FAILS }, { NO_MSR, 0, 0 } },
	{ { "IA32_FS_BASE", LOAD_FAILS }, { (uint32_t)MSR_IA32_FS_BASE, 0, 0 } },
	{ { "IA32_GS_BASE", LOAD_FAILS }, { (uint32_t)MSR_IA32_GS_BASE, 0, 0 } },
	{ { "first of the APIC's registers", LOAD_FAILS }, { 0x800, 0, 0 } },
	{ { "an APIC register", LOAD_FAILS }, { MSR_IA32_X2APIC_EOI, 0, 0 } },
	{ { "last of the APIC's registers", LOAD_FAILS }, { HIGH_MSR, 0, 0 } },
	{ { "IA32_SMM_MONITOR_CTL, outside SMM", LOAD_FAILS }, { MSR_IA32_SMM_MONITOR_CTL, 0, 0 } },
	{ { "a read-only MSR", LOAD_FAILS }, { MSR_IA32_VMX_BASIC, 0, 0 } },
	{ { "a reserved bit", LOAD_FAILS },
		{ (uint32_t)MSR_IA32_EFER, 0, BIT(63) | EFER_LME | EFER_LMA } },
	{ { "a non-canonical address", LOAD_FAILS }, { (uint32_t)MSR_IA32_LSTAR, 0, BIT(62) } },
};

GUEST64(alone_nop, "nop");

/* The bad entry is the second one: the first is processed, and good. */
static struct vmx_msr_entry area[2] __aligned(16);

static outcome run_area(const struct test *test, const struct area_row *row, uint32_t count_field,
	uint32_t address_field)
{
	area[0] = (struct vmx_msr_entry){ MSR_IA32_SYSENTER_ESP, 0, 0 };
	area[1] = row->entry;
	guest_reset();
	guest_set_mode(GUEST_64BIT, CODE(alone_nop));
	field_write(address_field, vmx_address(area));
	field_write(count_field, ARRAY_SIZE(area));
	return watch(test, enter_once);
}

SWEEP(alone, store, "SDM Saving MSRs",
	"an entry of the MSR-store area that cannot be processed is VMX abort 1", bad_stores,
	.needs = NEEDS(&need_smp),
	.covers = "field:EXIT_MSR_STORE_COUNT field:EXIT_MSR_STORE_ADDRESS")
{
	return run_area(test, TEST_ROW(struct area_row), VMCS_EXIT_MSR_STORE_COUNT,
		VMCS_EXIT_MSR_STORE_ADDRESS);
}

SWEEP(alone, load, "SDM Loading MSRs",
	"an entry of the MSR-load area that cannot be processed is VMX abort 4", bad_loads,
	.needs = NEEDS(&need_smp),
	.covers = "field:EXIT_MSR_LOAD_COUNT field:EXIT_MSR_LOAD_ADDRESS")
{
	return run_area(test, TEST_ROW(struct area_row), VMCS_EXIT_MSR_LOAD_COUNT,
		VMCS_EXIT_MSR_LOAD_ADDRESS);
}

TEST(alone, init, ABORTS, "INIT and SIPI do not wake a CPU from the VMX-abort shutdown state", OK,
	.needs = NEEDS(&need_smp))
{
	static const struct area_row bad = { { "", LOAD_FAILS }, { NO_MSR, 0, 0 } };
	outcome result = run_area(test, &bad, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDRESS);

	if (outcome_kind(result) != OUTCOME_ABORT)
		return result;
	CHECK(!test_observe(worker_revive(used)));
	return OK;
}

/* ---- The host state of a host outside IA-32e mode ---- */

static const uint8_t vmlaunch_code[] = { 0x0f, 0x01, 0xc2 };

/* An exit that comes back in spite of all is told by its reason. */
static outcome enter_legacy(void *arg)
{
	struct legacy_state state = { .vmx = true };
	outcome result = legacy_execute(
		LEGACY_PROTECTED, vmlaunch_code, sizeof(vmlaunch_code), &state, NULL);

	vmx_enter_operation();
	if (result == OK)
		result = vmptrld(vmx_address(vmx_region));
	if (result == OK)
		result = vmx_outcome(state.eflags);
	if (result == OK)
		result = EXIT(field_read(VMCS_EXIT_REASON));
	vmclear(vmx_address(vmx_region));
	return result;
}

GUEST32(alone_nop32, "nop");

/* A host with PAE paging. */
static uint64_t host_pdpt[4] __aligned(32);

struct pdpte_row {
	struct test_row row;
	unsigned int entry;
	uint64_t bits;
};

#define PDPTE_FAILS ABORT(VMX_ABORT_HOST_PDPTE)
static const struct pdpte_row bad_pdptes[] = {
	{ { "PDPTE 0, bit 1", PDPTE_FAILS }, 0, BIT(1) },
	{ { "PDPTE 1, bit 2", PDPTE_FAILS }, 1, BIT(2) },
	{ { "PDPTE 2, bit 5", PDPTE_FAILS }, 2, BIT(5) },
	{ { "PDPTE 3, bit 8", PDPTE_FAILS }, 3, BIT(8) },
	{ { "PDPTE 0, bit 63", PDPTE_FAILS }, 0, BIT(63) },
};

SWEEP(alone, pdpte, "SDM Checking and Loading Host Page-Directory-Pointer-Table Entries",
	"a PDPTE with P and a reserved bit set, of a host with PAE paging, is VMX abort 2",
	bad_pdptes, .needs = NEEDS(&need_smp), .covers = "field:HOST_CR3 field:HOST_CR4")
{
	const struct pdpte_row *row = TEST_ROW(struct pdpte_row);
	unsigned int i;

	guest_reset();
	for (i = 0; i < ARRAY_SIZE(host_pdpt); i++)
		host_pdpt[i] = vmx_address(guest_pd + i * 512) | PTE_P;
	host_pdpt[row->entry] |= row->bits;
	guest_set_mode(GUEST_PAGED32, CODE(alone_nop32));
	legacy_set_host();
	field_write(VMCS_HOST_CR3, vmx_address(host_pdpt));
	field_write(VMCS_HOST_CR4, field_read(VMCS_HOST_CR4) | CR4_PAE);
	return watch(test, enter_legacy);
}

/* mov %cr0, %eax; or CR0.PG; mov %eax, %cr0: with IA32_EFER.LME and CR4.PAE this enters IA-32e
 * mode. */
GUEST32(alone_long_mode, "movl %cr0, %eax; orl $0x80000000, %eax; movl %eax, %cr0");

TEST(alone, not_64bit, "SDM Loading Host State",
	"an exit from IA-32e mode with \"host address-space size\" 0 is VMX abort 6",
	ABORT(VMX_ABORT_HOST_NOT_64BIT),
	.needs = NEEDS(&need_smp, &need_unrestricted, &need_VM_ENTRY_LOAD_EFER),
	.covers = "control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE")
{
	guest_set_mode(GUEST_UNPAGED32, CODE(alone_long_mode));
	field_set(VMCS_GUEST_CR4, CR4_PAE);
	field_write(VMCS_GUEST_CR3, vmx_address(guest_pml4));
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_EFER, true);
	field_write(VMCS_GUEST_IA32_EFER, EFER_LME);
	legacy_set_host();
	return watch(test, enter_legacy);
}

/* ---- Shutdown ---- */

static void nothing(void)
{
}

TEST(alone, triple_fault, "SDM Other Causes of VM Exits",
	"a triple fault in VMX root operation shuts the machine down: only that of a guest exits",
	SHUTDOWN, .covers = "exit:TRIPLE_FAULT")
{
	guest_run(nothing); /* a guest has run, and left */
	write_idtr((struct descriptor_table){ 0, 0 });
	__asm__ volatile("ud2");
	return OK;
}
