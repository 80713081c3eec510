/* Instructions that exit when one control is 1, with both of its settings (Intel SDM, "Instructions
   That Cause VM Exits Conditionally"). I/O, MSRs, control and debug registers have files of their
   own. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION "SDM Instructions That Cause VM Exits Conditionally"

/* One instruction and the control that governs it. */
struct governed {
	struct guest_code code;
	uint8_t word; /* enum vmx_control_word */
	uint64_t control;
	uint32_t length;
	bool address;   /* the qualification is the operand's linear address, else 0 */
	uint64_t proc2; /* secondary controls without which it is #UD */
};

static outcome run_governed(const struct governed *subject, outcome expected, bool on)
{
	uint64_t page = vmx_address(guest_page[0]);
	struct exit_case row = { { "", expected }, subject->code, GUEST_64BIT,
		on ? subject->length : 0, subject->address ? page : 0 };

	exit_control(CONTROL_WORD_PROC2, subject->proc2, true);
	exit_control(subject->word, subject->control, on);
	guest_gpr[RDI] = page;
	guest_gpr[RSI] = GUEST_SELECTOR_TSS; /* its descriptor is an available TSS */
	return exit_run_case(&row);
}

/* GOVERNED(name, "assembly", reason, word, control, length, address, secondary controls, needs...):
   two tests, one for each setting of the control. */
#define GOVERNED(name, text, reason, word_, control_, length_, address_, proc2_, ...)              \
	GUEST64(conditional_##name, text);                                                         \
	static const struct governed governed_##name = { CODE_OF(conditional_##name),              \
		CONTROL_WORD_##word_, word_##_##control_, length_, address_, proc2_ };             \
	TEST(conditional, name##_1, SECTION, "\"" text "\" exits when " #control_ " is 1",         \
		EXIT(EXIT_REASON_##reason),                                                        \
		.needs = NEEDS(&need_##word_##_##control_, ##__VA_ARGS__),                         \
		.covers = "control:" #word_ "_" #control_ " exit:" #reason)                        \
	{                                                                                          \
		return run_governed(&governed_##name, test->expected, true);                       \
	}                                                                                          \
	TEST(conditional, name##_0, SECTION, "\"" text "\" runs when " #control_ " is 0",          \
		EXIT(EXIT_REASON_VMCALL),                                                          \
		.needs = NEEDS(&need_clear_##word_##_##control_, ##__VA_ARGS__),                   \
		.covers = "control:" #word_ "_" #control_ " exit:" #reason)                        \
	{                                                                                          \
		return run_governed(&governed_##name, test->expected, false);                      \
	}

GOVERNED(invlpg, "invlpg (%rdi)", INVLPG, PROC, INVLPG_EXITING, 3, true, 0)
GOVERNED(rdpmc, "rdpmc", RDPMC, PROC, RDPMC_EXITING, 2, false, 0, &need_performance_counters)
GOVERNED(rdtsc, "rdtsc", RDTSC, PROC, RDTSC_EXITING, 2, false, 0)
GOVERNED(rdtscp, "rdtscp", RDTSCP, PROC, RDTSC_EXITING, 3, false, PROC2_ENABLE_RDTSCP,
	&need_PROC2_ENABLE_RDTSCP)
GOVERNED(monitor, "monitor", MONITOR, PROC, MONITOR_EXITING, 3, false, 0, &need_monitor)
GOVERNED(mwait, "mwait", MWAIT, PROC, MWAIT_EXITING, 3, false, 0, &need_monitor)
GOVERNED(pause, "pause", PAUSE, PROC, PAUSE_EXITING, 2, false, 0)
GOVERNED(wbinvd, "wbinvd", WBINVD, PROC2, WBINVD_EXITING, 2, false, 0)
GOVERNED(sgdt, "sgdt (%rdi)", GDTR_OR_IDTR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(sidt, "sidt (%rdi)", GDTR_OR_IDTR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(lgdt, "lgdt (%rdi)", GDTR_OR_IDTR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(lidt, "lidt (%rdi)", GDTR_OR_IDTR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(sldt, "sldt %eax", LDTR_OR_TR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(str, "str %eax", LDTR_OR_TR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(lldt, "lldt %ax", LDTR_OR_TR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(ltr, "ltr %si", LDTR_OR_TR_ACCESS, PROC2, DESCRIPTOR_TABLE_EXITING, 3, false, 0)
GOVERNED(rdrand, "rdrand %eax", RDRAND, PROC2, RDRAND_EXITING, 3, false, 0,
	&need_PROC2_RDRAND_EXITING)
GOVERNED(rdseed, "rdseed %eax", RDSEED, PROC2, RDSEED_EXITING, 3, false, 0,
	&need_PROC2_RDSEED_EXITING)
GOVERNED(invpcid, "invpcid (%rdi), %rax", INVPCID, PROC, INVLPG_EXITING, 5, false,
	PROC2_ENABLE_INVPCID, &need_PROC2_ENABLE_INVPCID)
GOVERNED(umwait, ".byte 0xf2, 0x0f, 0xae, 0xf0", UMWAIT, PROC, RDTSC_EXITING, 4, false,
	PROC2_ENABLE_USER_WAIT_PAUSE, &need_PROC2_ENABLE_USER_WAIT_PAUSE)
GOVERNED(tpause, ".byte 0x66, 0x0f, 0xae, 0xf0", TPAUSE, PROC, RDTSC_EXITING, 4, false,
	PROC2_ENABLE_USER_WAIT_PAUSE, &need_PROC2_ENABLE_USER_WAIT_PAUSE)

GUEST64(conditional_wbnoinvd, "wbnoinvd");
static const struct governed governed_wbnoinvd = { CODE_OF(conditional_wbnoinvd),
	CONTROL_WORD_PROC2, PROC2_WBINVD_EXITING, 3, false, 0 };

TEST(conditional, wbnoinvd_1, SECTION, "WBNOINVD exits when WBINVD_EXITING is 1",
	EXIT(EXIT_REASON_WBINVD), .needs = NEEDS(&need_PROC2_WBINVD_EXITING, &need_wbnoinvd),
	.covers = "control:PROC2_WBINVD_EXITING exit:WBINVD")
{
	return run_governed(&governed_wbnoinvd, test->expected, true);
}

/* HLT would leave a guest without HLT exiting halted until its watchdog: expect that. */
GUEST64(conditional_hlt, "hlt");
static const struct governed governed_hlt = { CODE_OF(conditional_hlt), CONTROL_WORD_PROC,
	PROC_HLT_EXITING, 1, false, 0 };

TEST(conditional, hlt_1, SECTION, "HLT exits when HLT_EXITING is 1", EXIT(EXIT_REASON_HLT),
	.covers = "control:PROC_HLT_EXITING exit:HLT")
{
	return run_governed(&governed_hlt, test->expected, true);
}

TEST(conditional, hlt_0, SECTION, "HLT enters the HLT activity state when HLT_EXITING is 0",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDS(&need_preemption_timer),
	.covers = "control:PROC_HLT_EXITING exit:HLT")
{
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 1000);
	return run_governed(&governed_hlt, test->expected, false);
}

/* Secondary controls count only when they are activated ("Definitions of Secondary Processor-Based
   VM-Execution Controls"). */
TEST(conditional, secondary_inactive, "SDM Processor-Based VM-Execution Controls",
	"with \"activate secondary controls\" 0 the secondary controls are taken as 0",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_PROC2_WBINVD_EXITING, &need_clear_PROC_ACTIVATE_SECONDARY_CONTROLS),
	.covers = "control:PROC_ACTIVATE_SECONDARY_CONTROLS control:PROC2_WBINVD_EXITING")
{
	field_write(VMCS_PROC2_CONTROLS, PROC2_WBINVD_EXITING);
	field_clear(VMCS_PROC_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	return exit_run((struct guest_code)CODE_OF(conditional_wbinvd));
}

/* DISABLED(name, "section", control): the instruction is #UD unless the control is 1. */
#define DISABLED(name, title, control)                                                             \
	TEST(conditional, name##_disabled, title,                                                  \
		#name " is #UD when " #control " is 0, whatever else would make it exit",          \
		FAULT(UD), .needs = NEEDS(&need_PROC2_##control),                                  \
		.covers = "control:PROC2_" #control)                                               \
	{                                                                                          \
		exit_control(CONTROL_WORD_PROC, PROC_RDTSC_EXITING | PROC_INVLPG_EXITING, true);   \
		return exit_run(governed_##name.code);                                             \
	}

DISABLED(rdtscp, "SDM Changes to Instruction Behavior in VMX Non-Root Operation", ENABLE_RDTSCP)
DISABLED(invpcid, "SDM Changes to Instruction Behavior in VMX Non-Root Operation", ENABLE_INVPCID)
DISABLED(umwait, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	ENABLE_USER_WAIT_PAUSE)
DISABLED(tpause, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	ENABLE_USER_WAIT_PAUSE)
