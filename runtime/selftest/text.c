/* Strings, printing, the command line, outcomes as text. */
#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/harness.h"
#include "runtime/print.h"
#include "runtime/string.h"

TEST(string, memory, "ISO C, String handling", "copies, fills and comparisons, overlapping too", OK)
{
	char a[32] = "0123456789abcdef";

	memmove(a + 3, a, 10);
	CHECK(memcmp(a, "0120123456789def", 16) == 0);
	memmove(a, a + 3, 10);
	CHECK(memcmp(a, "0123456789789def", 16) == 0);
	memset(a, 'x', 11);
	CHECK(memcmp(a, "xxxxxxxxxxx89def", 16) == 0);
	CHECK(memcmp("a", "b", 1) < 0 && memcmp("\xff", "a", 1) > 0);
	return OK;
}

TEST(string, search, "ISO C, String handling", "lengths, comparisons and searches", OK)
{
	CHECK(strlen("") == 0 && strlen("abc") == 3);
	CHECK(strcmp("a", "a") == 0 && strcmp("a", "b") < 0 && strcmp("ab", "a") > 0);
	CHECK(strncmp("abc", "abd", 2) == 0 && strncmp("abc", "abd", 3) < 0);
	CHECK(*strchr("abc", 'c') == 'c' && strchr("abc", 'x') == NULL);
	CHECK(strcmp(strstr("one two", "two"), "two") == 0 && strstr("one", "two") == NULL);
	CHECK(strcspn("abc d", " ") == 3);
	return OK;
}

TEST(string, patterns, "runtime/string.h", "* stands for any run, ? for one character", OK)
{
	CHECK(string_matches("*", "") && string_matches("a*c", "abbc") && string_matches("a?c", "abc"));
	CHECK(!string_matches("a?c", "ac") && !string_matches("a*", "ba") && !string_matches("", "a"));
	CHECK(string_matches("*/vmxon/*", "insn/vmxon/x"));
	return OK;
}

struct number_row {
	struct test_row row;
	const char *text;
	int result;
	uint64_t value;
};

static const struct number_row numbers[] = {
	{ { "decimal", OK }, "1234", 0, 1234 },
	{ { "zero", OK }, "0", 0, 0 },
	{ { "hexadecimal", OK }, "0xfF", 0, 255 },
	{ { "suffix", OK }, "32M", 0, UINT64_C(32) << 20 },
	{ { "largest", OK }, "18446744073709551615", 0, ~UINT64_C(0) },
	{ { "too large", OK }, "18446744073709551616", -EINVAL, 0 },
	{ { "suffix too large", OK }, "18446744073709551615K", -EINVAL, 0 },
	{ { "empty", OK }, "", -EINVAL, 0 },
	{ { "no digits", OK }, "0x", -EINVAL, 0 },
	{ { "rest", OK }, "12 ", -EINVAL, 0 },
	{ { "unknown suffix", OK }, "12T", -EINVAL, 0 },
};

SWEEP(string, numbers, "runtime/string.h", "numbers are taken whole or not at all", numbers)
{
	const struct number_row *row = TEST_ROW(struct number_row);
	uint64_t value = 0;

	CHECK_EQUAL(string_to_u64(row->text, true, &value), row->result);
	CHECK_EQUAL(value, row->value);
	return OK;
}

/* Formats with one 64-bit argument; CHECKs cannot take formats that the compiler does not see. */
#define PRINTS(wanted, ...)                                                                        \
	do {                                                                                       \
		char text[64];                                                                     \
		int length = snprintf(text, sizeof(text), __VA_ARGS__);                            \
		if (strcmp(text, wanted) != 0 || length != (int)strlen(wanted))                    \
			return test_mismatch(__LINE__, "'%s', not '%s'", text, wanted);            \
	} while (0)

TEST(print, formats, "ISO C, Formatted input/output", "every conversion, flag and width in use", OK)
{
	PRINTS("-42 42 ff FF", "%d %u %x %X", -42, 42, 255, 255);
	PRINTS("-9223372036854775808", "%ld", INT64_MIN);
	PRINTS("ffffffffffffffff", "%lx", ~0UL);
	PRINTS("0xff 0", "%#x %#x", 255, 0);
	PRINTS("00042|42   |   42", "%05d|%-5d|%5d", 42, 42, 42);
	PRINTS("+1  1", "%+d % d", 1, 1);
	PRINTS("abc|  a|a  |ab", "%s|%3s|%-3s|%.2s", "abc", "a", "a", "abc");
	PRINTS("x%", "%c%%", 'x');
	PRINTS("0x10", "%p", (void *)16);
	PRINTS("ff 0xffff", "%hhx %#hx", 0xfff, 0xfffff);
	PRINTS("   5 0005", "%*d %.4d", 4, 5, 5);
	return OK;
}

TEST(print, cut, "ISO C, The snprintf function", "writes no more than it may, returns the whole length", OK)
{
	char text[5] = "....";

	CHECK_EQUAL(snprintf(text, 4, "%s", "abcdef"), 6);
	CHECK(strcmp(text, "abc") == 0 && text[4] == '\0');
	CHECK_EQUAL(snprintf(NULL, 0, "%d", 100), 3);
	return OK;
}

TEST(boot, words, "runtime/boot.h", "words with values, quoted values, bare words, no near misses", OK)
{
	const char *line = " mem=32M script=\"a b;c\" bench memory=1";
	char value[16];

	CHECK(boot_word(line, "mem", value, sizeof(value)) == 0 && strcmp(value, "32M") == 0);
	CHECK(boot_word(line, "script", value, sizeof(value)) == 0 && strcmp(value, "a b;c") == 0);
	CHECK(boot_word(line, "bench", value, sizeof(value)) == 0 && value[0] == '\0');
	CHECK_EQUAL(boot_word(line, "me", value, sizeof(value)), -ENOENT);
	CHECK_EQUAL(boot_word(line, "script", value, 3), -E2BIG);
	return OK;
}

TEST(boot, unknown_word, "runtime/boot.h", "the first unknown word is found", OK)
{
	static const char *const known[] = { "mem", "bench", NULL };
	const char *bad = NULL;

	CHECK_EQUAL(boot_check_words("mem=1 bench", known, &bad), 0);
	CHECK_EQUAL(boot_check_words("mem=1 benches x", known, &bad), -EINVAL);
	CHECK(strncmp(bad, "benches", 7) == 0);
	return OK;
}

TEST(outcome, text, "runtime/outcome.h", "an outcome prints as it is declared", OK)
{
	char text[48];

	outcome_format(FAULT(GP, 0x18), text, sizeof(text));
	CHECK(strcmp(text, "FAULT(GP, 0x18)") == 0);
	outcome_format(FAULT(UD), text, sizeof(text));
	CHECK(strcmp(text, "FAULT(UD)") == 0);
	outcome_format(FAIL_VALID(7), text, sizeof(text));
	CHECK(strcmp(text, "FAIL_VALID(7)") == 0);
	return OK;
}
