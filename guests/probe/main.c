/* The probe: a guest that executes what a virtual machine must get right and says what happened.
   Run natively and as a guest its two logs are compared by tools/probe.py; it judges nothing
   itself. */
#include "guests/probe/attempt.h"
#include "guests/probe/context.h"
#include "guests/probe/engine.h"
#include "guests/probe/legacy.h"
#include "guests/probe/machine.h"
#include "guests/probe/monitor.h"
#include "guests/probe/random.h"
#include "guests/probe/sweep.h"
#include "guests/probe/table.h"
#include "guests/probe/witness.h"
#include "guests/probe/word.h"
#include "guests/probe/workload.h"
#include "runtime/hypercall.h"
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/boot.h"

const char image_name[] = "probe";
const char *const image_words[] = { "part", "forms", "modes", "seed", "first", "programs",
	"prefixes", "suffixes", "show", "ticks", "sweeps", "sample", "witness", "attempt", "salt",
	"guest", "workloads", NULL };

static void check_parts(const char *parts)
{
	static const char *const known[] = { "list", "monitor", "table", "moved", "random", "sweep",
		"witness", "attempt", "workload" };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (word_lists(parts, known[i]))
			return;
	image_error(
		"part=%s: list, monitor, table, moved, random, sweep, witness, attempt, workload, "
		"or several with commas",
		parts);
}

static void run_random(const struct machine *good)
{
	struct random_request request = random_read_request();

	print("probe: %u programs\n", random_run(&request, good));
}

/* Natively they would reset the machine, or worse. */
static void need_hypervisor(const char *parts)
{
	if (!hypercall_available())
		image_error("part=%s: only as a guest of Trapeze", parts);
}

/* sweeps=GLOB,GLOB sample=N witness=NUMBER */
static void run_sweeps(void)
{
	char patterns[WORD_MAX], witness[8];
	struct sweep_request request = {
		.patterns = patterns, .sample = word_number("sample", 1), .witness = -1
	};

	word_read("sweeps", patterns, "*");
	if (boot_word(boot.cmdline, "witness", witness, sizeof(witness)) == 0)
		request.witness = (int)word_number("witness", 1);
	if (request.sample == 0)
		image_error("sample=0: must be 1 or more");
	sweep_run(&request);
}

static void run_attempt(void)
{
	char name[WORD_MAX];

	word_read("attempt", name, "");
	if (attempt_end(name) != 0)
		image_error("attempt=%s: there is none of that name", name);
	image_error("attempt=%s: it came back", name);
}

/* The parts that only a guest may run, and that say for themselves what they found. */
static void run_as_guest(const char *parts)
{
	need_hypervisor(parts);
	if (word_lists(parts, "attempt"))
		run_attempt();
	if (word_lists(parts, "witness"))
		power_end(witness_run() ? 0 : 1);
	run_sweeps();
}

/* `guest`: under a monitor; `salt=` as monitor.h has it. */
static unsigned int run_monitor(const char *patterns, const struct machine *good)
{
	struct monitor_request request = {
		.patterns = patterns, .salt = word_number("salt", 1), .good = good
	};
	char text[WORD_MAX];

	request.is_guest = boot_word(boot.cmdline, "guest", text, sizeof(text)) == 0;
	return monitor_run(&request);
}

/* workloads=GLOB,GLOB */
static void run_workloads(const struct machine *good)
{
	char patterns[WORD_MAX];

	word_read("workloads", patterns, "*");
	if (workload_run(patterns, good) == 0)
		image_error("workloads=%s: there is none of that name", patterns);
}

void image_main(void)
{
	char parts[WORD_MAX], pattern[WORD_MAX], modes[WORD_MAX], ticks[8];
	struct machine good;
	unsigned int records = 0;

	word_read("part", parts, "table");
	word_read("forms", pattern, "*");
	word_read("modes", modes, "*");
	check_parts(parts);
	table_select_modes(modes);
	if (engine_init() != 0)
		image_error("too little memory");
	context_init();
	legacy_init();
	machine_read(&good);
	if (word_lists(parts, "monitor"))
		records += run_monitor(pattern, &good);
	if (word_lists(parts, "workload"))
		run_workloads(&good);
	if (word_lists(parts, "list"))
		table_list(pattern);
	if (boot_word(boot.cmdline, "ticks", ticks, sizeof(ticks)) == 0)
		table_count_ticks();
	if (word_lists(parts, "table"))
		records += table_run(pattern, &good);
	if (word_lists(parts, "random"))
		run_random(&good);
	if (word_lists(parts, "moved")) {
		context_move();
		machine_read(&good);
		records += table_run_moved(pattern, &good);
	}
	if (word_lists(parts, "sweep") || word_lists(parts, "witness") || word_lists(parts, "attempt"))
		run_as_guest(parts);
	if (records != 0)
		print("probe: %u records\n", records);
	power_end(0);
}
