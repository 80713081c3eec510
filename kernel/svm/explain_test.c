/* The explainer's self-test: breaks a good state in each of the ways of a table, lets the CPU
   refuse it, and looks whether exactly the right rule is found broken. The rows are those that the
   known platforms refuse; rules that need other means are tested on the host. */
#include "kernel/svm/explain.h"
#include "kernel/svm/svm.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/x86.h"

/* One field's change: to (value & ~clear) | set. */
struct change {
	enum svm_vmcb_index field; /* VMCB_NONE: none */
	uint64_t clear, set;
};

struct row {
	const char *name;
	struct change change[4];
	struct event event; /* to inject, if valid */
	enum svm_check_index broken;
};

/* In long mode: the guest as it starts has neither paging nor EFER.LME. */
#define LONG_MODE                                                                                  \
	{                                                                                          \
		VMCB_EFER, 0, EFER_LME | EFER_LMA                                                  \
	}
#define PAGING                                                                                     \
	{                                                                                          \
		VMCB_CR0, 0, CR0_PE | CR0_PG                                                       \
	}
#define PAE                                                                                        \
	{                                                                                          \
		VMCB_CR4, 0, CR4_PAE                                                               \
	}
#define BEYOND_PHYSICAL BIT(52) /* no CPU has more address bits */

static const struct row rows[] = {
	{ "efer-svme-0", { { VMCB_EFER, EFER_SVME, 0 } }, .broken = SVM_CHECK_efer_svme },
	{ "cr0-nw-without-cd", { { VMCB_CR0, CR0_CD, CR0_NW } },
		.broken = SVM_CHECK_cr0_nw_without_cd },
	{ "cr0-bit-32", { { VMCB_CR0, 0, BIT(32) } }, .broken = SVM_CHECK_cr0_high },
	{ "cr0-bit-63", { { VMCB_CR0, 0, BIT(63) } }, .broken = SVM_CHECK_cr0_high },
	{ "cr4-bit-15", { { VMCB_CR4, 0, BIT(15) } }, .broken = SVM_CHECK_cr4_mbz },
	{ "cr4-bit-63", { { VMCB_CR4, 0, BIT(63) } }, .broken = SVM_CHECK_cr4_mbz },
	{ "dr6-bit-32", { { VMCB_DR6, 0, BIT(32) } }, .broken = SVM_CHECK_dr6_high },
	{ "dr7-bit-63", { { VMCB_DR7, 0, BIT(63) } }, .broken = SVM_CHECK_dr7_high },
	{ "efer-bit-2", { { VMCB_EFER, 0, BIT(2) } }, .broken = SVM_CHECK_efer_mbz },
	{ "efer-bit-63", { { VMCB_EFER, 0, BIT(63) } }, .broken = SVM_CHECK_efer_mbz },
	{ "long-mode-without-pae", { { VMCB_CR4, CR4_PAE, 0 }, LONG_MODE, PAGING },
		.broken = SVM_CHECK_long_mode_needs_pae },
	{ "cs-l-and-d",
		{ { VMCB_CS_ATTRIBUTES, 0, SVM_SEGMENT_L | SVM_SEGMENT_DB }, LONG_MODE, PAGING,
			PAE },
		.broken = SVM_CHECK_cs_l_and_d },
	{ "vmrun-not-intercepted", { { VMCB_INTERCEPT_VECTOR4, BIT(INTERCEPT_VMRUN % 32), 0 } },
		.broken = SVM_CHECK_vmrun_intercept },
	{ "asid-0", { { VMCB_GUEST_ASID, BITS(31, 0), 0 } }, .broken = SVM_CHECK_asid_not_zero },
	{ "iopm-beyond-physical", { { VMCB_IOPM_BASE_PA, 0, BEYOND_PHYSICAL } },
		.broken = SVM_CHECK_iopm_address },
	{ "msrpm-beyond-physical", { { VMCB_MSRPM_BASE_PA, 0, BEYOND_PHYSICAL } },
		.broken = SVM_CHECK_msrpm_address },
	{ "event-type-1", .event = { .valid = true, .type = 1, .vector = 32 },
		.broken = SVM_CHECK_event_type },
	{ "event-type-7", .event = { .valid = true, .type = 7, .vector = 32 },
		.broken = SVM_CHECK_event_type },
	{ "event-exception-2",
		.event = { .valid = true, .type = EVENT_EXCEPTION, .vector = VECTOR_NMI },
		.broken = SVM_CHECK_event_vector },
	{ "event-exception-32", .event = { .valid = true, .type = EVENT_EXCEPTION, .vector = 32 },
		.broken = SVM_CHECK_event_vector },
	/* The last two, for Bochs runs the first and stops itself at the second. */
	{ "cr3-beyond-physical", { { VMCB_CR3, 0, BEYOND_PHYSICAL }, LONG_MODE, PAGING, PAE },
		.broken = SVM_CHECK_cr3_mbz },
	{ "long-mode-without-pe", { { VMCB_CR0, CR0_PE, CR0_PG }, LONG_MODE, PAE },
		.broken = SVM_CHECK_long_mode_needs_pe },
};

/* A state that is not refused must not run on for long; and an interrupt may come first. */
#define ATTEMPT_TICKS 10000000
#define ATTEMPTS      3

/* Sets what the row says. */
static void break_state(struct vcpu *vcpu, const struct row *row)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	for (size_t i = 0; i < ARRAY_SIZE(row->change); i++) {
		const struct change *change = &row->change[i];
		uint64_t value = svm_vmcb_read(vmcb, change->field);

		svm_vmcb_write(vmcb, change->field, (value & ~change->clear) | change->set);
	}
	svm_asid_flush(vcpu->svm); /* as svm_set() does */
	vcpu->inject = row->event;
	vcpu->deadline = rdtsc() + ATTEMPT_TICKS;
}

/* Tries to enter with the state that the row describes, and saves the attempt in *state. Returns
   the exit's kind; vcpu and VMCB are as they were. */
static enum exit_kind try_row(
	struct vcpu *vcpu, const struct row *row, struct svm_state *state, struct svm_vmcb *good)
{
	struct vcpu saved = *vcpu;
	struct exit exit = { .kind = EXIT_TICK };

	*good = vcpu->svm->vmcb;
	for (int i = 0; i < ATTEMPTS && (exit.kind == EXIT_TICK || exit.kind == EXIT_INTERRUPT);
		i++) {
		break_state(vcpu, row);
		svm_enter(vcpu, &exit);
		svm_explain_read(state, vcpu);
		vcpu->svm->vmcb = *good;
		*vcpu = saved;
	}
	return exit.kind;
}

/* Was the entry refused, and is row->broken what is broken, alone? Prints the row's line. */
static bool judge_row(const struct row *row, enum exit_kind kind, const struct svm_state *state)
{
	unsigned int first = svm_check_next(state, 0);
	unsigned int second = first < SVM_CHECKS ? svm_check_next(state, first + 1) : SVM_CHECKS;
	const char *found = first < SVM_CHECKS ? svm_checks[first].id : "nothing";

	if (kind != EXIT_REFUSED)
		print("explain: %s FAILED: the CPU did not refuse it\n", row->name);
	else if (first != row->broken)
		print("explain: %s FAILED: found %s, expected %s\n", row->name, found,
			svm_checks[row->broken].id);
	else if (second < SVM_CHECKS)
		print("explain: %s FAILED: found %s besides %s\n", row->name, svm_checks[second].id,
			found);
	else
		print("explain: %s ok: %s\n", row->name, found);
	return kind == EXIT_REFUSED && first == row->broken && second == SVM_CHECKS;
}

int svm_explain_test(struct vcpu *vcpu)
{
	struct svm_state *state = page_alloc(1);
	struct svm_vmcb *good = page_alloc(PAGE_ORDER_4K);
	int failures = 0;

	if (!state || !good) {
		print("explain: FAILED: no memory\n");
		failures++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows) && state && good; i++)
		if (!judge_row(&rows[i], try_row(vcpu, &rows[i], state, good), state))
			failures++;
	page_free(good, PAGE_ORDER_4K);
	page_free(state, 1);
	return failures;
}
