/* Sub-page write permissions (Intel SDM, "Sub-Page Write Permissions"): writes to 128 bytes of a
   page that EPT makes read-only, as the SPP tables allow. */
#define TEST_FOLDER "ept/"
#include "runtime/string.h"
#include "vmx-tests/ept/window.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)
#define EVENT     EXIT(EXIT_REASON_SPP_EVENT)
#define COVERS    "control:PROC2_SUB_PAGE_WRITE_PERMISSIONS field:SPPTP"
#define NEEDED    NEEDS(&need_ept, &need_PROC2_SUB_PAGE_WRITE_PERMISSIONS)
#define ELIGIBLE  "SDM Write Accesses That Are Eligible for Sub-Page Write Permissions"
#define DETERMINE "SDM Determining an Access's Sub-Page Write Permission"
#define ALL_EVEN  UINT64_C(0x5555555555555555)

/* The SPP tables, levels 4 to 1. */
static uint64_t tables[4][512] __aligned(4096);

static uint64_t *table_entry(unsigned int level)
{
	return &tables[4 - level][window_gpa() >> (12 + 9 * (level - 1)) & BITS(8, 0)];
}

/* A 4-KByte page, readable and executable, with bit 61, and SPP tables that lead to that vector. */
static void open(uint64_t vector)
{
	unsigned int level;

	window_open(1);
	*window_entry(1) = (*window_entry(1) & ~(uint64_t)EPT_WRITE) | EPT_SUB_PAGE;
	memset(tables, 0, sizeof(tables));
	for (level = 4; level > 1; level--)
		*table_entry(level) = vmx_address(tables[4 - level + 1]) | SPP_VALID;
	*table_entry(1) = vector;
	proc2_set(PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	field_write(VMCS_SPPTP, vmx_address(tables[0]));
}

TEST(spp, allowed, DETERMINE,
	"a write to a sub-page is allowed where its even bit of the vector is 1: each of the 32 "
	"alone",
	OK, .needs = NEEDED, .covers = COVERS)
{
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / SPP_SUB_PAGE; i++) {
		open(BIT(2 * i));
		CHECK_EQUAL(window_access(ACCESS_WRITE, i * SPP_SUB_PAGE), OK);
		CHECK_EQUAL(window_access(ACCESS_WRITE, (i + 1) * SPP_SUB_PAGE - 8), OK);
	}
	return OK;
}

TEST(spp, denied, DETERMINE,
	"a write to a sub-page violates EPT where its even bit of the vector is 0: each of the 32 "
	"alone",
	VIOLATION, .needs = NEEDED, .covers = COVERS " exit:EPT_VIOLATION")
{
	outcome result = VIOLATION;
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / SPP_SUB_PAGE && result == VIOLATION; i++) {
		open(ALL_EVEN & ~BIT(2 * i));
		result = window_access(ACCESS_WRITE, i * SPP_SUB_PAGE + 8);
		CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS),
			window_gpa() + i * SPP_SUB_PAGE + 8);
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & BITS(2, 0), EPT_VIOLATION_WRITE);
	}
	return result;
}

struct access_row {
	struct test_row row;
	enum access access;
	uint64_t vector;
};
static const struct access_row others[] = { { { "read", OK }, ACCESS_READ, 0 },
	{ { "fetch", OK }, ACCESS_FETCH, 0 } };

SWEEP(spp, others, ELIGIBLE, "reads and fetches do not look at the tables", others, .needs = NEEDED,
	.covers = COVERS)
{
	open(TEST_ROW(struct access_row)->vector);
	*table_entry(2) = 0;
	return window_access(TEST_ROW(struct access_row)->access, 0);
}

TEST(spp, not_enabled, ELIGIBLE, "with the control 0, bit 61 is ignored: the write violates EPT",
	VIOLATION, .needs = NEEDED, .covers = COVERS)
{
	open(ALL_EVEN);
	field_clear(VMCS_PROC2_CONTROLS, PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	return window_access(ACCESS_WRITE, 0);
}

TEST(spp, bit_61_clear, ELIGIBLE, "without bit 61 in the PTE, the write violates EPT", VIOLATION,
	.needs = NEEDED, .covers = COVERS)
{
	open(ALL_EVEN);
	*window_entry(1) &= ~(uint64_t)EPT_SUB_PAGE;
	return window_access(ACCESS_WRITE, 0);
}

TEST(spp, writable, ELIGIBLE, "where EPT allows the write, the tables are not looked at", OK,
	.needs = NEEDED, .covers = COVERS)
{
	open(0);
	*window_entry(1) |= EPT_WRITE;
	*table_entry(4) = 0;
	return window_access(ACCESS_WRITE, 0);
}

TEST(spp, page_2m, ELIGIBLE, "a 2-MByte page has no sub-page permissions: the write violates EPT",
	VIOLATION, .needs = NEEDED, .covers = COVERS)
{
	open(ALL_EVEN);
	window_open(2);
	*window_entry(2) = (*window_entry(2) & ~(uint64_t)EPT_WRITE) | EPT_SUB_PAGE;
	return window_access(ACCESS_WRITE, 0);
}

struct level_row {
	struct test_row row;
	unsigned int level;
};
static const struct level_row levels[] = { { { "level 4", EVENT }, 4 }, { { "level 3", EVENT }, 3 },
	{ { "level 2", EVENT }, 2 } };

static outcome check_event(outcome result, uint64_t kind)
{
	if (result != EVENT)
		return result;
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & (SPP_EVENT_MISS | BIT(12)), kind);
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa());
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), WINDOW_LINEAR);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_write);
	return result;
}

SWEEP(spp, miss, DETERMINE, "an entry that is not valid is an SPP miss", levels, .needs = NEEDED,
	.covers = COVERS " exit:SPP_EVENT")
{
	open(ALL_EVEN);
	*table_entry(TEST_ROW(struct level_row)->level) &= ~(uint64_t)SPP_VALID;
	return check_event(window_access(ACCESS_WRITE, 0), SPP_EVENT_MISS);
}

SWEEP(spp, reserved, DETERMINE,
	"bits 11:1 of a valid entry are reserved: each is an SPP misconfiguration", levels,
	.needs = NEEDED, .covers = COVERS " exit:SPP_EVENT")
{
	outcome result = EVENT;
	unsigned int bit;

	for (bit = 1; bit < 12 && result == EVENT; bit++) {
		open(ALL_EVEN);
		*table_entry(TEST_ROW(struct level_row)->level) |= BIT(bit);
		result = check_event(window_access(ACCESS_WRITE, 0), 0);
	}
	return result;
}

TEST(spp, vector_reserved, DETERMINE,
	"odd bits of the vector are reserved: each is an SPP misconfiguration", EVENT,
	.needs = NEEDED, .covers = COVERS " exit:SPP_EVENT")
{
	outcome result = EVENT;
	unsigned int bit;

	for (bit = 1; bit < 64 && result == EVENT; bit += 2) {
		open(ALL_EVEN | BIT(bit));
		result = check_event(window_access(ACCESS_WRITE, 0), 0);
	}
	if (result != EVENT)
		return test_mismatch(__LINE__, "bit %u is taken", bit - 2);
	return result;
}

TEST(spp, resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an SPP-related event saves RFLAGS.RF as 1", EVENT, .needs = NEEDED,
	.covers = "exit:SPP_EVENT field:GUEST_RFLAGS")
{
	outcome result;

	open(ALL_EVEN);
	*table_entry(2) = 0;
	result = window_access(ACCESS_WRITE, 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
	return result;
}
