/* The probe for a monitor that answers nothing yet: it comes up, runs and ends without an
   instruction for which a guest needs an answer (CPUID, most MSRs, ports, CR0) or an exception
   injected. What can be asked of a monitor that does more is ../main.c's. */
#include "guests/probe/context.h"
#include "guests/probe/engine.h"
#include "guests/probe/machine.h"
#include "guests/probe/plain/reach.h"
#include "guests/probe/random.h"
#include "guests/probe/table.h"
#include "guests/probe/word.h"
#include "guests/probe/workload.h"
#include "runtime/boot.h"
#include "runtime/console.h"
#include "runtime/image.h"
#include "runtime/power.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define ENTRIES     512
#define DIRECTORIES 4 /* of 1 GiB each */
#define RIGHTS      (PTE_P | PTE_W | PTE_U)

void start(uint32_t magic, uint64_t info) __noreturn;

const char image_name[] = "probe";
const char *const image_words[] = { "part", "forms", "modes", "seed", "first", "programs",
	"prefixes", "suffixes", "show", NULL };

static uint64_t level4[ENTRIES] __aligned(4096), level3[ENTRIES] __aligned(4096);
static uint64_t level2[DIRECTORIES][ENTRIES] __aligned(4096), level1[ENTRIES] __aligned(4096);

/* The first 4 GiB, virtual = physical, open to code at any CPL; a null pointer is a fault. */
static void build_tables(void)
{
	uint64_t i;

	level4[0] = (uintptr_t)level3 | RIGHTS;
	for (i = 0; i < DIRECTORIES; i++)
		level3[i] = (uintptr_t)level2[i] | RIGHTS;
	for (i = 0; i < DIRECTORIES * ENTRIES; i++)
		level2[i / ENTRIES][i % ENTRIES] = i * PAGE_SIZE_2M | RIGHTS | PTE_PS;
	for (i = 1; i < ENTRIES; i++)
		level1[i] = i * PAGE_SIZE | RIGHTS;
	level2[0][0] = (uintptr_t)level1 | RIGHTS;
	write_cr3((uintptr_t)level4);
}

/* As Trapeze enters a guest with stage2=off; only the bare machine comes with something else, and
   only there is something written. */
static void set_control_registers(void)
{
	const uint64_t cr0 = CR0_PG | CR0_ET | CR0_PE, cr4 = CR4_PAE;

	if (read_cr0() != cr0)
		write_cr0(cr0);
	if (read_cr4() != cr4)
		write_cr4(cr4);
}

void start(uint32_t magic, uint64_t info)
{
	smp_init_boot_cpu();
	trap_init();
	trap_init_cpu();
	console_init(CONSOLE_PORT, CONSOLE_BAUD);
	if (boot_parse(magic, info) != 0)
		image_error("not started by a Multiboot loader, or it said too much");
	set_control_registers();
	build_tables();
	image_main();
	power_end(0);
}

static void run_programs(const struct machine *good)
{
	struct random_request request = random_read_request();

	request.plain = true;
	print("probe: %u programs\n", random_run(&request, good));
}

void image_main(void)
{
	char parts[WORD_MAX], forms[WORD_MAX], modes[WORD_MAX];
	struct machine good;

	word_read("part", parts, "random");
	word_read("forms", forms, "*");
	word_read("modes", modes, "*");
	table_select_modes(modes);
	machine_stay_plain();
	engine_init_tables();
	context_init_tables();
	machine_read(&good);
	if (word_lists(parts, "list"))
		table_list(forms);
	if (word_lists(parts, "table"))
		print("probe: %u records\n", table_run(forms, &good));
	if (word_lists(parts, "random"))
		run_programs(&good);
	if (word_lists(parts, "workload"))
		workload_run_integer();
	if (word_lists(parts, "reach"))
		reach_run();
}
