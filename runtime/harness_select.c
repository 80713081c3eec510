/* Chooses the tests that the command line names, and orders them. */
#include "runtime/harness_select.h"

#include "runtime/boot.h"
#include "runtime/harness_mark.h"
#include "runtime/image.h"
#include "runtime/print.h"
#include "runtime/string.h"

extern const struct test tests_start[], tests_end[];

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

/* Tests of a group "alone" may end the machine: without a runner, which boots each by itself, they come last. */
static bool is_alone(const struct test *test)
{
	char group[128];

	snprintf(group, sizeof(group), "/%s/", test->group);
	return string_matches("*/alone/*", group);
}

/* Adds the selected tests that are alone, or those that are not, to the `count` ones in order[]. */
static unsigned int add_tests(const struct test *order[], unsigned int count, bool alone)
{
	static char wanted[BOOT_CMDLINE_MAX], unwanted[BOOT_CMDLINE_MAX];
	const struct test *test;

	if (boot_word(boot.cmdline, "tests", wanted, sizeof(wanted)) != 0)
		snprintf(wanted, sizeof(wanted), "*");
	boot_word(boot.cmdline, "skip", unwanted, sizeof(unwanted));
	for (test = tests_start; test < tests_end; test++) {
		if (is_alone(test) != alone || !is_listed(test, wanted) || is_listed(test, unwanted))
			continue;
		if (count == HARNESS_TESTS_MAX)
			image_error("more than %u tests", HARNESS_TESTS_MAX);
		order[count++] = test;
	}
	return count;
}

/* Fisher and Yates' shuffle by a 64-bit linear congruential generator (Knuth's MMIX). */
static void shuffle(const struct test *order[], unsigned int count, uint64_t seed)
{
	const struct test *held;
	unsigned int i, j;

	for (i = count; i > 1; i--) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		j = (unsigned int)((seed >> 33) % i);
		held = order[i - 1];
		order[i - 1] = order[j];
		order[j] = held;
	}
}

static void order_tests(const struct test *order[], unsigned int count)
{
	char word[24] = "";
	uint64_t seed = 1;

	boot_word(boot.cmdline, "order", word, sizeof(word));
	if (strcmp(word, "shuffle") != 0)
		return;
	if (boot_word(boot.cmdline, "seed", word, sizeof(word)) == 0)
		string_to_u64(word, false, &seed);
	print("# order=shuffle seed=%lu\n", seed);
	shuffle(order, count, seed);
}

unsigned int harness_select(const struct test *order[])
{
	unsigned int healthy = add_tests(order, 0, false), count = add_tests(order, healthy, true);

	harness_line("1..%u", count);
	order_tests(order, healthy);
	return count;
}

unsigned int harness_first(void)
{
	char word[24];
	uint64_t first = 0;

	if (boot_word(boot.cmdline, "from", word, sizeof(word)) == 0)
		string_to_u64(word, false, &first);
	return (unsigned int)first;
}
