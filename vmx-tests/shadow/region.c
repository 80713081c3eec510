/* Shadow VMCSs as regions: which instructions take them, which entries refuse them (Intel SDM,
   "VMCS Types: Ordinary and Shadow", "VMLAUNCH/VMRESUME", "Guest Non-Register State"). */
#define TEST_FOLDER "shadow/"
#include "runtime/harness.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/shadow/shadow.h"

#define NEEDS_SHADOW NEEDS(&need_PROC2_VMCS_SHADOWING)
#define COVERS       "control:PROC2_VMCS_SHADOWING"

static void put_back(void)
{
	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision();
	vmptrld(vmx_address(vmx_region));
}

/* A shadow VMCS as the current one. Whatever an earlier test left in the region, a CPU that wrongly
   goes on to the checks meets controls that it must refuse, and runs nothing. */
static void make_current(void)
{
	shadow_use(VMCS_GUEST_RIP);
	vmptrld(vmx_address(vmx_spare_region));
	vmwrite(VMCS_PROC_CONTROLS, 0);
	vmwrite(VMCS_VM_ENTRY_CONTROLS, 0);
}

TEST(region, vmptrld, "SDM VMPTRLD", "a shadow VMCS can be made current", OK, .needs = NEEDS_SHADOW,
	.covers = COVERS)
{
	outcome result;

	shadow_use(VMCS_GUEST_RIP);
	result = vmptrld(vmx_address(vmx_spare_region));
	put_back();
	return result;
}

TEST(region, vmlaunch, "SDM VMLAUNCH/VMRESUME", "a shadow VMCS cannot be launched: VMfailInvalid",
	FAIL_INVALID, .needs = NEEDS_SHADOW, .covers = COVERS " insn:VMLAUNCH")
{
	outcome result;

	make_current();
	result = guest_launch();
	put_back();
	return result;
}

TEST(region, vmresume, "SDM VMLAUNCH/VMRESUME", "a shadow VMCS cannot be resumed: VMfailInvalid",
	FAIL_INVALID, .needs = NEEDS_SHADOW, .covers = COVERS " insn:VMRESUME")
{
	outcome result;

	make_current();
	result = guest_resume();
	put_back();
	return result;
}

TEST(region, link_not_shadow, "SDM Checks on Guest Non-Register State",
	"with VMCS shadowing the VMCS that the link pointer names must be a shadow VMCS",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE), .needs = NEEDS_SHADOW,
	.covers = COVERS " field:VMCS_LINK_POINTER",
	VALUES({ VMCS_EXIT_QUALIFICATION, ENTRY_FAILURE_LINK_POINTER }))
{
	uint64_t value;
	outcome result;

	shadow_use(VMCS_GUEST_RIP);
	vmx_spare_region->revision = vmx_revision();
	result = shadow_guest_vmread(VMCS_GUEST_RIP, &value);
	return result;
}

TEST(region, link_shadow_unshadowed, "SDM Checks on Guest Non-Register State",
	"without VMCS shadowing the VMCS that the link pointer names must be an ordinary one",
	ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE), .needs = NEEDS_SHADOW,
	.covers = "field:VMCS_LINK_POINTER",
	VALUES({ VMCS_EXIT_QUALIFICATION, ENTRY_FAILURE_LINK_POINTER }))
{
	uint64_t value;

	shadow_use(VMCS_GUEST_RIP);
	field_clear(VMCS_PROC2_CONTROLS, PROC2_VMCS_SHADOWING);
	return shadow_guest_vmread(VMCS_GUEST_RIP, &value);
}

TEST(region, user, "SDM VMREAD", "a shadowed VMREAD at CPL 3 faults", FAULT(GP),
	.needs = NEEDS_SHADOW, .covers = COVERS)
{
	extern const uint8_t shadow_user_code[], shadow_user_code_end[];

	shadow_use(VMCS_GUEST_RIP);
	guest_gpr[RCX] = VMCS_GUEST_RIP;
	guest_set_mode(GUEST_64BIT_USER, CODE(shadow_user_code));
	return guest_run(NULL);
}
GUEST_CODE64(shadow_user_code, "vmread %rcx, %rax; vmcall");
