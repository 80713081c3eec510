/* What every host test shares: checks, and a main() that runs a file's tests and prints TAP. The
   code under test is the kernel's own, compiled for the host with the sanitizers on. */
#ifndef TESTS_HOST_TAP_H
#define TESTS_HOST_TAP_H

#include <stdio.h>
#include <string.h>

#include "runtime/compiler.h"

struct tap_test {
	const char *name;
	void (*run)(void);
};

#define TAP_TEST(function)                                                                         \
	{                                                                                          \
#function, function                                                                \
	}

static unsigned int tap_failures; /* of the test that is running */

/* Notes a failure of the running test, with where it is and what was found. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			tap_failures++;                                                            \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #condition);                   \
		}                                                                                  \
	} while (0)

#define CHECK_EQ(actual, expected)                                                                 \
	do {                                                                                       \
		unsigned long long tap_actual = (unsigned long long)(actual);                      \
		unsigned long long tap_expected = (unsigned long long)(expected);                  \
		if (tap_actual != tap_expected) {                                                  \
			tap_failures++;                                                            \
			printf("# %s:%d: %s is 0x%llx, not 0x%llx\n", __FILE__, __LINE__, #actual, \
				tap_actual, tap_expected);                                         \
		}                                                                                  \
	} while (0)

/* The same in row `row` of a table. */
#define CHECK_ROW(row, actual, expected)                                                           \
	do {                                                                                       \
		unsigned int tap_before = tap_failures;                                            \
		CHECK_EQ(actual, expected);                                                        \
		if (tap_failures != tap_before)                                                    \
			printf("#   in row %u\n", (unsigned int)(row));                            \
	} while (0)

static inline int tap_run(const struct tap_test *test, unsigned int tests)
{
	unsigned int failed = 0;

	printf("TAP version 13\n1..%u\n", tests);
	for (unsigned int i = 0; i < tests; i++) {
		tap_failures = 0;
		test[i].run();
		printf("%sok %u - %s\n", tap_failures ? "not " : "", i + 1, test[i].name);
		fflush(stdout);
		failed += tap_failures != 0;
	}
	return failed != 0;
}

#define TAP_MAIN(...)                                                                              \
	int main(void)                                                                             \
	{                                                                                          \
		static const struct tap_test tests[] = { __VA_ARGS__ };                            \
		return tap_run(tests, ARRAY_SIZE(tests));                                          \
	}

#endif
