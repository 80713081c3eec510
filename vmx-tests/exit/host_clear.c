/* MSRs of recent CPUs that entry loads and an exit saves, and clears or loads for the host (Intel
   SDM, "Loading Guest Control Registers, Debug Registers, and MSRs", "Saving Control Registers,
   Debug Registers, and MSRs", "Loading Host Control Registers, Debug Registers, MSRs"). The older
   ones are host_msr.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define ENTERING "SDM Loading Guest Control Registers, Debug Registers, and MSRs"
#define SAVING   "SDM Saving Control Registers, Debug Registers, and MSRs"
#define LEAVING  "SDM Loading Host Control Registers, Debug Registers, MSRs"
#define ENDS     EXIT(EXIT_REASON_VMCALL)

GUEST64(host_clear_rdmsr, "rdmsr");

struct cleared_msr {
	uint32_t msr, field;
	uint64_t entry_control, exit_control;
	uint64_t value; /* of the field */
	uint64_t guest; /* the same, as the MSR has it */
};

/* Bits that may be 1 while nothing is traced or recorded. */
static const struct cleared_msr rtit = { MSR_IA32_RTIT_CTL, VMCS_GUEST_IA32_RTIT_CTL,
	VM_ENTRY_LOAD_RTIT_CTL, VM_EXIT_CLEAR_RTIT_CTL, BITS(3, 2), BITS(3, 2) };
static const struct cleared_msr lbr = { MSR_IA32_LBR_CTL, VMCS_GUEST_IA32_LBR_CTL,
	VM_ENTRY_LOAD_LBR_CTL, VM_EXIT_CLEAR_LBR_CTL, BITS(2, 1), BITS(2, 1) };
static const struct cleared_msr uinv = { MSR_IA32_UINTR_MISC, VMCS_GUEST_UINV, VM_ENTRY_LOAD_UINV,
	VM_EXIT_CLEAR_UINV, 0x77, UINT64_C(0x77) << 32 };
static const struct cleared_msr pkrs = { MSR_IA32_PKRS, VMCS_GUEST_IA32_PKRS, VM_ENTRY_LOAD_PKRS,
	VM_EXIT_LOAD_PKRS, 0x5a5a1234, 0x5a5a1234 };

#define HOST_PKRS UINT64_C(0x0f0f0f00)

/* What the guest read, and what the host had after the exit; the MSR is put back. */
struct seen {
	outcome result;
	uint64_t guest, host;
};

static struct seen run(const struct cleared_msr *msr, bool clear)
{
	uint64_t saved = rdmsr(msr->msr);
	struct seen seen;

	exit_control(CONTROL_WORD_VM_ENTRY, msr->entry_control, true);
	exit_control(CONTROL_WORD_VM_EXIT, msr->exit_control, clear);
	field_write(msr->field, msr->value);
	if (msr == &pkrs && clear)
		field_write(VMCS_HOST_IA32_PKRS, HOST_PKRS);
	exit_let_msrs_pass();
	guest_gpr[RCX] = msr->msr;
	seen.result = exit_run((struct guest_code)CODE_OF(host_clear_rdmsr));
	seen.guest = test_observe(guest_gpr[RDX] << 32 | (uint32_t)guest_gpr[RAX]);
	seen.host = test_observe(rdmsr(msr->msr));
	wrmsr(msr->msr, saved);
	return seen;
}

#define LOADS(name, register, entry)                                                               \
	TEST(host_clear, name##_loaded, ENTERING, "the guest has the field's value in " #register, \
		ENDS, .needs = NEEDS(&need_VM_ENTRY_##entry, &need_PROC_MSR_BITMAPS),              \
		.covers = "control:VM_ENTRY_" #entry " msr:" #register)                            \
	{                                                                                          \
		struct seen seen = run(&name, false);                                              \
                                                                                                   \
		CHECK_EQUAL(seen.guest, name.guest);                                               \
		return seen.result;                                                                \
	}
LOADS(rtit, IA32_RTIT_CTL, LOAD_RTIT_CTL)
LOADS(lbr, IA32_LBR_CTL, LOAD_LBR_CTL)
LOADS(uinv, IA32_UINTR_MISC, LOAD_UINV)
LOADS(pkrs, IA32_PKRS, LOAD_PKRS)

#define LEAVES(name, register, entry, exit, after)                                                 \
	TEST(host_clear, name##_1, LEAVING, "with " #exit " 1 the exit changes " #register, ENDS,  \
		.needs = NEEDS(                                                                    \
			&need_VM_ENTRY_##entry, &need_VM_EXIT_##exit, &need_PROC_MSR_BITMAPS),     \
		.covers = "control:VM_EXIT_" #exit " msr:" #register)                              \
	{                                                                                          \
		struct seen seen = run(&name, true);                                               \
                                                                                                   \
		CHECK_EQUAL(seen.host, after);                                                     \
		return seen.result;                                                                \
	}                                                                                          \
	TEST(host_clear, name##_0, LEAVING,                                                        \
		"with " #exit " 0 the host keeps the guest's " #register, ENDS,                    \
		.needs = NEEDS(&need_VM_ENTRY_##entry, &need_clear_VM_EXIT_##exit,                 \
			&need_PROC_MSR_BITMAPS),                                                   \
		.covers = "control:VM_EXIT_" #exit " msr:" #register)                              \
	{                                                                                          \
		struct seen seen = run(&name, false);                                              \
                                                                                                   \
		CHECK_EQUAL(seen.host, name.guest);                                                \
		return seen.result;                                                                \
	}                                                                                          \
	TEST(host_clear, name##_saved, SAVING,                                                     \
		"the exit saves " #register ", whatever it does to it then", ENDS,                 \
		.needs = NEEDS(                                                                    \
			&need_VM_ENTRY_##entry, &need_VM_EXIT_##exit, &need_PROC_MSR_BITMAPS),     \
		.covers = "control:VM_EXIT_" #exit)                                                \
	{                                                                                          \
		struct seen seen = run(&name, true);                                               \
                                                                                                   \
		CHECK_EQUAL(field_read(name.field), name.value);                                   \
		return seen.result;                                                                \
	}
LEAVES(rtit, IA32_RTIT_CTL, LOAD_RTIT_CTL, CLEAR_RTIT_CTL, 0)
LEAVES(lbr, IA32_LBR_CTL, LOAD_LBR_CTL, CLEAR_LBR_CTL, 0)
LEAVES(uinv, IA32_UINTR_MISC, LOAD_UINV, CLEAR_UINV, 0)
LEAVES(pkrs, IA32_PKRS, LOAD_PKRS, LOAD_PKRS, HOST_PKRS)

/* IA32_SPEC_CTRL: the exit's control is a secondary one. STIBP is harmless where it is there at
 * all. */
#define STIBP BIT(1)

static struct seen run_spec_ctrl(bool load)
{
	uint64_t saved = rdmsr(MSR_IA32_SPEC_CTRL);
	struct seen seen;

	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_SPEC_CTRL, true);
	field_write(VMCS_GUEST_IA32_SPEC_CTRL, STIBP);
	if (load) {
		exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_ACTIVATE_SECONDARY_CONTROLS, true);
		exit_control(CONTROL_WORD_VM_EXIT2, VM_EXIT2_LOAD_SPEC_CTRL, true);
		field_write(VMCS_HOST_IA32_SPEC_CTRL, 0);
	}
	exit_let_msrs_pass();
	guest_gpr[RCX] = MSR_IA32_SPEC_CTRL;
	seen.result = exit_run((struct guest_code)CODE_OF(host_clear_rdmsr));
	seen.guest = test_observe(guest_gpr[RDX] << 32 | (uint32_t)guest_gpr[RAX]);
	seen.host = test_observe(rdmsr(MSR_IA32_SPEC_CTRL));
	wrmsr(MSR_IA32_SPEC_CTRL, saved);
	return seen;
}

TEST(host_clear, spec_ctrl_loaded, ENTERING,
	"the guest has the field's value in IA32_SPEC_CTRL; without a control the host keeps it",
	ENDS, .needs = NEEDS(&need_VM_ENTRY_LOAD_SPEC_CTRL, &need_PROC_MSR_BITMAPS),
	.covers = "control:VM_ENTRY_LOAD_SPEC_CTRL field:GUEST_IA32_SPEC_CTRL")
{
	struct seen seen = run_spec_ctrl(false);

	CHECK_EQUAL(seen.guest, STIBP);
	CHECK_EQUAL(seen.host, STIBP);
	return seen.result;
}

TEST(host_clear, spec_ctrl_1, LEAVING,
	"with LOAD_SPEC_CTRL 1 the exit loads IA32_SPEC_CTRL from the host's field", ENDS,
	.needs = NEEDS(&need_VM_ENTRY_LOAD_SPEC_CTRL, &need_VM_EXIT2_LOAD_SPEC_CTRL,
		&need_PROC_MSR_BITMAPS),
	.covers = "control:VM_EXIT2_LOAD_SPEC_CTRL control:VM_EXIT_ACTIVATE_SECONDARY_CONTROLS "
		  "field:HOST_IA32_SPEC_CTRL")
{
	struct seen seen = run_spec_ctrl(true);

	CHECK_EQUAL(seen.guest, STIBP);
	CHECK_EQUAL(seen.host, 0);
	return seen.result;
}

/* "Save IA32_PERF_GLOBAL_CTRL": the field then has what the guest wrote. */
GUEST64(host_clear_wrmsr, "wrmsr");

TEST(host_clear, perf_global_saved, SAVING,
	"with SAVE_PERF_GLOBAL_CTRL 1 the exit saves IA32_PERF_GLOBAL_CTRL", ENDS,
	.needs = NEEDS(&need_VM_EXIT_SAVE_PERF_GLOBAL_CTRL, &need_VM_ENTRY_LOAD_PERF_GLOBAL_CTRL,
		&need_perf_global_ctrl, &need_PROC_MSR_BITMAPS),
	VALUES({ VMCS_GUEST_IA32_PERF_GLOBAL_CTRL, 1 }),
	.covers = "control:VM_EXIT_SAVE_PERF_GLOBAL_CTRL field:GUEST_IA32_PERF_GLOBAL_CTRL")
{
	uint64_t saved = rdmsr(MSR_IA32_PERF_GLOBAL_CTRL);
	outcome result;

	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_PERF_GLOBAL_CTRL, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_PERF_GLOBAL_CTRL, true);
	exit_let_msrs_pass();
	guest_gpr[RCX] = MSR_IA32_PERF_GLOBAL_CTRL;
	guest_gpr[RAX] = 1;
	result = exit_run((struct guest_code)CODE_OF(host_clear_wrmsr));
	wrmsr(MSR_IA32_PERF_GLOBAL_CTRL, saved);
	return result;
}
