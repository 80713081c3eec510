/* The questions behind insn/needs.h. */
#include "vmx-tests/insn/needs.h"

#include "vmx-tests/insn/instruction.h"

static bool lacks_shadowing(void)
{
	return !vmx_may_set(CONTROL_WORD_PROC2, PROC2_VMCS_SHADOWING);
}

static bool has_invept(void)
{
	return instruction_available(INSN_INVEPT);
}

static bool has_invvpid(void)
{
	return instruction_available(INSN_INVVPID);
}

static bool lacks_invept(void)
{
	return !has_invept();
}

static bool lacks_invvpid(void)
{
	return !has_invvpid();
}

static bool writes_any_field(void)
{
	return rdmsr(MSR_IA32_VMX_MISC) & VMX_MISC_VMWRITE_ANY_FIELD;
}

static bool writes_no_exit_field(void)
{
	return !writes_any_field();
}

const struct test_need need_no_vmcs_shadowing = {
	"VMCS shadowing (IA32_VMX_PROCBASED_CTLS2 bit 46)", lacks_shadowing
};
const struct test_need need_invept_instruction = { "no INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)",
	has_invept };
const struct test_need need_invvpid_instruction = { "no INVVPID (IA32_VMX_EPT_VPID_CAP bit 32)",
	has_invvpid };
const struct test_need need_no_invept_instruction = { "INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)",
	lacks_invept };
const struct test_need need_no_invvpid_instruction = { "INVVPID (IA32_VMX_EPT_VPID_CAP bit 32)",
	lacks_invvpid };
const struct test_need need_writable_exit_fields = {
	"VMWRITE cannot write VM-exit information fields (IA32_VMX_MISC bit 29)", writes_any_field
};
const struct test_need need_no_writable_exit_fields = {
	"VMWRITE can write VM-exit information fields (IA32_VMX_MISC bit 29)", writes_no_exit_field
};
