/* VMFUNC (Intel SDM, "VMFUNC - Invoke VM function" and "VM Functions"). What EPTP switching does to
   translations is ept/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/insn/needs.h"

#define COVERS    .covers = "insn:VMFUNC control:PROC2_ENABLE_VM_FUNCTIONS exit:VMFUNC"
#define FUNCTIONS NEEDS(&need_PROC2_ENABLE_VM_FUNCTIONS)

static const uint8_t *vmfunc_code(size_t *bytes)
{
	static uint8_t code[16];

	*bytes = instruction_encode_plain(code, INSN_VMFUNC);
	*bytes += instruction_encode_plain(code + *bytes, INSN_VMCALL);
	return code;
}

/* VMFUNC in the guest with that EAX; VMCALL follows. */
static outcome run_function(enum guest_mode mode, uint64_t eax)
{
	size_t bytes;
	const uint8_t *code = vmfunc_code(&bytes);

	guest_set_mode(mode, code, bytes);
	guest_gpr[RAX] = eax;
	return guest_run(NULL);
}

TEST(vmfunc, disabled, "SDM VMFUNC", "\"enable VM functions\" is 0", FAULT(UD),
	.covers = "insn:VMFUNC")
{
	return run_function(GUEST_64BIT, 0);
}

TEST(vmfunc, no_secondary, "SDM VMFUNC",
	"without \"activate secondary controls\" it behaves as if \"enable VM functions\" were 0",
	FAULT(UD), COVERS, .needs = FUNCTIONS)
{
	field_write(VMCS_PROC2_CONTROLS, PROC2_ENABLE_VM_FUNCTIONS);
	return run_function(GUEST_64BIT, 0);
}

struct number_row {
	struct test_row row;
	uint64_t eax;
};

static const struct number_row too_large[] = {
	{ { "64", FAULT(UD) }, 64 },
	{ { "65", FAULT(UD) }, 65 },
	{ { "127", FAULT(UD) }, 127 },
	{ { "256", FAULT(UD) }, 256 },
	{ { "2^31", FAULT(UD) }, BIT(31) },
	{ { "2^32 - 1", FAULT(UD) }, UINT32_MAX },
};

SWEEP(vmfunc, too_large, "SDM VMFUNC", "EAX >= 64 makes #UD, whatever the VM-function controls are",
	too_large, COVERS, .needs = FUNCTIONS)
{
	guest_reset();
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	return run_function(GUEST_64BIT, TEST_ROW(struct number_row)->eax);
}

static const struct number_row not_enabled[] = {
	{ { "0", EXIT(EXIT_REASON_VMFUNC) }, 0 },
	{ { "1", EXIT(EXIT_REASON_VMFUNC) }, 1 },
	{ { "31", EXIT(EXIT_REASON_VMFUNC) }, 31 },
	{ { "32", EXIT(EXIT_REASON_VMFUNC) }, 32 },
	{ { "63", EXIT(EXIT_REASON_VMFUNC) }, 63 },
	{ { "RAX bits 63:32 are ignored", EXIT(EXIT_REASON_VMFUNC) }, BITS(63, 32) | 1 },
};

SWEEP(vmfunc, not_enabled, "SDM VM Functions",
	"a function whose bit in the VM-function controls is 0 exits", not_enabled, COVERS,
	.needs = FUNCTIONS)
{
	guest_reset();
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	return run_function(GUEST_64BIT, TEST_ROW(struct number_row)->eax);
}

struct mode_row {
	struct test_row row;
	enum guest_mode mode;
};

static const struct mode_row modes[] = {
	{ { "64-bit", EXIT(EXIT_REASON_VMFUNC) }, GUEST_64BIT },
	{ { "64-bit, CPL 3", EXIT(EXIT_REASON_VMFUNC) }, GUEST_64BIT_USER },
	{ { "compatibility", EXIT(EXIT_REASON_VMFUNC) }, GUEST_COMPATIBILITY },
	{ { "compatibility, CPL 3", EXIT(EXIT_REASON_VMFUNC) }, GUEST_COMPATIBILITY_USER },
	{ { "PAE paging", EXIT(EXIT_REASON_VMFUNC) }, GUEST_PAE },
	{ { "32-bit paging", EXIT(EXIT_REASON_VMFUNC) }, GUEST_PAGED32 },
	{ { "16-bit protected", EXIT(EXIT_REASON_VMFUNC) }, GUEST_PROTECTED16 },
	{ { "virtual-8086", EXIT(EXIT_REASON_VMFUNC) }, GUEST_VIRTUAL_8086 },
	{ { "protected without paging", EXIT(EXIT_REASON_VMFUNC) }, GUEST_UNPAGED32 },
	{ { "real", EXIT(EXIT_REASON_VMFUNC) }, GUEST_REAL },
};

SWEEP(vmfunc, modes, "SDM VMFUNC", "it is recognized in every mode and at every CPL", modes, COVERS,
	.needs = FUNCTIONS)
{
	const struct mode_row *row = TEST_ROW(struct mode_row);

	if (!guest_mode_available(row->mode))
		return row->row.expected;
	guest_reset();
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	return run_function(row->mode, 0);
}

static const struct mode_row disabled_modes[] = {
	{ { "64-bit, CPL 3", FAULT(UD) }, GUEST_64BIT_USER },
	{ { "compatibility", FAULT(UD) }, GUEST_COMPATIBILITY },
	{ { "PAE paging", FAULT(UD) }, GUEST_PAE },
	{ { "32-bit paging", FAULT(UD) }, GUEST_PAGED32 },
	{ { "virtual-8086", FAULT(UD) }, GUEST_VIRTUAL_8086 },
	{ { "real", FAULT(UD) }, GUEST_REAL },
};

SWEEP(vmfunc, disabled_modes, "SDM VMFUNC", "where not enabled it makes #UD in every mode",
	disabled_modes, .covers = "insn:VMFUNC")
{
	const struct mode_row *row = TEST_ROW(struct mode_row);

	if (!guest_mode_available(row->mode))
		return row->row.expected;
	guest_reset();
	return run_function(row->mode, 0);
}

/* EPTP switching between two tables that map the same. */
static uint64_t eptp_list[512] __aligned(4096);

static void enable_switching(void)
{
	ept_enable();
	proc2_set(PROC2_ENABLE_VM_FUNCTIONS);
	field_write(VMCS_VM_FUNCTION_CONTROLS, VMX_VMFUNC_EPTP_SWITCHING);
	eptp_list[0] = ept_pointer();
	field_write(VMCS_EPTP_LIST_ADDRESS, vmx_address(eptp_list));
}

#define SWITCHING NEEDS(&need_PROC2_ENABLE_VM_FUNCTIONS, &need_ept, &need_eptp_switching)

TEST(vmfunc, eptp_switching, "SDM EPTP Switching", "an enabled function runs without a VM exit",
	EXIT(EXIT_REASON_VMCALL), .covers = "insn:VMFUNC cap:VMX_VMFUNC_EPTP_SWITCHING",
	.needs = SWITCHING)
{
	enable_switching();
	return run_function(GUEST_64BIT, 0);
}

TEST(vmfunc, eptp_switching_user, "SDM EPTP Switching", "an enabled function runs at CPL 3, too",
	EXIT(EXIT_REASON_VMCALL), .covers = "insn:VMFUNC cap:VMX_VMFUNC_EPTP_SWITCHING",
	.needs = SWITCHING)
{
	enable_switching();
	return run_function(GUEST_64BIT_USER, 0);
}

TEST(vmfunc, flags_kept, "SDM EPTP Switching", "EPTP switching leaves RFLAGS alone",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_RFLAGS, RFLAGS_FIXED | VMX_FLAGS }),
	.covers = "insn:VMFUNC", .needs = SWITCHING)
{
	size_t bytes;
	const uint8_t *code = vmfunc_code(&bytes);

	enable_switching();
	guest_set_mode(GUEST_64BIT, code, bytes);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | VMX_FLAGS);
	return guest_run(NULL);
}
