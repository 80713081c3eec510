/* What an exit loads into the host: every field of the host-state area, and what it sets to fixed
   values (Intel SDM, "Loading Host State"). MSRs that a control loads are host_msr.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "vmx-tests/exit/exit.h"

#define REGISTERS   "SDM Loading Host Control Registers, Debug Registers, MSRs"
#define SEGMENTS    "SDM Loading Host Segment and Descriptor-Table Registers"
#define RIP_RSP     "SDM Loading Host RIP, RSP, RFLAGS, and SSP"
#define TABLE_LIMIT 0xffff

/* host_observe.S knows the offsets. */
struct host_snapshot {
	uint64_t rflags, rsp_difference, cr0, cr3, cr4, dr7;
	uint64_t es, cs, ss, ds, fs, gs, tr, ldtr;
	struct descriptor_table gdtr;
	uint8_t padding[6];
	struct descriptor_table idtr;
};
_Static_assert(
	offsetof(struct host_snapshot, gdtr) == 112 && offsetof(struct host_snapshot, idtr) == 128,
	"host_observe.S");

uint64_t host_observe_switch(uint64_t host_rsp, uint64_t host_rip, struct host_snapshot *snapshot);

static struct host_snapshot seen;

GUEST64(host_vmcall, "nop");
GUEST64(host_all_flags, "pushq $0x247cd7; popfq"); /* every flag but IF, TF, RF, VM, VIF, VIP */

/* Runs the code once, and puts the host back as far as the tests change it. */
static outcome observe(struct guest_code code)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(),
		 fs_base = rdmsr((uint32_t)MSR_IA32_FS_BASE);
	uint64_t gs_base = rdmsr((uint32_t)MSR_IA32_GS_BASE), flags;
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();

	guest_set_mode(GUEST_64BIT, code.start, (size_t)(code.end - code.start));
	flags = host_observe_switch(VMCS_HOST_RSP, VMCS_HOST_RIP, &seen);
	write_gdtr(gdtr);
	write_idtr(idtr);
	write_cr3(cr3);
	write_cr4(cr4);
	write_cr0(cr0);
	__asm__ volatile("movl %0, %%fs; movl %0, %%gs" : : "r"(SELECTOR_DATA));
	wrmsr((uint32_t)MSR_IA32_FS_BASE, fs_base);
	wrmsr((uint32_t)MSR_IA32_GS_BASE, gs_base);
	if (flags != 0)
		return vmx_outcome(flags);
	return EXIT(field_read(VMCS_EXIT_REASON));
}

#define VMCALL_CODE (struct guest_code) CODE_OF(host_vmcall)
#define EXITED      EXIT(EXIT_REASON_VMCALL)

/* Control registers: the host-state field is the current value with some bits turned. */
struct bits_row {
	struct test_row row;
	uint32_t field;
	uint64_t turned;
};

static const struct bits_row control_bits[] = {
	{ { "CR0.MP", EXITED }, VMCS_HOST_CR0, CR0_MP },
	{ { "CR0.EM", EXITED }, VMCS_HOST_CR0, CR0_EM },
	{ { "CR0.TS", EXITED }, VMCS_HOST_CR0, CR0_TS },
	{ { "CR0.WP", EXITED }, VMCS_HOST_CR0, CR0_WP },
	{ { "CR0.AM", EXITED }, VMCS_HOST_CR0, CR0_AM },
	{ { "CR3.PWT", EXITED }, VMCS_HOST_CR3, PTE_PWT },
	{ { "CR3.PCD", EXITED }, VMCS_HOST_CR3, PTE_PCD },
	{ { "CR4.TSD", EXITED }, VMCS_HOST_CR4, CR4_TSD },
	{ { "CR4.DE", EXITED }, VMCS_HOST_CR4, CR4_DE },
	{ { "CR4.PGE", EXITED }, VMCS_HOST_CR4, CR4_PGE },
	{ { "CR4.PCE", EXITED }, VMCS_HOST_CR4, CR4_PCE },
	{ { "CR4.OSFXSR", EXITED }, VMCS_HOST_CR4, CR4_OSFXSR },
	{ { "CR4.OSXMMEXCPT", EXITED }, VMCS_HOST_CR4, CR4_OSXMMEXCPT },
};

static uint64_t seen_of(uint32_t field)
{
	return test_observe(field == VMCS_HOST_CR0   ? seen.cr0
			    : field == VMCS_HOST_CR3 ? seen.cr3
						     : seen.cr4);
}

SWEEP(host, control_registers, REGISTERS, "CR0, CR3 and CR4 are loaded from their fields",
	control_bits, .covers = "field:HOST_CR0 field:HOST_CR3 field:HOST_CR4")
{
	const struct bits_row *row = TEST_ROW(struct bits_row);
	uint64_t value;
	outcome result;

	guest_reset();
	value = field_read(row->field) ^ row->turned;
	field_write(row->field, value);
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(seen_of(row->field), value);
	return result;
}

static const struct bits_row kept_bits[] = {
	{ { "CR0.CD", EXITED }, VMCS_HOST_CR0, CR0_CD },
	{ { "CR0.CD and CR0.NW", EXITED }, VMCS_HOST_CR0, CR0_CD | CR0_NW },
	{ { "CR0.ET", EXITED }, VMCS_HOST_CR0, CR0_ET },
	{ { "CR0 bits 15:6", EXITED }, VMCS_HOST_CR0, BITS(15, 6) },
	{ { "CR0 bit 17", EXITED }, VMCS_HOST_CR0, BIT(17) },
	{ { "CR0 bits 28:19", EXITED }, VMCS_HOST_CR0, BITS(28, 19) },
};

SWEEP(host, control_registers_kept, REGISTERS,
	"CR0.CD, NW, ET and the reserved bits are not modified, whatever the field holds",
	kept_bits, .covers = "field:HOST_CR0")
{
	const struct bits_row *row = TEST_ROW(struct bits_row);
	uint64_t before = read_cr0(), value = before ^ row->turned;
	outcome result;

	if ((value & ~rdmsr(MSR_IA32_VMX_CR0_FIXED1)) != 0)
		return row->row.expected; /* VM entry refuses the field: entry/check_host */
	guest_reset();
	field_write(row->field, value);
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(seen_of(row->field), before);
	return result;
}

TEST(host, dr7, REGISTERS, "DR7 is set to its value at reset", EXITED, .covers = "field:GUEST_DR7")
{
	outcome result;

	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	field_write(VMCS_GUEST_DR7, DR7_RESET | BIT(0) | BIT(9) | BITS(19, 16));
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(seen.dr7), DR7_RESET);
	return result;
}

TEST(host, debugctl, REGISTERS, "IA32_DEBUGCTL is cleared", EXITED, .needs = NEEDS(&need_debugctl),
	.covers = "field:GUEST_IA32_DEBUGCTL")
{
	outcome result;

	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	field_write(VMCS_GUEST_IA32_DEBUGCTL, BIT(1));
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(rdmsr(MSR_IA32_DEBUGCTL)), 0);
	return result;
}

struct msr_row {
	struct test_row row;
	uint32_t field, msr;
	uint64_t value;
};

static const struct msr_row msrs[] = {
	{ { "IA32_SYSENTER_CS", EXITED }, VMCS_HOST_IA32_SYSENTER_CS, MSR_IA32_SYSENTER_CS,
		0x1238 },
	{ { "IA32_SYSENTER_ESP", EXITED }, VMCS_HOST_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_ESP,
		UINT64_C(0xffff800012345678) },
	{ { "IA32_SYSENTER_EIP", EXITED }, VMCS_HOST_IA32_SYSENTER_EIP, MSR_IA32_SYSENTER_EIP,
		UINT64_C(0x00007fff87654321) },
};

SWEEP(host, sysenter, REGISTERS, "the SYSENTER MSRs are loaded from their fields", msrs,
	.covers = "field:HOST_IA32_SYSENTER_CS field:HOST_IA32_SYSENTER_ESP "
		  "field:HOST_IA32_SYSENTER_EIP")
{
	const struct msr_row *row = TEST_ROW(struct msr_row);
	uint64_t saved = rdmsr(row->msr), value;
	outcome result;

	guest_reset();
	field_write(row->field, row->value);
	result = observe(VMCALL_CODE);
	value = rdmsr(row->msr);
	wrmsr(row->msr, saved);
	CHECK_EQUAL(test_observe(value), row->value);
	return result;
}

/* Selectors: any that the manual lets VM entry accept; in 64-bit mode what they select hardly
 * counts. */
struct selector_row {
	struct test_row row;
	uint32_t field;
	const uint64_t *seen;
	uint16_t value;
};

static const struct selector_row selectors[] = {
	{ { "ES", EXITED }, VMCS_HOST_ES_SELECTOR, &seen.es, SELECTOR_CODE64 },
	{ { "ES, null", EXITED }, VMCS_HOST_ES_SELECTOR, &seen.es, 0 },
	{ { "SS", EXITED }, VMCS_HOST_SS_SELECTOR, &seen.ss, SELECTOR_USER_DATA },
	{ { "SS, null", EXITED }, VMCS_HOST_SS_SELECTOR, &seen.ss, 0 },
	{ { "DS", EXITED }, VMCS_HOST_DS_SELECTOR, &seen.ds, 0xfff8 },
	{ { "DS, null", EXITED }, VMCS_HOST_DS_SELECTOR, &seen.ds, 0 },
	{ { "FS", EXITED }, VMCS_HOST_FS_SELECTOR, &seen.fs, SELECTOR_USER_DATA },
	{ { "FS, null", EXITED }, VMCS_HOST_FS_SELECTOR, &seen.fs, 0 },
	{ { "GS", EXITED }, VMCS_HOST_GS_SELECTOR, &seen.gs, SELECTOR_CODE32 },
	{ { "GS, null", EXITED }, VMCS_HOST_GS_SELECTOR, &seen.gs, 0 },
	{ { "CS", EXITED }, VMCS_HOST_CS_SELECTOR, &seen.cs, 0x1238 },
	{ { "TR", EXITED }, VMCS_HOST_TR_SELECTOR, &seen.tr, 0x4568 },
};

static void restore_cs_and_tr(void)
{
	guest_reset(); /* fields with the right selectors, and another exit to load them */
	observe(VMCALL_CODE);
}

SWEEP(host, selectors, SEGMENTS,
	"each selector is loaded from its field, without a look at the descriptor", selectors,
	.covers = "field:HOST_ES_SELECTOR field:HOST_CS_SELECTOR field:HOST_SS_SELECTOR "
		  "field:HOST_DS_SELECTOR "
		  "field:HOST_FS_SELECTOR field:HOST_GS_SELECTOR field:HOST_TR_SELECTOR")
{
	const struct selector_row *row = TEST_ROW(struct selector_row);
	uint64_t value;
	outcome result;

	guest_reset();
	field_write(row->field, row->value);
	result = observe(VMCALL_CODE);
	value = *row->seen;
	restore_cs_and_tr();
	CHECK_EQUAL(test_observe(value), row->value);
	return result;
}

TEST(host, ldtr, SEGMENTS, "LDTR gets a null selector", EXITED,
	.covers = "field:GUEST_LDTR_SELECTOR")
{
	outcome result;

	field_write(VMCS_GUEST_LDTR_SELECTOR, 0x68);
	field_write(VMCS_GUEST_LDTR_LIMIT, 0xffff);
	field_write(VMCS_GUEST_LDTR_ACCESS_RIGHTS, 2 | ACCESS_RIGHTS_P);
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(seen.ldtr), 0);
	return result;
}

TEST(host, gdtr, SEGMENTS, "GDTR: the base of its field, limit 0xffff", EXITED,
	.covers = "field:HOST_GDTR_BASE")
{
	outcome result;

	field_write(VMCS_HOST_GDTR_BASE, read_gdtr().base);
	field_write(VMCS_GUEST_GDTR_BASE, UINT64_C(0x123456789000));
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(seen.gdtr.base), read_gdtr().base);
	CHECK_EQUAL(test_observe(seen.gdtr.limit), TABLE_LIMIT);
	return result;
}

TEST(host, idtr, SEGMENTS, "IDTR: the base of its field, limit 0xffff", EXITED,
	.covers = "field:HOST_IDTR_BASE")
{
	outcome result;

	field_write(VMCS_HOST_IDTR_BASE, UINT64_C(0xffff923456789abc));
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(seen.idtr.base), UINT64_C(0xffff923456789abc));
	CHECK_EQUAL(test_observe(seen.idtr.limit), TABLE_LIMIT);
	return result;
}

TEST(host, rflags, RIP_RSP, "RFLAGS is 2, whatever the guest left", EXITED,
	.covers = "field:GUEST_RFLAGS")
{
	outcome result = observe((struct guest_code)CODE_OF(host_all_flags));

	CHECK_EQUAL(test_observe(seen.rflags), RFLAGS_FIXED);
	return result;
}

TEST(host, rsp, RIP_RSP, "RSP and RIP are those of their fields", EXITED,
	.covers = "field:HOST_RSP field:HOST_RIP")
{
	outcome result = observe(VMCALL_CODE);

	CHECK_EQUAL(test_observe(seen.rsp_difference), 0);
	return result;
}

TEST(host, guest_state_gone, "SDM Loading Host State",
	"nothing of the guest's CR0, CR3 and CR4 remains", EXITED,
	.covers = "field:GUEST_CR0 field:GUEST_CR3 field:GUEST_CR4")
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	outcome result;

	field_write(VMCS_GUEST_CR0, cr0 ^ (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM));
	field_write(VMCS_GUEST_CR4, cr4 ^ (CR4_TSD | CR4_DE | CR4_PGE | CR4_PCE | CR4_OSFXSR));
	result = observe(VMCALL_CODE);
	CHECK_EQUAL(test_observe(seen.cr0), cr0);
	CHECK_EQUAL(test_observe(seen.cr3), cr3);
	CHECK_EQUAL(test_observe(seen.cr4), cr4);
	return result;
}
