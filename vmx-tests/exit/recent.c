/* Exits by instructions and events that recent CPUs have: LOADIWKEY, lists of MSRs, ENQCMD with
   PASID translation, bus locks, instruction timeouts (Intel SDM, "Instructions That Cause VM Exits
   Conditionally", "Other Causes of VM Exits"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION      "SDM Instructions That Cause VM Exits Conditionally"
#define BEHAVIOR     "SDM Changes to Instruction Behavior in VMX Non-Root Operation"
#define OTHER_CAUSES "SDM Other Causes of VM Exits"
#define ENDS         EXIT(EXIT_REASON_VMCALL)

/* ---- LOADIWKEY ---- */

GUEST64(recent_loadiwkey, ".byte 0xf3, 0x0f, 0x38, 0xdc, 0xc1"); /* XMM0, XMM1 */

TEST(recent, loadiwkey, SECTION, "LOADIWKEY exits when its control is 1",
	EXIT(EXIT_REASON_LOADIWKEY), .needs = NEEDS(&need_PROC3_LOADIWKEY_EXITING),
	.covers = "control:PROC3_LOADIWKEY_EXITING control:PROC_ACTIVATE_TERTIARY_CONTROLS "
		  "exit:LOADIWKEY",
	VALUES({ VMCS_EXIT_INSTRUCTION_LENGTH, 5 }, { VMCS_EXIT_QUALIFICATION, 0 }))
{
	exit_control(CONTROL_WORD_PROC3, PROC3_LOADIWKEY_EXITING, true);
	field_set(VMCS_GUEST_CR4, CR4_KL | CR4_OSFXSR);
	return exit_run((struct guest_code)CODE_OF(recent_loadiwkey));
}

TEST(recent, loadiwkey_no_kl, "SDM LOADIWKEY", "with CR4.KL 0 it is #UD, and does not exit",
	FAULT(UD), .needs = NEEDS(&need_PROC3_LOADIWKEY_EXITING),
	.covers = "control:PROC3_LOADIWKEY_EXITING exit:LOADIWKEY")
{
	exit_control(CONTROL_WORD_PROC3, PROC3_LOADIWKEY_EXITING, true);
	field_set(VMCS_GUEST_CR4, CR4_OSFXSR);
	return exit_run((struct guest_code)CODE_OF(recent_loadiwkey));
}

/* ---- Lists of MSRs ---- */

GUEST64(recent_rdmsrlist, ".byte 0xf2, 0x0f, 0x01, 0xc6");
GUEST64(recent_wrmsrlist, ".byte 0xf3, 0x0f, 0x01, 0xc6");

static const struct list_row {
	struct test_row row;
	struct guest_code code;
	bool enabled, pass;
} lists[] = {
	{ { "RDMSRLIST, no MSR bitmaps", EXIT(EXIT_REASON_RDMSRLIST) }, CODE_OF(recent_rdmsrlist),
		true, false },
	{ { "WRMSRLIST, no MSR bitmaps", EXIT(EXIT_REASON_WRMSRLIST) }, CODE_OF(recent_wrmsrlist),
		true, false },
	{ { "RDMSRLIST, bit 0", ENDS }, CODE_OF(recent_rdmsrlist), true, true },
	{ { "WRMSRLIST, bit 0", ENDS }, CODE_OF(recent_wrmsrlist), true, true },
	{ { "RDMSRLIST, disabled", FAULT(UD) }, CODE_OF(recent_rdmsrlist), false, false },
	{ { "WRMSRLIST, disabled", FAULT(UD) }, CODE_OF(recent_wrmsrlist), false, false },
};

/* One MSR: the tables of numbers and values are the first two scratch pages. */
SWEEP(recent, msr_lists, SECTION,
	"a list's MSR exits as RDMSR and WRMSR of it would; with \"enable MSR-list instructions\" "
	"0 they are #UD",
	lists, .needs = NEEDS(&need_PROC3_ENABLE_MSR_LIST),
	.covers = "control:PROC3_ENABLE_MSR_LIST control:PROC_ACTIVATE_TERTIARY_CONTROLS "
		  "exit:RDMSRLIST exit:WRMSRLIST")
{
	const struct list_row *row = TEST_ROW(struct list_row);
	uint64_t msr = MSR_IA32_SYSENTER_ESP;

	guest_reset();
	if (row->pass && !vmx_may_set(CONTROL_WORD_PROC, PROC_MSR_BITMAPS))
		return row->row.expected;
	exit_control(CONTROL_WORD_PROC3, PROC3_ENABLE_MSR_LIST, row->enabled);
	if (row->pass)
		exit_let_msrs_pass();
	*(uint64_t *)(void *)guest_page[0] = msr;
	guest_gpr[RSI] = vmx_address(guest_page[0]);
	guest_gpr[RDI] = vmx_address(guest_page[1]);
	guest_gpr[RCX] = 1;
	return exit_run(row->code);
}

/* ---- PASID translation ---- */

GUEST64(recent_enqcmd, ".byte 0xf2, 0x0f, 0x38, 0xf8, 0x3e"); /* (%rsi), %rdi */
GUEST64(recent_enqcmds, ".byte 0xf3, 0x0f, 0x38, 0xf8, 0x3e");
#define PASID_VALID BIT(31)

/* The directories are empty, so that no PASID can be translated. */
static outcome run_enqueue(struct guest_code code)
{
	static uint8_t directory[4096] __aligned(4096);

	exit_control(CONTROL_WORD_PROC2, PROC2_PASID_TRANSLATION, true);
	field_write(VMCS_LOW_PASID_DIRECTORY_ADDRESS, vmx_address(directory));
	field_write(VMCS_HIGH_PASID_DIRECTORY_ADDRESS, vmx_address(directory));
	guest_gpr[RSI] = vmx_address(guest_page[0]);
	guest_gpr[RDI] = vmx_address(guest_page[1]);
	return exit_run(code);
}

TEST(recent, enqcmd, "SDM PASID Translation", "ENQCMD exits when its PASID has no translation",
	EXIT(EXIT_REASON_ENQCMD_PASID_FAILURE), .needs = NEEDS(&need_PROC2_PASID_TRANSLATION),
	.covers = "control:PROC2_PASID_TRANSLATION exit:ENQCMD_PASID_FAILURE "
		  "field:LOW_PASID_DIRECTORY_ADDRESS")
{
	uint64_t saved = rdmsr(MSR_IA32_PASID);
	outcome result;

	wrmsr(MSR_IA32_PASID, PASID_VALID);
	result = run_enqueue((struct guest_code)CODE_OF(recent_enqcmd));
	wrmsr(MSR_IA32_PASID, saved);
	return result;
}

TEST(recent, enqcmds, "SDM PASID Translation", "ENQCMDS exits when its PASID has no translation",
	EXIT(EXIT_REASON_ENQCMDS_PASID_FAILURE), .needs = NEEDS(&need_PROC2_PASID_TRANSLATION),
	.covers = "control:PROC2_PASID_TRANSLATION exit:ENQCMDS_PASID_FAILURE "
		  "field:LOW_PASID_DIRECTORY_ADDRESS")
{
	return run_enqueue((struct guest_code)CODE_OF(recent_enqcmds));
}

/* ---- Bus locks ---- */

GUEST64(recent_lock, "lock incq (%rdi)");
#define LINE 64 /* bytes of a cache line */

static outcome run_lock(bool detect, uint64_t offset)
{
	uint64_t *word = (uint64_t *)(void *)(guest_page[0] + offset);
	outcome result;

	exit_control(CONTROL_WORD_PROC2, PROC2_BUS_LOCK_DETECTION, detect);
	guest_gpr[RDI] = vmx_address(word);
	result = exit_run((struct guest_code)CODE_OF(recent_lock));
	CHECK_EQUAL(test_observe(*word), 1); /* a trap: the instruction is done */
	return result;
}

TEST(recent, bus_lock, OTHER_CAUSES,
	"a locked access that splits a cache line exits behind the instruction",
	EXIT(EXIT_REASON_BUS_LOCK), .needs = NEEDS(&need_PROC2_BUS_LOCK_DETECTION),
	.covers = "control:PROC2_BUS_LOCK_DETECTION exit:BUS_LOCK")
{
	outcome result = run_lock(true, LINE - 4);

	CHECK(field_read(VMCS_GUEST_RIP) > vmx_address(recent_lock));
	return result;
}

TEST(recent, bus_lock_inside, OTHER_CAUSES, "one inside a cache line does not", ENDS,
	.needs = NEEDS(&need_PROC2_BUS_LOCK_DETECTION),
	.covers = "control:PROC2_BUS_LOCK_DETECTION exit:BUS_LOCK")
{
	return run_lock(true, LINE);
}

TEST(recent, bus_lock_control_0, OTHER_CAUSES, "nor any with the control 0", ENDS,
	.needs = NEEDS(&need_PROC2_BUS_LOCK_DETECTION),
	.covers = "control:PROC2_BUS_LOCK_DETECTION exit:BUS_LOCK")
{
	return run_lock(false, LINE - 4);
}

/* ---- Instruction timeouts ---- */

TEST(recent, timeout_far, OTHER_CAUSES,
	"a guest whose instructions are short runs with the longest timeout", ENDS,
	.needs = NEEDS(&need_PROC2_INSTRUCTION_TIMEOUT),
	.covers = "control:PROC2_INSTRUCTION_TIMEOUT field:INSTRUCTION_TIMEOUT_CONTROL")
{
	exit_control(CONTROL_WORD_PROC2, PROC2_INSTRUCTION_TIMEOUT, true);
	field_write(VMCS_INSTRUCTION_TIMEOUT_CONTROL, UINT32_MAX);
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	return exit_run((struct guest_code)CODE_OF(recent_lock));
}

/* ---- IA32_SPEC_CTRL ---- */

GUEST64(recent_rdmsr, "rdmsr");
GUEST64(recent_wrmsr, "wrmsr");
#define STIBP BIT(1)

/* The bit is the host's alone: the guest sees and changes its shadow. */
static outcome run_spec_ctrl(struct guest_code code, uint64_t shadow)
{
	exit_control(CONTROL_WORD_PROC3, PROC3_VIRTUALIZE_SPEC_CTRL, true);
	field_write(VMCS_SPEC_CTRL_MASK, STIBP);
	field_write(VMCS_SPEC_CTRL_SHADOW, shadow);
	exit_let_msrs_pass();
	guest_gpr[RCX] = MSR_IA32_SPEC_CTRL;
	return exit_run(code);
}

TEST(recent, spec_ctrl_read, "SDM Virtualizing the IA32_SPEC_CTRL MSR",
	"RDMSR of IA32_SPEC_CTRL gives the shadow", ENDS,
	.needs = NEEDS(&need_PROC3_VIRTUALIZE_SPEC_CTRL, &need_PROC_MSR_BITMAPS),
	.covers = "control:PROC3_VIRTUALIZE_SPEC_CTRL field:SPEC_CTRL_SHADOW msr:IA32_SPEC_CTRL")
{
	uint64_t shadow = ~rdmsr(MSR_IA32_SPEC_CTRL) & STIBP;
	outcome result = run_spec_ctrl((struct guest_code)CODE_OF(recent_rdmsr), shadow);

	CHECK_EQUAL(test_observe((uint32_t)guest_gpr[RAX]) & STIBP, shadow);
	return result;
}

TEST(recent, spec_ctrl_write, "SDM Virtualizing the IA32_SPEC_CTRL MSR",
	"WRMSR of IA32_SPEC_CTRL changes the shadow, and no bit of the mask in the MSR", ENDS,
	.needs = NEEDS(&need_PROC3_VIRTUALIZE_SPEC_CTRL, &need_PROC_MSR_BITMAPS),
	.covers = "control:PROC3_VIRTUALIZE_SPEC_CTRL field:SPEC_CTRL_SHADOW field:SPEC_CTRL_MASK "
		  "msr:IA32_SPEC_CTRL")
{
	uint64_t before = rdmsr(MSR_IA32_SPEC_CTRL), after;
	outcome result;

	guest_gpr[RAX] = before ^ STIBP;
	result = run_spec_ctrl((struct guest_code)CODE_OF(recent_wrmsr), before & STIBP);
	after = rdmsr(MSR_IA32_SPEC_CTRL);
	wrmsr(MSR_IA32_SPEC_CTRL, before);
	CHECK_EQUAL(test_observe(after) & STIBP, before & STIBP);
	CHECK_EQUAL(field_read(VMCS_SPEC_CTRL_SHADOW) & STIBP, ~before & STIBP);
	return result;
}
