/* What an exit saves of the guest's registers: general state, flags, control registers, MSRs (Intel
   SDM, "Saving Guest State"). Segments are saved_segment.c's, non-register state saved_state.c's.
 */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define CONTROL_REGISTERS "SDM Saving Control Registers, Debug Registers, and MSRs"
#define RIP_SECTION       "SDM Saving RIP, RSP, RFLAGS, and SSP"

GUEST64(saved_nop, "nop");
GUEST64(saved_change_rsp, "movq $0x123456789abcdef0, %rax; movq %rax, %rsp");
GUEST64(saved_change_flags, "pushq %rax; popfq");
GUEST64(saved_wrmsr, "wrmsr");
GUEST64(saved_mov_cr3, "movq %rax, %cr3");
GUEST64(saved_mov_dr7, "movq %rax, %dr7");

TEST(saved, rip, RIP_SECTION, "the RIP of an instruction that exits is the instruction's",
	EXIT(EXIT_REASON_VMCALL), .covers = "field:GUEST_RIP")
{
	outcome result = exit_run((struct guest_code)CODE_OF(saved_nop));

	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(saved_nop) + 1);
	return result;
}

TEST(saved, rsp, RIP_SECTION, "RSP is saved with all its bits, canonical or not",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_RSP, UINT64_C(0x123456789abcdef0) }),
	.covers = "field:GUEST_RSP")
{
	return exit_run((struct guest_code)CODE_OF(saved_change_rsp));
}

/* Each flag that POPF can set at CPL 0, alone. */
struct flag_row {
	struct test_row row;
	uint64_t flag;
};

#define FLAG(name)                                                                                 \
	{                                                                                          \
		{ #name, EXIT(EXIT_REASON_VMCALL) }, RFLAGS_##name                                 \
	}
static const struct flag_row flags[] = {
	{ { "none", EXIT(EXIT_REASON_VMCALL) }, 0 },
	FLAG(CF),
	FLAG(PF),
	FLAG(AF),
	FLAG(ZF),
	FLAG(SF),
	FLAG(IF),
	FLAG(DF),
	FLAG(OF),
	FLAG(IOPL),
	FLAG(NT),
	FLAG(AC),
	FLAG(ID),
};

SWEEP(saved, rflags, RIP_SECTION, "each flag is saved as the guest left it", flags,
	.covers = "field:GUEST_RFLAGS")
{
	uint64_t value = TEST_ROW(struct flag_row)->flag | RFLAGS_FIXED;
	outcome result;

	guest_reset();
	guest_gpr[RAX] = value;
	result = exit_run((struct guest_code)CODE_OF(saved_change_flags));
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS), value);
	return result;
}

TEST(saved, rflags_resume, RIP_SECTION,
	"an instruction's exit saves RFLAGS.RF = 0 although it was 1 before it",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_RFLAGS, RFLAGS_FIXED }),
	.covers = "field:GUEST_RFLAGS")
{
	static const uint8_t none;

	exit_set_bytes(&none, 0); /* VMCALL comes first */
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_RF);
	return guest_run(NULL);
}

TEST(saved, general_registers, "SDM VM Exits",
	"the general registers are left as the guest had them", OK)
{
	uint64_t i;

	for (i = 0; i < 16; i++)
		guest_gpr[i] = UINT64_C(0x0101010101010101) * (i + 1);
	CHECK_EQUAL(exit_run((struct guest_code)CODE_OF(saved_nop)), EXIT(EXIT_REASON_VMCALL));
	for (i = 0; i < 16; i++)
		if (i != RSP)
			CHECK_EQUAL(
				test_observe(guest_gpr[i]), UINT64_C(0x0101010101010101) * (i + 1));
	return OK;
}

TEST(saved, cr3, CONTROL_REGISTERS, "CR3 is saved as the guest loaded it", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_clear_PROC_CR3_LOAD_EXITING), .covers = "field:GUEST_CR3")
{
	uint64_t value = field_read(VMCS_GUEST_CR3) | PTE_PCD;
	outcome result;

	exit_control(CONTROL_WORD_PROC, PROC_CR3_LOAD_EXITING, false);
	guest_gpr[RAX] = value;
	result = exit_run((struct guest_code)CODE_OF(saved_mov_cr3));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), value);
	return result;
}

/* MSRs that every exit saves to the guest-state area. */
struct msr_row {
	struct test_row row;
	uint32_t msr, field;
	uint64_t value;
};

static const struct msr_row msrs[] = {
	{ { "IA32_SYSENTER_CS", EXIT(EXIT_REASON_VMCALL) }, MSR_IA32_SYSENTER_CS,
		VMCS_GUEST_IA32_SYSENTER_CS, 0x1238 },
	{ { "IA32_SYSENTER_ESP", EXIT(EXIT_REASON_VMCALL) }, MSR_IA32_SYSENTER_ESP,
		VMCS_GUEST_IA32_SYSENTER_ESP, UINT64_C(0xffff8765432100f0) },
	{ { "IA32_SYSENTER_EIP", EXIT(EXIT_REASON_VMCALL) }, MSR_IA32_SYSENTER_EIP,
		VMCS_GUEST_IA32_SYSENTER_EIP, UINT64_C(0x00007654321000f0) },
	{ { "IA32_FS_BASE", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_FS_BASE,
		VMCS_GUEST_FS_BASE, UINT64_C(0xffffabcd00001230) },
	{ { "IA32_GS_BASE", EXIT(EXIT_REASON_VMCALL) }, (uint32_t)MSR_IA32_GS_BASE,
		VMCS_GUEST_GS_BASE, UINT64_C(0x00000bcd00001230) },
};

static outcome write_msr(uint32_t msr, uint64_t value)
{
	exit_let_msrs_pass();
	guest_gpr[RCX] = msr;
	guest_gpr[RAX] = (uint32_t)value;
	guest_gpr[RDX] = value >> 32;
	return exit_run((struct guest_code)CODE_OF(saved_wrmsr));
}

SWEEP(saved, msrs, CONTROL_REGISTERS, "these are saved by every exit", msrs,
	.needs = NEEDS(&need_PROC_MSR_BITMAPS),
	.covers = "field:GUEST_IA32_SYSENTER_CS field:GUEST_IA32_SYSENTER_ESP "
		  "field:GUEST_IA32_SYSENTER_EIP "
		  "field:GUEST_FS_BASE field:GUEST_GS_BASE")
{
	const struct msr_row *row = TEST_ROW(struct msr_row);
	outcome result;

	guest_reset();
	result = write_msr(row->msr, row->value);
	CHECK_EQUAL(field_read(row->field), row->value);
	return result;
}

/* MSRs that a control saves. The guest runs with what it loads at entry, so that the host's value
   is safe; what the guest wrote would else remain. */
#define SAVED_BY(name, control, entry_control, exit_control_, msr_, field_, loaded, written)       \
	TEST(saved, name##_1, CONTROL_REGISTERS, #msr_ " is saved when " #control " is 1", OK,     \
		.needs = NEEDS(&need_VM_EXIT_##control, &need_VM_ENTRY_##entry_control,            \
			&need_VM_EXIT_##exit_control_, &need_PROC_MSR_BITMAPS),                    \
		.covers = "control:VM_EXIT_" #control " field:" #field_)                           \
	{                                                                                          \
		uint64_t host = rdmsr((uint32_t)MSR_##msr_);                                       \
                                                                                                   \
		start_saving(VM_EXIT_##control, VM_ENTRY_##entry_control, VM_EXIT_##exit_control_, \
			true);                                                                     \
		field_write(VMCS_##field_, loaded);                                                \
		field_write(VMCS_HOST_##msr_, host);                                               \
		CHECK_EQUAL(write_msr((uint32_t)MSR_##msr_, written), EXIT(EXIT_REASON_VMCALL));   \
		CHECK_EQUAL(field_read(VMCS_##field_), written);                                   \
		return OK;                                                                         \
	}                                                                                          \
	TEST(saved, name##_0, CONTROL_REGISTERS, #msr_ " is not saved when " #control " is 0", OK, \
		.needs = NEEDS(&need_VM_EXIT_##control, &need_VM_ENTRY_##entry_control,            \
			&need_VM_EXIT_##exit_control_, &need_PROC_MSR_BITMAPS),                    \
		.covers = "control:VM_EXIT_" #control " field:" #field_)                           \
	{                                                                                          \
		uint64_t host = rdmsr((uint32_t)MSR_##msr_);                                       \
                                                                                                   \
		start_saving(VM_EXIT_##control, VM_ENTRY_##entry_control, VM_EXIT_##exit_control_, \
			false);                                                                    \
		field_write(VMCS_##field_, loaded);                                                \
		field_write(VMCS_HOST_##msr_, host);                                               \
		CHECK_EQUAL(write_msr((uint32_t)MSR_##msr_, written), EXIT(EXIT_REASON_VMCALL));   \
		CHECK_EQUAL(field_read(VMCS_##field_), loaded);                                    \
		return OK;                                                                         \
	}

static void start_saving(uint64_t save, uint64_t entry_load, uint64_t exit_load, bool on)
{
	exit_control(CONTROL_WORD_VM_ENTRY, entry_load, true);
	exit_control(CONTROL_WORD_VM_EXIT, exit_load, true);
	exit_control(CONTROL_WORD_VM_EXIT, save, on);
}

#define PAT_1 UINT64_C(0x0007040600070406) /* the value at reset */
#define PAT_2 UINT64_C(0x0606060606060606)
SAVED_BY(pat, SAVE_PAT, LOAD_PAT, LOAD_PAT, IA32_PAT, GUEST_IA32_PAT, PAT_1, PAT_2)
#define EFER_1 (EFER_LME | EFER_LMA | EFER_NXE)
#define EFER_2 (EFER_1 | EFER_SCE)
SAVED_BY(efer, SAVE_EFER, LOAD_EFER, LOAD_EFER, IA32_EFER, GUEST_IA32_EFER, EFER_1, EFER_2)

/* Debug controls: DR7 and IA32_DEBUGCTL. */
static outcome run_debug_controls(bool save)
{
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, save);
	guest_gpr[RAX] = DR7_RESET | BIT(1);
	return exit_run((struct guest_code)CODE_OF(saved_mov_dr7));
}

TEST(saved, dr7_1, CONTROL_REGISTERS, "DR7 is saved when SAVE_DEBUG_CONTROLS is 1",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_DR7, DR7_RESET | BIT(1) }),
	.covers = "control:VM_EXIT_SAVE_DEBUG_CONTROLS field:GUEST_DR7")
{
	return run_debug_controls(true);
}

TEST(saved, dr7_0, CONTROL_REGISTERS, "DR7 is not saved when SAVE_DEBUG_CONTROLS is 0",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_DR7, DR7_RESET }),
	.needs = NEEDS(&need_clear_VM_EXIT_SAVE_DEBUG_CONTROLS),
	.covers = "control:VM_EXIT_SAVE_DEBUG_CONTROLS field:GUEST_DR7")
{
	return run_debug_controls(false);
}

#define DEBUGCTL_BTF BIT(1)

TEST(saved, debugctl_1, CONTROL_REGISTERS, "IA32_DEBUGCTL is saved when SAVE_DEBUG_CONTROLS is 1",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_IA32_DEBUGCTL, DEBUGCTL_BTF }),
	.needs = NEEDS(&need_PROC_MSR_BITMAPS, &need_debugctl),
	.covers = "control:VM_EXIT_SAVE_DEBUG_CONTROLS field:GUEST_IA32_DEBUGCTL")
{
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, true);
	return write_msr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTF);
}

TEST(saved, debugctl_0, CONTROL_REGISTERS,
	"IA32_DEBUGCTL is not saved when SAVE_DEBUG_CONTROLS is 0", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_IA32_DEBUGCTL, 0 }),
	.needs = NEEDS(
		&need_clear_VM_EXIT_SAVE_DEBUG_CONTROLS, &need_PROC_MSR_BITMAPS, &need_debugctl),
	.covers = "control:VM_EXIT_SAVE_DEBUG_CONTROLS field:GUEST_IA32_DEBUGCTL")
{
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_DEBUG_CONTROLS, false);
	return write_msr(MSR_IA32_DEBUGCTL, DEBUGCTL_BTF);
}
