/* CLTS and LMSW: the mask and the shadow decide whether they exit (Intel SDM, "Instructions That
   Cause VM Exits Conditionally", "Changes to Instruction Behavior in VMX Non-Root Operation"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/beat.h"
#include "vmx-tests/exit/exit.h"

#define SECTION   "SDM Instructions That Cause VM Exits Conditionally"
#define CHANGES   "SDM Changes to Instruction Behavior in VMX Non-Root Operation"
#define COVERS    "exit:CR_ACCESS field:CR0_GUEST_HOST_MASK field:CR0_READ_SHADOW"
#define LMSW_BITS (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

GUEST64(clts_lmsw_clts, "clts");
GUEST64(clts_lmsw_lmsw, "lmsw %ax");
GUEST64(clts_lmsw_memory, "lmsw 8(%rdi)");

/* CLTS with CR0.TS = 1: what becomes of it. */
struct clts_row {
	struct test_row row;
	uint64_t mask, shadow;
	bool clears;
};

static const struct clts_row clts[] = {
	{ { "mask 0, shadow 0", EXIT(EXIT_REASON_VMCALL) }, 0, 0, true },
	{ { "mask 0, shadow 1", EXIT(EXIT_REASON_VMCALL) }, 0, CR0_TS, true },
	{ { "mask 1, shadow 0", EXIT(EXIT_REASON_VMCALL) }, CR0_TS, 0, false },
	{ { "mask 1, shadow 1", EXIT(EXIT_REASON_CR_ACCESS) }, CR0_TS, CR0_TS, false },
	{ { "all other bits 1", EXIT(EXIT_REASON_VMCALL) }, ~CR0_TS, ~CR0_TS, true },
	{ { "mask 1, all other shadow bits 1", EXIT(EXIT_REASON_VMCALL) }, CR0_TS, ~CR0_TS, false },
};

SWEEP(clts_lmsw, clts, SECTION,
	"CLTS exits when CR0.TS is 1 in mask and shadow; it clears CR0.TS where the mask is 0",
	clts, .covers = COVERS " insn:CLTS")
{
	const struct clts_row *row = TEST_ROW(struct clts_row);
	outcome result;

	guest_reset();
	field_set(VMCS_GUEST_CR0, CR0_TS);
	field_write(VMCS_CR0_GUEST_HOST_MASK, row->mask);
	field_write(VMCS_CR0_READ_SHADOW, row->shadow);
	result = exit_run((struct guest_code)CODE_OF(clts_lmsw_clts));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & CR0_TS, row->clears ? 0 : CR0_TS);
	return result;
}

TEST(clts_lmsw, clts_qualification, "SDM Exit Qualification for Control-Register Accesses",
	"CLTS: register 0, access type 2, all else 0", EXIT(EXIT_REASON_CR_ACCESS),
	VALUES({ VMCS_EXIT_QUALIFICATION, FIELD_PUT(CR_ACCESS_CLTS, CR_ACCESS_TYPE) },
		{ VMCS_EXIT_INSTRUCTION_LENGTH, 2 }),
	.covers = COVERS " field:EXIT_QUALIFICATION")
{
	field_write(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	field_write(VMCS_CR0_READ_SHADOW, CR0_TS);
	return exit_run((struct guest_code)CODE_OF(clts_lmsw_clts));
}

static outcome run_lmsw(uint64_t mask, uint64_t shadow, uint64_t source)
{
	field_write(VMCS_CR0_GUEST_HOST_MASK, mask);
	field_write(VMCS_CR0_READ_SHADOW, shadow);
	guest_gpr[RAX] = source;
	return exit_run((struct guest_code)CODE_OF(clts_lmsw_lmsw));
}

TEST(clts_lmsw, lmsw_all_values, SECTION,
	"LMSW exits when it would change one of bits 3:1 of the shadow where the mask is 1, or set "
	"bit 0",
	OK, .covers = COVERS " insn:LMSW")
{
	uint64_t cr0 = field_read(VMCS_GUEST_CR0);
	unsigned int mask, shadow, source, differs;
	outcome wanted;

	for (mask = 0; mask < 16; mask++)
		for (shadow = 0; shadow < 16; shadow++)
			for (source = 0; source < 16; source += beat_choose(1, 5)) {
				differs = (shadow ^ source) & mask;
				if (!(source & CR0_PE))
					differs &= (unsigned int)~CR0_PE; /* LMSW cannot clear it */
				wanted = EXIT(differs ? EXIT_REASON_CR_ACCESS : EXIT_REASON_VMCALL);
				field_write(VMCS_GUEST_CR0, cr0);
				CHECK_EQUAL(run_lmsw(mask, shadow, source), wanted);
			}
	return OK;
}

TEST(clts_lmsw, lmsw_upper_bits, SECTION, "bits 15:4 of the source do not count",
	EXIT(EXIT_REASON_VMCALL), .covers = COVERS)
{
	return run_lmsw(UINT64_MAX, read_cr0(), ~BITS(3, 0) | (read_cr0() & LMSW_BITS));
}

TEST(clts_lmsw, lmsw_guest_owned, CHANGES, "LMSW loads bits 3:1 where the mask is 0", OK,
	.covers = COVERS " field:GUEST_CR0")
{
	uint64_t loaded = CR0_MP | CR0_EM | CR0_TS;

	CHECK_EQUAL(run_lmsw(0, 0, CR0_PE | loaded), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & LMSW_BITS, CR0_PE | loaded);
	CHECK_EQUAL(run_lmsw(0, 0, 0), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & LMSW_BITS, CR0_PE);
	return OK;
}

TEST(clts_lmsw, lmsw_host_owned, CHANGES, "LMSW leaves bits unmodified where the mask is 1", OK,
	.covers = COVERS)
{
	uint64_t before = field_read(VMCS_GUEST_CR0),
		 inverse = ~before & (CR0_MP | CR0_EM | CR0_TS);

	CHECK_EQUAL(
		run_lmsw(LMSW_BITS, CR0_PE | inverse, CR0_PE | inverse), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0), before);
	return OK;
}

TEST(clts_lmsw, lmsw_qualification, "SDM Exit Qualification for Control-Register Accesses",
	"LMSW of a register: access type 3, the source's 16 bits", EXIT(EXIT_REASON_CR_ACCESS),
	VALUES({ VMCS_EXIT_QUALIFICATION, FIELD_PUT(CR_ACCESS_LMSW, CR_ACCESS_TYPE) |
						  FIELD_PUT(0xa5c9, CR_ACCESS_LMSW_SOURCE) },
		{ VMCS_EXIT_INSTRUCTION_LENGTH, 3 }),
	.covers = COVERS " field:EXIT_QUALIFICATION")
{
	return run_lmsw(CR0_TS, 0, UINT64_C(0xffffffffffffa5c9));
}

TEST(clts_lmsw, lmsw_memory, "SDM Exit Qualification for Control-Register Accesses",
	"LMSW of memory: bit 6, and the guest linear address is the operand's",
	EXIT(EXIT_REASON_CR_ACCESS),
	VALUES({ VMCS_EXIT_QUALIFICATION, FIELD_PUT(CR_ACCESS_LMSW, CR_ACCESS_TYPE) |
						  CR_ACCESS_LMSW_MEMORY |
						  FIELD_PUT(0x5a39, CR_ACCESS_LMSW_SOURCE) },
		{ VMCS_EXIT_INSTRUCTION_LENGTH, 4 }),
	.covers = COVERS " field:EXIT_QUALIFICATION field:GUEST_LINEAR_ADDRESS")
{
	outcome result;

	*(uint64_t *)(void *)(guest_page[0] + 8) = UINT64_C(0xffffffffffff5a39);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	field_write(VMCS_CR0_GUEST_HOST_MASK, CR0_TS);
	result = exit_run((struct guest_code)CODE_OF(clts_lmsw_memory));
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), vmx_address(guest_page[0]) + 8);
	return result;
}

TEST(clts_lmsw, lmsw_operand_fault, "SDM Relative Priority of Faults and VM Exits",
	"a fault of fetching LMSW's operand comes before the exit that depends on it", FAULT(PF, 0),
	.covers = COVERS)
{
	guest_gpr[RDI] = UINT64_C(16) << 30;
	field_write(VMCS_CR0_GUEST_HOST_MASK, UINT64_MAX);
	return exit_run((struct guest_code)CODE_OF(clts_lmsw_memory));
}
