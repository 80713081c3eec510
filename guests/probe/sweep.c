/* Walks through sweeps, catching what faults and counting what exits, and looks after each whether
   everybody else is well. What the accesses are is told by the files of each kind. */
#include "guests/probe/sweep.h"

#include "guests/probe/observe.h"
#include "guests/probe/sweep_record.h"
#include "guests/probe/witness.h"
#include "runtime/errno.h"
#include "runtime/hypercall.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#define BLOCK      256    /* accesses whose exits are counted together */
#define MAX_YIELDS 100000 /* for which the witness may stand still */
#define MARK       0x35   /* of this virtual machine's own state; the witness has another */

static const struct sweep_list *const lists[] = { &sweep_ports, &sweep_msrs, &sweep_memory,
	&sweep_registers, &sweep_attempts };

/* A block of a sweep under way. */
struct walk {
	const struct sweep *sweep;
	unsigned int count;
	bool exits; /* only those that must exit are made now, or only the others */
	volatile unsigned int next;
	struct access {
		uint64_t index;
		struct sweep_policy policy;
		struct sweep_result result;
		bool silent; /* it should have made an exit and did not */
	} access[BLOCK];
};

static const struct sweep_request *request;
static struct observation own;

static uint32_t exits(void)
{
	return (uint32_t)hypercall(HYPERCALL_EXITS, 0, 0);
}

int sweep_witness_rounds(void)
{
	return request->witness < 0 ? -1 : hypercall(HYPERCALL_ASK, (uint32_t)request->witness, 0);
}

/* From walk->next on, until one faults. */
static void make_accesses(void *arg)
{
	struct walk *walk = arg;

	for (; walk->next < walk->count; walk->next++) {
		struct access *access = &walk->access[walk->next];

		if (!access->policy.skip && access->policy.exits == walk->exits)
			walk->sweep->kind->access(walk->sweep, access->index, &access->result);
	}
}

static void walk_block(struct walk *walk, bool exit)
{
	struct trap_info info;

	walk->exits = exit;
	walk->next = 0;
	while (trap_catch(make_accesses, walk, &info) != TRAP_NONE) {
		struct sweep_result *result = &walk->access[walk->next].result;

		*result = (struct sweep_result){ .vector = info.vector, .error = info.error };
		walk->next++;
	}
}

/* Once more, one by one. */
static void find_silent(struct walk *walk)
{
	static struct walk one;
	unsigned int i;

	one.sweep = walk->sweep;
	one.count = 1;
	for (i = 0; i < walk->count; i++) {
		uint32_t before = exits();

		one.access[0] = walk->access[i];
		if (!one.access[0].policy.exits)
			continue;
		walk_block(&one, true);
		walk->access[i].silent = exits() - before < 2; /* one is the count's own */
		if (walk->access[i].silent && walk->sweep->kind->leaks != NULL)
			walk->sweep->kind->leaks(walk->sweep, walk->access[i].index);
	}
}

/* Returns how many accesses did not do what they should. */
static uint64_t judge_block(const struct walk *walk)
{
	uint64_t broken = 0;
	unsigned int i;

	for (i = 0; i < walk->count; i++) {
		const struct access *access = &walk->access[i];
		const char *cause = sweep_judge(&access->result, &access->policy);

		if (access->silent)
			cause = "noexit";
		broken += cause != NULL;
		sweep_record_add(
			walk->sweep, access->index, &access->result, &access->policy, cause);
	}
	return broken;
}

static uint64_t finish_block(struct walk *walk)
{
	uint32_t before, due = 0;
	unsigned int i;

	for (i = 0; i < walk->count; i++)
		due += walk->access[i].policy.exits;
	walk_block(walk, false);
	before = exits();
	walk_block(walk, true);
	if (exits() - before < due + 1)
		find_silent(walk);
	return judge_block(walk);
}

/* The first access after `index` that is in the sample, or the end. */
static uint64_t next_in_sample(const struct sweep *sweep, uint64_t index, uint64_t end)
{
	uint64_t regular = MIN(index + request->sample - index % request->sample, end);

	if (sweep->kind->matters == NULL)
		return regular;
	for (index++; index < regular; index++)
		if (sweep->kind->matters(sweep, index))
			return index;
	return regular;
}

static void add_access(struct walk *walk, uint64_t index)
{
	struct access *access = &walk->access[walk->count++];

	*access = (struct access){ .index = index,
		.policy = { .rule = "nothing", .vector = TRAP_NONE },
		.result = { .vector = TRAP_NONE } };
	walk->sweep->kind->expect(walk->sweep, index, &access->policy);
	if (access->policy.skip)
		access->policy.exits = false;
}

static uint64_t run_sweep(const struct sweep *sweep, uint64_t *accesses)
{
	static struct walk walk;
	uint64_t index, count = sweep->kind->count(sweep), broken = 0;

	*accesses = 0;
	walk.sweep = sweep;
	walk.count = 0;
	for (index = 0; index < count; index = next_in_sample(sweep, index, count)) {
		add_access(&walk, index);
		if (walk.count == BLOCK) {
			*accesses += BLOCK;
			broken += finish_block(&walk);
			walk.count = 0;
		}
	}
	*accesses += walk.count;
	broken += finish_block(&walk);
	sweep_record_flush();
	if (sweep->kind->end != NULL)
		sweep->kind->end(sweep);
	return broken;
}

/* Lets the witness go on. NULL, or what is wrong with it. */
static const char *watch_witness(int before)
{
	unsigned int yields;
	int now = before;

	for (yields = 0; now == before && now != WITNESS_CHANGED && yields < MAX_YIELDS; yields++) {
		hypercall(HYPERCALL_YIELD, 0, 0);
		now = sweep_witness_rounds();
	}
	if (now == WITNESS_CHANGED)
		return "changed";
	if (now == before)
		return "standstill";
	return now < 0 ? "gone" : NULL;
}

/* Returns whether everybody else is well; says who is not. */
static bool look_around(const struct sweep *sweep, int rounds)
{
	const char *cause = NULL, *changed;
	int canaries;

	if (hypercall(HYPERCALL_NOP, 0, 0) != 0)
		cause = "hypervisor";
	canaries = hypercall(HYPERCALL_CANARIES, 0, 0);
	if (cause == NULL && canaries != 0 && canaries != -ENOSYS)
		cause = "canaries";
	if (cause == NULL && request->witness >= 0)
		cause = watch_witness(rounds);
	changed = observe_compare(&own, false);
	if (cause == NULL && changed != NULL)
		cause = "own";
	if (cause != NULL)
		print("@ %s afterwards end cause=%s changed=%s\n", sweep->name, cause,
			changed != NULL ? changed : "nothing");
	if (changed != NULL)
		observe_start(&own, MARK);
	return cause == NULL;
}

static void report_sweep(const struct sweep *sweep)
{
	int rounds = sweep_witness_rounds();
	uint64_t accesses, broken;

	print("probe: sweep %s\n", sweep->name);
	broken = run_sweep(sweep, &accesses);
	broken += look_around(sweep, rounds) ? 0 : 1;
	print("probe: sweep %s: %lu accesses, %lu wrong\n", sweep->name, accesses, broken);
}

/* Calls `what` for each sweep that was asked for; returns how many those are. */
static unsigned int for_each(void (*what)(const struct sweep *sweep))
{
	unsigned int i, j, count = 0;

	for (i = 0; i < ARRAY_SIZE(lists); i++)
		for (j = 0; j < lists[i]->count; j++)
			if (string_matches_one(request->patterns, lists[i]->sweep[j].name)) {
				what(&lists[i]->sweep[j]);
				count++;
			}
	return count;
}

static void describe(const struct sweep *sweep)
{
	print("%% %s | %s | %s |\n", sweep->name, sweep->rule, sweep->what);
}

void sweep_run(const struct sweep_request *what)
{
	request = what;
	for_each(describe);
	observe_start(&own, MARK);
	print("probe: %u sweeps\n", for_each(report_sweep));
}
