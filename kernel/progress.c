/* Two steps, so that it costs nothing where all is well: a few ticks that find the guest where its
   last exit was raise a suspicion; only then is each entry looked at. */
#include "kernel/progress.h"

#include "kernel/vm.h"

#define TICKS_SUSPECT 4
#define ENTRIES_STUCK 1000
#define LOOK_BACK     8 /* exits */

/* Exits of instructions that the guest leaves behind, unless they fault. HLT may be waited in, and
   a repeated one comes again. */
static bool is_emulated(const struct exit *exit)
{
	enum exit_kind kind = exit->kind;

	return (kind == EXIT_IO && !exit->io.rep) || kind == EXIT_CPUID || kind == EXIT_RDMSR ||
	       kind == EXIT_WRMSR || kind == EXIT_CR || kind == EXIT_HYPERCALL ||
	       kind == EXIT_XSETBV || kind == EXIT_CACHE;
}

/* Exits that say nothing about what this guest executes: other VMs' are in the ring, too. */
static bool is_outside(const struct vcpu *vcpu, const struct exit *exit)
{
	return exit->vm != vcpu->vm->number || exit->kind == EXIT_TICK ||
	       exit->kind == EXIT_INTERRUPT || exit->kind == EXIT_IRQ_WINDOW;
}

/* Is the guest where that exit was, although it was handled? */
static bool is_still_at(struct vcpu *vcpu, const struct exit *exit)
{
	return is_emulated(exit) && !vcpu->inject.valid && vcpu_get(vcpu, REG_RIP) == exit->rip;
}

static void end_stuck(struct vcpu *vcpu, const struct exit *exit)
{
	vm_die(vcpu->vm,
		"no progress: %s at RIP %#lx, %lu times in all, the last %u without a step: "
		"it is emulated, but not stepped over (advance())",
		exit_kind_name(exit->kind), exit->rip, vcpu->stats.by_kind[exit->kind].count,
		vcpu->progress.times);
}

static void watch_entry(struct vcpu *vcpu, const struct exit *last)
{
	struct progress *progress = &vcpu->progress;

	if (!is_still_at(vcpu, last)) {
		*progress = (struct progress){ 0 };
		return;
	}
	if (++progress->times >= ENTRIES_STUCK)
		end_stuck(vcpu, last);
	vcpu->attention = true;
}

/* The last exit that tells what the guest was at, among a few; NULL when there is none. */
static const struct exit *find_before(const struct vcpu *vcpu, const struct ring *ring)
{
	for (uint64_t back = 2; back <= LOOK_BACK && back <= ring->next; back++) {
		const struct exit *exit = &ring->exit[(ring->next - back) % STATS_RING];

		if (!is_outside(vcpu, exit))
			return exit;
	}
	return NULL;
}

/* The last exit was a tick. */
static void suspect(struct vcpu *vcpu, const struct exit *before)
{
	struct progress *progress = &vcpu->progress;

	if (before == NULL)
		return;
	progress->times = is_still_at(vcpu, before) ? progress->times + 1 : 0;
	if (progress->times >= TICKS_SUSPECT) {
		*progress = (struct progress){ .due = true, .watched = true };
		vcpu->attention = true;
	}
}

void progress_check(struct vcpu *vcpu)
{
	const struct ring *ring = &stats_rings[vcpu->cpu];
	const struct exit *last = &ring->exit[(ring->next - 1) % STATS_RING];

	vcpu->progress.due = vcpu->progress.watched;
	if (ring->next == 0)
		return;
	if (vcpu->progress.watched && is_outside(vcpu, last))
		vcpu->attention = true;
	else if (vcpu->progress.watched)
		watch_entry(vcpu, last);
	else if (last->kind == EXIT_TICK && last->vm == vcpu->vm->number)
		suspect(vcpu, find_before(vcpu, ring));
}
