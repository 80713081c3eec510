/* The test harness of every suite. A test is a record that says what it expects and why the manual says
   so, and a body that returns what happened; records lie in a linker section, so that a list of
   tests exists without running any. The report is KTAP on the console. */
#ifndef RUNTIME_HARNESS_H
#define RUNTIME_HARNESS_H

#include "runtime/outcome.h"

struct test;

/* What a test needs of the machine: met() is asked before each test that names it. */
struct test_need {
	const char *reason; /* for the SKIP: "no EPT (IA32_VMX_PROCBASED_CTLS2 bit 33)" */
	bool (*met)(void);
};

/* An expected value beside the outcome: a field of the suite's, and what it must hold after. */
struct test_value {
	uint32_t field;
	uint64_t value;
};

/* One row of a sweep starts with this. */
struct test_row {
	const char *name;
	outcome expected;
};

struct test {
	const char *group;    /* folder or file: "insn/vmxon" */
	const char *name;     /* "vmxe_clear" */
	const char *citation; /* manual and section title: "SDM VMXON" */
	const char *text;     /* the rule, in our words */
	outcome expected;
	outcome (*body)(const struct test *test);
	/* A sweep instead: body runs once per row, with test_current_row() set. */
	const void *rows;
	uint32_t row_size, row_count;
	/* Optional: */
	const struct test_need *const *needs; /* ends with NULL */
	const struct test_value *values;      /* value_count of them */
	uint32_t value_count;
	const char *covers; /* rows of spec/ that it proves, separated by spaces */
};

#define TEST_RECORD(identifier)                                                                    \
	static const struct test test_##identifier                                                 \
		__attribute__((used, section(".tests"), aligned(8)))

/* TEST(vmxon, vmxe_clear, "SDM VMXON", "CR4.VMXE = 0 makes #UD", FAULT(UD)) { return ...; }
   In the body `test` is the record. More of its members may follow: .needs = ..., .values = .... */
#define TEST(group_, name_, citation_, text_, expected_, ...)                                      \
	static outcome body_##group_##_##name_(const struct test *test);                           \
	TEST_RECORD(group_##_##name_) = { .group = TEST_FOLDER #group_,                            \
		.name = #name_,                                                                    \
		.citation = citation_,                                                             \
		.text = text_,                                                                     \
		.expected = expected_,                                                             \
		.body = body_##group_##_##name_,                                                   \
		##__VA_ARGS__ };                                                                   \
	static outcome body_##group_##_##name_(const struct test *test)

/* SWEEP(vmread, fields, "SDM VMREAD", "...", rows_array): rows_array's elements start with a struct
   test_row called `row`; the body gets one by TEST_ROW(type). */
#define SWEEP(group_, name_, citation_, text_, rows_, ...)                                         \
	TEST(group_, name_, citation_, text_, 0, .rows = rows_, .row_size = sizeof((rows_)[0]),    \
		.row_count = ARRAY_SIZE(rows_), ##__VA_ARGS__)
#define TEST_ROW(type) ((const type *)test_current_row())
const void *test_current_row(void);

/* For a body that cannot try its test, or the current row of it, for `reason`: returns what is expected
   there. A test of which something was not tried is a SKIP with that reason, unless the rest fails. */
outcome test_not_tried(const struct test *test, const char *reason);

/* A file may put its tests into a folder: #define TEST_FOLDER "insn/" before including this. */
#ifndef TEST_FOLDER
#define TEST_FOLDER ""
#endif

#define NEEDS(...)  ((const struct test_need *const[]){ __VA_ARGS__, NULL })
#define VALUES(...)                                                                                \
	.values = (const struct test_value[]){ __VA_ARGS__ },                                      \
	.value_count = sizeof((const struct test_value[]){ __VA_ARGS__ }) / sizeof(struct test_value)

/* In a body: the test ends as failed, with the reason, unless the condition holds. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			return test_mismatch(__LINE__, "%s", #condition);                          \
	} while (0)
/* The same for two numbers, which are printed. */
#define CHECK_EQUAL(actual, wanted)                                                                \
	do {                                                                                       \
		uint64_t actual_ = (uint64_t)(actual), wanted_ = (uint64_t)(wanted);               \
		if (actual_ != wanted_)                                                            \
			return test_mismatch(__LINE__, "%s is %#lx, not %#lx", #actual, actual_,   \
				wanted_);                                                          \
	} while (0)

/* Notes why, for the report, and returns the outcome: a failure of the CPU, an error of the test. */
outcome test_mismatch(int line, const char *format, ...) __printf(2, 3);
outcome test_error(int line, const char *format, ...) __printf(2, 3);

/* What the CPU answered, on its way to the test. A suite passes every observation through here: the
   tests of the tests (word forge=) falsify them one at a time, and a test that then stays green
   would not notice a CPU that answers so. */
uint64_t test_observe(uint64_t value);

/* What a suite may provide. All may be NULL. */
struct suite {
	const char *name;
	/* Before and after each test: rebuild or check state. after() returns OK or an ERROR. */
	void (*before)(const struct test *test);
	outcome (*after)(const struct test *test);
	/* Reads a field of struct test_value, and names it. */
	uint64_t (*read)(uint32_t field);
	const char *(*field_name)(uint32_t field);
};

/* The words of the command line: tests= skip= (lists of patterns), order=shuffle seed=N, from=N (that many are done),
   resume=on (on a real machine: go on after a test that reset it), list, forge=on|uncompared (tests of the
   tests), key=TEXT (lines of the report are marked so that nobody else can write them easily). A suite's image_words start with these. */
#define HARNESS_WORDS "tests", "skip", "order", "seed", "from", "resume", "list", "forge", "key"

/* Runs the selected tests and prints the report (with forge=on: of the tests of the tests,
   harness_forge.c): each test's name before it runs, so that a hang is the
   named test's, then its line. Returns 0 when nothing failed and something ran, else 1. */
int harness_run(const struct suite *suite);

#endif
