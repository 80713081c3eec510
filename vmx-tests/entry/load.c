/* Loading of guest state: every field of the guest-state area is seen from inside the guest, or
   again at the exit (Intel SDM, "Loading Guest State"). MSRs from the MSR-load area are
   msr_load.c's. */
#define TEST_FOLDER "entry/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/guest_tables.h"
#include "vmx-tests/needs.h"

#define TITLE_REGISTERS "SDM Loading Guest Control Registers, Debug Registers, and MSRs"
#define TITLE_SEGMENTS  "SDM Loading Guest Segment Registers and Descriptor-Table Registers"
#define TITLE_RIP       "SDM Loading Guest RIP, RSP, RFLAGS, and SSP"
#define ADDRESS         UINT64_C(0x123456789000)

/* ---- What the guest sees: registers by its own instructions ---- */

#define SEEN(name, text) GUEST_CODE64(see_##name, text "; vmcall; 1: jmp 1b")
SEEN(cr0, "movq %cr0, %rax");
SEEN(cr3, "movq %cr3, %rax");
SEEN(cr4, "movq %cr4, %rax");
SEEN(dr7, "movq %dr7, %rax");
SEEN(rflags, "pushfq; popq %rax");
SEEN(rsp, "movq %rsp, %rax");
SEEN(selectors, "movl %es, %eax; movl %cs, %ecx; movl %ss, %edx; movl %ds, %ebx; movl %fs, %esi; "
		"movl %gs, %edi;"
		"sldt %r8d; str %r9d");
SEEN(gdtr, "sgdt (%rdi)");
SEEN(idtr, "sidt (%rdi)");
SEEN(fs_base, "movq %fs:0, %rax");
SEEN(gs_base, "movq %gs:0, %rax");
SEEN(rdmsr, "rdmsr; shlq $32, %rdx; orq %rdx, %rax");
SEEN(nothing, "");

static void start(const void *code, size_t bytes)
{
	guest_reset();
	guest_set_mode(GUEST_64BIT, code, bytes);
}

static outcome see(uint64_t expected)
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

		start(CODE(see_cr0));
		cr0 = i % 2 ? cr0 | bit : cr0 & ~bit;
		field_write(VMCS_GUEST_CR0, cr0);
		result = see(cr0);
	}
	return result;
}

TEST(load, cr0_unmodified, TITLE_REGISTERS,
	"VM entry never modifies CR0's ET, CD, NW and reserved bits 15:6, 17 and 28:19: the "
	"field's values are ignored",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_CR0")
{
	uint64_t ignored = CR0_ET | CR0_CD | CR0_NW | BITS(15, 6) | BIT(17) | BITS(28, 19);

	start(CODE(see_cr0));
	field_write(VMCS_GUEST_CR0, read_cr0() ^ ignored);
	return see(read_cr0());
}

TEST(load, cr3, TITLE_REGISTERS, "CR3 is loaded, with its low bits", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_clear_PROC_CR3_STORE_EXITING), .covers = "field:GUEST_CR3")
{
	start(CODE(see_cr3));
	field_set(VMCS_GUEST_CR3, PTE_PCD | PTE_PWT);
	return see(vmx_address(guest_pml4) | PTE_PCD | PTE_PWT);
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
		start(CODE(see_cr4));
		field_write(VMCS_GUEST_CR4, read_cr4() ^ bit);
		result = see(read_cr4() ^ bit);
	}
	return result;
}

static outcome load_dr7(uint64_t field, bool load, uint64_t expected)
{
	start(CODE(see_dr7));
	field_write(VMCS_GUEST_DR7, field);
	if (load)
		field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS);
	return see(expected);
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

/* ---- MSRs, as RDMSR gives them in the guest ---- */

static const uint8_t no_msr_exits[4096] __aligned(4096);

static outcome see_msr(uint32_t msr, uint64_t expected)
{
	field_set(VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS);
	field_write(VMCS_MSR_BITMAP, vmx_address(no_msr_exits));
	guest_gpr[RCX] = msr;
	return see(expected);
}

struct msr_row {
	struct test_row row;
	uint32_t field, msr;
	uint64_t value;
};
#define MSR_ROW(name, value)                                                                       \
	{                                                                                          \
		{ #name, EXIT(EXIT_REASON_VMCALL) }, VMCS_GUEST_##name, MSR_##name, value          \
	}
static const struct msr_row msrs[] = {
	MSR_ROW(IA32_SYSENTER_CS, 0),
	MSR_ROW(IA32_SYSENTER_CS, UINT32_MAX),
	MSR_ROW(IA32_SYSENTER_ESP, 0),
	MSR_ROW(IA32_SYSENTER_ESP, ADDRESS),
	MSR_ROW(IA32_SYSENTER_ESP, BITS(63, 47)),
	MSR_ROW(IA32_SYSENTER_EIP, 0),
	MSR_ROW(IA32_SYSENTER_EIP, ADDRESS),
	MSR_ROW(IA32_SYSENTER_EIP, BITS(63, 47)),
	{ { "FS.base", EXIT(EXIT_REASON_VMCALL) }, VMCS_GUEST_FS_BASE, MSR_IA32_FS_BASE, ADDRESS },
	{ { "GS.base", EXIT(EXIT_REASON_VMCALL) }, VMCS_GUEST_GS_BASE, MSR_IA32_GS_BASE, ADDRESS },
};

SWEEP(load, msrs, TITLE_REGISTERS, "the SYSENTER MSRs and the bases of FS and GS are loaded always",
	msrs, .needs = NEEDS(&need_PROC_MSR_BITMAPS),
	.covers = "field:GUEST_IA32_SYSENTER_CS field:GUEST_IA32_SYSENTER_ESP "
		  "field:GUEST_IA32_SYSENTER_EIP "
		  "field:GUEST_FS_BASE field:GUEST_GS_BASE msr:IA32_SYSENTER_CS "
		  "msr:IA32_SYSENTER_ESP "
		  "msr:IA32_SYSENTER_EIP msr:IA32_FS_BASE msr:IA32_GS_BASE")
{
	const struct msr_row *row = TEST_ROW(struct msr_row);

	start(CODE(see_rdmsr));
	field_write(row->field, row->value);
	return see_msr(row->msr, row->value);
}

#define PAT_OTHER UINT64_C(0x0001040506070006)

static outcome load_pat(bool load, uint64_t expected)
{
	start(CODE(see_rdmsr));
	field_write(VMCS_GUEST_IA32_PAT, PAT_OTHER);
	field_write(VMCS_HOST_IA32_PAT, rdmsr(MSR_IA32_PAT));
	field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_LOAD_PAT);
	if (load)
		field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_PAT);
	return see_msr(MSR_IA32_PAT, expected);
}

#define NEEDS_PAT NEEDS(&need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_PAT, &need_VM_EXIT_LOAD_PAT)

TEST(load, pat, TITLE_REGISTERS, "with \"load IA32_PAT\" the MSR is loaded",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS_PAT,
	.covers = "control:VM_ENTRY_LOAD_PAT field:GUEST_IA32_PAT msr:IA32_PAT")
{
	return load_pat(true, PAT_OTHER);
}

TEST(load, pat_not, TITLE_REGISTERS, "without \"load IA32_PAT\" the MSR stays the host's",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS_PAT, .covers = "control:VM_ENTRY_LOAD_PAT")
{
	return load_pat(false, rdmsr(MSR_IA32_PAT));
}

/* LMA and LME come from the IA-32e mode guest control in any case; SCE and NXE only from the field.
 */
static outcome load_efer(bool load, uint64_t field, uint64_t expected)
{
	start(CODE(see_rdmsr));
	field_write(VMCS_GUEST_IA32_EFER, field);
	field_write(VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
	field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_LOAD_EFER);
	if (load)
		field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_EFER);
	return see_msr(MSR_IA32_EFER, expected);
}

#define NEEDS_EFER NEEDS(&need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_EFER, &need_VM_EXIT_LOAD_EFER)

TEST(load, efer, TITLE_REGISTERS,
	"with \"load IA32_EFER\" the MSR is loaded: NXE and SCE, each 0 and 1",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS_EFER,
	.covers = "control:VM_ENTRY_LOAD_EFER field:GUEST_IA32_EFER msr:IA32_EFER")
{
	static const uint64_t values[] = { 0, EFER_NXE, EFER_SCE, EFER_NXE | EFER_SCE };
	unsigned int i;
	outcome result = test->expected;

	for (i = 0; i < ARRAY_SIZE(values) && result == test->expected; i++)
		result = load_efer(
			true, EFER_LMA | EFER_LME | values[i], EFER_LMA | EFER_LME | values[i]);
	return result;
}

TEST(load, efer_not, TITLE_REGISTERS, "without \"load IA32_EFER\" SCE and NXE stay the host's",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS_EFER, .covers = "control:VM_ENTRY_LOAD_EFER")
{
	return load_efer(false, 0, rdmsr(MSR_IA32_EFER));
}

/* RDMSR of a 32-bit guest. */
GUEST_CODE32(load_rdmsr_32, "rdmsr; vmcall; 1: jmp 1b");

TEST(load, efer_lma, TITLE_REGISTERS,
	"a guest that is not in IA-32e mode has LMA and LME 0, without any load",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_PROC_MSR_BITMAPS),
	.covers = "control:VM_ENTRY_IA32E_MODE_GUEST")
{
	start(CODE(see_rdmsr));
	guest_set_mode(GUEST_PAGED32, CODE(load_rdmsr_32));
	return see_msr(MSR_IA32_EFER, rdmsr(MSR_IA32_EFER) & ~(EFER_LMA | EFER_LME));
}

static bool has_perf_global_ctrl(void)
{
	uint64_t value;

	return rdmsr_safe(MSR_IA32_PERF_GLOBAL_CTRL, &value) == 0;
}

static const struct test_need need_perf_global_ctrl_msr = { "RDMSR of IA32_PERF_GLOBAL_CTRL is #GP",
	has_perf_global_ctrl };

#define LBR BIT(0)

static outcome load_debugctl(bool load, uint64_t expected)
{
	start(CODE(see_rdmsr));
	field_write(VMCS_GUEST_IA32_DEBUGCTL, LBR);
	if (load)
		field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS);
	return see_msr(MSR_IA32_DEBUGCTL, expected);
}

TEST(load, debugctl, TITLE_REGISTERS, "with \"load debug controls\" IA32_DEBUGCTL is loaded",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_PROC_MSR_BITMAPS, &need_debugctl),
	.covers =
		"control:VM_ENTRY_LOAD_DEBUG_CONTROLS field:GUEST_IA32_DEBUGCTL msr:IA32_DEBUGCTL")
{
	return load_debugctl(true, LBR);
}

TEST(load, debugctl_not, TITLE_REGISTERS,
	"without \"load debug controls\" IA32_DEBUGCTL stays the host's", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(
		&need_PROC_MSR_BITMAPS, &need_clear_VM_ENTRY_LOAD_DEBUG_CONTROLS, &need_debugctl),
	.covers = "control:VM_ENTRY_LOAD_DEBUG_CONTROLS")
{
	return load_debugctl(false, 0);
}

TEST(load, debugctl_saved, "SDM Saving Control Registers, Debug Registers, and MSRs",
	"IA32_DEBUGCTL that \"load debug controls\" has loaded is what \"save debug controls\" "
	"saves",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_IA32_DEBUGCTL, LBR }, { VMCS_GUEST_DR7, DR7_RESET | BIT(9) }),
	.covers = "control:VM_ENTRY_LOAD_DEBUG_CONTROLS control:VM_EXIT_SAVE_DEBUG_CONTROLS "
		  "field:GUEST_IA32_DEBUGCTL")
{
	start(CODE(see_nothing));
	field_write(VMCS_GUEST_IA32_DEBUGCTL, LBR);
	field_write(VMCS_GUEST_DR7, BIT(9));
	field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_DEBUG_CONTROLS);
	field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_SAVE_DEBUG_CONTROLS);
	return guest_run(NULL);
}

static outcome load_controlled(uint32_t field, uint32_t msr, uint64_t entry, uint64_t value)
{
	uint64_t held = rdmsr(msr);
	outcome result;

	start(CODE(see_rdmsr));
	field_write(field, value);
	field_set(VMCS_VM_ENTRY_CONTROLS, entry);
	result = see_msr(msr, value);
	wrmsr(msr, held);
	return result;
}

TEST(load, perf_global_ctrl, TITLE_REGISTERS,
	"with \"load IA32_PERF_GLOBAL_CTRL\" the MSR is loaded", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_PERF_GLOBAL_CTRL,
		&need_perf_global_ctrl_msr),
	.covers = "control:VM_ENTRY_LOAD_PERF_GLOBAL_CTRL field:GUEST_IA32_PERF_GLOBAL_CTRL "
		  "msr:IA32_PERF_GLOBAL_CTRL")
{
	return load_controlled(VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, MSR_IA32_PERF_GLOBAL_CTRL,
		VM_ENTRY_LOAD_PERF_GLOBAL_CTRL, 1);
}

TEST(load, bndcfgs, TITLE_REGISTERS, "with \"load IA32_BNDCFGS\" the MSR is loaded",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_BNDCFGS),
	.covers = "control:VM_ENTRY_LOAD_BNDCFGS field:GUEST_IA32_BNDCFGS msr:IA32_BNDCFGS")
{
	return load_controlled(
		VMCS_GUEST_IA32_BNDCFGS, MSR_IA32_BNDCFGS, VM_ENTRY_LOAD_BNDCFGS, ADDRESS | BIT(1));
}

/* ---- Segments and descriptor tables ---- */

TEST(load, selectors, TITLE_SEGMENTS, "all eight selectors are loaded, each its own",
	EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_ES_SELECTOR field:GUEST_CS_SELECTOR field:GUEST_SS_SELECTOR "
		  "field:GUEST_DS_SELECTOR "
		  "field:GUEST_FS_SELECTOR field:GUEST_GS_SELECTOR field:GUEST_LDTR_SELECTOR "
		  "field:GUEST_TR_SELECTOR")
{
	static const uint8_t registers[] = { RAX, RCX, RDX, RBX, RSI, RDI, R8, R9 };
	unsigned int i;
	outcome result;

	start(CODE(see_selectors));
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		field_write(VMCS_GUEST_ES_SELECTOR + 2 * i, 0x1000 + 0x100 * i);
	result = guest_run(NULL);
	for (i = 0; i < ARRAY_SIZE(registers); i++)
		CHECK_EQUAL(
			test_observe(guest_gpr[registers[i]]) & BITS(15, 0), 0x1000 + 0x100 * i);
	return result;
}

static outcome load_table(const void *code, size_t bytes, uint32_t base_field, uint32_t limit_field)
{
	uint16_t limit;
	uint64_t base;
	outcome result;

	start(code, bytes);
	field_write(base_field, ADDRESS);
	field_write(limit_field, 0x5a5a);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	result = guest_run(NULL);
	memcpy(&limit, guest_page[0], sizeof(limit));
	memcpy(&base, guest_page[0] + sizeof(limit), sizeof(base));
	CHECK_EQUAL(test_observe(limit), 0x5a5a);
	CHECK_EQUAL(test_observe(base), ADDRESS);
	return result;
}

TEST(load, gdtr, TITLE_SEGMENTS, "GDTR is loaded: base and limit", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_GDTR_BASE field:GUEST_GDTR_LIMIT")
{
	return load_table(CODE(see_gdtr), VMCS_GUEST_GDTR_BASE, VMCS_GUEST_GDTR_LIMIT);
}

TEST(load, idtr, TITLE_SEGMENTS, "IDTR is loaded: base and limit", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_IDTR_BASE field:GUEST_IDTR_LIMIT")
{
	return load_table(CODE(see_idtr), VMCS_GUEST_IDTR_BASE, VMCS_GUEST_IDTR_LIMIT);
}

static const uint64_t landmark = UINT64_C(0xfeedfacecafebeef);

static outcome load_base(const void *code, size_t bytes, uint32_t field)
{
	start(code, bytes);
	field_write(field, vmx_address(&landmark));
	return see(landmark);
}

TEST(load, fs_base, TITLE_SEGMENTS, "accesses through FS use the base that was loaded",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_FS_BASE")
{
	return load_base(CODE(see_fs_base), VMCS_GUEST_FS_BASE);
}

TEST(load, gs_base, TITLE_SEGMENTS, "accesses through GS use the base that was loaded",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_GS_BASE")
{
	return load_base(CODE(see_gs_base), VMCS_GUEST_GS_BASE);
}

/* Each field keeps its value through an entry and the exit. */
struct kept_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
};
#define KEPT(field, value)                                                                         \
	{                                                                                          \
		{ #field, EXIT(EXIT_REASON_VMCALL) }, VMCS_##field, value                          \
	}
#define KEPT_SEGMENT(SEG)                                                                          \
	KEPT(GUEST_##SEG##_BASE, 0x12345678), KEPT(GUEST_##SEG##_LIMIT, 0x12345fff),               \
		KEPT(GUEST_##SEG##_ACCESS_RIGHTS, GUEST_RIGHTS_DATA | ACCESS_RIGHTS_AVL)
static const struct kept_row kept[] = {
	KEPT_SEGMENT(ES),
	KEPT_SEGMENT(DS),
	KEPT_SEGMENT(FS),
	KEPT_SEGMENT(GS),
	KEPT(GUEST_TR_BASE, ADDRESS),
	KEPT(GUEST_TR_LIMIT, 0x12345),
	KEPT(GUEST_TR_ACCESS_RIGHTS, GUEST_RIGHTS_TSS | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_CS_ACCESS_RIGHTS, GUEST_RIGHTS_CODE64 | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_SS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA | ACCESS_RIGHTS_AVL),
	KEPT(GUEST_SS_LIMIT, 0x12345fff),
	KEPT(GUEST_CS_LIMIT, 0x12345fff),
	KEPT(GUEST_GDTR_BASE, ADDRESS),
	KEPT(GUEST_IDTR_BASE, ADDRESS),
	KEPT(GUEST_GDTR_LIMIT, 0x5a5a),
	KEPT(GUEST_IDTR_LIMIT, 0xa5a5),
	KEPT(GUEST_IA32_SYSENTER_CS, 0x12345678),
	KEPT(GUEST_IA32_SYSENTER_ESP, ADDRESS),
	KEPT(GUEST_IA32_SYSENTER_EIP, ADDRESS),
	KEPT(GUEST_RSP, ADDRESS),
	KEPT(GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_OF | RFLAGS_DF | RFLAGS_AC |
				   RFLAGS_ID | RFLAGS_IOPL | RFLAGS_NT),
};

SWEEP(load, kept, "SDM Saving Guest State",
	"what was loaded is saved again when the guest does not change it", kept,
	.covers = "field:GUEST_ES_BASE field:GUEST_ES_LIMIT field:GUEST_ES_ACCESS_RIGHTS "
		  "field:GUEST_DS_BASE "
		  "field:GUEST_DS_LIMIT field:GUEST_DS_ACCESS_RIGHTS field:GUEST_FS_BASE "
		  "field:GUEST_FS_LIMIT "
		  "field:GUEST_FS_ACCESS_RIGHTS field:GUEST_GS_BASE field:GUEST_GS_LIMIT "
		  "field:GUEST_GS_ACCESS_RIGHTS "
		  "field:GUEST_TR_BASE field:GUEST_TR_LIMIT field:GUEST_TR_ACCESS_RIGHTS "
		  "field:GUEST_CS_ACCESS_RIGHTS "
		  "field:GUEST_SS_ACCESS_RIGHTS field:GUEST_SS_LIMIT field:GUEST_CS_LIMIT "
		  "field:GUEST_GDTR_BASE "
		  "field:GUEST_IDTR_BASE field:GUEST_GDTR_LIMIT field:GUEST_IDTR_LIMIT "
		  "field:GUEST_RSP field:GUEST_RFLAGS")
{
	const struct kept_row *row = TEST_ROW(struct kept_row);
	outcome result;

	start(CODE(see_nothing));
	field_write(row->field, row->value);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(row->field), row->value);
	return result;
}

/* ---- RIP, RSP, RFLAGS ---- */

TEST(load, rsp, TITLE_RIP, "RSP is loaded, all 64 bits", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_RSP")
{
	start(CODE(see_rsp));
	field_write(VMCS_GUEST_RSP, BITS(63, 0));
	return see(BITS(63, 0));
}

TEST(load, rip, TITLE_RIP, "RIP is loaded: the guest starts there", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_RIP")
{
	uint64_t end = vmx_address(see_rsp) + 3; /* behind the MOV */

	start(CODE(see_rsp));
	field_write(VMCS_GUEST_RIP, end);
	guest_gpr[RAX] = 5;
	return see(5);
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
		start(CODE(see_rflags));
		field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | bit);
		result = see(RFLAGS_FIXED | bit);
	}
	return result;
}

/* RFLAGS.RF is loaded: it lets one instruction pass its breakpoint. DR0 and DR6 are not among the
 * guest state. */
static outcome run_breakpoint(uint64_t rf)
{
	outcome result;

	start(CODE(see_nothing));
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
