/* What an exit saves of the guest's non-register state, and what it does to the VM-entry fields
   (Intel SDM, "Saving Non-Register State", "Recording VM-Exit Information and Updating VM-Entry
   Control Fields"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/ept.h"
#include "vmx-tests/exit/landing.h"
#include "vmx-tests/guest_tables.h"

#define SECTION "SDM Saving Non-Register State"

GUEST64(saved_state_nop, "nop");
GUEST64(saved_state_sti, "sti");
GUEST64(saved_state_sti_nop, "sti; nop");
GUEST64(saved_state_mov_ss, "movl %eax, %ss");
GUEST64(saved_state_mov_ss_nop, "movl %eax, %ss; nop");
GUEST32(saved_state_pop_ss, "pushl %eax; popl %ss");
GUEST64(saved_state_mov_ds, "movl %eax, %ds");

struct blocking_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint64_t rflags, loaded, saved; /* interruptibility */
};

#define ROW(name, code, mode, rflags, loaded, saved)                                               \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMCALL) }, CODE_OF(saved_state_##code), mode, rflags,     \
			loaded, saved                                                              \
	}

static const struct blocking_row blocking[] = {
	ROW("none", nop, GUEST_64BIT, 0, 0, 0),
	ROW("STI", sti, GUEST_64BIT, 0, 0, INTERRUPTIBILITY_STI),
	ROW("STI, one instruction later", sti_nop, GUEST_64BIT, 0, 0, 0),
	ROW("STI with RFLAGS.IF = 1", sti, GUEST_64BIT, RFLAGS_IF, 0, 0),
	ROW("MOV to SS", mov_ss, GUEST_64BIT, 0, 0, INTERRUPTIBILITY_MOV_SS),
	ROW("MOV to SS, one instruction later", mov_ss_nop, GUEST_64BIT, 0, 0, 0),
	ROW("POP to SS", pop_ss, GUEST_PAGED32, 0, 0, INTERRUPTIBILITY_MOV_SS),
	ROW("MOV to DS", mov_ds, GUEST_64BIT, 0, 0, 0),
	ROW("loaded by VM entry, one instruction later", nop, GUEST_64BIT, RFLAGS_IF,
		INTERRUPTIBILITY_STI, 0),
	ROW("MOV SS loaded by VM entry, one instruction later", nop, GUEST_64BIT, 0,
		INTERRUPTIBILITY_MOV_SS, 0),
};

SWEEP(saved_state, blocking, SECTION,
	"blocking by STI and by MOV SS is saved, for the one instruction that it lasts", blocking,
	.covers = "field:GUEST_INTERRUPTIBILITY_STATE")
{
	const struct blocking_row *row = TEST_ROW(struct blocking_row);
	outcome result;

	guest_reset();
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	guest_gpr[RAX] = GUEST_SELECTOR_DATA;
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->loaded);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE), row->saved);
	return result;
}

TEST(saved_state, active, SECTION, "an exit of an instruction saves the active state",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE }),
	.covers = "field:GUEST_ACTIVITY_STATE")
{
	return exit_run((struct guest_code)CODE_OF(saved_state_nop));
}

GUEST64(saved_state_hlt, "hlt");

TEST(saved_state, hlt_exiting, "SDM Architectural State Before a VM Exit",
	"the exit of HLT itself saves the active state", EXIT(EXIT_REASON_HLT),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE }),
	.covers = "field:GUEST_ACTIVITY_STATE control:PROC_HLT_EXITING")
{
	exit_control(CONTROL_WORD_PROC, PROC_HLT_EXITING, true);
	return exit_run((struct guest_code)CODE_OF(saved_state_hlt));
}

TEST(saved_state, entry_event_cleared,
	"SDM Recording VM-Exit Information and Updating VM-Entry Control Fields",
	"an exit clears the valid bit of the VM-entry interruption information, and that alone",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_ENTRY_INTERRUPTION_INFORMATION,
		       0x55 | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) },
		{ VMCS_ENTRY_INSTRUCTION_LENGTH, 2 }),
	.covers = "field:ENTRY_INTERRUPTION_INFORMATION")
{
	landing_set_gates();
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | 0x55 | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE));
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 2);
	return exit_run((struct guest_code)CODE_OF(saved_state_nop));
}

/* IA32_EFER.LMA into the VM-entry control: the unrestricted guest goes from unpaged protected mode
 * into IA-32e mode. */
GUEST32(saved_state_long_mode,
	"movl %cr4, %eax; orl $0x20, %eax; movl %eax, %cr4; movl %ebx, %cr3; "
	"movl $0xc0000080, %ecx; rdmsr; orl $0x100, %eax; wrmsr; "
	"movl %cr0, %eax; orl $0x80000000, %eax; movl %eax, %cr0");

static outcome enter_long_mode(void)
{
	exit_let_msrs_pass();
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_EFER, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_LOAD_EFER, true);
	field_write(VMCS_HOST_IA32_EFER, rdmsr((uint32_t)MSR_IA32_EFER));
	guest_gpr[RBX] = vmx_address(guest_pml4);
	return exit_run_mode(GUEST_UNPAGED32, (struct guest_code)CODE_OF(saved_state_long_mode));
}

TEST(saved_state, lma, "SDM Recording VM-Exit Information and Updating VM-Entry Control Fields",
	"an exit stores IA32_EFER.LMA into the VM-entry control \"IA-32e mode guest\"",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_unrestricted, &need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_EFER,
		&need_stores_lma),
	.covers = "control:VM_ENTRY_IA32E_MODE_GUEST cap:VMX_MISC_STORES_LMA "
		  "control:PROC2_UNRESTRICTED_GUEST")
{
	outcome result = enter_long_mode();

	CHECK_EQUAL(field_read(VMCS_VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE_GUEST,
		VM_ENTRY_IA32E_MODE_GUEST);
	return result;
}

TEST(saved_state, unrestricted_registers, "SDM Saving Control Registers, Debug Registers, and MSRs",
	"CR0, CR3, CR4 and IA32_EFER are saved as the guest's change of mode left them",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_unrestricted, &need_PROC_MSR_BITMAPS, &need_VM_ENTRY_LOAD_EFER,
		&need_VM_EXIT_SAVE_EFER),
	.covers = "field:GUEST_CR0 field:GUEST_CR3 field:GUEST_CR4 field:GUEST_IA32_EFER "
		  "control:VM_EXIT_SAVE_EFER")
{
	outcome result;

	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_EFER, true);
	result = enter_long_mode();
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & (CR0_PG | CR0_PE), CR0_PG | CR0_PE);
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), vmx_address(guest_pml4));
	CHECK_EQUAL(field_read(VMCS_GUEST_CR4) & CR4_PAE, CR4_PAE);
	CHECK_EQUAL(field_read(VMCS_GUEST_IA32_EFER), EFER_LME | EFER_LMA);
	return result;
}

/* Fields that no exit touches. */
static const struct field_row {
	struct test_row row;
	uint32_t field;
	uint64_t value;
} untouched[] = {
	{ { "GUEST_SMBASE", OK }, VMCS_GUEST_SMBASE, 0x12345000 },
	{ { "VMCS_LINK_POINTER", OK }, VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER },
	{ { "ENTRY_EXCEPTION_ERROR_CODE", OK }, VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0x1234 },
	{ { "ENTRY_INSTRUCTION_LENGTH", OK }, VMCS_ENTRY_INSTRUCTION_LENGTH, 5 },
	{ { "EXCEPTION_BITMAP", OK }, VMCS_EXCEPTION_BITMAP, 0x12345678 },
	{ { "CR0_READ_SHADOW", OK }, VMCS_CR0_READ_SHADOW, UINT64_C(0x123456789) },
	{ { "TSC_OFFSET", OK }, VMCS_TSC_OFFSET, UINT64_C(0x123456789abcdef0) },
	{ { "HOST_SYSENTER_CS", OK }, VMCS_HOST_IA32_SYSENTER_CS, 0x87654321 },
};

SWEEP(saved_state, untouched, "SDM VM Exits", "an exit leaves these fields alone", untouched,
	.covers = "field:GUEST_SMBASE field:VMCS_LINK_POINTER field:ENTRY_EXCEPTION_ERROR_CODE")
{
	const struct field_row *row = TEST_ROW(struct field_row);

	guest_reset();
	if (!field_exists(row->field))
		return test_not_tried(test, "the CPU lacks the field (vmcs/field/exists)");
	field_write(row->field, row->value);
	CHECK_EQUAL(
		exit_run((struct guest_code)CODE_OF(saved_state_nop)), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(row->field), row->value);
	return OK;
}
