/* Instructions that end the machine on a platform that gets them wrong: each boots alone. */
#define TEST_FOLDER "insn/"
#include "runtime/harness.h"
#include "vmx-tests/insn/instruction.h"

TEST(alone, vmcall_root_clear, "SDM VMCALL",
	"in root operation, where no SMM monitor is set up, with a clear current VMCS",
	FAIL_VALID(VMX_ERROR_VMCALL_IN_ROOT),
	VALUES({ VMCS_VM_INSTRUCTION_ERROR, VMX_ERROR_VMCALL_IN_ROOT }),
	.covers = "insn:VMCALL error:VMCALL_IN_ROOT")
{
	return instruction_run(INSN_VMCALL, NULL, 0);
}
