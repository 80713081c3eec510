/* The PDPTE registers of PAE paging under EPT: loaded from the VMCS at VM entry and by MOV to CR,
   saved at VM exit (Intel SDM, "Checks on Guest Page-Directory-Pointer-Table Entries", "PDPTE
   Registers", "EPT Violations"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"
#include "vmx-tests/guest_tables.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)
#define COVERS                                                                                     \
	"field:GUEST_PDPTE0 field:GUEST_PDPTE1 field:GUEST_PDPTE2 field:GUEST_PDPTE3 "             \
	"control:PROC2_ENABLE_EPT"
#define TITLE  "SDM Checks on Guest Page-Directory-Pointer-Table Entries"
#define PDPTES 4

/* A table of its own page: EPT rights are per page. */
static uint64_t table[512] __aligned(4096);

GUEST_CODE32(pdpte_vmcall, "vmcall");
/* EDI to CR3; the jump back is another fetch with the new registers. */
GUEST_CODE32(pdpte_load_cr3, "movl %edi, %cr3; vmcall");
/* CR4.PGE, bit 7, changes: PDPTEs are loaded from where CR3 points. */
GUEST_CODE32(pdpte_load_cr4, "movl %cr4, %eax; xorl $0x80, %eax; movl %eax, %cr4; vmcall");
/* ESI: CR0.CD, and NW where it is set, since NW without CD is not allowed. */
GUEST_CODE32(pdpte_load_cr0, "movl %cr0, %eax; xorl %esi, %eax; movl %eax, %cr0; vmcall");
/* A PDPTE that memory no longer has, but the registers do. */
GUEST_CODE32(pdpte_change, "movl $0, (%esi); movl $0, 4(%esi); movl (%edi), %eax; vmcall");

static void write_pdptes(uint64_t difference)
{
	uint64_t i;

	for (i = 0; i < PDPTES; i++)
		field_write(VMCS_GUEST_PDPTE0 + 2 * i, guest_pae_pdpt[i] + difference);
}

/* A guest with PAE paging, its registers in the VMCS, and the same in memory, twice: where CR3
 * points and in table[]. */
static void open(const void *code, size_t bytes)
{
	uint64_t i;

	guest_set_mode(GUEST_PAE, code, bytes);
	ept_enable();
	write_pdptes(0);
	for (i = 0; i < PDPTES; i++)
		table[i] = guest_pae_pdpt[i];
	guest_gpr[RDI] = vmx_address(table);
	guest_gpr[RSI] = CR0_CD | (read_cr0() & CR0_NW);
}

TEST(pdpte, entry_loads_fields, TITLE,
	"with EPT, VM entry loads the PDPTEs from the VMCS, not from memory",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	uint64_t i;

	open(CODE(pdpte_vmcall));
	for (i = 0; i < PDPTES; i++)
		guest_pae_pdpt[i] = 0;
	return guest_enter();
}

TEST(pdpte, entry_ignores_memory, TITLE,
	"with EPT, a PDPTE that the VMCS says is not present is not, whatever memory says",
	FAULT(PF, PF_FETCH), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	outcome result;

	open(CODE(pdpte_vmcall));
	field_write(VMCS_GUEST_PDPTE0, 0);
	result = guest_run(NULL);
	return result == FAULT(PF, 0) ? FAULT(PF, PF_FETCH)
				      : result; /* without NX the fetch is not told */
}

TEST(pdpte, entry_without_ept, TITLE,
	"without EPT, VM entry loads the PDPTEs from memory, not from the VMCS",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	guest_set_mode(GUEST_PAE, CODE(pdpte_vmcall));
	return guest_enter();
}

TEST(pdpte, exit_saves, "SDM Saving Non-Register State",
	"with EPT, a VM exit saves the PDPTEs in use", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_ept, &need_clear_PROC_CR3_LOAD_EXITING), .covers = COVERS)
{
	outcome result;
	uint64_t i;

	open(CODE(pdpte_load_cr3));
	for (i = 0; i < PDPTES; i++)
		table[i] |= BIT(9 + i % 3); /* ignored bits, to tell them apart */
	result = guest_enter();
	for (i = 0; i < PDPTES; i++)
		CHECK_EQUAL(field_read(VMCS_GUEST_PDPTE0 + 2 * i), table[i]);
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), vmx_address(table));
	return result;
}

TEST(pdpte, registers_hold, "SDM PDPTE Registers",
	"a change in memory has no effect until the registers are loaded again",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	open(CODE(pdpte_change));
	guest_gpr[RSI] = vmx_address(&guest_pae_pdpt[0]);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return guest_enter();
}

struct load_row {
	struct test_row row;
	const uint8_t *code, *end;
	bool own_table; /* the registers are loaded from table[], else from guest_pae_pdpt */
};

#define LOADS(expected)                                                                            \
	{ { "MOV to CR3", expected }, pdpte_load_cr3, pdpte_load_cr3_end, true },                  \
		{ { "MOV to CR4", expected }, pdpte_load_cr4, pdpte_load_cr4_end, false },         \
	{                                                                                          \
		{ "MOV to CR0", expected }, pdpte_load_cr0, pdpte_load_cr0_end, false              \
	}

/* Gives the page of the PDPTEs those rights. */
static outcome run_load(const struct load_row *row, uint64_t clear, uint64_t set, uint64_t eptp,
	uint64_t *entry_after)
{
	uint64_t *from = row->own_table ? table : guest_pae_pdpt, *entry, cr0 = read_cr0();
	outcome result;

	guest_reset();
	open(row->code, (size_t)(row->end - row->code));
	field_set(VMCS_EPTP, eptp);
	entry = ept_entry(vmx_address(from), 1);
	*entry = (*entry & ~clear) | set;
	ept_invalidate();
	result = guest_enter();
	write_cr0(cr0); /* VM entry and exit do not change CD and NW */
	*entry_after = *entry;
	if (result == EXIT(EXIT_REASON_VMCALL))
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP) >= vmx_address(row->code), 1);
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), 32), vmx_address(from));
	return result;
}

static const struct load_row violations[] = { LOADS(VIOLATION) };

SWEEP(pdpte, load_violation, "SDM Exit Qualification for EPT Violations",
	"loading the PDPTEs by MOV to CR can violate EPT: a read, and bits 7 and 8 are clear",
	violations, .needs = NEEDS(&need_ept, &need_clear_PROC_CR3_LOAD_EXITING),
	.covers = "exit:EPT_VIOLATION")
{
	uint64_t entry;
	outcome result = run_load(TEST_ROW(struct load_row), EPT_ALL, 0, 0, &entry);

	if (result == VIOLATION)
		CHECK_EQUAL(
			field_read(VMCS_EXIT_QUALIFICATION) & (BITS(5, 0) | BITS(8, 7) | BIT(12)),
			EPT_VIOLATION_READ);
	return result;
}

static const struct load_row misconfigurations[] = { LOADS(
	EXIT(EXIT_REASON_EPT_MISCONFIGURATION)) };

SWEEP(pdpte, load_misconfiguration, "SDM EPT Misconfigurations",
	"loading the PDPTEs by MOV to CR can meet a misconfigured entry", misconfigurations,
	.needs = NEEDS(&need_ept, &need_clear_PROC_CR3_LOAD_EXITING),
	.covers = "exit:EPT_MISCONFIGURATION")
{
	uint64_t entry;

	return run_load(TEST_ROW(struct load_row), 0, EPT_MEMORY_TYPE, 0, &entry);
}

static const struct load_row reads[] = { LOADS(EXIT(EXIT_REASON_VMCALL)) };

SWEEP(pdpte, load_is_read, "SDM EPT Violations",
	"loading the PDPTEs is a read even with accessed and dirty flags for EPT: no write right "
	"needed, no dirty flag set",
	reads,
	.needs = NEEDS(&need_ept, &need_ept_accessed_dirty, &need_clear_PROC_CR3_LOAD_EXITING),
	.covers = "exit:EPT_VIOLATION cap:VMX_EPT_VPID_CAP_ACCESSED_DIRTY")
{
	uint64_t entry;
	outcome result =
		run_load(TEST_ROW(struct load_row), EPT_WRITE, 0, EPTP_ACCESSED_DIRTY, &entry);

	CHECK_EQUAL(test_observe(entry) & EPT_DIRTY, 0);
	return result;
}

struct reserved_row {
	struct test_row row;
	uint64_t bits;
};

static const struct reserved_row reserved[] = {
	{ { "bit 1", FAULT(GP) }, BIT(1) },
	{ { "bit 2", FAULT(GP) }, BIT(2) },
	{ { "bit 5", FAULT(GP) }, BIT(5) },
	{ { "bit 8", FAULT(GP) }, BIT(8) },
	{ { "bit 63", FAULT(GP) }, BIT(63) },
	{ { "bit 9", EXIT(EXIT_REASON_VMCALL) }, BIT(9) },
	{ { "bit 11", EXIT(EXIT_REASON_VMCALL) }, BIT(11) },
	{ { "PWT", EXIT(EXIT_REASON_VMCALL) }, PTE_PWT },
	{ { "PCD", EXIT(EXIT_REASON_VMCALL) }, PTE_PCD },
};

SWEEP(pdpte, load_reserved, "SDM PDPTE Registers",
	"MOV to CR3 with a reserved bit in a present PDPTE is #GP under EPT, too", reserved,
	.needs = NEEDS(&need_ept, &need_clear_PROC_CR3_LOAD_EXITING), .covers = COVERS)
{
	guest_reset();
	open(CODE(pdpte_load_cr3));
	table[3] |= TEST_ROW(struct reserved_row)->bits;
	return guest_run(NULL);
}

TEST(pdpte, page_directory, "SDM Exit Qualification for EPT Violations",
	"reading a PAE page directory that EPT does not give is a violation of the walk", VIOLATION,
	.needs = NEEDS(&need_ept), .covers = "exit:EPT_VIOLATION")
{
	uint64_t rip = vmx_address(pdpte_vmcall), gpa = vmx_address(&guest_pd[rip / PAGE_SIZE_2M]);
	outcome result;

	open(CODE(pdpte_vmcall));
	*ept_entry(gpa, 1) = 0;
	ept_invalidate();
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), gpa);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), rip);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & (BITS(5, 0) | BITS(8, 7)),
		EPT_VIOLATION_READ | EPT_VIOLATION_LINEAR_VALID);
	return result;
}

TEST(pdpte, page_directory_32bit, "SDM Exit Qualification for EPT Violations",
	"reading a page directory of 32-bit paging that EPT does not give is a violation of the "
	"walk",
	VIOLATION, .needs = NEEDS(&need_ept), .covers = "exit:EPT_VIOLATION")
{
	uint64_t rip = vmx_address(pdpte_vmcall),
		 gpa = vmx_address(&guest_pd32[rip / (2 * PAGE_SIZE_2M)]);
	outcome result;

	guest_set_mode(GUEST_PAGED32, CODE(pdpte_vmcall));
	ept_enable();
	*ept_entry(gpa, 1) = 0;
	ept_invalidate();
	result = guest_enter();
	CHECK_EQUAL(ALIGN_DOWN(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), 4), gpa);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), rip);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & (BITS(5, 0) | BITS(8, 7)),
		EPT_VIOLATION_READ | EPT_VIOLATION_LINEAR_VALID);
	return result;
}
