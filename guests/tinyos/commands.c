/* The shell's commands but for the measurements, which are bench.c's. Lines that describe the
   machine begin with "# ": they alone may differ between one machine and another. */
#include "guests/tinyos/commands.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/power.h"
#include "runtime/string.h"
#include "spec/cpuid.h"

#include "guests/tinyos/process.h"
#include "guests/tinyos/program.h"
#include "guests/tinyos/serial.h"
#include "guests/tinyos/shell.h"
#include "guests/tinyos/timer.h"

static int help(const char *arguments)
{
	serial_print("commands, separated by ';':\n");
	for (const struct command *command = command_table; command->name != NULL; command++)
		serial_print("  %-8s %-13s %s\n", command->name, command->arguments, command->help);
	serial_print("programs:");
	for (const struct program *program = program_table; program->name != NULL; program++)
		serial_print(" %s", program->name);
	serial_print("\n");
	return 0;
}

static int list_processes(const char *arguments)
{
	bool on = critical_enter();

	process_print();
	critical_leave(on);
	return 0;
}

static int show_memory(const char *arguments)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < boot.ranges; i++)
		total += boot.range[i].size;
	serial_print("# memory: %lu KiB, %lu KiB free\n", total / 1024,
		page_free_count() * PAGE_SIZE / 1024);
	return 0;
}

static int show_uptime(const char *arguments)
{
	bool on = critical_enter();

	serial_print("# up %lu ms, %lu timer interrupts\n", timer_uptime(), timer_ticks());
	critical_leave(on);
	return 0;
}

/* Prints the 12 letters that a CPUID leaf leaves in three registers. */
static void print_name(const char *what, uint32_t first, uint32_t second, uint32_t third)
{
	char name[13] = "";

	memcpy(name, &first, sizeof(first));
	memcpy(name + 4, &second, sizeof(second));
	memcpy(name + 8, &third, sizeof(third));
	serial_print("# %s: %s\n", what, name);
}

static int show_cpu(const char *arguments)
{
	struct cpuid vendor = cpuid(CPUID_VENDOR, 0);
	struct cpuid features = cpuid(CPUID_FEATURES, 0);

	print_name("vendor", vendor.ebx, vendor.edx, vendor.ecx);
	serial_print("# signature %#x, features ecx %#010x edx %#010x\n", features.eax,
		features.ecx, features.edx);
	if (features.ecx & CPUID_1_ECX_HYPERVISOR) {
		struct cpuid hypervisor = cpuid(CPUID_HYPERVISOR, 0);

		print_name("hypervisor", hypervisor.ebx, hypervisor.ecx, hypervisor.edx);
	}
	return 0;
}

static void explain_status(int pid, const char *command, int status)
{
	int length = (int)strcspn(command, " ");

	if (status & STATUS_KILLED)
		serial_print("tinyos: process %d (%.*s) killed\n", pid, length, command);
	else if (!(status & STATUS_EXCEPTION)) /* else it was explained then */
		serial_print("tinyos: process %d (%.*s) exited with status %d\n", pid, length,
			command, status);
}

int command_run(const char *command)
{
	bool on = critical_enter();
	int status = 0, ended;
	int pid = process_spawn(command);

	do
		ended = pid > 0 ? process_wait(NULL, &status) : pid;
	while (ended > 0 && ended != pid);
	critical_leave(on);
	if (pid < 0) {
		serial_print("tinyos: cannot run \"%.60s\": %s\n", command, error_name(pid));
		return pid;
	}
	if (status != 0)
		explain_status(pid, command, status);
	return status;
}

static int do_panic(const char *arguments)
{
	interrupts_off();
	serial_flush();
	panic("%s", *arguments != '\0' ? arguments : "the shell was asked to");
}

int command_poweroff(const char *arguments)
{
	interrupts_off();
	serial_flush();
	power_end(shell_status());
}

const struct command command_table[] = {
	{ "help", "", "this list", help },
	{ "ps", "", "list the processes", list_processes },
	{ "mem", "", "how much memory there is, and is free", show_memory },
	{ "uptime", "", "how long this has been running", show_uptime },
	{ "cpuid", "", "what the CPU says it is", show_cpu },
	{ "run", "NAME [ARG...]", "run a program", command_run },
	{ "bench", "", "measure what things cost, in TSC ticks", command_bench },
	{ "panic", "[TEXT]", "end in a panic", do_panic },
	{ "poweroff", "", "end", command_poweroff },
	{ 0 },
};
