/* What is fixed in VMX operation (Intel SDM, "Restrictions on VMX Operation" and the appendices
   "VMX-Fixed Bits in CR0" and "VMX-Fixed Bits in CR4"). That the two MSRs agree with each other is
   caps/'s. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "runtime/segments.h"
#include "spec/cpuid.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/insn/instruction.h"
#include "vmx-tests/needs.h"

static outcome set_cr0(uint64_t value)
{
	write_cr0(value);
	return OK;
}

static outcome set_cr4(uint64_t value)
{
	write_cr4(value);
	return OK;
}

struct bits_row {
	struct test_row row;
	uint64_t bits;
};

/* Clearing any of them is a fault of its own while paging is on, but for NE. */
TEST(fixed, cr0_ne, "SDM Restrictions on VMX Operation",
	"clearing CR0.NE in root operation: #GP(0)", FAULT(GP), .covers = "msr:IA32_VMX_CR0_FIXED0")
{
	return set_cr0(read_cr0() & ~CR0_NE);
}

TEST(fixed, cr0_pe_pg, "SDM Restrictions on VMX Operation",
	"clearing CR0.PE and CR0.PG in root operation: #GP(0)", FAULT(GP),
	.covers = "msr:IA32_VMX_CR0_FIXED0")
{
	return set_cr0(read_cr0() & ~(CR0_PE | CR0_PG));
}

static void nothing(void)
{
}

/* A guest before, so that what follows does not hang on the tests before. */
static bool run_guest(bool unrestricted)
{
	if (unrestricted)
		ept_enable_unrestricted();
	return guest_run(nothing) == EXIT(EXIT_REASON_VMCALL);
}

/* In compatibility mode, where leaving IA-32e mode would else be allowed. Should it be done, the
   next instruction goes back. */
static outcome clear_pg(void)
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xc0 /* mov %eax, %cr0 */, 0x0f, 0x22,
		0xc1 /* mov %ecx, %cr0 */ };
	struct host_registers state = { .rflags = RFLAGS_FIXED };

	state.gpr[RAX] = read_cr0() & ~CR0_PG;
	state.gpr[RCX] = read_cr0();
	return host_execute(HOST_COMPATIBILITY, code, sizeof(code), &state, NULL);
}

TEST(fixed, cr0_pg, "SDM Restrictions on VMX Operation",
	"clearing CR0.PG in root operation, in compatibility mode: #GP(0)", FAULT(GP),
	.covers = "msr:IA32_VMX_CR0_FIXED0")
{
	if (!run_guest(false))
		return test_error(__LINE__, "the guest did not run");
	return clear_pg();
}

TEST(fixed, cr0_pg_after_unrestricted, "SDM Unrestricted Guests",
	"an unrestricted guest frees CR0.PG for non-root operation only: #GP(0) in root operation "
	"after its exit",
	FAULT(GP), .covers = "msr:IA32_VMX_CR0_FIXED0 control:PROC2_UNRESTRICTED_GUEST",
	.needs = NEEDS(&need_unrestricted))
{
	if (!run_guest(true))
		return test_error(__LINE__, "the guest did not run");
	return clear_pg();
}

TEST(fixed, cr0_pg_outside, "SDM Restrictions on VMX Operation",
	"outside VMX operation CR0.PG may be cleared in compatibility mode", OK,
	.covers = "msr:IA32_VMX_CR0_FIXED0")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xc0 /* mov %eax, %cr0 */, 0x0f, 0x20,
		0xc2 /* mov %cr0, %edx */, 0x0f, 0x22, 0xc1 /* mov %ecx, %cr0 */ };
	struct host_registers state = { .rflags = RFLAGS_FIXED };
	outcome result;

	vmx_leave_operation();
	state.gpr[RAX] = read_cr0() & ~CR0_PG;
	state.gpr[RCX] = read_cr0();
	result = host_execute(HOST_COMPATIBILITY, code, sizeof(code), &state, NULL);
	CHECK_EQUAL(test_observe((state.gpr[RDX] & CR0_PG) != 0), false);
	return result;
}

TEST(fixed, cr0_ne_outside, "SDM Restrictions on VMX Operation",
	"outside VMX operation CR0.NE may be cleared", OK, .covers = "msr:IA32_VMX_CR0_FIXED0")
{
	uint64_t cr0 = read_cr0(), seen;

	vmx_leave_operation();
	write_cr0(cr0 & ~CR0_NE);
	seen = test_observe(read_cr0());
	write_cr0(cr0);
	CHECK_EQUAL(seen, cr0 & ~CR0_NE);
	return OK;
}

TEST(fixed, cr0_upper, "SDM Control Registers", "bits 63:32 of CR0 may not be set", FAULT(GP),
	.covers = "msr:IA32_VMX_CR0_FIXED1")
{
	return set_cr0(read_cr0() | BIT(32));
}

static const struct bits_row cr0_flexible[] = {
	{ { "MP", OK }, CR0_MP },
	{ { "TS", OK }, CR0_TS },
	{ { "WP", OK }, CR0_WP },
	{ { "AM", OK }, CR0_AM },
	{ { "EM", OK }, CR0_EM },
	{ { "CD and NW", OK }, CR0_CD | CR0_NW },
};

SWEEP(fixed, cr0_flexible, "SDM VMX-Fixed Bits in CR0",
	"a bit that is 0 in FIXED0 and 1 in FIXED1 may be changed in root operation", cr0_flexible,
	.covers = "msr:IA32_VMX_CR0_FIXED0 msr:IA32_VMX_CR0_FIXED1")
{
	uint64_t bits = TEST_ROW(struct bits_row)->bits, cr0 = read_cr0(), seen;

	if ((rdmsr(MSR_IA32_VMX_CR0_FIXED0) & bits) || !(rdmsr(MSR_IA32_VMX_CR0_FIXED1) & bits))
		return OK;
	write_cr0(cr0 ^ bits);
	seen = test_observe(read_cr0());
	write_cr0(cr0);
	CHECK_EQUAL(seen, cr0 ^ bits);
	return OK;
}

TEST(fixed, cr4_vmxe, "SDM Restrictions on VMX Operation",
	"clearing CR4.VMXE in VMX operation: #GP(0)", FAULT(GP),
	.covers = "msr:IA32_VMX_CR4_FIXED0")
{
	return set_cr4(read_cr4() & ~CR4_VMXE);
}

TEST(fixed, cr4_vmxe_kept, "SDM Restrictions on VMX Operation", "the attempt leaves CR4 as it was",
	OK, .covers = "msr:IA32_VMX_CR4_FIXED0")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xe0 }; /* mov %rax, %cr4 */
	struct host_registers state = { .rflags = RFLAGS_FIXED };
	uint64_t cr4 = read_cr4();

	state.gpr[RAX] = cr4 & ~CR4_VMXE;
	if (host_execute(HOST_64BIT, code, sizeof(code), &state, NULL) != FAULT(GP))
		return test_mismatch(__LINE__, "CR4.VMXE could be cleared");
	CHECK_EQUAL(test_observe(read_cr4()), cr4);
	return OK;
}

/* Every bit of CR4, by number: one that FIXED1 says is 0 may not be set, one that FIXED0 says is 1
   may not be cleared. Those that FIXED1 leaves free are cr4_flexible's. */
TEST(fixed, cr4_all, "SDM VMX-Fixed Bits in CR4",
	"a bit fixed to 0 or to 1 may not be changed in VMX operation", OK,
	.covers = "msr:IA32_VMX_CR4_FIXED0 msr:IA32_VMX_CR4_FIXED1")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xe0 }; /* mov %rax, %cr4 */
	uint64_t fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0), fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	uint64_t cr4 = read_cr4();
	unsigned int bit;

	for (bit = 0; bit < 64; bit++) {
		struct host_registers state = { .rflags = RFLAGS_FIXED };

		if ((fixed1 & ~fixed0) & BIT(bit))
			continue;
		state.gpr[RAX] = fixed0 & BIT(bit) ? cr4 & ~BIT(bit) : cr4 | BIT(bit);
		if (test_observe(host_execute(HOST_64BIT, code, sizeof(code), &state, NULL)) !=
			FAULT(GP)) {
			write_cr4(cr4);
			return test_mismatch(__LINE__, "bit %u could be changed", bit);
		}
	}
	return OK;
}

static const struct bits_row cr4_flexible[] = {
	{ { "VME", OK }, CR4_VME },
	{ { "PVI", OK }, CR4_PVI },
	{ { "TSD", OK }, CR4_TSD },
	{ { "DE", OK }, CR4_DE },
	{ { "PSE", OK }, CR4_PSE },
	{ { "MCE", OK }, CR4_MCE },
	{ { "PGE", OK }, CR4_PGE },
	{ { "PCE", OK }, CR4_PCE },
	{ { "OSFXSR", OK }, CR4_OSFXSR },
	{ { "OSXMMEXCPT", OK }, CR4_OSXMMEXCPT },
	{ { "UMIP", OK }, CR4_UMIP },
	{ { "SMXE", OK }, CR4_SMXE },
	{ { "FSGSBASE", OK }, CR4_FSGSBASE },
	{ { "OSXSAVE", OK }, CR4_OSXSAVE },
	{ { "SMEP", OK }, CR4_SMEP },
	{ { "SMAP", OK }, CR4_SMAP },
	{ { "PKE", OK }, CR4_PKE },
};

SWEEP(fixed, cr4_flexible, "SDM VMX-Fixed Bits in CR4",
	"a bit that is 0 in FIXED0 and 1 in FIXED1 may be changed in root operation", cr4_flexible,
	.covers = "msr:IA32_VMX_CR4_FIXED0 msr:IA32_VMX_CR4_FIXED1")
{
	uint64_t bits = TEST_ROW(struct bits_row)->bits, cr4 = read_cr4(), seen;

	if ((rdmsr(MSR_IA32_VMX_CR4_FIXED0) & bits) || !(rdmsr(MSR_IA32_VMX_CR4_FIXED1) & bits))
		return OK;
	write_cr4(cr4 ^ bits);
	seen = test_observe(read_cr4());
	write_cr4(cr4);
	CHECK_EQUAL(seen, cr4 ^ bits);
	return OK;
}

/* ---- VMXON with registers that VMX operation does not allow ---- */

TEST(fixed, vmxon_ne_clear, "SDM VMXON",
	"VMXON with CR0.NE = 0, which VMX operation does not allow: #GP(0)", FAULT(GP),
	.covers = "insn:VMXON msr:IA32_VMX_CR0_FIXED0")
{
	uint64_t cr0 = read_cr0();
	outcome result;

	vmx_leave_operation();
	write_cr0(cr0 & ~CR0_NE);
	result = instruction_run(INSN_VMXON, instruction_good_operand(INSN_VMXON), 0);
	write_cr0(cr0);
	return result;
}

TEST(fixed, vmxon_ne_clear_bad_operand, "SDM VMXON", "the check of CR0 comes before the operand",
	FAULT(GP), .covers = "insn:VMXON")
{
	static uint64_t unaligned = 1;
	uint64_t cr0 = read_cr0();
	outcome result;

	vmx_leave_operation();
	write_cr0(cr0 & ~CR0_NE);
	result = instruction_run(INSN_VMXON, &unaligned, 0);
	write_cr0(cr0);
	return result;
}

TEST(fixed, vmxon_vmxe_clear, "SDM VMXON", "with CR4.VMXE = 0 #UD comes before the check of CR0",
	FAULT(UD), .covers = "insn:VMXON msr:IA32_VMX_CR4_FIXED0")
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	outcome result;

	vmx_leave_operation();
	write_cr0(cr0 & ~CR0_NE);
	write_cr4(cr4 & ~CR4_VMXE);
	result = instruction_run(INSN_VMXON, instruction_good_operand(INSN_VMXON), 0);
	write_cr4(cr4);
	write_cr0(cr0);
	return result;
}

/* CR4 bits that the CPU has outside VMX operation but that FIXED1 does not allow. */
TEST(fixed, vmxon_cr4, "SDM VMXON", "VMXON with a CR4 bit that is 0 in IA32_VMX_CR4_FIXED1: #GP(0)",
	OK, .covers = "insn:VMXON msr:IA32_VMX_CR4_FIXED1")
{
	static const uint8_t code[] = { 0x0f, 0x22, 0xe0 }; /* mov %rax, %cr4 */
	uint64_t fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1), cr4 = read_cr4();
	unsigned int bit;
	outcome result;

	vmx_leave_operation();
	for (bit = 0; bit < 32; bit++) {
		struct host_registers state = { .rflags = RFLAGS_FIXED };

		state.gpr[RAX] = cr4 | BIT(bit);
		if ((fixed1 & BIT(bit)) || test_observe(host_execute(HOST_64BIT, code, sizeof(code),
						   &state, NULL)) == FAULT(GP))
			continue;
		result = instruction_run(INSN_VMXON, instruction_good_operand(INSN_VMXON), 0);
		vmx_leave_operation();
		write_cr4(cr4);
		if (result != FAULT(GP))
			return test_mismatch(__LINE__, "VMXON with CR4 bit %u did not fault", bit);
	}
	return OK;
}
