/* The commands of Trapeze's own prompt. */
#include "kernel/monitor.h"

#include "kernel/stats.h"
#include "kernel/vm.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/string.h"

static char line[80];
static unsigned int length;

void monitor_prompt(void)
{
	print("trapeze> ");
}

static void list_vms(const char *argument)
{
	static const char *const states[] = { "running", "powered off", "died" };
	unsigned int i;

	print("%-15s %-12s %3s %10s  %s\n", "NAME", "STATE", "CPU", "MEMORY", "RIP");
	for (i = 0; i < vm_count; i++) {
		struct vm *vm = vm_list[i];

		print("%-15s %-12s %3u %8lu M  %s\n", vm->name, states[vm->state], vm->cpu,
			vm->memory_size >> 20, vm->vcpu.halted ? "halted" : "");
	}
	print("%lu MiB free\n", page_free_count() * PAGE_SIZE >> 20);
}

static void show_stats(const char *argument)
{
	unsigned int i;

	for (i = 0; i < vm_count; i++)
		stats_print(vm_list[i]);
}

static void show_ring(const char *argument)
{
	stats_print_ring();
}

/* The VM's own CPU carries it out, at the guest's next exit. */
static void kill_vm(const char *argument)
{
	unsigned int i;

	for (i = 0; i < vm_count; i++)
		if (strcmp(vm_list[i]->name, argument) == 0) {
			__atomic_store_n(&vm_list[i]->vcpu.kill, true, __ATOMIC_RELEASE);
			return;
		}
	print("no guest is named '%s'\n", argument);
}

static void help(const char *argument);

static const struct {
	const char *name, *argument, *text;
	void (*run)(const char *argument);
} commands[] = {
	{ "help", "", "this list", help },
	{ "vms", "", "the guests and their states", list_vms },
	{ "stats", "", "exits by cause, with counts and ticks", show_stats },
	{ "ring", "", "CPU 0's last exits", show_ring },
	{ "kill", "NAME", "ends a guest", kill_vm },
	{ "quit", "", "ends trapeze, as Ctrl-A x does", NULL },
};

static void help(const char *argument)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		print("%-6s %-5s %s\n", commands[i].name, commands[i].argument, commands[i].text);
}

/* Returns true for the command that has no function: quit. */
static bool run_line(void)
{
	char *argument = strchr(line, ' ');
	unsigned int i;

	if (argument != NULL)
		*argument++ = '\0';
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(line, commands[i].name) == 0) {
			if (commands[i].run == NULL)
				return true;
			commands[i].run(argument != NULL ? argument : "");
			return false;
		}
	if (line[0] != '\0')
		print("no command '%s'; try help\n", line);
	return false;
}

bool monitor_key(char key)
{
	bool quit = false;

	if (key == '\r' || key == '\n') {
		line[length] = '\0';
		length = 0;
		print("\n");
		quit = run_line();
		if (!quit)
			monitor_prompt();
	} else if ((key == '\b' || key == 0x7f) && length > 0) {
		length--;
		print("\b \b");
	} else if (key >= ' ' && key < 0x7f && length + 1 < sizeof(line)) {
		line[length++] = key;
		print("%c", key);
	}
	return quit;
}
