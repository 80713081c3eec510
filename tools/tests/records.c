/* Three tests as a suite declares them, for the reader of records: nothing here ever runs. */
#define TEST_FOLDER "folder/"
#include "runtime/harness.h"

static bool never(void)
{
	return false;
}

static const struct test_need need_luck = { "no luck (LUCK bit 7)", never };

TEST(group, plain, "SDM VMXON", "a rule, in words", FAULT(GP, 0x18), .needs = NEEDS(&need_luck),
	.covers = "field:EPTP insn:VMXON")
{
	return OK;
}

struct row {
	struct test_row row;
	uint64_t value;
};

static const struct row rows[] = {
	{ { "low", EXIT(12) }, 1 },
	{ { "high", FAIL_VALID(7) }, 2 },
};

SWEEP(group, rows, "SDM HLT", "each row", rows)
{
	return OK;
}

TEST(alone, end, "SDM VMX Aborts", "the machine ends", SHUTDOWN)
{
	return OK;
}

void image_entry(void)
{
}
