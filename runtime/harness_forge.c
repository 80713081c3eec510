/* Falsifies what a test observes, one observation at a time, and demands that the test notices. */
#include "runtime/harness_forge.h"

#include "runtime/boot.h"
#include "runtime/print.h"
#include "runtime/string.h"

#define TRIES_MAX 64 /* falsified observations per test; a sweep's first ones stand for the rest */
#define NEVER	  UINT64_MAX

static bool on, observing;
static uint64_t observations, outcomes; /* of the run in progress */
static uint64_t falsify_observation = NEVER, falsify_outcome = NEVER;

void harness_forge_init(void)
{
	char word[16] = "";

	boot_word(boot.cmdline, "forge", word, sizeof(word));
	on = strcmp(word, "on") == 0;
}

bool harness_forge_on(void)
{
	return on;
}

bool harness_forge_quiet(void)
{
	return falsify_observation != NEVER || falsify_outcome != NEVER;
}

void harness_forge_observe(bool body_runs)
{
	observing = body_runs;
}

/* The value with its lowest bit flipped: the smallest lie. */
uint64_t test_observe(uint64_t value)
{
	if (!observing)
		return value;
	return observations++ == falsify_observation ? value ^ 1 : value;
}

outcome harness_forge_outcome(outcome happened)
{
	if (outcomes++ != falsify_outcome)
		return happened;
	return happened == OK ? FAULT(UD) : OK;
}

static int run_falsified(const struct test *test, int (*run)(const struct test *test),
	uint64_t observation, uint64_t outcome_number)
{
	int verdict;

	observations = outcomes = 0;
	falsify_observation = observation;
	falsify_outcome = outcome_number;
	verdict = run(test);
	falsify_observation = falsify_outcome = NEVER;
	return verdict;
}

int harness_forge_test(const struct test *test, int (*run)(const struct test *test))
{
	uint64_t observed, happened, i, noticed = 0;
	int verdict = run_falsified(test, run, NEVER, NEVER);

	observed = MIN(observations, TRIES_MAX);
	happened = outcomes;
	if (verdict != 0)
		return verdict; /* red without our help: the plain run says why */
	for (i = 0; i < happened; i++)
		if (run_falsified(test, run, NEVER, i) == 0) {
			print("# outcome %lu was falsified, and the test did not notice\n", i);
			return 1;
		}
	for (i = 0; i < observed; i++)
		noticed += run_falsified(test, run, i, NEVER) != 0;
	print("# forged: %lu outcomes, %lu of %lu observations noticed\n", happened, noticed, observed);
	if (observed > 0 && noticed == 0 && test->expected == OK) {
		print("# no falsified observation was noticed\n");
		return 1;
	}
	return 0;
}
