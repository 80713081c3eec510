/* The timer that beats, and waiting for what is below the suite. */
#include "vmx-tests/beat.h"

#include "runtime/apic.h"
#include "runtime/boot.h"
#include "runtime/clock.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define BEAT_COUNT 10000000 /* of the timer's ticks */

static bool beats;

void beat_init(void)
{
	char word[4] = "";

	boot_word(boot.cmdline, "beat", word, sizeof(word));
	beats = strcmp(word, "on") == 0;
}

void beat_start(void)
{
	if (beats)
		apic_timer_beat(BEAT_COUNT);
}

unsigned int beat_choose(unsigned int all, unsigned int sample)
{
	return beats ? sample : all;
}

/* CPUID exits: the hypervisor passes on what it holds. 4 KiB may be under way, at 115200 baud. */
void beat_wait_for_console(void)
{
	uint64_t start = rdtsc();

	while (beats && rdtsc() - start < clock_tsc_hz() / 2)
		cpuid(CPUID_VENDOR, 0);
}
