/* The window's tables and the guest's accesses to it. */
#include "vmx-tests/ept/window.h"

#include "runtime/string.h"
#include "spec/cpuid.h"
#include "vmx-tests/guest_tables.h"

#define GUEST_RIGHTS (PTE_P | PTE_W | PTE_U | PTE_A)
#define LEAF         (EPT_ALL | FIELD_PUT(MEMORY_TYPE_WB, EPT_MEMORY_TYPE))
#define OPCODE_RET   0xc3

/* EPT structures of levels 2 and 1; those above are ept.c's, and the upper two entries are known
   since the window was opened first. Guest structures of levels 3, 2, 1. */
static uint64_t ept_pd[512] __aligned(4096), ept_pt[512] __aligned(4096);
static uint64_t *upper, root;
static uint64_t guest_tables[3][512] __aligned(4096);

unsigned int window_physical_width(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).eax & BITS(7, 0);
}

uint64_t window_gpa(void)
{
	return (window_physical_width() >= 40 ? 512 : 3) * PAGE_SIZE_1G +
	       vmx_address(guest_page[0]);
}

static uint64_t index_at(uint64_t address, unsigned int level)
{
	return address >> (12 + 9 * (level - 1)) & BITS(8, 0);
}

uint64_t *window_entry(unsigned int level)
{
	if (level == 4)
		return ept_entry(window_gpa(), 4);
	if (level == 3)
		return upper;
	return &(level == 2 ? ept_pd : ept_pt)[index_at(window_gpa(), level)];
}

uint64_t *window_guest_entry(unsigned int level)
{
	uint64_t *table = level == 4 ? guest_pml4 : guest_tables[3 - level];

	return &table[index_at(WINDOW_LINEAR, level)];
}

static void map_guest(void)
{
	*window_guest_entry(4) = vmx_address(guest_tables[0]) | GUEST_RIGHTS;
	*window_guest_entry(3) = vmx_address(guest_tables[1]) | GUEST_RIGHTS;
	*window_guest_entry(2) = vmx_address(guest_tables[2]) | GUEST_RIGHTS;
	*window_guest_entry(1) = window_gpa() | GUEST_RIGHTS | PTE_D;
}

static bool is_enabled(void)
{
	return field_read(VMCS_PROC_CONTROLS) & PROC_ACTIVATE_SECONDARY_CONTROLS &&
	       field_read(VMCS_PROC2_CONTROLS) & PROC2_ENABLE_EPT;
}

static uint64_t leaf(unsigned int level)
{
	uint64_t bytes = PAGE_SIZE << (9 * (level - 1));

	return ALIGN_DOWN(vmx_address(guest_page[0]), bytes) | LEAF | (level > 1 ? EPT_PAGE : 0);
}

static void map_ept(unsigned int level)
{
	*window_entry(4) = root;
	*window_entry(3) = level == 3 ? leaf(3) : vmx_address(ept_pd) | EPT_ALL;
	*window_entry(2) = level == 2 ? leaf(2) : vmx_address(ept_pt) | EPT_ALL;
	*window_entry(1) = leaf(1);
}

static void fill_pages(void)
{
	uint64_t i;

	for (i = 0; i < PAGE_SIZE; i += sizeof(uint64_t)) {
		*(volatile uint64_t *)(void *)(guest_page[0] + i) = WINDOW_WORD;
		*(volatile uint64_t *)(void *)(guest_page[1] + i) = WINDOW_OTHER;
	}
	guest_page[0][0] = OPCODE_RET;
}

void window_open(unsigned int level)
{
	if (!is_enabled()) {
		ept_enable();
		upper = ept_entry(window_gpa(), 3);
		root = *window_entry(4);
	}
	map_ept(level);
	map_guest();
	fill_pages();
}

void window_open_guest(void)
{
	map_guest();
	*window_guest_entry(1) += vmx_address(guest_page[0]) - window_gpa();
	fill_pages();
}

static void (*const codes[])(void) = {
	[ACCESS_READ] = guest_read, [ACCESS_WRITE] = guest_write, [ACCESS_FETCH] = guest_fetch
};

outcome window_enter(enum access access, uint64_t offset)
{
	guest_gpr[RDI] = WINDOW_LINEAR + offset;
	guest_gpr[RSI] = WINDOW_WRITE;
	return guest_run(codes[access]);
}

outcome window_access(enum access access, uint64_t offset)
{
	const volatile uint64_t *word = (const void *)(guest_page[0] + offset);
	uint64_t before = *word;
	outcome result;

	ept_invalidate();
	result = window_enter(access, offset);
	if (result != EXIT(EXIT_REASON_VMCALL)) {
		CHECK_EQUAL(test_observe(*word), before);
		return result;
	}
	if (access == ACCESS_READ)
		CHECK_EQUAL(test_observe(guest_gpr[RAX]), before);
	CHECK_EQUAL(test_observe(*word), access == ACCESS_WRITE ? WINDOW_WRITE : before);
	return OK;
}

uint64_t window_qualification(void)
{
	uint64_t undefined = EPT_VIOLATION_USER_EXECUTABLE;

	if (!(vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & VMX_EPT_VPID_CAP_ADVANCED_INFORMATION))
		undefined |=
			EPT_VIOLATION_USER | EPT_VIOLATION_PAGE_WRITABLE | EPT_VIOLATION_PAGE_NX;
	return field_read(VMCS_EXIT_QUALIFICATION) & ~undefined;
}
