/* Trapeze from its command line to its end: choose the back end, start the CPUs, start the guests, run
   them, say how it went. */
#include "kernel/backend.h"
#include "kernel/canary.h"
#include "kernel/machine.h"
#include "kernel/sched.h"
#include "kernel/sensitive.h"
#include "kernel/stats.h"
#include "kernel/switched.h"
#include "kernel/terminal.h"
#include "kernel/vm.h"
#include "runtime/apic.h"
#include "runtime/boot.h"
#include "runtime/image.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define SLICE_MIN 100	  /* microseconds */
#define SLICE_MAX 1000000

const char image_name[] = "trapeze";
const char *const image_words[] = { "stage2", "console", "slice", "stats", "bench", "selftest",
	"canaries", NULL };

struct options {
	bool stage2, stats, bench, explain_test, sensitive_test, canaries;
};

static struct options options;
static unsigned int selftest_failures;
static bool vms_created; /* the other CPUs wait for it */
static unsigned int cpus_finished;

/* The value of a word that must be one of two: true for the first. */
static bool choice(const char *key, const char *first, const char *second, bool otherwise)
{
	char value[32];

	if (boot_word(boot.cmdline, key, value, sizeof(value)) != 0)
		return otherwise;
	if (strcmp(value, first) != 0 && strcmp(value, second) != 0)
		image_error("%s=%s: must be %s or %s", key, value, first, second);
	return strcmp(value, first) == 0;
}

static void parse_slice(void)
{
	char value[32];
	uint64_t microseconds;

	if (boot_word(boot.cmdline, "slice", value, sizeof(value)) != 0)
		return;
	if (string_to_u64(value, false, &microseconds) || microseconds < SLICE_MIN ||
		microseconds > SLICE_MAX)
		image_error("slice=%s: must be %d to %d (microseconds)", value, SLICE_MIN, SLICE_MAX);
	sched_set_slice(microseconds);
}

/* selftest=explain is done with the first guest, selftest=sensitive before anything else. */
static void parse_selftest(void)
{
	char value[32];

	if (boot_word(boot.cmdline, "selftest", value, sizeof(value)) != 0)
		return;
	options.explain_test = strcmp(value, "explain") == 0;
	options.sensitive_test = strcmp(value, "sensitive") == 0;
	if (!options.explain_test && !options.sensitive_test && strcmp(value, "none") != 0)
		image_error("selftest=%s: must be explain, sensitive or none", value);
}

static void parse_options(void)
{
	options = (struct options){ .stage2 = choice("stage2", "on", "off", true),
		.stats = choice("stats", "on", "off", true) };
	char value[8];

	terminal_init(choice("console", "lines", "focus", true) ? TERMINAL_LINES : TERMINAL_FOCUS);
	parse_slice();
	options.bench = boot_word(boot.cmdline, "bench", value, sizeof(value)) == 0;
	parse_selftest();
	options.canaries = choice("canaries", "on", "off", false);
}

/* The APIC's timer and the wake-up IPI only end a HLT or a guest's slice: nothing else to do. */
static void acknowledge(struct trap_frame *frame)
{
	apic_eoi();
}

/* selftest=explain: with the first guest's state, before it runs; the guest then runs as ever. */
static int explain_test(struct vcpu *vcpu)
{
	switched_load(vcpu);
	backend->load(vcpu);
	return backend->explain_test(vcpu);
}

/* Each CPU turns virtualization on, starts its own guests, runs them, and cleans up behind them. */
static void run_cpu(void)
{
	unsigned int number = smp_this()->number, i;

	switched_init_cpu();
	if (backend->cpu_on() != 0)
		image_error("CPU %u: %s could not be turned on", number, backend->name);
	for (i = number; i < vm_count; i += smp_cpus)
		if (vm_start(vm_list[i]) != 0)
			image_error("vm %s could not be started", vm_list[i]->name);
	if (options.explain_test && number == 0)
		selftest_failures = (unsigned int)explain_test(&vm_list[0]->vcpu);
	canary_init_cpu();
	sched_run();
	canary_end_cpu();
	for (i = number; i < vm_count; i += smp_cpus)
		vm_release(vm_list[i]);
	backend->cpu_off();
	__atomic_fetch_add(&cpus_finished, 1, __ATOMIC_SEQ_CST);
}

static void run_other_cpu(unsigned int number)
{
	while (!__atomic_load_n(&vms_created, __ATOMIC_ACQUIRE))
		cpu_pause();
	run_cpu();
	for (;;)
		interrupts_wait();
}

/* Prints how it went; 0 when every guest powered off with status 0 or the user ended them. */
static int report(void)
{
	unsigned int i;
	int failed = selftest_failures > 0;

	for (i = 0; i < vm_count; i++) {
		if (options.stats)
			stats_print(vm_list[i]);
		if (vm_list[i]->state == VM_DIED || vm_list[i]->status != 0)
			failed = 1;
	}
	if (options.bench)
		print("bench: boot_to_guest %lu\n", stats_first_entry - boot.entry_tsc);
	return failed;
}

static void dump_ring(void)
{
	stats_print_ring();
}

/* Runs the guests; returns what to end with. */
static int run(void)
{
	uint64_t free_pages;
	int failed;

	smp_start(boot.modules, run_other_cpu);
	if (vm_create_all(options.stage2, smp_cpus) != 0)
		return 1;
	print("trapeze: %s, %u CPU%s, %u guest%s\n", backend->name, smp_cpus,
		smp_cpus == 1 ? "" : "s", vm_count, vm_count == 1 ? "" : "s");
	free_pages = page_free_count();
	if (options.canaries && canary_init() != 0)
		image_error("no memory for canaries");
	__atomic_store_n(&vms_created, true, __ATOMIC_RELEASE);
	run_cpu();
	while (__atomic_load_n(&cpus_finished, __ATOMIC_ACQUIRE) < smp_cpus)
		cpu_pause();
	failed = report();
	canary_end();
	if (page_free_count() != free_pages) {
		print("trapeze: error: %ld pages were not given back\n",
			(int64_t)(free_pages - page_free_count()));
		failed = 1;
	}
	return failed;
}

void image_main(void)
{
	parse_options();
	panic_hook = dump_ring;
	trap_set_handler(APIC_VECTOR_TIMER, acknowledge);
	trap_set_handler(APIC_VECTOR_WAKE, acknowledge);
	if (options.sensitive_test) {
		machine_print();
		power_end(sensitive_test() == 0 ? 0 : 1);
	}
	if (backend_choose(options.stage2) != 0)
		power_end(1);
	power_end(run());
}
