/* VM entries from a host outside IA-32e mode (Intel SDM, "Checks Related to Address-Space Size",
   "Host Address-Space Size"): what it may not ask for, and that it gets its guest's exit. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/host_legacy.h"
#include "vmx-tests/insn/instruction.h"

GUEST_CODE32(legacy_entry_guest, "vmcall; 1: jmp 1b");

static outcome error_field(void)
{
	return FAIL_VALID(field_read(VMCS_VM_INSTRUCTION_ERROR));
}

/* VMLAUNCH or VMRESUME from protected mode. The outcome as guest_enter() gives it. */
static outcome enter(enum instruction instruction)
{
	struct legacy_state state = { .vmx = true, .eflags = VMX_FLAGS };
	uint8_t code[LEGACY_CODE_MAX];
	uint64_t reason, flags;
	outcome result;

	result = legacy_execute(
		LEGACY_PROTECTED, code, instruction_encode_plain(code, instruction), &state, NULL);
	if (result != OK)
		return result;
	vmx_enter_operation();
	vmptrld(vmx_address(vmx_region));
	flags = state.eflags & VMX_FLAGS;
	if (flags == RFLAGS_ZF)
		return error_field();
	if (flags != 0)
		return FAIL_INVALID;
	reason = field_read(VMCS_EXIT_REASON);
	return reason & EXIT_REASON_ENTRY_FAILURE ? ENTRY_FAIL(reason & EXIT_REASON_BASIC)
						  : EXIT(reason & EXIT_REASON_BASIC);
}

static void prepare(void)
{
	guest_set_mode(GUEST_PAGED32, CODE(legacy_entry_guest));
	legacy_set_host();
}

TEST(legacy_entry, vmlaunch, "SDM Host Address-Space Size",
	"a host in protected mode enters a guest in protected mode, and gets its VM exit",
	EXIT(EXIT_REASON_VMCALL),
	.covers = "insn:VMLAUNCH control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE check:outside_ia32e_guest "
		  "check:outside_ia32e_host")
{
	prepare();
	return enter(INSN_VMLAUNCH);
}

TEST(legacy_entry, host_64bit, "SDM Checks Related to Address-Space Size",
	"outside IA-32e mode \"host address-space size\" must be 0",
	FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE),
	.covers = "insn:VMLAUNCH check:outside_ia32e_host control:VM_EXIT_HOST_ADDRESS_SPACE_SIZE")
{
	prepare();
	field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_HOST_ADDRESS_SPACE_SIZE);
	field_set(VMCS_HOST_CR4, CR4_PAE);
	return enter(INSN_VMLAUNCH);
}

TEST(legacy_entry, guest_64bit, "SDM Checks Related to Address-Space Size",
	"outside IA-32e mode \"IA-32e mode guest\" must be 0",
	FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE),
	.covers = "insn:VMLAUNCH check:outside_ia32e_guest control:VM_ENTRY_IA32E_MODE_GUEST")
{
	legacy_set_host();
	return enter(INSN_VMLAUNCH);
}

TEST(legacy_entry, vmresume_clear, "SDM VMLAUNCH/VMRESUME",
	"VMRESUME of a clear VMCS, from protected mode",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED),
	.covers = "insn:VMRESUME error:VMRESUME_NOT_LAUNCHED")
{
	prepare();
	return enter(INSN_VMRESUME);
}
