/* The suite's good state in each mode of the guest: what every other test starts from. */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

/* VMCALL is the same in all modes, and so is the jump behind it. */
GUEST_CODE64(mode_vmcall, "vmcall; 1: jmp 1b");

struct mode_row {
	struct test_row row;
	enum guest_mode mode;
};

static outcome run_mode(enum guest_mode mode)
{
	guest_reset();
	guest_set_mode(mode, CODE(mode_vmcall));
	return guest_enter();
}

static const struct mode_row modes[] = {
	{ { "64-bit", EXIT(EXIT_REASON_VMCALL) }, GUEST_64BIT },
	{ { "64-bit, CPL 3", EXIT(EXIT_REASON_VMCALL) }, GUEST_64BIT_USER },
	{ { "compatibility", EXIT(EXIT_REASON_VMCALL) }, GUEST_COMPATIBILITY },
	{ { "compatibility, CPL 3", EXIT(EXIT_REASON_VMCALL) }, GUEST_COMPATIBILITY_USER },
	{ { "PAE paging", EXIT(EXIT_REASON_VMCALL) }, GUEST_PAE },
	{ { "32-bit paging", EXIT(EXIT_REASON_VMCALL) }, GUEST_PAGED32 },
	{ { "16-bit protected", EXIT(EXIT_REASON_VMCALL) }, GUEST_PROTECTED16 },
	{ { "virtual-8086", EXIT(EXIT_REASON_VMCALL) }, GUEST_VIRTUAL_8086 },
};

SWEEP(mode, paged, "SDM Loading Guest State", "a good state is entered, in each mode with paging",
	modes)
{
	return run_mode(TEST_ROW(struct mode_row)->mode);
}

static const struct mode_row unpaged[] = {
	{ { "protected", EXIT(EXIT_REASON_VMCALL) }, GUEST_UNPAGED32 },
	{ { "real", EXIT(EXIT_REASON_VMCALL) }, GUEST_REAL },
};

SWEEP(mode, unpaged, "SDM Unrestricted Guests",
	"an unrestricted guest needs no paging and no protection", unpaged,
	.needs = NEEDS(&need_unrestricted), .covers = "control:PROC2_UNRESTRICTED_GUEST")
{
	return run_mode(TEST_ROW(struct mode_row)->mode);
}
