/* Falsifies what a test observes, one observation at a time, and demands that the test notices. What is
   falsified is the value, not the CPU: the test itself cannot tell. */
#include "runtime/harness_forge.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#define NEVER	    UINT64_MAX
#define TEST_BUDGET UINT64_C(25000000) /* ticks for the observations of one test; the rest is sampled */
#define TRIES_MIN   4
#define TRIES_MAX   512

enum mode { OFF, ON, UNCOMPARED };

/* What one test's falsified runs came to. */
struct tally {
	uint64_t outcomes, observations, noticed;
	uint32_t blind; /* rows that did not notice */
};

static enum mode mode;
static bool observing;
static uint64_t observations; /* of the run in progress */
static uint64_t falsify_observation = NEVER;
static bool falsify_outcome;

int harness_forge_init(void)
{
	char word[16] = "";

	if (boot_word(boot.cmdline, "forge", word, sizeof(word)) == -ENOENT)
		return 0;
	if (strcmp(word, "on") == 0)
		mode = ON;
	else if (strcmp(word, "uncompared") == 0)
		mode = UNCOMPARED;
	else
		return -EINVAL;
	return 0;
}

bool harness_forge_on(void)
{
	return mode == ON;
}

bool harness_forge_uncompared(void)
{
	return mode == UNCOMPARED;
}

bool harness_forge_quiet(void)
{
	return falsify_observation != NEVER || falsify_outcome;
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
	if (!falsify_outcome)
		return happened;
	return happened == OK ? FAULT(UD) : OK;
}

static const struct test_row *row_of(const struct test *test, uint32_t row)
{
	return (const void *)((const uint8_t *)test->rows + (size_t)row * test->row_size);
}

static bool is_red(const struct test *test, uint32_t row, int (*run)(const struct test *test, uint32_t row),
	uint64_t observation, bool outcome_too)
{
	int verdict;

	observations = 0;
	falsify_observation = observation;
	falsify_outcome = outcome_too;
	verdict = run(test, row);
	falsify_observation = NEVER;
	falsify_outcome = false;
	return verdict != 0;
}

static void complain(struct tally *tally, const struct test *test, uint32_t row, const char *what)
{
	tally->blind++;
	print("# %s%s%s\n", test->rows != NULL ? row_of(test, row)->name : "", test->rows != NULL ? ": " : "",
		what);
}

/* One of each `step` observations of the row, at a place in its step that varies, since loops repeat the same
   observations at a fixed distance. Returns how many were noticed. */
static uint64_t forge_observations(struct tally *tally, const struct test *test, uint32_t row,
	int (*run)(const struct test *test, uint32_t row), uint64_t made, uint64_t step)
{
	uint64_t i, place, noticed = 0;

	for (i = 0; i * step < made; i++) {
		place = MIN(i * step + i * 7 % step, made - 1);
		tally->observations++;
		noticed += is_red(test, row, run, place, false);
	}
	tally->noticed += noticed;
	return noticed;
}

/* All observations, until one is noticed: for tests of which a sample held none that matters. */
static bool is_any_noticed(const struct test *test, uint32_t row,
	int (*run)(const struct test *test, uint32_t row), uint64_t made)
{
	uint64_t i;

	for (i = 0; i < made; i++)
		if (is_red(test, row, run, i, false))
			return true;
	return false;
}

/* The step that keeps a row, one run of which takes `cost` ticks, in its share of the budget. */
static uint64_t sampling_step(const struct test *test, uint64_t made, uint64_t cost)
{
	uint64_t share = TEST_BUDGET / MAX(test->row_count, 1U), tries = share / MAX(cost, UINT64_C(1));

	tries = MIN(MAX(tries, UINT64_C(TRIES_MIN)), UINT64_C(TRIES_MAX));
	return MAX((made + tries - 1) / tries, UINT64_C(1));
}

static void forge_row(struct tally *tally, const struct test *test, uint32_t row,
	int (*run)(const struct test *test, uint32_t row))
{
	uint64_t start = rdtsc(), cost, made, noticed;

	if (is_red(test, row, run, NEVER, false)) {
		complain(tally, test, row, "it fails when it runs again, by itself");
		return;
	}
	cost = rdtsc() - start;
	made = observations;
	tally->outcomes++;
	if (!is_red(test, row, run, NEVER, true))
		complain(tally, test, row, "the falsified outcome was not noticed");
	noticed = forge_observations(tally, test, row, run, made, sampling_step(test, made, cost));
	if (made > 0 && noticed == 0 && test->rows == NULL && test->expected == OK &&
		!is_any_noticed(test, row, run, made))
		complain(tally, test, row, "no falsified observation was noticed");
}

int harness_forge_test(const struct test *test, int (*run)(const struct test *test, uint32_t row))
{
	uint32_t row, rows = test->rows != NULL ? test->row_count : 1;
	struct tally tally = { 0 };
	int verdict = run(test, HARNESS_ALL_ROWS);

	if (verdict != 0)
		return verdict; /* red without our help: the plain run says why */
	for (row = 0; row < rows; row++)
		forge_row(&tally, test, row, run);
	print("# forged: %lu outcomes, %lu of %lu observations noticed\n", tally.outcomes, tally.noticed,
		tally.observations);
	return tally.blind > 0;
}
