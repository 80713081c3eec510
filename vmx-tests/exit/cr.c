/* MOV to and from control registers: which exit, with which qualification for every register (Intel
   SDM, "Exit Qualification for Control-Register Accesses"). Masks and shadows are cr_mask.c's,
   CLTS, LMSW and SMSW clts_lmsw.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Exit Qualification for Control-Register Accesses"

/* One kind of access, made with each general register. */
struct access_row {
	struct test_row row;
	uint8_t number;
	bool from;
	uint64_t control;
};

#define ROW(name, number, from, control)                                                           \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_CR_ACCESS) }, number, from, control                       \
	}

static const struct access_row accesses[] = {
	ROW("mov to CR0", 0, false, 0),
	ROW("mov to CR3", 3, false, PROC_CR3_LOAD_EXITING),
	ROW("mov from CR3", 3, true, PROC_CR3_STORE_EXITING),
	ROW("mov to CR4", 4, false, 0),
	ROW("mov to CR8", 8, false, PROC_CR8_LOAD_EXITING),
	ROW("mov from CR8", 8, true, PROC_CR8_STORE_EXITING),
};

/* MOV CR in machine code: REX.R and REX.B are the upper bits of the two register numbers. */
static uint64_t set_mov_cr(unsigned int number, bool from, unsigned int gpr)
{
	uint8_t code[] = { (uint8_t)(0x40 | number >> 3 << 2 | gpr >> 3), 0x0f, from ? 0x20 : 0x22,
		(uint8_t)(0xc0 | (number & 7) << 3 | (gpr & 7)) };

	return exit_set_bytes(code, sizeof(code));
}

static uint64_t qualification(unsigned int number, bool from, unsigned int gpr)
{
	return FIELD_PUT(number, CR_ACCESS_NUMBER) |
	       FIELD_PUT(from ? CR_ACCESS_MOV_FROM : CR_ACCESS_MOV_TO, CR_ACCESS_TYPE) |
	       FIELD_PUT(gpr, CR_ACCESS_GPR);
}

static outcome run_access(const struct access_row *row, unsigned int gpr)
{
	uint64_t rip;
	outcome result, check;

	guest_reset();
	exit_control(CONTROL_WORD_PROC, row->control, true);
	field_write(VMCS_CR0_GUEST_HOST_MASK,
		UINT64_MAX); /* the registers' 0 differs from the shadows */
	field_write(VMCS_CR0_READ_SHADOW, read_cr0());
	field_write(VMCS_CR4_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR4_READ_SHADOW, UINT64_MAX);
	rip = set_mov_cr(row->number, row->from, gpr);
	result = guest_run(NULL);
	check = exit_check_instruction(rip, 4, qualification(row->number, row->from, gpr));
	return check == OK ? result : check;
}

SWEEP(cr, qualification, SECTION, "number, direction and each of 16 general registers", accesses,
	.covers = "exit:CR_ACCESS field:EXIT_QUALIFICATION control:PROC_CR3_LOAD_EXITING "
		  "control:PROC_CR3_STORE_EXITING control:PROC_CR8_LOAD_EXITING "
		  "control:PROC_CR8_STORE_EXITING")
{
	const struct access_row *row = TEST_ROW(struct access_row);
	outcome result;
	unsigned int gpr;

	for (gpr = 0; gpr < 16; gpr++) {
		result = run_access(row, gpr);
		if (result != row->row.expected)
			return result;
	}
	return row->row.expected;
}

GUEST64(cr_from_cr3, "movq %cr3, %rax");
GUEST64(cr_to_cr3, "movq %cr3, %rax; movq %rax, %cr3");
GUEST64(cr_from_cr8, "movq %cr8, %rax");
GUEST64(cr_to_cr8, "movq %rax, %cr8");
GUEST64(cr_from_cr0, "movq %cr0, %rax");
GUEST64(cr_from_cr2, "movq %cr2, %rax");
GUEST64(cr_to_cr2, "movq %cr2, %rax; movq %rax, %cr2");
GUEST64(cr_from_cr4, "movq %cr4, %rax");

#define ALL_CR_EXITING                                                                             \
	(PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING | PROC_CR8_LOAD_EXITING |                  \
		PROC_CR8_STORE_EXITING)

struct case_row {
	struct test_row row;
	struct guest_code code;
	uint64_t cleared; /* of ALL_CR_EXITING */
};

static const struct case_row not_exiting[] = {
	{ { "mov from CR3", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_from_cr3),
		PROC_CR3_STORE_EXITING },
	{ { "mov to CR3", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_to_cr3),
		PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING },
};

static outcome run_case(const struct case_row *row)
{
	guest_reset();
	exit_control(CONTROL_WORD_PROC, ALL_CR_EXITING, true);
	exit_control(CONTROL_WORD_PROC, row->cleared, false);
	field_write(VMCS_CR0_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR4_GUEST_HOST_MASK, UINT64_MAX);
	return exit_run(row->code);
}

SWEEP(cr, cr3_not_exiting, "SDM Instructions That Cause VM Exits Conditionally",
	"MOV to and from CR3 runs when its control is 0", not_exiting,
	.needs = NEEDS(&need_clear_PROC_CR3_LOAD_EXITING, &need_clear_PROC_CR3_STORE_EXITING),
	.covers = "exit:CR_ACCESS control:PROC_CR3_LOAD_EXITING control:PROC_CR3_STORE_EXITING")
{
	return run_case(TEST_ROW(struct case_row));
}

static const struct case_row cr8_not_exiting[] = {
	{ { "mov from CR8", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_from_cr8),
		PROC_CR8_STORE_EXITING },
	{ { "mov to CR8", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_to_cr8), PROC_CR8_LOAD_EXITING },
};

SWEEP(cr, cr8_not_exiting, "SDM Instructions That Cause VM Exits Conditionally",
	"MOV to and from CR8 runs when its control is 0", cr8_not_exiting,
	.covers = "exit:CR_ACCESS control:PROC_CR8_LOAD_EXITING control:PROC_CR8_STORE_EXITING")
{
	return run_case(TEST_ROW(struct case_row));
}

/* Each direction has its own control. */
static const struct case_row other_direction[] = {
	{ { "mov from CR3, CR3-load exiting 0", EXIT(EXIT_REASON_CR_ACCESS) }, CODE_OF(cr_from_cr3),
		PROC_CR3_LOAD_EXITING },
	{ { "mov from CR8, CR8-load exiting 0", EXIT(EXIT_REASON_CR_ACCESS) }, CODE_OF(cr_from_cr8),
		PROC_CR8_LOAD_EXITING },
	{ { "mov to CR8, CR8-store exiting 0", EXIT(EXIT_REASON_CR_ACCESS) }, CODE_OF(cr_to_cr8),
		PROC_CR8_STORE_EXITING },
};

SWEEP(cr, other_direction, "SDM Instructions That Cause VM Exits Conditionally",
	"the controls of loads do not govern stores, nor the other way round", other_direction,
	.needs = NEEDS(&need_clear_PROC_CR3_LOAD_EXITING), .covers = "exit:CR_ACCESS")
{
	return run_case(TEST_ROW(struct case_row));
}

static const struct case_row never[] = {
	{ { "mov from CR0", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_from_cr0), 0 },
	{ { "mov from CR2", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_from_cr2), 0 },
	{ { "mov to CR2", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_to_cr2), 0 },
	{ { "mov from CR4", EXIT(EXIT_REASON_VMCALL) }, CODE_OF(cr_from_cr4), 0 },
};

SWEEP(cr, never, "SDM Instructions That Cause VM Exits Conditionally",
	"reads of CR0 and CR4, and all accesses to CR2, never exit", never,
	.covers = "exit:CR_ACCESS")
{
	return run_case(TEST_ROW(struct case_row));
}

/* CR3-target values: the first `count` of them let a load pass. */
struct target_row {
	struct test_row row;
	uint32_t count, index; /* the target that holds the value */
};

#define LET   EXIT(EXIT_REASON_VMCALL)
#define EXITS EXIT(EXIT_REASON_CR_ACCESS)
static const struct target_row targets[] = {
	{ { "count 0, in value 0", EXITS }, 0, 0 },
	{ { "count 1, in value 0", LET }, 1, 0 },
	{ { "count 1, in value 1", EXITS }, 1, 1 },
	{ { "count 2, in value 0", LET }, 2, 0 },
	{ { "count 2, in value 1", LET }, 2, 1 },
	{ { "count 2, in value 2", EXITS }, 2, 2 },
	{ { "count 3, in value 2", LET }, 3, 2 },
	{ { "count 3, in value 3", EXITS }, 3, 3 },
	{ { "count 4, in value 0", LET }, 4, 0 },
	{ { "count 4, in value 1", LET }, 4, 1 },
	{ { "count 4, in value 2", LET }, 4, 2 },
	{ { "count 4, in value 3", LET }, 4, 3 },
	{ { "count 4, in none", EXITS }, 4, 4 },
};

GUEST64(cr_load_cr3, "movq %rax, %cr3");

SWEEP(cr, cr3_targets, "SDM CR3-Target Controls",
	"a load of CR3 with one of the first CR3-target-count values does not exit", targets,
	.needs = NEEDS(&need_cr3_targets_4),
	.covers = "exit:CR_ACCESS field:CR3_TARGET_COUNT field:CR3_TARGET_VALUE_0 "
		  "field:CR3_TARGET_VALUE_1 "
		  "field:CR3_TARGET_VALUE_2 field:CR3_TARGET_VALUE_3 control:PROC_CR3_LOAD_EXITING "
		  "cap:VMX_MISC_CR3_TARGETS")
{
	const struct target_row *row = TEST_ROW(struct target_row);
	uint32_t i;

	guest_reset();
	exit_control(CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING, true);
	field_write(VMCS_CR3_TARGET_COUNT, row->count);
	for (i = 0; i < 4; i++)
		field_write(VMCS_CR3_TARGET_VALUE_0 + 2 * i,
			i == row->index ? field_read(VMCS_GUEST_CR3)
					: UINT64_C(0x123000) * (i + 1));
	guest_gpr[RAX] = field_read(VMCS_GUEST_CR3);
	return exit_run((struct guest_code)CODE_OF(cr_load_cr3));
}

TEST(cr, cr3_target_low_bits, "SDM CR3-Target Controls", "all bits of the value count, bit 3 too",
	EXITS, .needs = NEEDS(&need_cr3_targets_4),
	.covers = "exit:CR_ACCESS field:CR3_TARGET_VALUE_0")
{
	exit_control(CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING, true);
	field_write(VMCS_CR3_TARGET_COUNT, 1);
	field_write(VMCS_CR3_TARGET_VALUE_0, field_read(VMCS_GUEST_CR3));
	guest_gpr[RAX] = field_read(VMCS_GUEST_CR3) | PTE_PWT;
	return exit_run((struct guest_code)CODE_OF(cr_load_cr3));
}

TEST(cr, cr3_loaded, "SDM CR3-Target Controls", "a load that does not exit loads CR3",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_cr3_targets_4),
	.covers = "field:GUEST_CR3 field:CR3_TARGET_VALUE_0")
{
	uint64_t value = field_read(VMCS_GUEST_CR3) | PTE_PWT;
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING, true);
	field_write(VMCS_CR3_TARGET_COUNT, 1);
	field_write(VMCS_CR3_TARGET_VALUE_0, value);
	guest_gpr[RAX] = value;
	result = exit_run((struct guest_code)CODE_OF(cr_load_cr3));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), value);
	return result;
}

TEST(cr, cr3_untouched, "SDM Architectural State Before a VM Exit",
	"a load that exits does not load CR3", EXITS, .covers = "field:GUEST_CR3")
{
	uint64_t value = field_read(VMCS_GUEST_CR3);
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING, true);
	guest_gpr[RAX] = value | PTE_PWT;
	result = exit_run((struct guest_code)CODE_OF(cr_load_cr3));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), value);
	return result;
}
