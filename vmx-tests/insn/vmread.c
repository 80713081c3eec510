/* VMREAD and VMWRITE (Intel SDM, "VMREAD - Read Field from Virtual-Machine Control Structure" and
   "VMWRITE - Write Field to Virtual-Machine Control Structure"). The fields themselves are vmcs/'s.
 */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"

#define COVERS_READ        .covers = "insn:VMREAD"
#define COVERS_WRITE       .covers = "insn:VMWRITE"
#define COVERS_UNSUPPORTED .covers = "insn:VMREAD insn:VMWRITE error:UNSUPPORTED_COMPONENT"
#define COVERS_READ_ONLY                                                                           \
	.covers = "insn:VMWRITE error:VMWRITE_READ_ONLY cap:VMX_MISC_VMWRITE_ANY_FIELD"
#define PATTERN UINT64_C(0x123456789abcdef0)

TEST(vmread, to_register, "SDM VMREAD", "a field's value goes to a register", OK, COVERS_READ)
{
	uint64_t value = 0;
	outcome result;

	field_write(VMCS_GUEST_RIP, PATTERN);
	result = vmread(VMCS_GUEST_RIP, &value);
	CHECK_EQUAL(value, PATTERN);
	return result;
}

TEST(vmread, to_memory, "SDM VMREAD", "a field's value goes to memory, 8 bytes in 64-bit mode", OK,
	COVERS_READ)
{
	uint64_t memory[3] = { ~PATTERN, ~PATTERN, ~PATTERN };
	outcome result;

	field_write(VMCS_GUEST_RIP, PATTERN);
	result = instruction_run(INSN_VMREAD, &memory[1], VMCS_GUEST_RIP);
	CHECK_EQUAL(test_observe(memory[0]), ~PATTERN);
	CHECK_EQUAL(test_observe(memory[1]), PATTERN);
	CHECK_EQUAL(test_observe(memory[2]), ~PATTERN);
	return result;
}

struct width_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
};

static const struct width_row narrow[] = {
	{ { "16 bits", OK }, VMCS_GUEST_ES_SELECTOR, 0xdef0 },
	{ { "32 bits", OK }, VMCS_GUEST_ES_LIMIT, 0x9abcdef0 },
	{ { "64 bits", OK }, VMCS_GUEST_IA32_DEBUGCTL, PATTERN },
	{ { "natural width", OK }, VMCS_GUEST_RIP, PATTERN },
	{ { "the high half", OK }, VMCS_GUEST_IA32_DEBUGCTL | ENCODING_HIGH, 0x12345678 },
};

SWEEP(vmread, zero_extends_register, "SDM VMREAD",
	"a field shorter than the destination register clears its high bits", narrow, COVERS_READ)
{
	const struct width_row *row = TEST_ROW(struct width_row);
	struct host_registers registers = { .rflags = RFLAGS_FIXED };
	static const struct operand rax = { .is_register = true, .base = RAX };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, INSN_VMREAD, RCX, &rax);
	outcome result;

	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	registers.gpr[RAX] = UINT64_MAX;
	registers.gpr[RCX] = row->field;
	result = host_execute(HOST_64BIT, code, bytes, &registers, NULL);
	CHECK_EQUAL(test_observe(registers.gpr[RAX]), row->value);
	return result == OK ? vmx_outcome(registers.rflags) : result;
}

SWEEP(vmread, zero_extends_memory, "SDM VMREAD",
	"a field shorter than 64 bits is stored with zeroes above it", narrow, COVERS_READ)
{
	const struct width_row *row = TEST_ROW(struct width_row);
	uint64_t memory = UINT64_MAX;
	outcome result;

	field_write(row->field & ~ENCODING_HIGH, PATTERN);
	result = instruction_run(INSN_VMREAD, &memory, row->field);
	CHECK_EQUAL(test_observe(memory), row->value);
	return result;
}

TEST(vmread, no_vmcs, "SDM VMREAD", "there is no current VMCS", FAIL_INVALID, COVERS_READ)
{
	uint64_t value;

	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmread(VMCS_GUEST_RIP, &value);
}

TEST(vmread, no_vmcs_unsupported, "SDM VMREAD",
	"the check of the current-VMCS pointer comes before that of the field", FAIL_INVALID,
	COVERS_READ)
{
	uint64_t value;

	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmread(UINT32_MAX, &value);
}

TEST(vmread, no_vmcs_memory_untouched, "SDM VMREAD",
	"without a current VMCS the destination in memory is not accessed", FAIL_INVALID,
	COVERS_READ)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_VMREAD, (void *)BIT(63), VMCS_GUEST_RIP);
}

TEST(vmread, unsupported_memory_untouched, "SDM VMREAD",
	"for an unsupported field the destination in memory is not accessed",
	FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT), COVERS_UNSUPPORTED)
{
	return instruction_run(INSN_VMREAD, (void *)BIT(63), UINT32_MAX);
}

TEST(vmread, unsupported_register_kept, "SDM VMREAD", "the failure leaves the destination register",
	OK, COVERS_UNSUPPORTED)
{
	struct host_registers registers = { .rflags = RFLAGS_FIXED };
	static const struct operand rax = { .is_register = true, .base = RAX };
	uint8_t code[HOST_CODE_MAX];
	size_t bytes = instruction_encode(code, INSN_VMREAD, RCX, &rax);

	registers.gpr[RAX] = PATTERN;
	registers.gpr[RCX] = UINT32_MAX;
	if (host_execute(HOST_64BIT, code, bytes, &registers, NULL) != OK ||
		vmx_outcome(registers.rflags) != FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT))
		return test_mismatch(__LINE__, "VMREAD did not fail");
	CHECK_EQUAL(test_observe(registers.gpr[RAX]), PATTERN);
	return OK;
}

struct encoding_row {
	struct test_row row;
	uint64_t encoding;
};

#define UNSUPPORTED FAIL_VALID(VMX_ERROR_UNSUPPORTED_COMPONENT)
/* Encodings with a reserved bit set, next to the field GUEST_RIP ("VMREAD, VMWRITE, and Encodings
   of VMCS Fields"); and fields that no CPU has. */
static const struct encoding_row unsupported[] = {
	{ { "bit 12", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(12) },
	{ { "bit 15", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(15) },
	{ { "bit 16", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(16) },
	{ { "bit 24", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(24) },
	{ { "bit 31", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(31) },
	{ { "bit 32", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(32) },
	{ { "bit 47", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(47) },
	{ { "bit 63", UNSUPPORTED }, VMCS_GUEST_RIP | BIT(63) },
	{ { "high half of a 16-bit field", UNSUPPORTED }, VMCS_GUEST_ES_SELECTOR | ENCODING_HIGH },
	{ { "high half of a 32-bit field", UNSUPPORTED }, VMCS_GUEST_ES_LIMIT | ENCODING_HIGH },
	{ { "high half of a natural-width field", UNSUPPORTED }, VMCS_GUEST_RIP | ENCODING_HIGH },
	{ { "16-bit read-only, index 0", UNSUPPORTED }, 0x0400 },
	{ { "index 511", UNSUPPORTED }, VMCS_GUEST_CR0 | BITS(9, 1) },
	{ { "all ones", UNSUPPORTED }, UINT64_MAX },
};

SWEEP(vmread, unsupported, "SDM VMREAD", "the encoding is that of no field", unsupported,
	COVERS_UNSUPPORTED)
{
	uint64_t value;

	return vmread(TEST_ROW(struct encoding_row)->encoding, &value);
}

SWEEP(vmwrite, unsupported, "SDM VMWRITE", "the encoding is that of no field", unsupported,
	COVERS_UNSUPPORTED)
{
	return vmwrite(TEST_ROW(struct encoding_row)->encoding, 0);
}

TEST(vmwrite, from_register, "SDM VMWRITE", "a register's value goes to the field", OK,
	VALUES({ VMCS_GUEST_RIP, PATTERN }), COVERS_WRITE)
{
	return vmwrite(VMCS_GUEST_RIP, PATTERN);
}

TEST(vmwrite, from_memory, "SDM VMWRITE", "8 bytes of memory go to the field in 64-bit mode", OK,
	VALUES({ VMCS_GUEST_RIP, PATTERN }), COVERS_WRITE)
{
	uint64_t memory = PATTERN;

	return instruction_run(INSN_VMWRITE, &memory, VMCS_GUEST_RIP);
}

static const struct width_row truncated[] = {
	{ { "16 bits", OK }, VMCS_GUEST_ES_SELECTOR, 0xdef0 },
	{ { "32 bits", OK }, VMCS_GUEST_ES_LIMIT, 0x9abcdef0 },
	{ { "64 bits", OK }, VMCS_GUEST_IA32_DEBUGCTL, PATTERN },
	{ { "natural width", OK }, VMCS_GUEST_RIP, PATTERN },
	{ { "the high half", OK }, VMCS_GUEST_IA32_DEBUGCTL | ENCODING_HIGH, 0x9abcdef0 },
};

SWEEP(vmwrite, ignores_high_bits, "SDM VMWRITE",
	"a field shorter than the source operand takes its low bits", truncated, COVERS_WRITE)
{
	const struct width_row *row = TEST_ROW(struct width_row);
	outcome result = vmwrite(row->field, PATTERN);

	CHECK_EQUAL(field_read(row->field), row->value);
	return result;
}

TEST(vmwrite, no_vmcs, "SDM VMWRITE", "there is no current VMCS", FAIL_INVALID, COVERS_WRITE)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmwrite(VMCS_GUEST_RIP, 0);
}

TEST(vmwrite, no_vmcs_unsupported, "SDM VMWRITE",
	"the check of the current-VMCS pointer comes before that of the field", FAIL_INVALID,
	COVERS_WRITE)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return vmwrite(UINT32_MAX, 0);
}

TEST(vmwrite, no_vmcs_memory_untouched, "SDM VMWRITE",
	"without a current VMCS the source in memory is not accessed", FAIL_INVALID, COVERS_WRITE)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_VMWRITE, (void *)BIT(63), VMCS_GUEST_RIP);
}

TEST(vmwrite, memory_before_field, "SDM VMWRITE",
	"faults on the source in memory come before the check of the field", FAULT(GP),
	COVERS_WRITE)
{
	return instruction_run(INSN_VMWRITE, (void *)BIT(63), UINT32_MAX);
}

TEST(vmwrite, memory_before_read_only, "SDM VMWRITE",
	"faults on the source in memory come before the check for read-only fields", FAULT(GP),
	COVERS_WRITE)
{
	return instruction_run(INSN_VMWRITE, (void *)BIT(63), VMCS_EXIT_REASON);
}

TEST(vmwrite, read_only, "SDM VMWRITE", "VM-exit information fields may not be written",
	FAIL_VALID(VMX_ERROR_VMWRITE_READ_ONLY),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMWRITE_READ_ONLY }), COVERS_READ_ONLY,
	.needs = NEEDS(&need_no_writable_exit_fields))
{
	return vmwrite(VMCS_EXIT_REASON, 0);
}

TEST(vmwrite, exit_fields, "SDM VMWRITE",
	"VM-exit information fields may be written where IA32_VMX_MISC says so", OK,
	VALUES({ VMCS_EXIT_QUALIFICATION, PATTERN }),
	.covers = "insn:VMWRITE cap:VMX_MISC_VMWRITE_ANY_FIELD",
	.needs = NEEDS(&need_writable_exit_fields))
{
	return vmwrite(VMCS_EXIT_QUALIFICATION, PATTERN);
}

TEST(vmwrite, memory_kept, "SDM VMWRITE", "the source in memory is not written", OK, COVERS_WRITE)
{
	uint64_t memory = PATTERN;
	outcome result = instruction_run(INSN_VMWRITE, &memory, VMCS_GUEST_RIP);

	CHECK_EQUAL(test_observe(memory), PATTERN);
	return result;
}
