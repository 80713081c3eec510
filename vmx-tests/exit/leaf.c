/* Instructions whose leaf, in EAX, selects a bit of an exiting bitmap (Intel SDM, "ENCLS-Exiting
   Bitmap", "ENCLV-Exiting Bitmap", "PCONFIG-Exiting Bitmap"). What a leaf does when it does not
   exit is not looked at. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Instructions That Cause VM Exits Conditionally"
#define LENGTH  3 /* bytes: each of the three */

GUEST64(leaf_encls, "encls");
GUEST64(leaf_enclv, "enclv");
GUEST64(leaf_pconfig, "pconfig");

struct leaf_instruction {
	struct guest_code code;
	uint64_t control; /* of the secondary ones */
	uint32_t bitmap;
	uint32_t reason;
};

static const struct leaf_instruction encls = { CODE_OF(leaf_encls), PROC2_ENCLS_EXITING,
	VMCS_ENCLS_EXITING_BITMAP, EXIT_REASON_ENCLS };
static const struct leaf_instruction enclv = { CODE_OF(leaf_enclv), PROC2_ENCLV_EXITING,
	VMCS_ENCLV_EXITING_BITMAP, EXIT_REASON_ENCLV };
static const struct leaf_instruction pconfig = { CODE_OF(leaf_pconfig), PROC2_ENABLE_PCONFIG,
	VMCS_PCONFIG_EXITING_BITMAP, EXIT_REASON_PCONFIG };

/* A leaf, and its bit: those from 63 on share the last one. */
struct leaf_row {
	struct test_row row;
	uint32_t leaf;
	unsigned int bit;
};

static const struct leaf_row leaves[] = {
	{ { "0", OK }, 0, 0 },
	{ { "1", OK }, 1, 1 },
	{ { "31", OK }, 31, 31 },
	{ { "32", OK }, 32, 32 },
	{ { "62", OK }, 62, 62 },
	{ { "63", OK }, 63, 63 },
	{ { "64", OK }, 64, 63 },
	{ { "bit 31 alone", OK }, UINT32_C(1) << 31, 63 },
	{ { "all bits", OK }, UINT32_MAX, 63 },
};

static outcome run(
	const struct leaf_instruction *instruction, uint32_t leaf, uint64_t bitmap, bool control)
{
	guest_reset();
	exit_control(CONTROL_WORD_PROC2, instruction->control, control);
	field_write(instruction->bitmap, bitmap);
	guest_gpr[RAX] = leaf;
	return exit_run(instruction->code);
}

/* With its bit alone the leaf exits; with all others it does whatever else it does. */
static outcome run_leaf(const struct leaf_instruction *instruction)
{
	const struct leaf_row *row = TEST_ROW(struct leaf_row);
	outcome exited = EXIT(instruction->reason), check;

	CHECK_EQUAL(run(instruction, row->leaf, BIT(row->bit), true), exited);
	check = exit_check_instruction(vmx_address(instruction->code.start), LENGTH, 0);
	if (check != OK)
		return check;
	CHECK(run(instruction, row->leaf, ~BIT(row->bit), true) != exited);
	return OK;
}

#define LEAF_SWEEP(name, control, reason)                                                          \
	SWEEP(leaf, name, SECTION,                                                                 \
		#reason " exits when its leaf's bit is 1; leaves from 63 on have bit 63", leaves,  \
		.needs = NEEDS(&need_PROC2_##control),                                             \
		.covers = "control:PROC2_" #control " exit:" #reason " field:" #reason             \
			  "_EXITING_BITMAP")                                                       \
	{                                                                                          \
		return run_leaf(&name);                                                            \
	}
LEAF_SWEEP(encls, ENCLS_EXITING, ENCLS)
LEAF_SWEEP(enclv, ENCLV_EXITING, ENCLV)
LEAF_SWEEP(pconfig, ENABLE_PCONFIG, PCONFIG)

#define CONTROL_0(name, control, mnemonic)                                                         \
	TEST(leaf, name##_control_0, SECTION, "with " #control " 0 the bitmap does not count", OK, \
		.needs = NEEDS(&need_PROC2_##control, &need_clear_PROC2_##control),                \
		.covers = "control:PROC2_" #control " exit:" #mnemonic)                            \
	{                                                                                          \
		CHECK(run(&name, 63, UINT64_MAX, false) != EXIT(name.reason));                     \
		return OK;                                                                         \
	}
CONTROL_0(encls, ENCLS_EXITING, ENCLS)
CONTROL_0(enclv, ENCLV_EXITING, ENCLV)

TEST(leaf, pconfig_disabled, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"PCONFIG is #UD when \"enable PCONFIG\" is 0", FAULT(UD),
	.needs = NEEDS(&need_PROC2_ENABLE_PCONFIG),
	.covers = "control:PROC2_ENABLE_PCONFIG exit:PCONFIG")
{
	return run(&pconfig, 0, UINT64_MAX, false);
}

TEST(leaf, pconfig_invalid, "SDM PCONFIG",
	"a leaf that does not exist makes #GP(0) where it does not exit", FAULT(GP),
	.needs = NEEDS(&need_PROC2_ENABLE_PCONFIG), .covers = "control:PROC2_ENABLE_PCONFIG")
{
	return run(&pconfig, 62, 0, true);
}
