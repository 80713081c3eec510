/* What comes first, a fault or the VM exit (Intel SDM, "Relative Priority of Faults and VM Exits"):
   #UD and faults by privilege come before, most other faults after. Instructions without a control
   are unconditional.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Relative Priority of Faults and VM Exits"

GUEST64(priority_hlt, "hlt");
GUEST64(priority_invlpg, "invlpg (%rdi)");
GUEST64(priority_rdpmc, "rdpmc");
GUEST64(priority_rdtsc, "rdtsc");
GUEST64(priority_rdtscp, "rdtscp");
GUEST64(priority_monitor, "monitor");
GUEST64(priority_mwait, "mwait");
GUEST64(priority_pause, "pause");
GUEST64(priority_wbinvd, "wbinvd");
GUEST64(priority_invpcid, "invpcid (%rdi), %rax");
GUEST64(priority_rdmsr, "rdmsr");
GUEST64(priority_wrmsr, "wrmsr");
GUEST64(priority_clts, "clts");
GUEST64(priority_lmsw, "lmsw %ax");
GUEST64(priority_mov_to_cr0, "movq %rax, %cr0");
GUEST64(priority_mov_to_cr3, "movq %rax, %cr3");
GUEST64(priority_mov_from_cr3, "movq %cr3, %rax");
GUEST64(priority_mov_to_cr4, "movq %rax, %cr4");
GUEST64(priority_mov_to_cr8, "movq %rax, %cr8");
GUEST64(priority_mov_from_cr8, "movq %cr8, %rax");
GUEST64(priority_lgdt, "lgdt (%rdi)");
GUEST64(priority_lidt, "lidt (%rdi)");
GUEST64(priority_lldt, "lldt %ax");
GUEST64(priority_ltr, "ltr %ax");
GUEST64(priority_sgdt, "sgdt (%rdi)");
GUEST64(priority_sidt, "sidt (%rdi)");
GUEST64(priority_sldt, "sldt %eax");
GUEST64(priority_str, "str %eax");

/* Everything that can make an instruction exit, as far as the CPU lets us. */
static void set_all_exiting(void)
{
	static const struct {
		uint8_t word;
		uint64_t control;
	} controls[] = {
		{ CONTROL_WORD_PROC, PROC_HLT_EXITING },
		{ CONTROL_WORD_PROC, PROC_INVLPG_EXITING },
		{ CONTROL_WORD_PROC, PROC_MWAIT_EXITING },
		{ CONTROL_WORD_PROC, PROC_RDPMC_EXITING },
		{ CONTROL_WORD_PROC, PROC_RDTSC_EXITING },
		{ CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING },
		{ CONTROL_WORD_PROC, PROC_CR3_STORE_EXITING },
		{ CONTROL_WORD_PROC, PROC_CR8_LOAD_EXITING },
		{ CONTROL_WORD_PROC, PROC_CR8_STORE_EXITING },
		{ CONTROL_WORD_PROC, PROC_UNCONDITIONAL_IO_EXITING },
		{ CONTROL_WORD_PROC, PROC_MONITOR_EXITING },
		{ CONTROL_WORD_PROC, PROC_PAUSE_EXITING },
		{ CONTROL_WORD_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING },
		{ CONTROL_WORD_PROC2, PROC2_ENABLE_RDTSCP },
		{ CONTROL_WORD_PROC2, PROC2_WBINVD_EXITING },
		{ CONTROL_WORD_PROC2, PROC2_ENABLE_INVPCID },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(controls); i++)
		if (vmx_may_set(controls[i].word, controls[i].control))
			exit_control(controls[i].word, controls[i].control, true);
	field_write(VMCS_CR0_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR0_READ_SHADOW, read_cr0() | CR0_TS);
	field_write(VMCS_CR4_GUEST_HOST_MASK, UINT64_MAX);
	field_write(VMCS_CR4_READ_SHADOW, read_cr4());
}

struct priority_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint64_t cr4_set, cr4_clear;
};

static outcome run_row(const struct priority_row *row)
{
	guest_reset();
	set_all_exiting();
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	field_set(VMCS_GUEST_CR4, row->cr4_set);
	field_clear(VMCS_GUEST_CR4, row->cr4_clear);
	return guest_run(NULL);
}

#define ROW(mnemonic, name, expected, where, ...)                                                  \
	{                                                                                          \
		.row = { name, expected }, .code = CODE_OF(priority_##mnemonic), .mode = where,    \
		##__VA_ARGS__                                                                      \
	}
#define GP_ROW(mnemonic) ROW(mnemonic, #mnemonic, FAULT(GP), GUEST_64BIT_USER)
#define GP_ROWS(mnemonic)                                                                          \
	GP_ROW(mnemonic),                                                                          \
		ROW(mnemonic, #mnemonic " in virtual-8086 mode", FAULT(GP), GUEST_VIRTUAL_8086)

static const struct priority_row privileged[] = {
	GP_ROWS(hlt),
	GP_ROWS(invlpg),
	ROW(rdpmc, "rdpmc with CR4.PCE = 0", FAULT(GP), GUEST_64BIT_USER, .cr4_clear = CR4_PCE),
	ROW(rdtsc, "rdtsc with CR4.TSD = 1", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_TSD),
	GP_ROWS(rdmsr),
	GP_ROWS(wrmsr),
	GP_ROWS(clts),
	GP_ROWS(lmsw),
	GP_ROW(mov_to_cr0),
	GP_ROW(mov_to_cr3),
	GP_ROW(mov_from_cr3),
	GP_ROW(mov_to_cr4),
	GP_ROW(mov_to_cr8),
	GP_ROW(mov_from_cr8),
};

SWEEP(priority, privilege, SECTION,
	"at CPL 3 #GP comes before the VM exit that the controls ask for", privileged)
{
	return run_row(TEST_ROW(struct priority_row));
}

static const struct priority_row unprivileged[] = {
	ROW(rdpmc, "rdpmc with CR4.PCE = 1", EXIT(EXIT_REASON_RDPMC), GUEST_64BIT_USER,
		.cr4_set = CR4_PCE),
	ROW(rdtsc, "rdtsc with CR4.TSD = 0", EXIT(EXIT_REASON_RDTSC), GUEST_64BIT_USER,
		.cr4_clear = CR4_TSD),
	ROW(rdtsc, "rdtsc with CR4.TSD = 1 at CPL 0", EXIT(EXIT_REASON_RDTSC), GUEST_64BIT,
		.cr4_set = CR4_TSD),
	ROW(pause, "pause", EXIT(EXIT_REASON_PAUSE), GUEST_64BIT_USER),
};

SWEEP(priority, unprivileged, SECTION, "what CPL 3 may execute exits there as at CPL 0",
	unprivileged)
{
	return run_row(TEST_ROW(struct priority_row));
}

static const struct priority_row rdtscp[] = {
	ROW(rdtscp, "CR4.TSD = 1", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_TSD),
	ROW(rdtscp, "CR4.TSD = 0", EXIT(EXIT_REASON_RDTSCP), GUEST_64BIT_USER,
		.cr4_clear = CR4_TSD),
};

SWEEP(priority, rdtscp, SECTION, "CR4.TSD at CPL 3 comes before the exit of RDTSCP", rdtscp,
	.needs = NEEDS(&need_PROC2_ENABLE_RDTSCP))
{
	return run_row(TEST_ROW(struct priority_row));
}

static const struct priority_row monitor[] = {
	ROW(monitor, "monitor", FAULT(UD), GUEST_64BIT_USER),
	ROW(mwait, "mwait", FAULT(UD), GUEST_64BIT_USER),
};

SWEEP(priority, monitor, SECTION, "at CPL 3 MONITOR and MWAIT are #UD before they exit", monitor,
	.needs = NEEDS(&need_monitor))
{
	return run_row(TEST_ROW(struct priority_row));
}

TEST(priority, wbinvd, SECTION, "at CPL 3 WBINVD is #GP before it exits", FAULT(GP),
	.needs = NEEDS(&need_PROC2_WBINVD_EXITING))
{
	return run_row(&(struct priority_row)GP_ROW(wbinvd));
}

TEST(priority, invpcid, SECTION, "at CPL 3 INVPCID is #GP before it exits", FAULT(GP),
	.needs = NEEDS(&need_PROC2_ENABLE_INVPCID))
{
	return run_row(&(struct priority_row)GP_ROW(invpcid));
}

static const struct priority_row tables[] = {
	GP_ROWS(lgdt),
	GP_ROWS(lidt),
	GP_ROW(lldt),
	GP_ROW(ltr),
	ROW(lldt, "lldt in virtual-8086 mode", FAULT(UD), GUEST_VIRTUAL_8086),
	ROW(ltr, "ltr in virtual-8086 mode", FAULT(UD), GUEST_VIRTUAL_8086),
	ROW(sldt, "sldt in virtual-8086 mode", FAULT(UD), GUEST_VIRTUAL_8086),
	ROW(str, "str in virtual-8086 mode", FAULT(UD), GUEST_VIRTUAL_8086),
	ROW(sgdt, "sgdt", EXIT(EXIT_REASON_GDTR_OR_IDTR_ACCESS), GUEST_64BIT_USER),
	ROW(sidt, "sidt", EXIT(EXIT_REASON_GDTR_OR_IDTR_ACCESS), GUEST_64BIT_USER),
	ROW(sldt, "sldt", EXIT(EXIT_REASON_LDTR_OR_TR_ACCESS), GUEST_64BIT_USER),
	ROW(str, "str", EXIT(EXIT_REASON_LDTR_OR_TR_ACCESS), GUEST_64BIT_USER),
};

SWEEP(priority, descriptor_tables, SECTION,
	"loads are #GP or #UD before they exit; stores exit at CPL 3 too", tables,
	.needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING),
	.covers = "control:PROC2_DESCRIPTOR_TABLE_EXITING exit:GDTR_OR_IDTR_ACCESS "
		  "exit:LDTR_OR_TR_ACCESS")
{
	return run_row(TEST_ROW(struct priority_row));
}

static const struct priority_row umip[] = {
	ROW(sgdt, "sgdt", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_UMIP),
	ROW(sidt, "sidt", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_UMIP),
	ROW(sldt, "sldt", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_UMIP),
	ROW(str, "str", FAULT(GP), GUEST_64BIT_USER, .cr4_set = CR4_UMIP),
	ROW(sgdt, "sgdt at CPL 0", EXIT(EXIT_REASON_GDTR_OR_IDTR_ACCESS), GUEST_64BIT,
		.cr4_set = CR4_UMIP),
};

SWEEP(priority, umip, SECTION, "with CR4.UMIP = 1 stores at CPL 3 are #GP before they exit", umip,
	.needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING, &need_umip))
{
	return run_row(TEST_ROW(struct priority_row));
}

/* Operands that would fault if the instruction went on: the exit comes first. */
GUEST64(priority_rdmsr_bad, "movl $0xdeadbeef, %ecx; rdmsr");
GUEST64(priority_wrmsr_bad, "movl $0xdeadbeef, %ecx; wrmsr");
GUEST64(priority_mov_cr0_bad, "xorl %eax, %eax; movq %rax, %cr0");
GUEST64(priority_mov_cr4_bad, "movq $-1, %rax; movq %rax, %cr4");
GUEST64(priority_mov_cr3_bad, "movq $-1, %rax; shrq $1, %rax; movq %rax, %cr3");
GUEST64(priority_mov_cr8_bad, "movq $-1, %rax; movq %rax, %cr8");
GUEST64(priority_monitor_bad, "movl $1, %ecx; monitor");
GUEST64(priority_mwait_bad, "movl $-1, %ecx; mwait");
GUEST64(priority_rdpmc_bad, "movl $0x12345678, %ecx; rdpmc");
GUEST64(priority_invlpg_bad, "movq $1, %rax; rolq $62, %rax; invlpg (%rax)");

static const struct priority_row exits_first[] = {
	ROW(rdmsr_bad, "rdmsr of no MSR", EXIT(EXIT_REASON_RDMSR), GUEST_64BIT),
	ROW(wrmsr_bad, "wrmsr of no MSR", EXIT(EXIT_REASON_WRMSR), GUEST_64BIT),
	ROW(mov_cr0_bad, "mov 0 to CR0 in IA-32e mode", EXIT(EXIT_REASON_CR_ACCESS), GUEST_64BIT),
	ROW(mov_cr4_bad, "mov to CR4 of reserved bits", EXIT(EXIT_REASON_CR_ACCESS), GUEST_64BIT),
	ROW(mov_cr3_bad, "mov to CR3 of reserved bits", EXIT(EXIT_REASON_CR_ACCESS), GUEST_64BIT),
	ROW(mov_cr8_bad, "mov to CR8 of reserved bits", EXIT(EXIT_REASON_CR_ACCESS), GUEST_64BIT),
	ROW(rdpmc_bad, "rdpmc of no counter", EXIT(EXIT_REASON_RDPMC), GUEST_64BIT),
	ROW(invlpg_bad, "invlpg of a non-canonical address", EXIT(EXIT_REASON_INVLPG), GUEST_64BIT),
};

SWEEP(priority, exit_first, SECTION, "the exit comes before #GP for the operand's value",
	exits_first)
{
	return run_row(TEST_ROW(struct priority_row));
}

static const struct priority_row monitor_first[] = {
	ROW(monitor_bad, "monitor with an extension", EXIT(EXIT_REASON_MONITOR), GUEST_64BIT),
	ROW(mwait_bad, "mwait with an extension", EXIT(EXIT_REASON_MWAIT), GUEST_64BIT),
};

SWEEP(priority, monitor_exit_first, SECTION, "the exit comes before #GP for ECX", monitor_first,
	.needs = NEEDS(&need_monitor))
{
	return run_row(TEST_ROW(struct priority_row));
}

/* Selectors of nothing, and operands in pages that are not there. */
GUEST64(priority_lldt_bad, "movl $0xfff8, %eax; lldt %ax");
GUEST64(priority_ltr_bad, "xorl %eax, %eax; ltr %ax");
GUEST64(priority_sgdt_absent, "movq $0x400000000, %rbx; sgdt (%rbx)");
GUEST64(priority_lgdt_absent, "movq $0x400000000, %rbx; lgdt (%rbx)");
GUEST64(priority_vmclear_absent, "movq $0x400000000, %rbx; vmclear (%rbx)");
GUEST64(priority_vmptrst_absent, "movq $0x400000000, %rbx; vmptrst (%rbx)");

static const struct priority_row tables_first[] = {
	ROW(lldt_bad, "lldt beyond the GDT", EXIT(EXIT_REASON_LDTR_OR_TR_ACCESS), GUEST_64BIT),
	ROW(ltr_bad, "ltr of a null selector", EXIT(EXIT_REASON_LDTR_OR_TR_ACCESS), GUEST_64BIT),
	ROW(sgdt_absent, "sgdt to an absent page", EXIT(EXIT_REASON_GDTR_OR_IDTR_ACCESS),
		GUEST_64BIT),
	ROW(lgdt_absent, "lgdt from an absent page", EXIT(EXIT_REASON_GDTR_OR_IDTR_ACCESS),
		GUEST_64BIT),
	ROW(vmclear_absent, "vmclear of an absent page", EXIT(EXIT_REASON_VMCLEAR), GUEST_64BIT),
	ROW(vmptrst_absent, "vmptrst to an absent page", EXIT(EXIT_REASON_VMPTRST), GUEST_64BIT),
};

SWEEP(priority, operand, SECTION,
	"the exit comes before the faults of reading or writing the operand", tables_first,
	.needs = NEEDS(&need_PROC2_DESCRIPTOR_TABLE_EXITING))
{
	return run_row(TEST_ROW(struct priority_row));
}
