/* EPT entries with settings reserved for future functionality (Intel SDM, "EPT Misconfigurations"
   and the formats of the entries in "EPT Translation Mechanism"): one bit or value at a time, at
   each level. Rights are permission.c's. */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION        EXIT(EXIT_REASON_EPT_VIOLATION)
#define MISCONFIGURATION EXIT(EXIT_REASON_EPT_MISCONFIGURATION)
#define COVERS           "exit:EPT_MISCONFIGURATION field:GUEST_PHYSICAL_ADDRESS"

struct entry_row {
	struct test_row row;
	unsigned int page;  /* level of the leaf */
	unsigned int level; /* whose entry is changed */
	uint64_t set, clear;
};

/* Changes the entry and reads; an exit names the guest-physical address. */
static outcome run_row(const struct entry_row *row)
{
	uint64_t *entry;
	outcome result;

	window_open(row->page);
	entry = window_entry(row->level);
	*entry = (*entry & ~row->clear) | row->set;
	result = window_access(ACCESS_READ, 8);
	if (result != OK)
		CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa() + 8);
	return result;
}

#define ENTRY_SWEEP(name, title, text, rows, ...)                                                  \
	SWEEP(misconfiguration, name, title, text, rows, .needs = NEEDS(__VA_ARGS__),              \
		.covers = COVERS)                                                                  \
	{                                                                                          \
		return run_row(TEST_ROW(struct entry_row));                                        \
	}

#define BIT_ROW(page, level, bit, expected)                                                        \
	{                                                                                          \
		{ "bit " #bit, expected }, page, level, BIT(bit), 0                                \
	}
#define BAD(page, level, bit)  BIT_ROW(page, level, bit, MISCONFIGURATION)
#define GOOD(page, level, bit) BIT_ROW(page, level, bit, OK)

static const struct entry_row pml4e[] = { BAD(1, 4, 3), BAD(1, 4, 4), BAD(1, 4, 5), BAD(1, 4, 6),
	BAD(1, 4, 7) };
static const struct entry_row pdpte[] = { BAD(1, 3, 3), BAD(1, 3, 4), BAD(1, 3, 5), BAD(1, 3, 6) };
static const struct entry_row pde[] = { BAD(1, 2, 3), BAD(1, 2, 4), BAD(1, 2, 5), BAD(1, 2, 6) };
static const struct entry_row pdpte_1g[] = { BAD(3, 3, 12), BAD(3, 3, 13), BAD(3, 3, 14),
	BAD(3, 3, 15), BAD(3, 3, 16), BAD(3, 3, 17), BAD(3, 3, 18), BAD(3, 3, 19), BAD(3, 3, 20),
	BAD(3, 3, 21), BAD(3, 3, 22), BAD(3, 3, 23), BAD(3, 3, 24), BAD(3, 3, 25), BAD(3, 3, 26),
	BAD(3, 3, 27), BAD(3, 3, 28), BAD(3, 3, 29) };
static const struct entry_row pde_2m[] = { BAD(2, 2, 12), BAD(2, 2, 13), BAD(2, 2, 14),
	BAD(2, 2, 15), BAD(2, 2, 16), BAD(2, 2, 17), BAD(2, 2, 18), BAD(2, 2, 19), BAD(2, 2, 20) };
static const struct entry_row no_1g[] = { BAD(1, 3, 7) };

ENTRY_SWEEP(reserved_pml4e, "SDM Format of an EPT PML4 Entry", "bits 7:3 of a PML4E are reserved",
	pml4e, &need_ept, &need_wide_physical)
ENTRY_SWEEP(reserved_pdpte, "SDM Format of an EPT Page-Directory-Pointer-Table Entry",
	"bits 6:3 are reserved where a PDPTE references a page directory", pdpte, &need_ept)
ENTRY_SWEEP(reserved_pdpte_1g, "SDM Format of an EPT PDPTE that Maps a 1-GByte Page",
	"bits 29:12 are reserved where a PDPTE maps a page", pdpte_1g, &need_ept, &need_ept_1g)
ENTRY_SWEEP(reserved_pde, "SDM Format of an EPT Page-Directory Entry",
	"bits 6:3 are reserved where a PDE references a page table", pde, &need_ept)
ENTRY_SWEEP(reserved_pde_2m, "SDM Format of an EPT PDE that Maps a 2-MByte Page",
	"bits 20:12 are reserved where a PDE maps a page", pde_2m, &need_ept)
ENTRY_SWEEP(no_1g_pages, "SDM VPID and EPT Capabilities",
	"bit 7 of a PDPTE is reserved where there are no 1-GByte pages", no_1g, &need_ept,
	&need_no_ept_1g)

/* Ignored whatever the controls: bits that no feature uses. Bits 8 and 9: accessed_dirty.c. */
#define IGNORED(page, level)                                                                       \
	GOOD(page, level, 11), GOOD(page, level, 52), GOOD(page, level, 53),                       \
		GOOD(page, level, 54), GOOD(page, level, 55), GOOD(page, level, 56),               \
		GOOD(page, level, 59), GOOD(page, level, 62)
/* Ignored here, since the controls that use them are 0: mode-based execute, guest-paging
   verification, paging-write, shadow stacks, sub-page permissions, #VE; accessed and dirty. */
#define IGNORED_OFF(page, level)                                                                   \
	GOOD(page, level, 8), GOOD(page, level, 9), GOOD(page, level, 10), GOOD(page, level, 57),  \
		GOOD(page, level, 58), GOOD(page, level, 60), GOOD(page, level, 61),               \
		GOOD(page, level, 63)

static const struct entry_row ignored_pml4e[] = { IGNORED(1, 4), IGNORED_OFF(1, 4) };
static const struct entry_row ignored_pdpte[] = { IGNORED(1, 3), IGNORED_OFF(1, 3) };
static const struct entry_row ignored_pdpte_1g[] = { IGNORED(3, 3), IGNORED_OFF(3, 3) };
static const struct entry_row ignored_pde[] = { IGNORED(1, 2), IGNORED_OFF(1, 2) };
static const struct entry_row ignored_pde_2m[] = { IGNORED(2, 2), IGNORED_OFF(2, 2),
	GOOD(2, 2, 6) };
static const struct entry_row ignored_pte[] = { IGNORED(1, 1), IGNORED_OFF(1, 1), GOOD(1, 1, 6),
	GOOD(1, 1, 7) };

ENTRY_SWEEP(ignored_pml4e, "SDM Format of an EPT PML4 Entry",
	"bits that the manual calls ignored are", ignored_pml4e, &need_ept, &need_wide_physical)
ENTRY_SWEEP(ignored_pdpte, "SDM Format of an EPT Page-Directory-Pointer-Table Entry",
	"bits that the manual calls ignored are", ignored_pdpte, &need_ept)
ENTRY_SWEEP(ignored_pdpte_1g, "SDM Format of an EPT PDPTE that Maps a 1-GByte Page",
	"bits that the manual calls ignored are", ignored_pdpte_1g, &need_ept, &need_ept_1g)
ENTRY_SWEEP(ignored_pde, "SDM Format of an EPT Page-Directory Entry",
	"bits that the manual calls ignored are", ignored_pde, &need_ept)
ENTRY_SWEEP(ignored_pde_2m, "SDM Format of an EPT PDE that Maps a 2-MByte Page",
	"bits that the manual calls ignored are", ignored_pde_2m, &need_ept)
ENTRY_SWEEP(ignored_pte, "SDM Format of an EPT Page-Table Entry",
	"bits that the manual calls ignored are; bit 7 too, in a PTE", ignored_pte, &need_ept)

/* Memory types. */
#define TYPE_ROW(page, level, type, expected)                                                      \
	{                                                                                          \
		{ "type " #type, expected }, page, level, FIELD_PUT(type, EPT_MEMORY_TYPE),        \
			EPT_MEMORY_TYPE                                                            \
	}
#define TYPE_ROWS(page, level)                                                                     \
	TYPE_ROW(page, level, 0, OK), TYPE_ROW(page, level, 1, OK),                                \
		TYPE_ROW(page, level, 2, MISCONFIGURATION),                                        \
		TYPE_ROW(page, level, 3, MISCONFIGURATION), TYPE_ROW(page, level, 4, OK),          \
		TYPE_ROW(page, level, 5, OK), TYPE_ROW(page, level, 6, OK),                        \
		TYPE_ROW(page, level, 7, MISCONFIGURATION)

static const struct entry_row types_4k[] = { TYPE_ROWS(1, 1) };
static const struct entry_row types_2m[] = { TYPE_ROWS(2, 2) };
static const struct entry_row types_1g[] = { TYPE_ROWS(3, 3) };

ENTRY_SWEEP(memory_type_4k, "SDM EPT Misconfigurations",
	"memory types 2, 3 and 7 are reserved: 4-KByte page", types_4k, &need_ept)
ENTRY_SWEEP(memory_type_2m, "SDM EPT Misconfigurations",
	"memory types 2, 3 and 7 are reserved: 2-MByte page", types_2m, &need_ept)
ENTRY_SWEEP(memory_type_1g, "SDM EPT Misconfigurations",
	"memory types 2, 3 and 7 are reserved: 1-GByte page", types_1g, &need_ept, &need_ept_1g)
