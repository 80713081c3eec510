/* CET's state at VM entries and exits (Intel SDM, "Loading Guest Control Registers, Debug
   Registers, and MSRs", "Saving Control Registers, Debug Registers, and MSRs", "Loading Host
   Control Registers, Debug Registers, MSRs"). CR4.CET stays 0, so that nothing but the state itself
   is at work; the checks on it are entry/'s. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define TITLE_ENTRY "SDM Loading Guest Control Registers, Debug Registers, and MSRs"
#define TITLE_SAVE  "SDM Saving Control Registers, Debug Registers, and MSRs"
#define TITLE_EXIT  "SDM Loading Host Control Registers, Debug Registers, MSRs"

GUEST64(cet_state_rdmsr, "rdmsr");
GUEST64(cet_state_nop, "nop");

/* Two values that differ, of an MSR and the fields for it. */
struct cet_row {
	struct test_row row;
	uint32_t msr, guest_field, host_field;
	uint64_t guest, host;
};

#define CET_ROW(name, guest, host)                                                                 \
	{                                                                                          \
		{ #name, EXIT(EXIT_REASON_VMCALL) }, MSR_##name, VMCS_GUEST_##name,                \
			VMCS_HOST_##name, guest, host                                              \
	}

static const struct cet_row rows[] = {
	CET_ROW(IA32_S_CET, BIT(2), BIT(3)), /* both about branches: legal without shadow stacks */
	CET_ROW(IA32_INTERRUPT_SSP_TABLE_ADDR, UINT64_C(0x00007fedcba98760),
		UINT64_C(0xffff800000001230)),
};

/* Runs the guest with the host's MSR at `host` before, and with the controls as they are. */
static outcome run_cet(const struct cet_row *row, struct guest_code code, uint64_t *after)
{
	uint64_t saved = rdmsr(row->msr);
	outcome result;

	wrmsr(row->msr, row->host);
	field_write(row->guest_field, row->guest);
	exit_let_msrs_pass();
	guest_gpr[RCX] = row->msr;
	result = exit_run(code);
	*after = rdmsr(row->msr);
	wrmsr(row->msr, saved);
	return result;
}

static outcome see_at_entry(bool load)
{
	const struct cet_row *row = TEST_ROW(struct cet_row);
	uint64_t after, seen;
	outcome result;

	guest_reset();
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_CET_STATE, load);
	result = run_cet(row, (struct guest_code)CODE_OF(cet_state_rdmsr), &after);
	seen = test_observe((guest_gpr[RDX] & BITS(31, 0)) << 32 | (guest_gpr[RAX] & BITS(31, 0)));
	CHECK_EQUAL(seen, load ? row->guest : row->host);
	return result;
}

#define NEEDS_ENTRY NEEDS(&need_VM_ENTRY_LOAD_CET_STATE, &need_PROC_MSR_BITMAPS)
#define COVERS_ENTRY                                                                               \
	"control:VM_ENTRY_LOAD_CET_STATE field:GUEST_IA32_S_CET "                                  \
	"field:GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR "                                               \
	"msr:IA32_S_CET msr:IA32_INTERRUPT_SSP_TABLE_ADDR"

SWEEP(cet_state, entry_1, TITLE_ENTRY,
	"with \"load CET state\" 1, VM entry loads the MSR from its field", rows,
	.needs = NEEDS_ENTRY, .covers = COVERS_ENTRY)
{
	return see_at_entry(true);
}

SWEEP(cet_state, entry_0, TITLE_ENTRY, "with \"load CET state\" 0, VM entry leaves the MSR alone",
	rows, .needs = NEEDS_ENTRY, .covers = COVERS_ENTRY)
{
	return see_at_entry(false);
}

SWEEP(cet_state, saved, TITLE_SAVE, "an exit saves the MSR, whether the entry has loaded it or not",
	rows, .needs = NEEDS_ENTRY, .covers = COVERS_ENTRY)
{
	const struct cet_row *row = TEST_ROW(struct cet_row);
	uint64_t after;
	outcome result;

	guest_reset();
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_CET_STATE, false);
	result = run_cet(row, (struct guest_code)CODE_OF(cet_state_nop), &after);
	CHECK_EQUAL(field_read(row->guest_field), row->host);
	return result;
}

#define SSP UINT64_C(0x00007fedcba98768)

TEST(cet_state, ssp_saved, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an exit saves the SSP that \"load CET state\" has loaded", EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_SSP, SSP }), .needs = NEEDS_ENTRY,
	.covers = "control:VM_ENTRY_LOAD_CET_STATE field:GUEST_SSP")
{
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_CET_STATE, true);
	field_write(VMCS_GUEST_SSP, SSP);
	return exit_run((struct guest_code)CODE_OF(cet_state_nop));
}

static outcome see_at_exit(bool load)
{
	const struct cet_row *row = TEST_ROW(struct cet_row);
	uint64_t after;
	outcome result;

	guest_reset();
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_CET_STATE, true);
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_LOAD_CET_STATE, load);
	field_write(row->host_field, row->host);
	result = run_cet(row, (struct guest_code)CODE_OF(cet_state_nop), &after);
	CHECK_EQUAL(test_observe(after), load ? row->host : row->guest);
	return result;
}

#define NEEDS_EXIT                                                                                 \
	NEEDS(&need_VM_EXIT_LOAD_CET_STATE, &need_VM_ENTRY_LOAD_CET_STATE, &need_PROC_MSR_BITMAPS)
#define COVERS_EXIT                                                                                \
	"control:VM_EXIT_LOAD_CET_STATE field:HOST_IA32_S_CET "                                    \
	"field:HOST_IA32_INTERRUPT_SSP_TABLE_ADDR"

SWEEP(cet_state, exit_1, TITLE_EXIT,
	"with \"load CET state\" 1, an exit loads the host's MSR from its field", rows,
	.needs = NEEDS_EXIT, .covers = COVERS_EXIT)
{
	return see_at_exit(true);
}

SWEEP(cet_state, exit_0, TITLE_EXIT, "with \"load CET state\" 0, the host keeps what the guest had",
	rows, .needs = NEEDS_EXIT, .covers = COVERS_EXIT)
{
	return see_at_exit(false);
}
