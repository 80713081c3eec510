/* The control words of a VMCS, computed from one const table against the capability MSRs: what
   makes a guest exit and what the world switch loads and saves. The bitmaps that some
   controls refer to are left to bitmap.c. */
#include "kernel/vmx/control.h"

#include "kernel/vmx/vmcs.h"
#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/x86.h"

struct control_row {
	enum vmx_control_word word;
	uint32_t field;
	uint32_t msr, true_msr; /* true_msr 0: there is none */
	uint32_t required;      /* always */
	uint32_t stage2;        /* required too, for second-level paging */
	uint32_t optional;      /* where the CPU has it */
};

/* What is not named is off where the CPU lets it be off. */
static const struct control_row rows[] = {
	{
		.word = CONTROL_WORD_PIN,
		.field = VMCS_PIN_CONTROLS,
		.msr = MSR_IA32_VMX_PINBASED_CTLS,
		.true_msr = MSR_IA32_VMX_TRUE_PINBASED_CTLS,
		.required = PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_PREEMPTION_TIMER,
		.optional = PIN_VIRTUAL_NMIS,
	},
	{
		.word = CONTROL_WORD_PROC,
		.field = VMCS_PROC_CONTROLS,
		.msr = MSR_IA32_VMX_PROCBASED_CTLS,
		.true_msr = MSR_IA32_VMX_TRUE_PROCBASED_CTLS,
		.required = PROC_HLT_EXITING | PROC_MWAIT_EXITING | PROC_MONITOR_EXITING |
			    PROC_RDPMC_EXITING | PROC_TSC_OFFSETTING | PROC_IO_BITMAPS |
			    PROC_MSR_BITMAPS | PROC_CR8_LOAD_EXITING |
			    PROC_CR8_STORE_EXITING, /* the CR8 is the host's */
		.stage2 = PROC_ACTIVATE_SECONDARY_CONTROLS,
		.optional = PROC_ACTIVATE_SECONDARY_CONTROLS,
	},
	{
		.word = CONTROL_WORD_PROC2,
		.field = VMCS_PROC2_CONTROLS,
		.msr = MSR_IA32_VMX_PROCBASED_CTLS2,
		.stage2 = PROC2_ENABLE_EPT | PROC2_UNRESTRICTED_GUEST,
		.optional = PROC2_ENABLE_VPID | PROC2_ENABLE_RDTSCP | PROC2_ENABLE_INVPCID |
			    PROC2_ENABLE_XSAVES | PROC2_WBINVD_EXITING,
	},
	{
		.word = CONTROL_WORD_VM_EXIT,
		.field = VMCS_VM_EXIT_CONTROLS,
		.msr = MSR_IA32_VMX_EXIT_CTLS,
		.true_msr = MSR_IA32_VMX_TRUE_EXIT_CTLS,
		.required = VM_EXIT_HOST_ADDRESS_SPACE_SIZE | VM_EXIT_SAVE_DEBUG_CONTROLS |
			    VM_EXIT_SAVE_PAT | VM_EXIT_LOAD_PAT | VM_EXIT_SAVE_EFER |
			    VM_EXIT_LOAD_EFER,
	},
	{
		/* VM_ENTRY_IA32E_MODE_GUEST follows the guest's EFER and CR0: guest.c. */
		.word = CONTROL_WORD_VM_ENTRY,
		.field = VMCS_VM_ENTRY_CONTROLS,
		.msr = MSR_IA32_VMX_ENTRY_CTLS,
		.true_msr = MSR_IA32_VMX_TRUE_ENTRY_CTLS,
		.required = VM_ENTRY_LOAD_DEBUG_CONTROLS | VM_ENTRY_LOAD_PAT | VM_ENTRY_LOAD_EFER,
	},
};

void control_read_capabilities(struct control_capabilities *capabilities)
{
	bool has_true = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;

	*capabilities = (struct control_capabilities){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool use_true = has_true && rows[i].true_msr;

		rdmsr_safe(use_true ? rows[i].true_msr : rows[i].msr,
			&capabilities->word[rows[i].word]);
	}
}

int control_adjust(uint32_t required, uint32_t optional, uint64_t capability, uint32_t *result)
{
	uint32_t must_be_1 = FIELD_GET(capability, CAPABILITY_MUST_BE_1);
	uint32_t may_be_1 = FIELD_GET(capability, CAPABILITY_MAY_BE_1);

	*result = required & ~may_be_1;
	if (*result)
		return -ENODEV;
	*result = required | (optional & may_be_1) | must_be_1;
	return 0;
}

int control_compute(const struct control_capabilities *capabilities, bool stage2,
	uint32_t value[CONTROL_WORDS], uint32_t missing[CONTROL_WORDS])
{
	int error = 0;

	for (size_t i = 0; i < CONTROL_WORDS; i++)
		value[i] = missing[i] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct control_row *row = &rows[i];
		uint32_t required = row->required | (stage2 ? row->stage2 : 0);

		if (control_adjust(required, row->optional, capabilities->word[row->word],
			    &value[row->word])) {
			missing[row->word] = value[row->word];
			error = -ENODEV;
		}
	}
	return error;
}

void control_print_missing(const uint32_t missing[CONTROL_WORDS])
{
	for (int i = 0; i < VMX_CONTROLS; i++)
		if (vmx_controls[i].bit < 32 &&
			(missing[vmx_controls[i].word] & BIT(vmx_controls[i].bit)))
			print("trapeze: error: this CPU's VT-x lacks the control %s\n",
				vmx_controls[i].name);
}

int control_write(const uint32_t value[CONTROL_WORDS])
{
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		/* A CPU without secondary controls does not have their field. */
		if (rows[i].word == CONTROL_WORD_PROC2 &&
			!(value[CONTROL_WORD_PROC] & PROC_ACTIVATE_SECONDARY_CONTROLS))
			continue;
		if (vmcs_write(rows[i].field, value[rows[i].word]))
			error = -EIO;
	}
	return error;
}
