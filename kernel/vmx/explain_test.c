/* The explainer against the CPU: each VMCS of explain_rows.c has to be refused by the CPU as the
   manual says, and the explainer has to name the one rule that it breaks. */
#include "kernel/vmx/explain_test.h"

#include "kernel/vmx/explain.h"
#include "kernel/vmx/vmx.h"
#include "runtime/print.h"
#include "runtime/x86.h"

static void apply(const struct explain_change *change, size_t changes)
{
	for (size_t i = 0; i < changes && change[i].operation != OP_NONE; i++) {
		uint32_t encoding = vmcs_fields[change[i].field].encoding;
		uint64_t value = change[i].operation == OP_SET ? 0 : vmread(encoding);

		if (change[i].operation == OP_CLEAR)
			value &= ~change[i].value;
		else
			value |= change[i].value;
		vmwrite(encoding, value);
	}
}

/* HOST_RSP is run.S's, which knows what it holds; no row touches it. */
static bool is_ours(int i)
{
	return i != FIELD_HOST_RSP && vmcs_fields[i].area != AREA_READONLY &&
	       vmcs_has(vmcs_fields[i].encoding);
}

/* Writes back what differs from the snapshot. */
static void restore(const struct vmx_state *good)
{
	for (int i = 0; i < VMCS_FIELDS; i++)
		if (is_ours(i) && vmread(vmcs_fields[i].encoding) != good->field[i])
			vmwrite(vmcs_fields[i].encoding, good->field[i]);
}

/* Enters with the preemption timer at 0: the guest exits before its first instruction. */
static void enter(struct vcpu *vcpu, struct exit *exit)
{
	vcpu->deadline = 0;
	vcpu->inject.valid = false;
	vmx_enter(vcpu, exit);
	vcpu->inject.valid = false;
}

struct finding {
	struct vmx_check_listener listener;
	unsigned int count;
	const struct vmx_check *last;
};

static void note(struct vmx_check_listener *listener, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	struct finding *finding = (struct finding *)listener;

	if (verdict != VMX_BROKEN || check->optional)
		return;
	finding->count++;
	finding->last = check;
}

/* How the CPU has to refuse, by the group ("VM Instruction Error Numbers", "VM-Entry Failures
   During or After Loading Guest State"). */
static bool is_refused_as(const struct explain_row *row, const struct exit *exit)
{
	if (exit->kind != EXIT_REFUSED)
		return false;
	switch (row->group) {
	case VMX_CHECK_CONTROL:
		return exit->raw == VMX_ERROR_ENTRY_CONTROLS;
	case VMX_CHECK_HOST:
		return exit->raw == VMX_ERROR_ENTRY_HOST_STATE;
	case VMX_CHECK_GUEST:
		break;
	}
	return exit->raw == (EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_FAILURE_GUEST_STATE) &&
	       exit->info == row->qualification;
}

/* Prints what was wrong with a row. Returns 1, or 0 when nothing was. */
static int report(
	const struct explain_row *row, const struct exit *exit, const struct finding *finding)
{
	if (!is_refused_as(row, exit)) {
		print("explain: %s FAILED: the CPU's answer: %s, %#lx, qualification %#lx\n",
			row->name, exit->kind == EXIT_REFUSED ? "refused" : "entered", exit->raw,
			exit->info);
		return 1;
	}
	if (finding->count != 1 || finding->last != &vmx_checks[row->broken]) {
		print("explain: %s FAILED: %u rules named, the last %s; not %s\n", row->name,
			finding->count, finding->last ? finding->last->id : "none",
			vmx_checks[row->broken].id);
		return 1;
	}
	print("explain: %s ok\n", row->name);
	return 0;
}

static bool has_control(uint64_t proc2)
{
	uint64_t capability;

	rdmsr_safe(MSR_IA32_VMX_PROCBASED_CTLS2, &capability);
	return (FIELD_GET(capability, CAPABILITY_MAY_BE_1) & proc2) == proc2;
}

static int run_row(struct vcpu *vcpu, const struct explain_row *row)
{
	struct finding finding = { { note }, 0, NULL };
	struct vmx_state state;
	struct exit exit;

	if (!has_control(row->needs)) {
		print("explain: %s skipped: the CPU lacks secondary control %#lx\n", row->name,
			row->needs);
		return 0;
	}
	apply(row->start->change, EXPLAIN_START_CHANGES);
	apply(row->change, EXPLAIN_ROW_CHANGES);
	enter(vcpu, &exit);
	vmx_explain_read(&state);
	vmx_checks_run(&state, VMX_CHECK_ALL, &finding.listener);
	return report(row, &exit, &finding);
}

/* A state that is good must be taken, and nothing found in it. */
static int run_start(struct vcpu *vcpu, const struct explain_start *start)
{
	struct finding finding = { { note }, 0, NULL };
	struct vmx_state state;
	struct exit exit;

	apply(start->change, EXPLAIN_START_CHANGES);
	vmx_explain_read(&state);
	vmx_checks_run(&state, VMX_CHECK_ALL, &finding.listener);
	enter(vcpu, &exit);
	if (exit.kind != EXIT_REFUSED && finding.count == 0) {
		print("explain: good %s state ok\n", start->name);
		return 0;
	}
	print("explain: good %s state FAILED: %s, %#lx; %u rules named, the last %s\n", start->name,
		exit.kind == EXIT_REFUSED ? "refused" : "entered", exit.raw, finding.count,
		finding.last ? finding.last->id : "none");
	return 1;
}

int vmx_explain_test(struct vcpu *vcpu)
{
	uint64_t deadline = vcpu->deadline;
	struct event inject = vcpu->inject;
	struct vmx_state good;
	int failures = 0;

	vmx_explain_read(&good);
	for (unsigned int i = 0; i < EXPLAIN_STARTS; i++) {
		failures += run_start(vcpu, explain_starts[i]);
		restore(&good);
	}
	for (unsigned int i = 0; i < explain_row_count; i++) {
		failures += run_row(vcpu, &explain_rows[i]);
		restore(&good);
	}
	vcpu->deadline = deadline;
	vcpu->inject = inject;
	print("explain: %u rows, %d failed\n", explain_row_count, failures);
	return failures;
}
