/* Starts all CPUs and says what the machine is like. */
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/clock.h"
#include "runtime/page_alloc.h"
#include "runtime/boot.h"
#include "runtime/x86.h"
const char image_name[] = "selftest";
const char *const image_words[] = { NULL };
static void ap(unsigned int n) { print("cpu %u here\n", n); for (;;) halt(); }
void image_main(void)
{
	print("hello %lu ticks since entry, %lu pages, loader %s\n", rdtsc() - boot.entry_tsc, page_free_count(), boot.loader);
	print("cpus %u hz %lu\n", smp_start(0, ap), clock_tsc_hz());
	power_end(0);
}
