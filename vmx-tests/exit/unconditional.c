/* Instructions that cause VM exits whatever the controls say, and the faults that come before
   (Intel SDM, "Instructions That Cause VM Exits Unconditionally", "Relative Priority of Faults and
   VM Exits"). Information about their operands is information.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Instructions That Cause VM Exits Unconditionally"

GUEST64(unconditional_cpuid, "cpuid");
GUEST64(unconditional_invd, "invd");
GUEST64(unconditional_xsetbv, "xsetbv");
GUEST64(unconditional_getsec, "getsec");
GUEST64(unconditional_rsm, "rsm");
GUEST64(unconditional_invept, "invept (%rdi), %rax");
GUEST64(unconditional_invvpid, "invvpid (%rdi), %rax");
GUEST64(unconditional_vmcall, "vmcall");
GUEST64(unconditional_vmclear, "vmclear (%rdi)");
GUEST64(unconditional_vmlaunch, "vmlaunch");
GUEST64(unconditional_vmptrld, "vmptrld (%rdi)");
GUEST64(unconditional_vmptrst, "vmptrst (%rdi)");
GUEST64(unconditional_vmread, "vmread %rax, %rcx");
GUEST64(unconditional_vmresume, "vmresume");
GUEST64(unconditional_vmwrite, "vmwrite %rcx, %rax");
GUEST64(unconditional_vmxoff, "vmxoff");
GUEST64(unconditional_vmxon, "vmxon (%rdi)");

static outcome run_case(const struct exit_case *row)
{
	guest_reset();
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return exit_run_case(row);
}

#define CASE(mnemonic, name, reason, mode, length)                                                 \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_##reason) }, CODE_OF(unconditional_##mnemonic), mode,     \
			length, 0                                                                  \
	}

static const struct exit_case always[] = {
	CASE(cpuid, "CPUID", CPUID, GUEST_64BIT, 2),
	CASE(cpuid, "CPUID at CPL 3", CPUID, GUEST_64BIT_USER, 2),
	CASE(cpuid, "CPUID in compatibility mode", CPUID, GUEST_COMPATIBILITY, 2),
	CASE(cpuid, "CPUID with PAE paging", CPUID, GUEST_PAE, 2),
	CASE(cpuid, "CPUID with 32-bit paging", CPUID, GUEST_PAGED32, 2),
	CASE(cpuid, "CPUID in 16-bit protected mode", CPUID, GUEST_PROTECTED16, 2),
	CASE(cpuid, "CPUID in virtual-8086 mode", CPUID, GUEST_VIRTUAL_8086, 2),
	CASE(invd, "INVD", INVD, GUEST_64BIT, 2),
};

SWEEP(unconditional, instructions, SECTION, "CPUID and INVD exit in every mode", always,
	.covers = "exit:CPUID exit:INVD insn:CPUID insn:INVD")
{
	return run_case(TEST_ROW(struct exit_case));
}

/* All the instructions that VMX brought, with their length and without a displacement. */
static const struct exit_case vmx_always[] = {
	CASE(vmcall, "VMCALL", VMCALL, GUEST_64BIT, 3),
	CASE(vmclear, "VMCLEAR", VMCLEAR, GUEST_64BIT, 4),
	CASE(vmlaunch, "VMLAUNCH", VMLAUNCH, GUEST_64BIT, 3),
	CASE(vmptrld, "VMPTRLD", VMPTRLD, GUEST_64BIT, 3),
	CASE(vmptrst, "VMPTRST", VMPTRST, GUEST_64BIT, 3),
	CASE(vmread, "VMREAD", VMREAD, GUEST_64BIT, 3),
	CASE(vmresume, "VMRESUME", VMRESUME, GUEST_64BIT, 3),
	CASE(vmwrite, "VMWRITE", VMWRITE, GUEST_64BIT, 3),
	CASE(vmxoff, "VMXOFF", VMXOFF, GUEST_64BIT, 3),
	CASE(vmxon, "VMXON", VMXON, GUEST_64BIT, 4),
};

SWEEP(unconditional, vmx_instructions, SECTION, "VMX instructions exit in VMX non-root operation",
	vmx_always,
	.covers = "exit:VMCALL exit:VMCLEAR exit:VMLAUNCH exit:VMPTRLD exit:VMPTRST exit:VMREAD "
		  "exit:VMRESUME "
		  "exit:VMWRITE exit:VMXOFF exit:VMXON")
{
	return run_case(TEST_ROW(struct exit_case));
}

/* Their operation sections ask for VMX non-root operation before they ask for CPL 0. */
static const struct exit_case vmx_user[] = {
	CASE(vmcall, "VMCALL", VMCALL, GUEST_64BIT_USER, 3),
	CASE(vmclear, "VMCLEAR", VMCLEAR, GUEST_64BIT_USER, 4),
	CASE(vmlaunch, "VMLAUNCH", VMLAUNCH, GUEST_64BIT_USER, 3),
	CASE(vmptrld, "VMPTRLD", VMPTRLD, GUEST_64BIT_USER, 3),
	CASE(vmptrst, "VMPTRST", VMPTRST, GUEST_64BIT_USER, 3),
	CASE(vmread, "VMREAD", VMREAD, GUEST_64BIT_USER, 3),
	CASE(vmresume, "VMRESUME", VMRESUME, GUEST_64BIT_USER, 3),
	CASE(vmwrite, "VMWRITE", VMWRITE, GUEST_64BIT_USER, 3),
	CASE(vmxoff, "VMXOFF", VMXOFF, GUEST_64BIT_USER, 3),
	CASE(vmxon, "VMXON", VMXON, GUEST_64BIT_USER, 4),
};

SWEEP(unconditional, vmx_instructions_user, "SDM VMX Instruction Reference",
	"VMX instructions exit at CPL 3 too: the VM exit comes before the check of CPL", vmx_user,
	.covers = "exit:VMCALL exit:VMCLEAR exit:VMLAUNCH exit:VMPTRLD exit:VMPTRST exit:VMREAD "
		  "exit:VMRESUME "
		  "exit:VMWRITE exit:VMXOFF exit:VMXON")
{
	return run_case(TEST_ROW(struct exit_case));
}

#define UD_CASE(mnemonic, name, mode)                                                              \
	{                                                                                          \
		{ name, FAULT(UD) }, CODE_OF(unconditional_##mnemonic), mode, 0, 0                 \
	}
#define UD_CASES(mnemonic, name)                                                                   \
	UD_CASE(mnemonic, name ", compatibility mode", GUEST_COMPATIBILITY),                       \
		UD_CASE(mnemonic, name ", virtual-8086 mode", GUEST_VIRTUAL_8086)

static const struct exit_case vmx_invalid[] = {
	UD_CASES(vmclear, "VMCLEAR"),
	UD_CASES(vmlaunch, "VMLAUNCH"),
	UD_CASES(vmptrld, "VMPTRLD"),
	UD_CASES(vmptrst, "VMPTRST"),
	UD_CASES(vmread, "VMREAD"),
	UD_CASES(vmresume, "VMRESUME"),
	UD_CASES(vmwrite, "VMWRITE"),
	UD_CASES(vmxoff, "VMXOFF"),
	UD_CASES(vmxon, "VMXON"),
};

SWEEP(unconditional, vmx_instructions_invalid, "SDM VMX Instruction Reference",
	"in compatibility and virtual-8086 mode #UD comes before the VM exit", vmx_invalid)
{
	return run_case(TEST_ROW(struct exit_case));
}

/* VMCALL alone asks for VMX non-root operation first. */
static const struct exit_case vmcall_anywhere[] = {
	CASE(vmcall, "compatibility mode", VMCALL, GUEST_COMPATIBILITY, 3),
	CASE(vmcall, "compatibility mode at CPL 3", VMCALL, GUEST_COMPATIBILITY_USER, 3),
	CASE(vmcall, "PAE paging", VMCALL, GUEST_PAE, 3),
	CASE(vmcall, "32-bit paging", VMCALL, GUEST_PAGED32, 3),
	CASE(vmcall, "16-bit protected mode", VMCALL, GUEST_PROTECTED16, 3),
	CASE(vmcall, "virtual-8086 mode", VMCALL, GUEST_VIRTUAL_8086, 3),
};

SWEEP(unconditional, vmcall_modes, "SDM VMCALL", "VMCALL exits in every mode", vmcall_anywhere,
	.covers = "exit:VMCALL insn:VMCALL")
{
	return run_case(TEST_ROW(struct exit_case));
}

static const struct exit_case unpaged[] = {
	CASE(cpuid, "CPUID without paging", CPUID, GUEST_UNPAGED32, 2),
	CASE(cpuid, "CPUID in real mode", CPUID, GUEST_REAL, 2),
	CASE(vmcall, "VMCALL without paging", VMCALL, GUEST_UNPAGED32, 3),
	CASE(vmcall, "VMCALL in real mode", VMCALL, GUEST_REAL, 3),
	CASE(vmclear, "VMCLEAR without paging", VMCLEAR, GUEST_UNPAGED32, 4),
	CASE(vmxoff, "VMXOFF without paging", VMXOFF, GUEST_UNPAGED32, 3),
	UD_CASE(vmclear, "VMCLEAR in real mode", GUEST_REAL),
	UD_CASE(vmlaunch, "VMLAUNCH in real mode", GUEST_REAL),
	UD_CASE(vmptrld, "VMPTRLD in real mode", GUEST_REAL),
	UD_CASE(vmptrst, "VMPTRST in real mode", GUEST_REAL),
	UD_CASE(vmread, "VMREAD in real mode", GUEST_REAL),
	UD_CASE(vmresume, "VMRESUME in real mode", GUEST_REAL),
	UD_CASE(vmwrite, "VMWRITE in real mode", GUEST_REAL),
	UD_CASE(vmxoff, "VMXOFF in real mode", GUEST_REAL),
	UD_CASE(vmxon, "VMXON in real mode", GUEST_REAL),
};

SWEEP(unconditional, unpaged, "SDM VMX Instruction Reference",
	"without paging they exit; in real mode only CPUID and VMCALL do, the others are #UD",
	unpaged, .needs = NEEDS(&need_unrestricted))
{
	return run_case(TEST_ROW(struct exit_case));
}

TEST(unconditional, invept, "SDM INVEPT", "INVEPT exits where the CPU has it",
	EXIT(EXIT_REASON_INVEPT), .needs = NEEDS(&need_ept), .covers = "exit:INVEPT")
{
	return run_case(&(struct exit_case)CASE(invept, "", INVEPT, GUEST_64BIT, 5));
}

TEST(unconditional, invept_user, "SDM INVEPT", "at CPL 3 too", EXIT(EXIT_REASON_INVEPT),
	.needs = NEEDS(&need_ept), .covers = "exit:INVEPT")
{
	return run_case(&(struct exit_case)CASE(invept, "", INVEPT, GUEST_64BIT_USER, 5));
}

TEST(unconditional, invvpid, "SDM INVVPID", "INVVPID exits where the CPU has it",
	EXIT(EXIT_REASON_INVVPID), .needs = NEEDS(&need_vpid), .covers = "exit:INVVPID")
{
	return run_case(&(struct exit_case)CASE(invvpid, "", INVVPID, GUEST_64BIT, 5));
}

TEST(unconditional, invvpid_user, "SDM INVVPID", "at CPL 3 too", EXIT(EXIT_REASON_INVVPID),
	.needs = NEEDS(&need_vpid), .covers = "exit:INVVPID")
{
	return run_case(&(struct exit_case)CASE(invvpid, "", INVVPID, GUEST_64BIT_USER, 5));
}

TEST(unconditional, xsetbv, SECTION, "XSETBV exits, its operands unseen", EXIT(EXIT_REASON_XSETBV),
	.needs = NEEDS(&need_xsave), .covers = "exit:XSETBV insn:XSETBV")
{
	guest_reset();
	guest_gpr[RCX] = UINT32_MAX; /* no such register: #GP would come after the exit */
	field_set(VMCS_GUEST_CR4, CR4_OSXSAVE);
	return exit_run_case(&(struct exit_case)CASE(xsetbv, "", XSETBV, GUEST_64BIT, 3));
}

TEST(unconditional, xsetbv_osxsave_clear, "SDM Relative Priority of Faults and VM Exits",
	"with CR4.OSXSAVE = 0 XSETBV is #UD before it exits", FAULT(UD),
	.needs = NEEDS(&need_xsave), .covers = "exit:XSETBV")
{
	field_clear(VMCS_GUEST_CR4, CR4_OSXSAVE);
	return exit_run((struct guest_code)CODE_OF(unconditional_xsetbv));
}

TEST(unconditional, xsetbv_user, "SDM Relative Priority of Faults and VM Exits",
	"at CPL 3 XSETBV is #GP before it exits", FAULT(GP), .needs = NEEDS(&need_xsave),
	.covers = "exit:XSETBV")
{
	field_set(VMCS_GUEST_CR4, CR4_OSXSAVE);
	return exit_run_mode(GUEST_64BIT_USER, (struct guest_code)CODE_OF(unconditional_xsetbv));
}

TEST(unconditional, invd_user, "SDM Relative Priority of Faults and VM Exits",
	"at CPL 3 INVD is #GP before it exits", FAULT(GP), .covers = "exit:INVD insn:INVD")
{
	return exit_run_mode(GUEST_64BIT_USER, (struct guest_code)CODE_OF(unconditional_invd));
}

TEST(unconditional, getsec_smxe_clear, "SDM Relative Priority of Faults and VM Exits",
	"with CR4.SMXE = 0 GETSEC is #UD before it exits", FAULT(UD), .covers = "exit:GETSEC")
{
	field_clear(VMCS_GUEST_CR4, CR4_SMXE);
	return exit_run((struct guest_code)CODE_OF(unconditional_getsec));
}

TEST(unconditional, getsec, SECTION, "GETSEC exits", EXIT(EXIT_REASON_GETSEC),
	.needs = NEEDS(&need_smx), .covers = "exit:GETSEC insn:GETSEC")
{
	guest_reset();
	field_set(VMCS_GUEST_CR4, CR4_SMXE);
	return exit_run_case(&(struct exit_case)CASE(getsec, "", GETSEC, GUEST_64BIT, 2));
}

TEST(unconditional, rsm, "SDM RSM",
	"outside SMM RSM is #UD, in VMX non-root operation as elsewhere", FAULT(UD),
	.covers = "exit:RSM insn:RSM")
{
	return exit_run((struct guest_code)CODE_OF(unconditional_rsm));
}
