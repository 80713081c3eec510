/* Runs tests and reports in KTAP (Linux documentation, "The Kernel Test Anything Protocol (KTAP),
   version 1"). What a test does to the machine is the suite's. */
#include "runtime/harness.h"

#include "runtime/boot.h"
#include "runtime/harness_forge.h"
#include "runtime/harness_mark.h"
#include "runtime/harness_resume.h"
#include "runtime/harness_select.h"
#include "runtime/image.h"
#include "runtime/print.h"
#include "runtime/screen.h"
#include "runtime/string.h"
#include "runtime/trap.h"

#define TESTS_BETWEEN_COUNTS 32 /* for a runner, if a test ends the machine */

static const struct suite *suite;
static char note[256];		/* why the running test failed */
static const void *current_row;
static const struct test *order[HARNESS_TESTS_MAX]; /* the selected tests, as they run */
static unsigned int passed, failed, skipped, errors, checks;
static const char *not_tried; /* why something of the running test was not; NULL: all was */

struct attempt {
	const struct test *test;
	outcome result;
};

const void *test_current_row(void)
{
	return current_row;
}

static void write_note(const char *format, va_list args)
{
	vsnprintf(note, sizeof(note), format, args);
}

outcome test_mismatch(int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_note(format, args);
	va_end(args);
	return OUTCOME(OUTCOME_MISMATCH, 0, line);
}

outcome test_error(int line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	write_note(format, args);
	va_end(args);
	return OUTCOME(OUTCOME_ERROR, 0, line);
}

static void call_body(void *arg)
{
	struct attempt *attempt = arg;

	attempt->result = attempt->test->body(attempt->test);
}

/* The body's outcome; an exception that it did not catch is one, too. */
static outcome attempt_body(const struct test *test)
{
	struct attempt attempt = { test, 0 };
	struct trap_info info;

	note[0] = '\0';
	harness_forge_observe(true);
	if (trap_catch(call_body, &attempt, &info) != TRAP_NONE) {
		attempt.result = outcome_fault(info.vector, info.error);
		snprintf(note, sizeof(note), "at RIP %#lx, CR2 %#lx", info.rip, info.address);
	}
	harness_forge_observe(false);
	return harness_forge_outcome(attempt.result);
}

static void explain_outcome(const char *row, outcome expected, outcome result)
{
	char wanted[48], came[48];

	outcome_format(expected, wanted, sizeof(wanted));
	outcome_format(result, came, sizeof(came));
	print("# %s%sexpected %s, came %s%s%s\n", row, *row ? ": " : "", wanted, came,
		note[0] ? ": " : "", note);
}

/* All of the harness' comparisons are made here. */
static bool is_same(uint64_t actual, uint64_t wanted)
{
	if (harness_forge_uncompared())
		return true;
	checks++;
	return actual == wanted;
}

/* The declared values; prints the ones that differ. */
static bool values_match(const struct test *test)
{
	bool match = true;
	uint32_t i;

	harness_forge_observe(true);
	for (i = 0; i < test->value_count; i++) {
		const struct test_value *value = &test->values[i];
		uint64_t actual = suite->read(value->field); /* observed there */

		if (is_same(actual, value->value))
			continue;
		match = false;
		if (!harness_forge_quiet())
			print("# %s is %#lx, not %#lx\n", suite->field_name(value->field), actual, value->value);
	}
	harness_forge_observe(false);
	return match;
}

/* Compares one attempt. Returns 0, 1 for a failure, 2 for an error of the test. */
static int judge(const struct test *test, const char *row, outcome expected)
{
	outcome result = attempt_body(test);

	if (!is_same(result, expected)) {
		if (harness_forge_quiet())
			return 1;
		explain_outcome(row, expected, result);
		return outcome_kind(result) == OUTCOME_ERROR ? 2 : 1;
	}
	return values_match(test) ? 0 : 1;
}

/* One row of a sweep, or HARNESS_ALL_ROWS. */
static int judge_rows(const struct test *test, uint32_t only)
{
	const uint8_t *row = test->rows;
	uint32_t i;
	int worst = 0, verdict;

	if (test->row_count == 0) {
		print("# the sweep has no rows\n");
		return 2;
	}
	for (i = 0; i < test->row_count; i++, row += test->row_size) {
		const struct test_row *head = (const void *)row;

		if (only != HARNESS_ALL_ROWS && only != i)
			continue;
		current_row = row;
		verdict = judge(test, head->name, head->expected);
		worst = MAX(worst, verdict);
	}
	return worst;
}

static const char *unmet_need(const struct test *test)
{
	const struct test_need *const *need = test->needs;

	for (; need != NULL && *need != NULL; need++)
		if (!(*need)->met())
			return (*need)->reason;
	return NULL;
}

static int run_body(const struct test *test, uint32_t row)
{
	outcome after;
	int verdict;

	if (suite->before != NULL)
		suite->before(test);
	verdict = test->rows != NULL ? judge_rows(test, row) : judge(test, "", test->expected);
	if (suite->after != NULL) {
		after = suite->after(test);
		if (after != OK && !harness_forge_quiet()) {
			explain_outcome("afterwards", OK, after);
			verdict = 2;
		}
	}
	return verdict;
}

outcome test_not_tried(const struct test *test, const char *reason)
{
	const struct test_row *row = current_row;

	not_tried = reason;
	if (!harness_forge_quiet())
		print("# %s: not tried: %s\n", test->rows != NULL ? row->name : test->name, reason);
	return test->rows != NULL ? row->expected : test->expected;
}

static void report_skip(const struct test *test, unsigned int number, const char *reason)
{
	skipped++;
	harness_line("ok %u %s/%s # SKIP %s", number, test->group, test->name, reason);
}

/* The line that ends a test. verdict: 0, 1 for a failure, 2 for an error of the test. */
static void report_test(const struct test *test, unsigned int number, int verdict)
{
	if (verdict == 0 && not_tried != NULL) {
		report_skip(test, number, not_tried);
		return;
	}
	if (verdict == 0) {
		passed++;
		harness_line("ok %u %s/%s", number, test->group, test->name);
		return;
	}
	print("# rule: %s (%s)\n", test->text, test->citation);
	harness_line("not ok %u %s/%s%s", number, test->group, test->name, verdict == 2 ? " # ERROR" : "");
	screen_line(true, "%s %u %s/%s", verdict == 2 ? "error " : "failed", number, test->group, test->name);
	if (verdict == 2)
		errors++;
	else
		failed++;
}

static void run_test(const struct test *test, unsigned int number, unsigned int count)
{
	const char *unmet = unmet_need(test);

	not_tried = NULL;
	if (unmet != NULL) {
		report_skip(test, number, unmet);
		return;
	}
	harness_line("# run %s/%s", test->group, test->name);
	screen_status("%s: %u of %u, %u failed: %s/%s", suite->name, number, count, failed + errors,
		test->group, test->name);
	harness_resume_mark(number);
	report_test(test, number,
		harness_forge_on() ? harness_forge_test(test, run_body) :
				     run_body(test, HARNESS_ALL_ROWS));
	harness_resume_mark(0);
}

/* The test that was running when the machine was reset: it came to that. */
static void report_lost(const struct test *test, unsigned int number)
{
	enum outcome_kind kind = outcome_kind(test->expected);
	bool wanted = kind == OUTCOME_SHUTDOWN || kind == OUTCOME_RESET;

	harness_line("# run %s/%s", test->group, test->name);
	note[0] = '\0';
	if (!wanted)
		explain_outcome("", test->expected, RESET);
	report_test(test, number, wanted ? 0 : 2);
	harness_resume_mark(0);
}

/* All of them from the first that no earlier boot has done. */
static void run_tests(unsigned int count)
{
	unsigned int next = harness_first(), lost = harness_resume_init();

	if (lost > next && lost <= count) {
		report_lost(order[lost - 1], lost);
		next = lost;
	}
	for (; next < count; next++) {
		if (next % TESTS_BETWEEN_COUNTS == 0 && checks > 0)
			print("# so far: %u checks\n", checks);
		run_test(order[next], next + 1, count);
	}
	harness_line("# totals: %u passed, %u failed, %u errors, %u skipped, %u checks", passed, failed,
		errors, skipped, checks);
	screen_line(failed + errors > 0, "%s: %u passed, %u failed, %u errors, %u skipped", suite->name,
		passed, failed, errors, skipped);
	screen_status("%s: at its end", suite->name);
}

static void list_tests(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct test *test = order[i];

		print("# test %s/%s: %s (%s)%s%s\n", test->group, test->name, test->text, test->citation,
			test->covers ? " covers " : "", test->covers ? test->covers : "");
	}
}

int harness_run(const struct suite *run_suite)
{
	unsigned int count;
	char word[8];

	suite = run_suite;
	if (harness_forge_init() != 0)
		image_error("forge= must be on or uncompared");
	harness_mark_init();
	harness_line("KTAP version 1");
	print("# suite %s\n", suite->name);
	count = harness_select(order);
	if (boot_word(boot.cmdline, "list", word, sizeof(word)) == 0) {
		list_tests(count);
		return 0;
	}
	run_tests(count);
	if (is_same(OK, FAULT(UD))) {
		print("# nothing was compared\n");
		return 1;
	}
	return failed == 0 && errors == 0 && passed > 0 ? 0 : 1;
}
