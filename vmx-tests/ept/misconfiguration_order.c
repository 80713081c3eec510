/* When an EPT entry's setting matters: address bits above the physical-address width, entries that
   are not present, and what comes first when two rules are broken (Intel SDM, "EPT
   Misconfigurations", "Prioritization of EPT Misconfigurations and EPT Violations"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION        EXIT(EXIT_REASON_EPT_VIOLATION)
#define MISCONFIGURATION EXIT(EXIT_REASON_EPT_MISCONFIGURATION)
#define COVERS           "exit:EPT_MISCONFIGURATION"

struct width_row {
	struct test_row row;
	unsigned int page, level;
};

static const struct width_row width_rows[] = {
	{ { "PDPTE", MISCONFIGURATION }, 1, 3 },
	{ { "PDE", MISCONFIGURATION }, 1, 2 },
	{ { "PDE of a 2-MByte page", MISCONFIGURATION }, 2, 2 },
	{ { "PTE", MISCONFIGURATION }, 1, 1 },
};
static const struct width_row width_rows_1g[] = { { { "PDPTE of a 1-GByte page", MISCONFIGURATION },
	3, 3 } };
static const struct width_row width_rows_root[] = { { { "PML4E", MISCONFIGURATION }, 1, 4 } };

/* Each bit from the physical-address width to 51, alone. */
static outcome run_width(const struct width_row *row)
{
	unsigned int bit;
	outcome result = MISCONFIGURATION;

	for (bit = window_physical_width(); bit < 52 && result == MISCONFIGURATION; bit++) {
		window_open(row->page);
		*window_entry(row->level) |= BIT(bit);
		result = window_access(ACCESS_READ, 0);
	}
	return result;
}

#define WIDTH_SWEEP(name, rows, ...)                                                               \
	SWEEP(misconfiguration, name, "SDM EPT Misconfigurations",                                 \
		"address bits beyond the physical-address width are reserved", rows,               \
		.needs = NEEDS(&need_ept, &need_reserved_physical, ##__VA_ARGS__),                 \
		.covers = COVERS)                                                                  \
	{                                                                                          \
		return run_width(TEST_ROW(struct width_row));                                      \
	}

WIDTH_SWEEP(address_width, width_rows)
WIDTH_SWEEP(address_width_1g, width_rows_1g, &need_ept_1g)
WIDTH_SWEEP(address_width_pml4e, width_rows_root, &need_wide_physical)

/* The highest address bit that is not reserved, in an entry that maps a page: no misconfiguration,
   whatever answers there. Reads of memory that does not exist give something. */
TEST(misconfiguration, address_width_inside, "SDM EPT Misconfigurations",
	"the address bit just below the physical-address width is not reserved",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	window_open(1);
	*window_entry(1) |= BIT(window_physical_width() - 1);
	ept_invalidate();
	return window_enter(ACCESS_READ, 0);
}

/* Bits that would be reserved in a present entry. */
#define EVERYTHING (BITS(62, 0) & ~EPT_ALL & ~EPT_EXECUTE_USER)

struct absent_row {
	struct test_row row;
	unsigned int page, level;
};

static const struct absent_row absent[] = {
	{ { "PDPTE", VIOLATION }, 1, 3 },
	{ { "PDE", VIOLATION }, 1, 2 },
	{ { "PTE", VIOLATION }, 1, 1 },
};

SWEEP(misconfiguration, not_present, "SDM EPT Translation Mechanism",
	"where bits 2:0 are 0 the entry is not present, and the others are ignored", absent,
	.needs = NEEDS(&need_ept), .covers = COVERS)
{
	const struct absent_row *row = TEST_ROW(struct absent_row);

	window_open(row->page);
	*window_entry(row->level) = EVERYTHING;
	return window_access(ACCESS_READ, 0);
}

struct order_row {
	struct test_row row;
	uint64_t upper; /* rights of the PDE */
	uint64_t upper_set, lower_set, lower_clear;
	enum access access;
};

static const struct order_row order[] = {
	/* The walk does not get to the second entry. */
	{ { "not present above misconfigured", VIOLATION }, 0, 0, FIELD_PUT(2, EPT_MEMORY_TYPE), 0,
		ACCESS_READ },
	{ { "misconfigured above not present", MISCONFIGURATION }, EPT_ALL, BIT(3), 0, ~UINT64_C(0),
		ACCESS_READ },
	/* Rights are judged when the walk is complete. */
	{ { "no write above misconfigured, write", MISCONFIGURATION }, EPT_READ | EPT_EXECUTE, 0,
		FIELD_PUT(7, EPT_MEMORY_TYPE), 0, ACCESS_WRITE },
	{ { "no execute above misconfigured, fetch", MISCONFIGURATION }, EPT_READ | EPT_WRITE, 0,
		FIELD_PUT(7, EPT_MEMORY_TYPE), 0, ACCESS_FETCH },
	{ { "not writable, and misconfigured itself, write", MISCONFIGURATION }, EPT_ALL, 0,
		FIELD_PUT(7, EPT_MEMORY_TYPE), EPT_WRITE, ACCESS_WRITE },
	{ { "no write above not present, read", VIOLATION }, EPT_READ | EPT_EXECUTE, 0, 0,
		~UINT64_C(0), ACCESS_READ },
};

SWEEP(misconfiguration, order, "SDM Prioritization of EPT Misconfigurations and EPT Violations",
	"entries are looked at from the root; a violation of rights is only found after a walk "
	"without misconfiguration",
	order, .needs = NEEDS(&need_ept), .covers = "exit:EPT_MISCONFIGURATION exit:EPT_VIOLATION")
{
	const struct order_row *row = TEST_ROW(struct order_row);

	window_open(1);
	*window_entry(2) = (*window_entry(2) & ~EPT_ALL) | row->upper | row->upper_set;
	*window_entry(1) = (*window_entry(1) & ~row->lower_clear) | row->lower_set;
	return window_access(row->access, 0);
}

/* A page fault of the guest's own comes first: its tables deny before EPT is asked about the page.
 */
TEST(misconfiguration, page_fault_first,
	"SDM Prioritization of EPT Misconfigurations and EPT Violations",
	"an access that the guest's tables do not allow is a page fault, whatever EPT has for the "
	"page",
	FAULT(PF, PF_PRESENT | PF_WRITE), .needs = NEEDS(&need_ept), .covers = COVERS)
{
	window_open(1);
	field_write(VMCS_GUEST_CR0, read_cr0() | CR0_WP);
	*window_guest_entry(1) &= ~(uint64_t)PTE_W;
	*window_entry(1) |= EPT_MEMORY_TYPE;
	ept_invalidate();
	return window_enter(ACCESS_WRITE, 0);
}
