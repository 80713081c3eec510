/* Run-length encodes the results of a sweep into lines "@ SWEEP WHERE OUTCOME rule=WORD NAME=VALUE
   ...": what is as it should be takes few of them. */
#include "guests/probe/sweep_record.h"

#include "runtime/print.h"

#define BROKEN_MAX                                                                                 \
	32 /* records of one sweep that tell of something wrong; further ones are left out */

/* Neighbouring accesses that did the same. */
static struct {
	const struct sweep *sweep;
	uint64_t first, last; /* indexes */
	struct sweep_result result;
	struct sweep_policy policy;
	const char *cause;
} run;
static const struct sweep *counted;
static unsigned int broken;

const char *sweep_judge(const struct sweep_result *result, const struct sweep_policy *policy)
{
	if (policy->skip)
		return NULL;
	if (result->vector != TRAP_NONE) {
		if (policy->vector == SWEEP_ANY)
			return NULL;
		return policy->vector == TRAP_NONE || policy->vector != result->vector ? "fault"
										       : NULL;
	}
	if (policy->vector >= 0)
		return "nofault";
	return (result->value & policy->mask) != policy->value ? "value" : NULL;
}

static void print_where(const struct sweep *sweep, uint64_t first, uint64_t last)
{
	if (sweep->kind->name != NULL)
		print(" %s", sweep->kind->name(sweep, first));
	else if (first == last)
		print(" %lx", sweep->kind->where(sweep, first));
	else
		print(" %lx-%lx", sweep->kind->where(sweep, first),
			sweep->kind->where(sweep, last));
}

static void print_expected(const struct sweep_policy *policy)
{
	if (policy->vector >= 0)
		print(" expected=%s(0)", trap_name((uint8_t)policy->vector));
	else
		print(" expected=%lx", policy->value);
}

void sweep_record_flush(void)
{
	if (run.sweep == NULL || (run.cause != NULL && broken++ >= BROKEN_MAX)) {
		run.sweep = NULL;
		return;
	}
	print("@ %s", run.sweep->name);
	print_where(run.sweep, run.first, run.last);
	if (run.policy.skip)
		print(" skipped rule=%s", run.policy.rule);
	else if (run.result.vector != TRAP_NONE)
		print(" %s(%x) rule=%s", trap_name((uint8_t)run.result.vector), run.result.error,
			run.policy.rule);
	else
		print(" end rule=%s value=%lx", run.policy.rule, run.result.value);
	if (run.cause != NULL) {
		print_expected(&run.policy);
		print(" cause=%s", run.cause);
	}
	print("\n");
	run.sweep = NULL;
}

static bool does_the_same(const struct sweep *sweep, uint64_t index,
	const struct sweep_result *result, const struct sweep_policy *policy, const char *cause)
{
	return run.sweep == sweep && run.last < index && sweep->kind->name == NULL &&
	       run.cause == cause && run.policy.skip == policy->skip &&
	       run.policy.rule == policy->rule && run.result.vector == result->vector &&
	       run.result.error == result->error && run.result.value == result->value;
}

void sweep_record_add(const struct sweep *sweep, uint64_t index, const struct sweep_result *result,
	const struct sweep_policy *policy, const char *cause)
{
	struct sweep_result seen = *result;

	if (cause == NULL)
		seen.value &= policy->mask; /* the rest may be anything */
	if (sweep != counted)
		broken = 0;
	counted = sweep;
	if (does_the_same(sweep, index, &seen, policy, cause)) {
		run.last = index;
		return;
	}
	sweep_record_flush();
	run.sweep = sweep;
	run.first = run.last = index;
	run.result = seen;
	run.policy = *policy;
	run.cause = cause;
}
