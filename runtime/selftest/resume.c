/* A test that resets the machine, and the run that goes on after it. */
#include "runtime/boot.h"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/reset.h"

static bool resumes(void)
{
	char word[8] = "";

	boot_word(boot.cmdline, "resume", word, sizeof(word));
	return strcmp(word, "on") == 0;
}

static const struct test_need need_resume = { "it resets the machine (resume=on)", resumes };

TEST(resume, reset, "runtime/harness.h", "resume=on: a test may reset the machine, and the next one runs", RESET,
	.needs = NEEDS(&need_resume))
{
	interrupts_off();
	out8(RESET_CONTROL_PORT, RESET_CONTROL_HARD);
	out8(RESET_CONTROL_PORT, RESET_CONTROL_HARD | RESET_CONTROL_CPU);
	halt();
	return OK; /* it was not reset */
}
