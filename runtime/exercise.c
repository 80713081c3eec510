/* Tells which exercises of the labs an image lacks, at its start and when one is reached. The
   records come from the stubs, through the linker. */
#include "runtime/exercise.h"

#include "runtime/panic.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define EXERCISES_MAX 128
#define LABS          10

extern const struct exercise exercises_start[], exercises_end[];
static bool reached[EXERCISES_MAX];

/* AMD's interface is asked for where the CPU has it, Intel's elsewhere. */
static bool is_asked_for(const struct exercise *exercise)
{
	bool svm = cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT_FEATURES &&
		   (cpuid(CPUID_EXT_FEATURES, 0).ecx & CPUID_EXT_ECX_SVM);

	return *exercise->vendor == '\0' || strcmp(exercise->vendor, svm ? "amd" : "intel") == 0;
}

static void print_exercise(const char *what, const struct exercise *exercise)
{
	print("exercise %s: %s (lab %u, page %s)\n", what, exercise->name, exercise->lab,
		exercise->page);
}

void exercise_list(void)
{
	assert((uintptr_t)exercises_end - (uintptr_t)exercises_start <=
		sizeof(struct exercise) * EXERCISES_MAX);
	for (unsigned int lab = 0; lab < LABS; lab++)
		for (const struct exercise *e = exercises_start; e < exercises_end; e++)
			if (e->lab == lab && is_asked_for(e))
				print_exercise("missing", e);
}

void exercise_reached(const struct exercise *exercise)
{
	bool *before = &reached[exercise - exercises_start];

	if (!__atomic_exchange_n(before, true, __ATOMIC_RELAXED))
		print_exercise("reached", exercise);
}

void exercise_end(const struct exercise *exercise)
{
	exercise_reached(exercise);
	power_end(1);
}

/* Without arguments in C's sense: a stub jumps here from wherever it is. */
__asm__(".text\n"
	".globl exercise_missing\n"
	"exercise_missing:\n"
	"	andq $-16, %rsp\n"
	"	xorl %ebp, %ebp\n"
	"	call exercise_end\n"
	"	ud2");
