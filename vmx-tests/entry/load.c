/* Loading of guest state: control and debug registers, RIP, RSP and RFLAGS, as the guest sees them
   (Intel SDM, "Loading Guest State"). MSRs are load_control.c's and msr_load.c's, segments
   load_segment.c's. */
#define TEST_FOLDER "entry/"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/entry/load.h"
#include "vmx-tests/guest_tables.h"

#define ADDRESS UINT64_C(0x123456789000)

/* ---- What the guest sees: registers by its own instructions ---- */

SEEN(cr0, "movq %cr0, %rax");
SEEN(cr3, "movq %cr3, %rax");
SEEN(cr4, "movq %cr4, %rax");
SEEN(dr7, "movq %dr7, %rax");
SEEN(rflags, "pushfq; popq %rax");
SEEN(rsp, "movq %rsp, %rax");
SEEN(nothing, "");

void load_start(const void *code, size_t bytes)
{
	guest_reset();
	guest_set_mode(GUEST_64BIT, code, bytes);
}

outcome load_see(uint64_t expected)
{
	outcome result = guest_run(NULL);

	if (result == EXIT(EXIT_REASON_VMCALL))
		CHECK_EQUAL(test_observe(guest_gpr[RAX]), expected);
	return result;
}

/* The bits of CR0 and CR4 that are allowed to differ and do no harm. */
TEST(load, cr0, TITLE_REGISTERS, "CR0 is loaded: each of TS, EM, MP, WP, AM",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_CR0")
{
	static const uint64_t bits[] = { CR0_TS, CR0_EM, CR0_MP, CR0_WP, CR0_AM };
	unsigned int i;
	outcome result = test->expected;

	for (i = 0; i < 2 * ARRAY_SIZE(bits) && result == test->expected; i++) {
		uint64_t bit = bits[i / 2], cr0 = read_cr0();

		load_start(CODE(see_cr0));
		cr0 = i % 2 ? cr0 | bit : cr0 & ~bit;
		field_write(VMCS_GUEST_CR0, cr0);
		result = load_see(cr0);
	}
	return result;
}

TEST(load, cr0_unmodified, TITLE_REGISTERS,
	"VM entry never modifies CR0's ET, CD, NW and reserved bits 15:6, 17 and 28:19: the "
	"field's values are ignored",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_CR0")
{
	uint64_t ignored = CR0_ET | CR0_CD | CR0_NW | BITS(15, 6) | BIT(17) | BITS(28, 19);

	load_start(CODE(see_cr0));
	field_write(VMCS_GUEST_CR0, read_cr0() ^ ignored);
	return load_see(read_cr0());
}

TEST(load, cr3, TITLE_REGISTERS, "CR3 is loaded, with its low bits", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_clear_PROC_CR3_STORE_EXITING), .covers = "field:GUEST_CR3")
{
	load_start(CODE(see_cr3));
	field_set(VMCS_GUEST_CR3, PTE_PCD | PTE_PWT);
	return load_see(vmx_address(guest_pml4) | PTE_PCD | PTE_PWT);
}

TEST(load, cr4, TITLE_REGISTERS,
	"CR4 is loaded: each bit that the CPU allows and 64-bit code can live with",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_CR4")
{
	uint64_t bits = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE | CR4_PGE |
			CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE |
			CR4_PCIDE | CR4_OSXSAVE,
		 bit;
	outcome result = test->expected;

	bits &= vmx_capability(MSR_IA32_VMX_CR4_FIXED1);
	for (bit = 1; bit <= bits && result == test->expected; bit <<= 1) {
		if (!(bits & bit))
			continue;
		load_start(CODE(see_cr4));
		field_write(VMCS_GUEST_CR4, read_cr4() ^ bit);
		result = load_see(read_cr4() ^ bit);
	}
	return result;
}

static outcome load_dr7(uint64_t field, bool load, uint64_t expected)
{
	load_start(CODE(see_dr7));
	field_write(VMCS_GUEST_DR7, field);
	if (load)
		field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS);
	return load_see(expected);
}

TEST(load, dr7, TITLE_REGISTERS, "with \"load debug controls\" DR7 is loaded; bit 10 is 1",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_DR7 control:VM_ENTRY_LOAD_DEBUG_CONTROLS")
{
	uint64_t lengths = BITS(31, 16) & ~UINT64_C(0x22220000); /* no I/O breakpoints */

	static const uint64_t values[] = { 0, BIT(8), BIT(9), BIT(11) };
	outcome result = load_dr7(lengths, true, lengths | DR7_RESET);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values) && result == test->expected; i++)
		result = load_dr7(values[i], true, values[i] | DR7_RESET);
	return result;
}

TEST(load, dr7_fixed, TITLE_REGISTERS,
	"DR7's bits 15:14 and 12 are 0 after entry, whatever the field has",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_DR7")
{
	return load_dr7(BITS(15, 14) | BIT(12), true, DR7_RESET);
}

TEST(load, dr7_not, TITLE_REGISTERS, "without \"load debug controls\" DR7 stays the host's",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_clear_VM_ENTRY_LOAD_DEBUG_CONTROLS),
	.covers = "control:VM_ENTRY_LOAD_DEBUG_CONTROLS")
{
	return load_dr7(BIT(9) | BIT(8), false, DR7_RESET);
}

/* ---- RIP, RSP, RFLAGS ---- */

TEST(load, rsp, TITLE_RIP, "RSP is loaded, all 64 bits", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_RSP")
{
	load_start(CODE(see_rsp));
	field_write(VMCS_GUEST_RSP, BITS(63, 0));
	return load_see(BITS(63, 0));
}

TEST(load, rip, TITLE_RIP, "RIP is loaded: the guest starts there", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_RIP")
{
	uint64_t end = vmx_address(see_rsp) + 3; /* behind the MOV */

	load_start(CODE(see_rsp));
	field_write(VMCS_GUEST_RIP, end);
	guest_gpr[RAX] = 5;
	return load_see(5);
}

TEST(load, rflags, TITLE_RIP,
	"RFLAGS is loaded: each flag, but those that would change what the guest does",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_RFLAGS")
{
	uint64_t flags = RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_IF |
			 RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC | RFLAGS_VIF |
			 RFLAGS_VIP | RFLAGS_ID,
		 bit;
	outcome result = test->expected;

	for (bit = 1; bit <= flags && result == test->expected; bit <<= 1) {
		if (!(flags & bit))
			continue;
		load_start(CODE(see_rflags));
		field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | bit);
		result = load_see(RFLAGS_FIXED | bit);
	}
	return result;
}

/* RFLAGS.RF is loaded: it lets one instruction pass its breakpoint. DR0 and DR6 are not among the
 * guest state. */
static outcome run_breakpoint(uint64_t rf)
{
	outcome result;

	load_start(CODE(see_nothing));
	__asm__ volatile("movq %0, %%dr0" : : "r"((uint64_t)(uintptr_t)see_nothing));
	field_write(VMCS_GUEST_DR7, DR7_RESET | BIT(1)); /* execution of what is at DR0 */
	field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS);
	field_set(VMCS_GUEST_RFLAGS, rf);
	result = guest_run(NULL);
	__asm__ volatile("movq %0, %%dr0" : : "r"(UINT64_C(0)));
	return result;
}

TEST(load, breakpoint, TITLE_RIP,
	"a breakpoint in DR7 is hit by the guest's first instruction when RF is 0", FAULT(DB),
	.covers = "field:GUEST_DR7")
{
	return run_breakpoint(0);
}

TEST(load, breakpoint_rf, TITLE_RIP,
	"RF is loaded: the guest's first instruction passes its breakpoint",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_RFLAGS")
{
	return run_breakpoint(RFLAGS_RF);
}
