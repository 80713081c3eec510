/* The guest that is one instruction. What it does is the tests' business. */
#include "vmx-tests/exit/exit.h"

#include "runtime/string.h"

outcome exit_run_mode(enum guest_mode mode, struct guest_code code)
{
	guest_set_mode(mode, code.start, (size_t)(code.end - code.start));
	return guest_run(NULL);
}

outcome exit_run(struct guest_code code)
{
	return exit_run_mode(GUEST_64BIT, code);
}

uint64_t exit_set_bytes(const uint8_t *bytes, size_t count)
{
	static const uint8_t vmcall[] = { 0x0f, 0x01, 0xc1 };
	static uint8_t code[64]; /* the guest's page tables allow execution everywhere */

	memset(code, 0, sizeof(code));
	memcpy(code, bytes, MIN(count, sizeof(code) - sizeof(vmcall)));
	memcpy(code + count, vmcall, sizeof(vmcall));
	guest_set_mode(GUEST_64BIT, code, sizeof(code));
	return vmx_address(code);
}

static const struct {
	uint32_t field;
	uint64_t activation; /* the primary control that makes the word count */
} words[CONTROL_WORDS] = {
	[CONTROL_WORD_PIN] = { VMCS_PIN_CONTROLS, 0 },
	[CONTROL_WORD_PROC] = { VMCS_PROC_CONTROLS, 0 },
	[CONTROL_WORD_PROC2] = { VMCS_PROC2_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS },
	[CONTROL_WORD_PROC3] = { VMCS_PROC3_CONTROLS, PROC_ACTIVATE_TERTIARY_CONTROLS },
	[CONTROL_WORD_VM_EXIT] = { VMCS_VM_EXIT_CONTROLS, 0 },
	[CONTROL_WORD_VM_EXIT2] = { VMCS_VM_EXIT2_CONTROLS, 0 },
	[CONTROL_WORD_VM_ENTRY] = { VMCS_VM_ENTRY_CONTROLS, 0 },
};

void exit_control(enum vmx_control_word word, uint64_t bits, bool on)
{
	if (bits == 0)
		return;
	if (!on) {
		if (field_exists(words[word].field))
			field_clear(words[word].field, bits);
		return;
	}
	field_set(VMCS_PROC_CONTROLS, words[word].activation);
	field_set(words[word].field, bits);
}

void exit_let_msrs_pass(void)
{
	static const uint8_t nothing[4096] __aligned(4096);

	if (!vmx_may_set(CONTROL_WORD_PROC, PROC_MSR_BITMAPS))
		return;
	exit_control(CONTROL_WORD_PROC, PROC_MSR_BITMAPS, true);
	field_write(VMCS_MSR_BITMAP, vmx_address(nothing));
}

/* Did an instruction exit whose operand may be in memory, but was a register? Its qualification, a
   displacement, is then 0: information.c looks at that, over all registers. */
static bool has_register_operand(void)
{
	uint64_t reason = field_peek(VMCS_EXIT_REASON);

	return (reason == EXIT_REASON_LDTR_OR_TR_ACCESS || reason == EXIT_REASON_VMREAD ||
		       reason == EXIT_REASON_VMWRITE) &&
	       (field_peek(VMCS_EXIT_INSTRUCTION_INFORMATION) & INSTRUCTION_IS_REGISTER);
}

outcome exit_check_instruction(uint64_t rip, uint32_t length, uint64_t qualification)
{
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), rip);
	CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), length);
	if (!has_register_operand())
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), qualification);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return OK;
}

outcome exit_run_case_here(const struct exit_case *row)
{
	uint64_t rip = field_read(VMCS_GUEST_RIP);
	outcome result = guest_run(NULL), check;

	if (result != row->row.expected || outcome_kind(result) != OUTCOME_EXIT || row->length == 0)
		return result;
	check = exit_check_instruction(rip, row->length, row->qualification);
	return check == OK ? result : check;
}

outcome exit_run_case(const struct exit_case *row)
{
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	return exit_run_case_here(row);
}
