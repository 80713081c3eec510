/* Loading of guest state: MSRs that have fields in the guest-state area, always or where a control
   says so (Intel SDM, "Loading Guest Control Registers, Debug Registers, and MSRs"). Those of the
   MSR-load area are msr_load.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/ept.h"
#include "vmx-tests/entry/load.h"

#define ADDRESS UINT64_C(0x123456789000)

SEEN(control_nothing, "");
SEEN(rdmsr, "rdmsr; shlq $32, %rdx; orq %rdx, %rax");

static const uint8_t no_msr_exits[4096] __aligned(4096);

static outcome see_msr(uint32_t msr, uint64_t expected)
{
	field_set(VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS);
	field_write(VMCS_MSR_BITMAP, vmx_address(no_msr_exits));
	guest_gpr[RCX] = msr;
	return load_see(expected);
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

	load_start(CODE(see_rdmsr));
	field_write(row->field, row->value);
	return see_msr(row->msr, row->value);
}

#define PAT_OTHER UINT64_C(0x0001040506070006)

static outcome load_pat(bool load, uint64_t expected)
{
	load_start(CODE(see_rdmsr));
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
	load_start(CODE(see_rdmsr));
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
	load_start(CODE(see_rdmsr));
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
	load_start(CODE(see_rdmsr));
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
	load_start(CODE(see_control_nothing));
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

	load_start(CODE(see_rdmsr));
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
