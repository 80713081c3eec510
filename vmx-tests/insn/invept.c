/* INVEPT and INVVPID as instructions (Intel SDM, "INVEPT - Invalidate Translations Derived from
   EPT" and "INVVPID - Invalidate Translations Based on VPID"). What they invalidate is ept/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"
#include "vmx-tests/insn/physical.h"

#define INVALID                FAIL_VALID(VMX_ERROR_INVEPT_INVVPID_OPERAND)
#define COVERS_INVEPT          .covers = "insn:INVEPT"
#define COVERS_INVVPID         .covers = "insn:INVVPID"
#define COVERS_INVEPT_OPERAND  .covers = "insn:INVEPT error:INVEPT_INVVPID_OPERAND"
#define COVERS_INVVPID_OPERAND .covers = "insn:INVVPID error:INVEPT_INVVPID_OPERAND"
#define NON_CANONICAL          BIT(63)

static bool has(uint64_t bit)
{
	return vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & bit;
}

struct type_row {
	struct test_row row;
	uint64_t type;
	uint64_t capability;    /* 0: no CPU has the type */
	uint64_t first, second; /* the descriptor's words */
};

TEST(invept, not_offered, "SDM INVEPT", "the CPU does not offer INVEPT", FAULT(UD), COVERS_INVEPT,
	.needs = NEEDS(&need_no_invept_instruction))
{
	return instruction_run(
		INSN_INVEPT, instruction_good_operand(INSN_INVEPT), INVEPT_ALL_CONTEXT);
}

TEST(invvpid, not_offered, "SDM INVVPID", "the CPU does not offer INVVPID", FAULT(UD),
	COVERS_INVVPID, .needs = NEEDS(&need_no_invvpid_instruction))
{
	return instruction_run(
		INSN_INVVPID, instruction_good_operand(INSN_INVVPID), INVVPID_ALL_CONTEXT);
}

static const struct type_row invept_types[] = {
	{ { "single-context", OK }, INVEPT_SINGLE_CONTEXT, VMX_EPT_VPID_CAP_INVEPT_SINGLE, 0, 0 },
	{ { "all-context", OK }, INVEPT_ALL_CONTEXT, VMX_EPT_VPID_CAP_INVEPT_ALL, 0, 0 },
	{ { "all-context ignores the EPTP", OK }, INVEPT_ALL_CONTEXT, VMX_EPT_VPID_CAP_INVEPT_ALL,
		UINT64_MAX, 0 },
};

SWEEP(invept, types, "SDM INVEPT",
	"a type succeeds where IA32_VMX_EPT_VPID_CAP reports it, else it fails", invept_types,
	.covers = "insn:INVEPT cap:VMX_EPT_VPID_CAP_INVEPT cap:VMX_EPT_VPID_CAP_INVEPT_SINGLE "
		  "cap:VMX_EPT_VPID_CAP_INVEPT_ALL",
	.needs = NEEDS(&need_invept_instruction))
{
	const struct type_row *row = TEST_ROW(struct type_row);
	struct invept_descriptor descriptor = { row->first, row->second };
	outcome result;

	guest_reset();
	ept_enable();
	if (row->type == INVEPT_SINGLE_CONTEXT)
		descriptor.eptp = ept_pointer();
	result = invept(row->type, &descriptor);
	if (!has(row->capability))
		return result == INVALID
			       ? OK
			       : test_mismatch(__LINE__, "a type not offered did not fail");
	return result;
}

/* All context types that no CPU has: the register has 64 bits. */
static const struct type_row invept_bad_types[] = {
	{ { "0", INVALID }, 0, 0, 0, 0 },
	{ { "3", INVALID }, 3, 0, 0, 0 },
	{ { "4", INVALID }, 4, 0, 0, 0 },
	{ { "5", INVALID }, 5, 0, 0, 0 },
	{ { "2 and bit 8", INVALID }, BIT(8) | 2, 0, 0, 0 },
	{ { "2 and bit 31", INVALID }, BIT(31) | 2, 0, 0, 0 },
	{ { "all ones", INVALID }, UINT64_MAX, 0, 0, 0 },
};

SWEEP(invept, bad_types, "SDM INVEPT", "no CPU offers that type", invept_bad_types,
	COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_invept_instruction))
{
	return instruction_run(INSN_INVEPT, instruction_good_operand(INSN_INVEPT),
		TEST_ROW(struct type_row)->type);
}

static const struct type_row wide_types[] = {
	{ { "2 and bit 32", INVALID }, BIT(32) | 2, 0, 0, 0 },
	{ { "2 and bit 47", INVALID }, BIT(47) | 2, 0, 0, 0 },
	{ { "2 and bit 63", INVALID }, BIT(63) | 2, 0, 0, 0 },
};

SWEEP(invept, wide_type, "SDM INVEPT", "in 64-bit mode the type has 64 bits", wide_types,
	COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_invept_instruction))
{
	return instruction_run(INSN_INVEPT, instruction_good_operand(INSN_INVEPT),
		TEST_ROW(struct type_row)->type);
}

TEST(invept, bad_type_no_vmcs, "SDM Conventions",
	"a bad type without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS_INVEPT,
	.needs = NEEDS(&need_invept_instruction))
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_INVEPT, instruction_good_operand(INSN_INVEPT), 0);
}

TEST(invept, without_vmcs, "SDM INVEPT", "it needs no current VMCS", OK, COVERS_INVEPT,
	.needs = NEEDS(&need_invept_instruction))
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(
		INSN_INVEPT, instruction_good_operand(INSN_INVEPT), INVEPT_ALL_CONTEXT);
}

struct eptp_row {
	struct test_row row;
	uint64_t clear, set; /* of a good EPTP */
};

/* "VM-Execution Control Fields" under "Checks on VMX Controls": what makes an EPTP bad on every
 * CPU. */
static const struct eptp_row bad_eptps[] = {
	{ { "memory type 1", INVALID }, EPTP_MEMORY_TYPE, 1 },
	{ { "memory type 4", INVALID }, EPTP_MEMORY_TYPE, MEMORY_TYPE_WT },
	{ { "memory type 5", INVALID }, EPTP_MEMORY_TYPE, MEMORY_TYPE_WP },
	{ { "memory type 7", INVALID }, EPTP_MEMORY_TYPE, 7 },
	{ { "walk of 1 level", INVALID }, EPTP_WALK_LENGTH, FIELD_PUT(0, EPTP_WALK_LENGTH) },
	{ { "walk of 2 levels", INVALID }, EPTP_WALK_LENGTH, FIELD_PUT(1, EPTP_WALK_LENGTH) },
	{ { "walk of 3 levels", INVALID }, EPTP_WALK_LENGTH, FIELD_PUT(2, EPTP_WALK_LENGTH) },
	{ { "walk of 6 levels", INVALID }, EPTP_WALK_LENGTH, FIELD_PUT(5, EPTP_WALK_LENGTH) },
	{ { "walk of 8 levels", INVALID }, EPTP_WALK_LENGTH, FIELD_PUT(7, EPTP_WALK_LENGTH) },
	{ { "bit 8", INVALID }, 0, BIT(8) },
	{ { "bit 9", INVALID }, 0, BIT(9) },
	{ { "bit 10", INVALID }, 0, BIT(10) },
	{ { "bit 11", INVALID }, 0, BIT(11) },
	{ { "bit 63", INVALID }, 0, BIT(63) },
	{ { "zero", INVALID }, UINT64_MAX, 0 },
};

static outcome invept_single(uint64_t clear, uint64_t set)
{
	struct invept_descriptor descriptor = { 0, 0 };

	guest_reset();
	ept_enable();
	descriptor.eptp = (ept_pointer() & ~clear) | set;
	return invept(INVEPT_SINGLE_CONTEXT, &descriptor);
}

SWEEP(invept, bad_eptp, "SDM INVEPT", "single-context: an EPTP with which VM entry would fail",
	bad_eptps, COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	const struct eptp_row *row = TEST_ROW(struct eptp_row);

	return invept_single(row->clear, row->set);
}

static const struct physical_row beyond[] = PHYSICAL_ROWS(INVALID);

SWEEP(invept, bad_eptp_width, "SDM INVEPT",
	"single-context: an EPTP that sets a bit beyond the physical-address width", beyond,
	COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	uint64_t bit = physical_bit();

	return bit == 0 ? INVALID : invept_single(0, bit);
}

/* Bits whose rule hangs on a capability. */
TEST(invept, eptp_accessed_dirty, "SDM INVEPT",
	"single-context: bit 6 of the EPTP is good where accessed and dirty flags are offered, "
	"else bad",
	OK, COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	outcome result = invept_single(0, EPTP_ACCESSED_DIRTY);

	CHECK_EQUAL(test_observe(result), has(VMX_EPT_VPID_CAP_ACCESSED_DIRTY) ? OK : INVALID);
	return OK;
}

TEST(invept, eptp_uncacheable, "SDM INVEPT",
	"single-context: memory type UC is good where IA32_VMX_EPT_VPID_CAP offers it, else bad",
	OK, COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	outcome result = invept_single(EPTP_MEMORY_TYPE, MEMORY_TYPE_UC);

	CHECK_EQUAL(test_observe(result), has(VMX_EPT_VPID_CAP_EPTP_UC) ? OK : INVALID);
	return OK;
}

TEST(invept, eptp_walk_5, "SDM INVEPT",
	"single-context: a walk of 5 levels is good where IA32_VMX_EPT_VPID_CAP offers it, else "
	"bad",
	OK, COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	outcome result = invept_single(EPTP_WALK_LENGTH, FIELD_PUT(4, EPTP_WALK_LENGTH));

	CHECK_EQUAL(test_observe(result), has(VMX_EPT_VPID_CAP_WALK_5) ? OK : INVALID);
	return OK;
}

TEST(invept, eptp_shadow_stack, "SDM INVEPT",
	"single-context: bit 7 of the EPTP is good where supervisor shadow-stack control is "
	"offered, else bad",
	OK, COVERS_INVEPT_OPERAND, .needs = NEEDS(&need_ept, &need_invept_single))
{
	outcome result = invept_single(0, EPTP_SHADOW_STACK);

	CHECK_EQUAL(test_observe(result), has(VMX_EPT_VPID_CAP_SHADOW_STACK) ? OK : INVALID);
	return OK;
}

#define ADDRESS VMX_EPT_VPID_CAP_INVVPID_ADDRESS
#define SINGLE  VMX_EPT_VPID_CAP_INVVPID_SINGLE
#define ALL     VMX_EPT_VPID_CAP_INVVPID_ALL
#define KEEP    VMX_EPT_VPID_CAP_INVVPID_SINGLE_KEEP_GLOBAL
#define KEEPING INVVPID_SINGLE_CONTEXT_KEEP_GLOBAL

static const struct type_row invvpid_types[] = {
	{ { "individual-address", OK }, INVVPID_ADDRESS, ADDRESS, 1, 0x1000 },
	{ { "individual-address, VPID 0xffff", OK }, INVVPID_ADDRESS, ADDRESS, 0xffff, 0 },
	{ { "individual-address, lower half's end", OK }, INVVPID_ADDRESS, ADDRESS, 1,
		BITS(46, 0) },
	{ { "individual-address, upper half's start", OK }, INVVPID_ADDRESS, ADDRESS, 1,
		BITS(63, 47) },
	{ { "individual-address, last", OK }, INVVPID_ADDRESS, ADDRESS, 1, UINT64_MAX },
	{ { "single-context", OK }, INVVPID_SINGLE_CONTEXT, SINGLE, 1, 0 },
	{ { "single-context, VPID 0xffff", OK }, INVVPID_SINGLE_CONTEXT, SINGLE, 0xffff, 0 },
	{ { "single-context ignores the address", OK }, INVVPID_SINGLE_CONTEXT, SINGLE, 1,
		NON_CANONICAL },
	{ { "all-context", OK }, INVVPID_ALL_CONTEXT, ALL, 1, 0 },
	{ { "all-context, VPID 0", OK }, INVVPID_ALL_CONTEXT, ALL, 0, 0 },
	{ { "all-context ignores the address", OK }, INVVPID_ALL_CONTEXT, ALL, 0, NON_CANONICAL },
	{ { "retaining globals", OK }, KEEPING, KEEP, 1, 0 },
	{ { "retaining globals ignores the address", OK }, KEEPING, KEEP, 1, NON_CANONICAL },
};

static outcome run_invvpid(void)
{
	const struct type_row *row = TEST_ROW(struct type_row);
	struct invvpid_descriptor descriptor = { row->first, row->second };

	return invvpid(row->type, &descriptor);
}

SWEEP(invvpid, types, "SDM INVVPID",
	"a type succeeds where IA32_VMX_EPT_VPID_CAP reports it, else it fails", invvpid_types,
	.covers = "insn:INVVPID cap:VMX_EPT_VPID_CAP_INVVPID cap:VMX_EPT_VPID_CAP_INVVPID_ADDRESS "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE cap:VMX_EPT_VPID_CAP_INVVPID_ALL "
		  "cap:VMX_EPT_VPID_CAP_INVVPID_SINGLE_KEEP_GLOBAL",
	.needs = NEEDS(&need_invvpid_instruction))
{
	outcome result = run_invvpid();

	if (!has(TEST_ROW(struct type_row)->capability))
		return result == INVALID
			       ? OK
			       : test_mismatch(__LINE__, "a type not offered did not fail");
	return result;
}

static const struct type_row invvpid_bad[] = {
	{ { "type 4", INVALID }, 4, 0, 1, 0 },
	{ { "type 5", INVALID }, 5, 0, 1, 0 },
	{ { "type 2 and bit 8", INVALID }, BIT(8) | 2, 0, 1, 0 },
	{ { "type 2 and bit 31", INVALID }, BIT(31) | 2, 0, 1, 0 },
	{ { "type all ones", INVALID }, UINT64_MAX, 0, 1, 0 },
	{ { "individual-address, VPID 0", INVALID }, INVVPID_ADDRESS, 0, 0, 0 },
	{ { "individual-address, bit 47 alone", INVALID }, INVVPID_ADDRESS, 0, 1, BIT(47) },
	{ { "individual-address, bit 63 alone", INVALID }, INVVPID_ADDRESS, 0, 1, NON_CANONICAL },
	{ { "individual-address, bits 63:48", INVALID }, INVVPID_ADDRESS, 0, 1, BITS(63, 48) },
	{ { "single-context, VPID 0", INVALID }, INVVPID_SINGLE_CONTEXT, 0, 0, 0 },
	{ { "retaining globals, VPID 0", INVALID }, KEEPING, 0, 0, 0 },
	{ { "individual-address, descriptor bit 16", INVALID }, INVVPID_ADDRESS, 0, BIT(16) | 1,
		0 },
	{ { "individual-address, descriptor bit 63", INVALID }, INVVPID_ADDRESS, 0, BIT(63) | 1,
		0 },
	{ { "single-context, descriptor bit 16", INVALID }, INVVPID_SINGLE_CONTEXT, 0, BIT(16) | 1,
		0 },
	{ { "single-context, descriptor bit 32", INVALID }, INVVPID_SINGLE_CONTEXT, 0, BIT(32) | 1,
		0 },
	{ { "single-context, descriptor bit 63", INVALID }, INVVPID_SINGLE_CONTEXT, 0, BIT(63) | 1,
		0 },
	{ { "all-context, descriptor bit 16", INVALID }, INVVPID_ALL_CONTEXT, 0, BIT(16), 0 },
	{ { "all-context, descriptor bit 63", INVALID }, INVVPID_ALL_CONTEXT, 0, BIT(63), 0 },
	{ { "retaining globals, descriptor bit 16", INVALID }, KEEPING, 0, BIT(16) | 1, 0 },
	{ { "retaining globals, descriptor bit 63", INVALID }, KEEPING, 0, BIT(63) | 1, 0 },
};

SWEEP(invvpid, bad_operands, "SDM INVVPID",
	"a type that does not exist, a reserved bit, VPID 0, a bad address", invvpid_bad,
	COVERS_INVVPID_OPERAND, .needs = NEEDS(&need_invvpid_instruction))
{
	return run_invvpid();
}

SWEEP(invvpid, wide_type, "SDM INVVPID", "in 64-bit mode the type has 64 bits", wide_types,
	COVERS_INVVPID_OPERAND, .needs = NEEDS(&need_invvpid_instruction))
{
	return run_invvpid();
}

TEST(invvpid, bad_type_no_vmcs, "SDM Conventions",
	"a bad type without a current VMCS: VMfailInvalid", FAIL_INVALID, COVERS_INVVPID,
	.needs = NEEDS(&need_invvpid_instruction))
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_INVVPID, instruction_good_operand(INSN_INVVPID), 4);
}

TEST(invvpid, without_vmcs, "SDM INVVPID", "it needs no current VMCS", OK, COVERS_INVVPID,
	.needs = NEEDS(&need_invvpid_instruction, &need_invvpid_all))
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(
		INSN_INVVPID, instruction_good_operand(INSN_INVVPID), INVVPID_ALL_CONTEXT);
}
