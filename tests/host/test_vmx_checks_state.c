/* The gathering of a struct vmx_state from a source: CPUs made up in CPUID and MSRs, and the bits
   that are then reserved; words of memory that can be read, and not.

   Links: spec/vmx_checks*.c spec/vmx_state.c spec/vmx_names.c
*/
#include "spec/vmx_checks.h"

#include "tests/host/tap.h"

struct leaf {
	uint32_t leaf, subleaf, regs[4];
};

struct number {
	uint32_t index;
	uint64_t value;
};

/* A CPU, its VMCS, and one region of memory. */
struct forged {
	struct vmx_source source;
	const struct leaf *leaf;
	const struct number *msr, *field;
	uint64_t memory_address;
	uint8_t memory[64];
};

static const struct forged *forged_of(const struct vmx_source *source)
{
	return (const struct forged *)source;
}

static uint64_t find(const struct number *number, uint32_t index)
{
	for (; number && (number->index || number->value); number++)
		if (number->index == index)
			return number->value;
	return 0;
}

static uint64_t forged_vmread(const struct vmx_source *source, uint32_t encoding)
{
	return find(forged_of(source)->field, encoding);
}

static uint64_t forged_rdmsr(const struct vmx_source *source, uint32_t number)
{
	return find(forged_of(source)->msr, number);
}

/* What the table lacks reads as garbage, as a leaf beyond the last one may. */
static void forged_cpuid(
	const struct vmx_source *source, uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	const struct leaf *row = forged_of(source)->leaf;

	memset(regs, 0xff, 4 * sizeof(regs[0]));
	for (; row->leaf != 0xffffffff; row++)
		if (row->leaf == leaf && row->subleaf == subleaf)
			memcpy(regs, row->regs, sizeof(row->regs));
}

static uint64_t forged_current_vmcs(const struct vmx_source *source)
{
	return 0x5000;
}

static bool forged_read_physical(
	const struct vmx_source *source, uint64_t address, size_t bytes, uint64_t *value)
{
	const struct forged *forged = forged_of(source);
	uint64_t offset = address - forged->memory_address;

	*value = 0;
	if (offset > sizeof(forged->memory) - bytes)
		return false;
	memcpy(value, &forged->memory[offset], bytes);
	return true;
}

#define FORGED                                                                                     \
	.source = { forged_vmread, forged_rdmsr, forged_cpuid, forged_current_vmcs,                \
		forged_read_physical }
#define LAST_LEAF                                                                                  \
	{                                                                                          \
		0xffffffff, 0,                                                                     \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}

/* ---- CPUs ---- */

/* 64-bit, with shadow stacks and branch tracking, MPX, a trace unit, LBRs, 8 general and 3 fixed
   counters with metrics. */
static const struct leaf full_leaves[] = {
	{ 0, 0, { 0x1c, 0, 0, 0 } },
	{ 7, 0, { 1, BIT(2) | BIT(11) | BIT(14) | BIT(25), BIT(7) | BIT(24), BIT(19) | BIT(20) } },
	{ 7, 1, { BIT(26), 0, 0, 0 } },
	{ 10, 0, { 0x07300805, 0, 0, 0x00000603 } },
	{ 0x14, 0, { 1, 0xf, 0x1, 0 } },
	{ 0x14, 1, { 2, 0, 0, 0 } },
	{ 0x1c, 0, { 0, 0x3, 0, 0 } },
	{ 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
	{ 0x80000001, 0, { 0, 0, 0, BIT(11) | BIT(20) | BIT(29) } },
	{ 0x80000008, 0, { 0x3034, 0, 0, 0 } },
	LAST_LEAF,
};

static void full_cpu(void)
{
	static const struct number msrs[] = {
		{ MSR_IA32_EFER, 0xd01 },
		{ MSR_IA32_PERF_CAPABILITIES, BIT(15) },
		{ MSR_IA32_RTIT_CTL, 0x2401 },
		{ MSR_IA32_VMX_BASIC, 0x00d8040000000004 },
		{ MSR_IA32_VMX_EXIT_CTLS2, 0x8 },
		{ 0, 0 },
	};
	const struct forged forged = { FORGED, .leaf = full_leaves, .msr = msrs };
	struct vmx_state state;

	vmx_state_read_cpu(&state, &forged.source);
	CHECK_EQ(state.cpu.physical_width, 52);
	CHECK_EQ(state.cpu.linear_width, 48);
	CHECK(state.cpu.intel64 && state.cpu.ia32e && state.cpu.tracing && !state.cpu.in_smm);
	CHECK(state.cpu.sgx && state.cpu.rtm && state.cpu.bus_lock_detection);
	CHECK(state.cpu.lam);
	CHECK_EQ(state.cpu.debugctl, 0xffc7);
	CHECK_EQ(state.cpu.efer, 0xd01);
	CHECK_EQ(state.cpu.perf_global_ctrl, 0x00010007000000ff);
	CHECK_EQ(state.cpu.bndcfgs, 0xfffffffffffff003);
	CHECK_EQ(state.cpu.s_cet, 0xfffffffffffffc3f);
	CHECK_EQ(state.cpu.lbr_ctl, 0x7f0007);
	/* TraceEn CYCEn OS User CR3Filter ToPA MTCEn TSCEn DisRETC BranchEn MTCFreq CycThresh
	   PSBFreq, two address ranges; no bits 4, 5, 6, 12, 31, 55, 56. */
	CHECK_EQ(state.cpu.rtit_ctl, 0xff0f7bef8f);
	CHECK_EQ(state.cpu.current_vmcs, 0x5000);
	CHECK_EQ(vmx_state_capability(&state, MSR_IA32_VMX_BASIC), 0x00d8040000000004);
	CHECK_EQ(vmx_state_capability(&state, MSR_IA32_VMX_EXIT_CTLS2), 0x8);
	CHECK_EQ(vmx_state_capability(&state, MSR_IA32_VMX_MISC), 0);
}

/* An early 32-bit CPU: leaves beyond the last one must not be believed. */
static void old_cpu(void)
{
	static const struct leaf leaves[] = {
		{ 0, 0, { 6, 0, 0, 0 } },
		{ 0x80000000, 0, { 0x80000001, 0, 0, 0 } },
		{ 0x80000001, 0, { 0, 0, 0, BIT(20) } },
		LAST_LEAF,
	};
	const struct forged forged = { FORGED, .leaf = leaves };
	struct vmx_state state;

	vmx_state_read_cpu(&state, &forged.source);
	CHECK_EQ(state.cpu.physical_width, 36);
	CHECK_EQ(state.cpu.linear_width, 32);
	CHECK(!state.cpu.intel64 && !state.cpu.ia32e && !state.cpu.tracing);
	CHECK(!state.cpu.sgx && !state.cpu.rtm && !state.cpu.bus_lock_detection);
	CHECK(!state.cpu.lam);
	CHECK_EQ(state.cpu.debugctl, 0x7fc3);
	CHECK_EQ(state.cpu.efer, 0x800);
	CHECK_EQ(state.cpu.perf_global_ctrl, 0);
	CHECK_EQ(state.cpu.bndcfgs, 0);
	CHECK_EQ(state.cpu.s_cet, 0);
	CHECK_EQ(state.cpu.lbr_ctl, 0);
	CHECK_EQ(state.cpu.rtit_ctl, 0);
}

/* Shadow stacks without branch tracking, and the other way round; no subleaf 1 of leaf 7. */
static void half_of_cet(void)
{
	struct leaf leaves[] = {
		{ 0, 0, { 7, 0, 0, 0 } },
		{ 7, 0, { 0, 0, BIT(7), 0 } },
		{ 0x80000000, 0, { 0x80000008, 0, 0, 0 } },
		{ 0x80000001, 0, { 0, 0, 0, BIT(29) } },
		{ 0x80000008, 0, { 0x3930, 0, 0, 0 } },
		LAST_LEAF,
	};
	const struct forged forged = { FORGED, .leaf = leaves };
	struct vmx_state state;

	vmx_state_read_cpu(&state, &forged.source);
	CHECK_EQ(state.cpu.s_cet, 0x3);
	CHECK(!state.cpu.lam);
	CHECK_EQ(state.cpu.linear_width, 57);
	CHECK_EQ(state.cpu.efer, 0x500);
	leaves[1].regs[2] = 0;
	leaves[1].regs[3] = BIT(20);
	vmx_state_read_cpu(&state, &forged.source);
	CHECK_EQ(state.cpu.s_cet, 0xfffffffffffffc3c);
}

/* ---- Memory ---- */

static const struct number memory_msrs[] = { { MSR_IA32_VMX_BASIC, 4 }, { 0, 0 } };

static void virtual_apic_page(void)
{
	static const struct number fields[] = {
		{ VMCS_PROC_CONTROLS, BIT(21) },
		{ VMCS_VIRTUAL_APIC_ADDRESS, 0x7000 },
		{ VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER },
		{ 0, 0 },
	};
	struct forged forged = { FORGED, .leaf = full_leaves, .msr = memory_msrs, .field = fields,
		.memory_address = 0x7080, .memory = { 0x50, 1, 2, 3, 4 } };
	struct vmx_state state;

	vmx_state_read(&state, &forged.source);
	CHECK(state.vtpr.known && !state.link_revision.known && !state.pdpte[0].known);
	CHECK_EQ(state.vtpr.value, 0x03020150);
	forged.source.read_physical = NULL;
	vmx_state_read(&state, &forged.source);
	CHECK(!state.vtpr.known);
}

static void linked_vmcs(void)
{
	static const struct number fields[] = { { VMCS_VMCS_LINK_POINTER, 0x9000 }, { 0, 0 } };
	struct forged forged = { FORGED, .leaf = full_leaves, .msr = memory_msrs, .field = fields,
		.memory_address = 0x9000, .memory = { 4, 0, 0, 0x80, 1 } };
	struct vmx_state state;

	vmx_state_read(&state, &forged.source);
	CHECK(state.link_revision.known && !state.vtpr.known);
	CHECK_EQ(state.link_revision.value, 0x80000004);
	forged.memory_address = 0xa000;
	vmx_state_read(&state, &forged.source);
	CHECK(!state.link_revision.known);
}

static void pdptes(void)
{
	struct number fields[] = {
		{ VMCS_GUEST_CR0, CR0_PE | CR0_PG },
		{ VMCS_GUEST_CR4, CR4_PAE },
		{ VMCS_GUEST_CR3, 0x120000b038 },
		{ VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER },
		{ VMCS_VM_ENTRY_CONTROLS, 0 },
		{ 0, 0 },
	};
	struct forged forged = { FORGED, .leaf = full_leaves, .msr = memory_msrs, .field = fields,
		.memory_address = 0xb020, .memory = { 1, [9] = 2, [18] = 3, [31] = 4 } };
	struct vmx_state state;

	vmx_state_read(&state, &forged.source);
	CHECK(state.pdpte[0].known && state.pdpte[3].known);
	CHECK_EQ(state.pdpte[0].value, 1);
	CHECK_EQ(state.pdpte[1].value, 0x200);
	CHECK_EQ(state.pdpte[2].value, 0x30000);
	CHECK_EQ(state.pdpte[3].value, 0x0400000000000000);
	fields[4].value = BIT(9);
	vmx_state_read(&state, &forged.source);
	CHECK(!state.pdpte[0].known);
}

TAP_MAIN(TAP_TEST(full_cpu), TAP_TEST(old_cpu), TAP_TEST(half_of_cet), TAP_TEST(virtual_apic_page),
	TAP_TEST(linked_vmcs), TAP_TEST(pdptes))
