/* Runs tests and reports in KTAP (Linux documentation, "The Kernel Test Anything Protocol (KTAP),
   version 1"). What a test does to the machine is the suite's. */
#include "runtime/harness.h"

#include "runtime/boot.h"
#include "runtime/harness_forge.h"
#include "runtime/image.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"

#define SELECTION_MAX 256
#define TESTS_MAX     4096

extern const struct test tests_start[], tests_end[];

static const struct suite *suite;
static char note[256];		/* why the running test failed */
static const void *current_row;
static uint16_t order[TESTS_MAX]; /* indices of the selected tests, as they run */
static unsigned int passed, failed, skipped, errors, checks;

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

static void run_test(const struct test *test, unsigned int number)
{
	const char *unmet = unmet_need(test);
	int verdict;

	if (unmet != NULL) {
		skipped++;
		print("ok %u %s/%s # SKIP %s\n", number, test->group, test->name, unmet);
		return;
	}
	print("# run %s/%s\n", test->group, test->name);
	verdict = harness_forge_on() ? harness_forge_test(test, run_body) :
				      run_body(test, HARNESS_ALL_ROWS);
	if (verdict == 0) {
		passed++;
		print("ok %u %s/%s\n", number, test->group, test->name);
		return;
	}
	print("# rule: %s (%s)\n", test->text, test->citation);
	print("not ok %u %s/%s%s\n", number, test->group, test->name, verdict == 2 ? " # ERROR" : "");
	if (verdict == 2)
		errors++;
	else
		failed++;
}

/* Does a pattern such as "field:EPTP" match one of the rows that the test covers? "field:*" covers all. */
static bool covers_row(const struct test *test, const char *pattern)
{
	const char *word = test->covers ? test->covers : "";
	size_t kind = strcspn(pattern, ":") + 1, length;
	char row[96];

	for (; *word != '\0'; word += length + (word[length] == ' ')) {
		length = strcspn(word, " ");
		snprintf(row, sizeof(row), "%.*s", (int)length, word);
		if (string_matches(pattern, row))
			return true;
		if (length == kind + 1 && row[kind] == '*' && strncmp(row, pattern, kind) == 0)
			return true;
	}
	return false;
}

/* Is the test matched by one of the patterns in a list separated by commas? A pattern with a colon is for
   rows of spec/, any other for "group/name". */
static bool is_listed(const struct test *test, const char *patterns)
{
	char name[128], pattern[128];
	size_t length;

	snprintf(name, sizeof(name), "%s/%s", test->group, test->name);
	while (*patterns != '\0') {
		length = strcspn(patterns, ",");
		snprintf(pattern, sizeof(pattern), "%.*s", (int)length, patterns);
		if (strchr(pattern, ':') ? covers_row(test, pattern) : string_matches(pattern, name))
			return true;
		patterns += length + (patterns[length] == ',');
	}
	return false;
}

static unsigned int select_tests(void)
{
	char wanted[SELECTION_MAX] = "*", unwanted[SELECTION_MAX] = "";
	const struct test *test;
	unsigned int count = 0;

	boot_word(boot.cmdline, "tests", wanted, sizeof(wanted));
	boot_word(boot.cmdline, "skip", unwanted, sizeof(unwanted));
	for (test = tests_start; test < tests_end && count < TESTS_MAX; test++)
		if (is_listed(test, wanted) && !is_listed(test, unwanted))
			order[count++] = (uint16_t)(test - tests_start);
	return count;
}

/* Fisher and Yates' shuffle by a 64-bit linear congruential generator (Knuth's MMIX). */
static void shuffle(unsigned int count, uint64_t seed)
{
	unsigned int i, j;
	uint16_t held;

	for (i = count; i > 1; i--) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		j = (unsigned int)((seed >> 33) % i);
		held = order[i - 1];
		order[i - 1] = order[j];
		order[j] = held;
	}
}

static void order_tests(unsigned int count)
{
	char word[24] = "";
	uint64_t seed = 1;

	boot_word(boot.cmdline, "order", word, sizeof(word));
	if (strcmp(word, "shuffle") != 0)
		return;
	if (boot_word(boot.cmdline, "seed", word, sizeof(word)) == 0)
		string_to_u64(word, false, &seed);
	print("# order=shuffle seed=%lu\n", seed);
	shuffle(count, seed);
}

/* from=N: the N tests before are done, by an earlier boot. */
static unsigned int first_test(void)
{
	char word[24];
	uint64_t first = 0;

	if (boot_word(boot.cmdline, "from", word, sizeof(word)) == 0)
		string_to_u64(word, false, &first);
	return (unsigned int)first;
}

static void list_tests(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		const struct test *test = &tests_start[order[i]];

		print("# test %s/%s: %s (%s)%s%s\n", test->group, test->name, test->text, test->citation,
			test->covers ? " covers " : "", test->covers ? test->covers : "");
	}
}

int harness_run(const struct suite *run_suite)
{
	unsigned int count, i;
	char word[8];

	suite = run_suite;
	if (harness_forge_init() != 0)
		image_error("forge= must be on or uncompared");
	count = select_tests();
	print("KTAP version 1\n# suite %s\n1..%u\n", suite->name, count);
	order_tests(count);
	if (boot_word(boot.cmdline, "list", word, sizeof(word)) == 0) {
		list_tests(count);
		return 0;
	}
	for (i = first_test(); i < count; i++)
		run_test(&tests_start[order[i]], i + 1);
	print("# totals: %u passed, %u failed, %u errors, %u skipped, %u checks\n", passed, failed,
		errors, skipped, checks);
	if (is_same(OK, FAULT(UD))) {
		print("# nothing was compared\n");
		return 1;
	}
	return failed == 0 && errors == 0 && passed > 0 ? 0 : 1;
}
