/* VMLAUNCH and VMRESUME as instructions (Intel SDM, "VMLAUNCH/VMRESUME - Launch/Resume Virtual
   Machine"): everything before the checks on the VMCS. Those are entry/'s, launch states vmcs/'s
   too. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"

#define COVERS_LAUNCH .covers = "insn:VMLAUNCH"
#define COVERS_RESUME .covers = "insn:VMRESUME"

static void nothing(void)
{
}

/* A guest that ran once, so that the VMCS is launched and can be entered again. */
static bool run_once(void)
{
	outcome result = guest_run(nothing);

	guest_set_code(nothing);
	return result == EXIT(EXIT_REASON_VMCALL);
}

TEST(vmlaunch, success, "SDM VMLAUNCH/VMRESUME", "a clear VMCS is launched",
	EXIT(EXIT_REASON_VMCALL), COVERS_LAUNCH)
{
	guest_set_code(nothing);
	return guest_launch();
}

TEST(vmresume, success, "SDM VMLAUNCH/VMRESUME", "a launched VMCS is resumed",
	EXIT(EXIT_REASON_VMCALL), COVERS_RESUME)
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	return guest_resume();
}

TEST(vmlaunch, no_vmcs, "SDM VMLAUNCH/VMRESUME", "there is no current VMCS", FAIL_INVALID,
	COVERS_LAUNCH)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_VMLAUNCH, NULL, 0);
}

TEST(vmresume, no_vmcs, "SDM VMLAUNCH/VMRESUME", "there is no current VMCS", FAIL_INVALID,
	COVERS_RESUME)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return instruction_run(INSN_VMRESUME, NULL, 0);
}

TEST(vmlaunch, launched, "SDM VMLAUNCH/VMRESUME", "VMLAUNCH of a launched VMCS",
	FAIL_VALID(VMX_ERROR_VMLAUNCH_NOT_CLEAR),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMLAUNCH_NOT_CLEAR }),
	.covers = "insn:VMLAUNCH error:VMLAUNCH_NOT_CLEAR")
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	return guest_launch();
}

TEST(vmresume, clear, "SDM VMLAUNCH/VMRESUME", "VMRESUME of a clear VMCS",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMRESUME_NOT_LAUNCHED }),
	.covers = "insn:VMRESUME error:VMRESUME_NOT_LAUNCHED")
{
	guest_set_code(nothing);
	return guest_resume();
}

TEST(vmlaunch, launched_bad_control, "SDM VMLAUNCH/VMRESUME",
	"the check of the launch state comes before those of the controls",
	FAIL_VALID(VMX_ERROR_VMLAUNCH_NOT_CLEAR),
	.covers = "insn:VMLAUNCH error:VMLAUNCH_NOT_CLEAR")
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	return guest_launch();
}

TEST(vmresume, clear_bad_control, "SDM VMLAUNCH/VMRESUME",
	"the check of the launch state comes before those of the controls",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED),
	.covers = "insn:VMRESUME error:VMRESUME_NOT_LAUNCHED")
{
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	return guest_resume();
}

TEST(vmlaunch, bad_control, "SDM Checks on VMX Controls", "an invalid control",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_ENTRY_CONTROLS }),
	.covers = "insn:VMLAUNCH error:ENTRY_CONTROLS")
{
	guest_set_code(nothing);
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	return guest_launch();
}

TEST(vmresume, bad_control, "SDM Checks on VMX Controls", "an invalid control",
	FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS), .covers = "insn:VMRESUME error:ENTRY_CONTROLS")
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	field_write(VMCS_CR3_TARGET_COUNT, UINT32_MAX);
	return guest_resume();
}

TEST(vmlaunch, bad_host_state, "SDM Checks on the Host-State Area", "an invalid host-state field",
	FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_ENTRY_HOST_STATE }),
	.covers = "insn:VMLAUNCH error:ENTRY_HOST_STATE")
{
	guest_set_code(nothing);
	field_write(VMCS_HOST_TR_SELECTOR, 0);
	return guest_launch();
}

TEST(vmresume, bad_host_state, "SDM Checks on the Host-State Area", "an invalid host-state field",
	FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE), .covers = "insn:VMRESUME error:ENTRY_HOST_STATE")
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	field_write(VMCS_HOST_TR_SELECTOR, 0);
	return guest_resume();
}

/* An instruction right behind MOV SS. */
static outcome run_behind_mov_ss(enum instruction instruction)
{
	static const uint8_t mov_ss[] = { 0x8e, 0xd0 }; /* mov %eax, %ss */
	struct host_registers registers = { .rflags = RFLAGS_FIXED };
	uint8_t code[HOST_CODE_MAX] = { mov_ss[0], mov_ss[1] };
	size_t bytes =
		sizeof(mov_ss) + instruction_encode_plain(code + sizeof(mov_ss), instruction);
	outcome result;

	registers.gpr[RAX] = read_ss();
	result = host_execute(HOST_64BIT, code, bytes, &registers, NULL);
	return result == OK ? vmx_outcome(registers.rflags) : result;
}

TEST(vmlaunch, mov_ss, "SDM VMLAUNCH/VMRESUME", "events are blocked by MOV SS",
	FAIL_VALID(VMX_ERROR_ENTRY_MOV_SS),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_ENTRY_MOV_SS }),
	.covers = "insn:VMLAUNCH error:ENTRY_MOV_SS")
{
	return run_behind_mov_ss(INSN_VMLAUNCH);
}

TEST(vmresume, mov_ss, "SDM VMLAUNCH/VMRESUME", "events are blocked by MOV SS",
	FAIL_VALID(VMX_ERROR_ENTRY_MOV_SS), .covers = "insn:VMRESUME error:ENTRY_MOV_SS")
{
	if (!run_once())
		return test_error(__LINE__, "the guest did not run");
	return run_behind_mov_ss(INSN_VMRESUME);
}

TEST(vmresume, mov_ss_before_launch_state, "SDM VMLAUNCH/VMRESUME",
	"blocking by MOV SS is checked before the launch state", FAIL_VALID(VMX_ERROR_ENTRY_MOV_SS),
	.covers = "insn:VMRESUME error:ENTRY_MOV_SS")
{
	return run_behind_mov_ss(INSN_VMRESUME);
}

TEST(vmlaunch, mov_ss_no_vmcs, "SDM VMLAUNCH/VMRESUME",
	"the check of the current-VMCS pointer comes before that of blocking by MOV SS",
	FAIL_INVALID, COVERS_LAUNCH)
{
	if (vmclear(vmx_address(vmx_region)) != OK)
		return test_error(__LINE__, "VMCLEAR failed");
	return run_behind_mov_ss(INSN_VMLAUNCH);
}

TEST(vmlaunch, failed_stays_clear, "SDM VMLAUNCH/VMRESUME",
	"a failure leaves the launch state clear: VMLAUNCH works afterwards",
	EXIT(EXIT_REASON_VMCALL), COVERS_LAUNCH)
{
	uint64_t selector = field_read(VMCS_HOST_TR_SELECTOR);

	guest_set_code(nothing);
	field_write(VMCS_HOST_TR_SELECTOR, 0);
	if (guest_launch() != FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE))
		return test_error(__LINE__, "VMLAUNCH did not fail");
	field_write(VMCS_HOST_TR_SELECTOR, selector);
	return guest_launch();
}
