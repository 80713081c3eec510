/* Runs one state of a check's test: changes a good state, enters, and looks at the answer, at every
   field of the VMCS, and at what the explainer's engine (spec/vmx_checks.h) finds in the same
   fields. */
#include "vmx-tests/entry/check.h"

#include "runtime/string.h"
#include "vmx-tests/beat.h"
#include "vmx-tests/entry/state.h"
#include "vmx-tests/guest_tables.h"

#define VTPR_OFFSET 0x80
#define BIT_STEP    5 /* with beat=on: of a row's bits the first, each fifth, and the last */

/* ---- The values of changes ---- */

static uint64_t canonical_edge(enum check_edge edge)
{
	uint64_t half = BIT(state_linear_width() - 1);

	switch (edge) {
	case LAST_LOW:
		return half - PAGE_SIZE;
	case FIRST_BETWEEN:
		return half;
	case LAST_BETWEEN:
		return -half - PAGE_SIZE;
	case FIRST_HIGH:
		return -half;
	}
	return 0;
}

static uint64_t control_bits(enum vmx_control_word word, bool must_be_1)
{
	uint64_t capability = vmx_control_capability(word);

	if (word == CONTROL_WORD_PROC3 || word == CONTROL_WORD_VM_EXIT2)
		return must_be_1 ? 0 : ~capability;
	return must_be_1 ? capability & CAPABILITY_MUST_BE_1 : ~capability >> 32;
}

static uint64_t change_value(const struct check_change *change)
{
	switch ((enum check_source)change->source) {
	case SOURCE_VALUE:
		return change->value;
	case SOURCE_WIDTH:
		return BIT(state_physical_width() + (int)change->value);
	case SOURCE_BEYOND:
		return BITS(63, state_physical_width());
	case SOURCE_CANONICAL:
		return canonical_edge((enum check_edge)change->value);
	case SOURCE_MUST_BE_1:
		return control_bits((enum vmx_control_word)change->value, true);
	case SOURCE_MUST_BE_0:
		return control_bits((enum vmx_control_word)change->value, false);
	case SOURCE_MSR:
		return vmx_capability((uint32_t)change->value);
	case SOURCE_NOT_MSR:
		return ~vmx_capability((uint32_t)change->value);
	case SOURCE_PAGE:
		return vmx_address(guest_page[0]) + change->value;
	case SOURCE_SPARE:
		return vmx_address(vmx_spare_region) + change->value;
	case SOURCE_CURRENT:
		return vmx_address(vmx_region) + change->value;
	case SOURCE_AREA_END:
		return BIT(state_physical_width()) - change->value;
	case SOURCE_CR3_TARGETS:
		return FIELD_GET(vmx_capability(MSR_IA32_VMX_MISC), VMX_MISC_CR3_TARGETS) +
		       change->value;
	}
	return 0;
}

/* ---- Making them ---- */

static uint64_t changed(uint64_t old, uint8_t operation, uint64_t value)
{
	if (operation == CHECK_SET)
		return value;
	return operation == CHECK_OR ? old | value : old & ~value;
}

static void change_memory(uint16_t target, uint8_t operation, uint64_t value)
{
	uint32_t *vtpr = (uint32_t *)(void *)&guest_page[0][VTPR_OFFSET];

	if (target == FIELD_VTPR)
		*vtpr = (uint32_t)changed(*vtpr, operation, value);
	else if (target == FIELD_SPARE_REVISION)
		vmx_spare_region->revision =
			(uint32_t)changed(vmx_spare_region->revision, operation, value);
	else
		guest_pae_pdpt[target - FIELD_PDPTE0_MEMORY] =
			changed(guest_pae_pdpt[target - FIELD_PDPTE0_MEMORY], operation, value);
}

static void make_change(uint16_t target, uint8_t operation, uint64_t value)
{
	uint32_t encoding;

	if (target >= VMCS_FIELDS) {
		change_memory(target, operation, value);
		return;
	}
	encoding = vmcs_fields[target].encoding;
	field_write(encoding, changed(field_read(encoding), operation, value));
}

static void make_changes(const struct check_row *row, uint64_t bit)
{
	unsigned int i;

	check_begin(row->start);
	vmx_spare_region->revision = vmx_revision();
	for (i = 0; i < CHECK_CHANGES && row->change[i].operation != CHECK_NOTHING; i++)
		make_change(row->change[i].target, row->change[i].operation,
			change_value(&row->change[i]));
	if (bit != 0)
		make_change(row->each.target, row->each.operation, bit);
}

/* ---- The answer ---- */

/* What the explainer says: the checks that are broken, but those that a CPU may leave out. */
struct findings {
	struct vmx_check_listener listener;
	bool broken[VMX_CHECKS];
};

static void note_finding(struct vmx_check_listener *listener, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	struct findings *findings = (struct findings *)listener;

	if (verdict == VMX_BROKEN && !check->optional)
		findings->broken[check - vmx_checks] = true;
}

static outcome check_explainer(
	const struct check_row *row, enum vmx_check_index check, bool refused)
{
	static struct findings findings;
	unsigned int i;

	findings = (struct findings){ .listener = { note_finding } };
	vmx_checks_run(&state_before, VMX_CHECK_ALL, &findings.listener);
	for (i = 0; i < VMX_CHECKS; i++) {
		bool wanted = refused && ((i == check && !row->holds) || i == row->also[0] ||
						 i == row->also[1]);

		if (findings.broken[i] == wanted || (row->among && i != check) ||
			(vmx_checks[i].optional && wanted))
			continue;
		return test_mismatch(__LINE__, "the explainer %s %s",
			wanted ? "does not name" : "also names", vmx_checks[i].id);
	}
	return OK;
}

/* "VM-Entry Failures During or After Loading Guest State": the exit reason and the qualification
   are all that is written; VMfailValid writes the error only. */
static outcome check_fields(const struct check_row *row)
{
	bool late = outcome_kind(row->row.expected) == OUTCOME_ENTRY_FAIL;
	int different = state_difference(late);

	if (different >= 0)
		return test_mismatch(__LINE__, "%s changed from %#lx to %#lx",
			vmcs_fields[different].name, state_before.field[different],
			state_after.field[different]);
	if (!late) {
		CHECK_EQUAL(state_after.field[FIELD_VM_INSTRUCTION_ERROR],
			outcome_value(row->row.expected));
		return OK;
	}
	CHECK_EQUAL(state_after.field[FIELD_EXIT_REASON],
		EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_FAILURE_GUEST_STATE);
	CHECK_EQUAL(state_after.field[FIELD_EXIT_QUALIFICATION], row->qualification);
	return OK;
}

/* "VMLAUNCH/VMRESUME": a launch that failed leaves the launch state clear. */
static outcome check_launch_state(void)
{
	CHECK_EQUAL(guest_resume(), FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED));
	return OK;
}

/* An exit loads registers of the host's with whatever the row has put into the host-state area:
   these MSRs and the control and descriptor-table registers are mended at once. */
static const uint32_t host_msrs[] = { MSR_IA32_GS_BASE, MSR_IA32_FS_BASE, MSR_IA32_EFER,
	MSR_IA32_PAT, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP };

static outcome enter_mended(bool bare)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();
	uint64_t cr0 = read_cr0(), cr4 = read_cr4(), values[ARRAY_SIZE(host_msrs)];
	outcome result;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(host_msrs); i++)
		values[i] = rdmsr(host_msrs[i]);
	result = bare ? VMX_INSTRUCTION("vmlaunch", "i"(0)) : guest_enter();
	if (read_cr4() != cr4)
		write_cr4(cr4);
	if (read_cr0() != cr0)
		write_cr0(cr0);
	write_gdtr(gdtr);
	write_idtr(idtr);
	for (i = 0; i < ARRAY_SIZE(host_msrs); i++)
		wrmsr(host_msrs[i], values[i]);
	return result;
}

outcome check_enter(void)
{
	return enter_mended(false);
}

void check_restore_host(void)
{
	check_begin(CHECK_LONG);
	guest_enter();
}

static bool is_of_host(uint16_t target)
{
	return target < VMCS_FIELDS && vmcs_fields[target].area == AREA_HOST;
}

/* Then an exit loads what the row has put there. */
static bool changes_host(const struct check_row *row)
{
	bool changes = row->each.operation != CHECK_NOTHING && is_of_host(row->each.target);
	unsigned int i;

	for (i = 0; i < CHECK_CHANGES && row->change[i].operation != CHECK_NOTHING; i++)
		changes |= is_of_host(row->change[i].target);
	return changes;
}

static outcome run_state(const struct check_row *row, enum vmx_check_index check, uint64_t bit)
{
	bool refused = outcome_kind(row->row.expected) != OUTCOME_EXIT;
	outcome result, details;

	make_changes(row, bit);
	state_read(&state_before);
	result = enter_mended(row->bare);
	state_read_fields(&state_after);
	if ((outcome_kind(result) == OUTCOME_EXIT || outcome_kind(result) == OUTCOME_ENTRY_FAIL) &&
		changes_host(row))
		check_restore_host();
	if (result != row->row.expected)
		return bit == 0 ? result : (test_mismatch(__LINE__, "bit %#lx", bit), result);
	details = check_explainer(row, check, refused);
	if (details == OK && refused)
		details = check_fields(row);
	if (details == OK && refused && outcome_kind(result) == OUTCOME_FAIL_VALID)
		details = check_launch_state();
	return details == OK ? result : details;
}

const char *check_untried(const struct check_row *row)
{
	unsigned int i;

	for (i = 0; i < CHECK_CHANGES && row->change[i].operation != CHECK_NOTHING; i++)
		if (row->change[i].target < VMCS_FIELDS && !state_has_field(row->change[i].target))
			return "the CPU lacks a field (vmcs/field/exists)";
	if (row->each.operation != CHECK_NOTHING &&
		!(change_value(&row->each) & state_field_mask(row->each.target)))
		return "this CPU's VMWRITE ignores these bits (\"Guest Register State\")";
	return NULL;
}

outcome check_run(const struct check_row *row, enum vmx_check_index check)
{
	unsigned int step = beat_choose(1, BIT_STEP), number = 0;
	uint64_t bits = 0, bit;
	outcome result = row->row.expected;

	if (check_untried(row) != NULL || !check_start_available(row->start))
		return row->row.expected; /* the test of that check needs it, or has others, too */
	if (row->each.operation == CHECK_NOTHING)
		return run_state(row, check, 0);
	bits = change_value(&row->each) & state_field_mask(row->each.target);
	for (bit = 1; bit != 0 && result == row->row.expected; bit <<= 1) {
		bool last = (bits & ~(bit | (bit - 1))) == 0;

		if ((bits & bit) && (number++ % step == 0 || last))
			result = run_state(row, check, bit);
	}
	return result;
}

/* ---- All states of a check ---- */

extern const struct test tests_start[], tests_end[];

static bool is_of(const struct test *test, enum vmx_check_index check)
{
	const char *covers = test->covers, *id = vmx_checks[check].id;

	return covers != NULL && test->row_size == sizeof(struct check_row) &&
	       strncmp(covers, "check:", 6) == 0 && strcspn(covers + 6, " ") == strlen(id) &&
	       strncmp(covers + 6, id, strlen(id)) == 0;
}

static bool is_possible(const struct test *test)
{
	const struct test_need *const *need = test->needs;

	while (need != NULL && *need != NULL && (*need)->met())
		need++;
	return need == NULL || *need == NULL;
}

static bool has_wrong_row(const struct test *test, enum vmx_check_index check)
{
	const struct check_row *row = test->rows;
	uint32_t i;

	for (i = 0; i < test->row_count; i++)
		if (check_run(&row[i], check) != row[i].row.expected)
			return true;
	return false;
}

bool check_deviates(enum vmx_check_index check)
{
	static bool known[VMX_CHECKS], deviates[VMX_CHECKS];
	const struct test *test;

	if (known[check])
		return deviates[check];
	for (test = tests_start; test < tests_end; test++)
		if (is_of(test, check) && is_possible(test) && has_wrong_row(test, check))
			deviates[check] = true;
	known[check] = true;
	return deviates[check];
}
