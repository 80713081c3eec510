/* The life of a process from its start to the moment its parent learns its status. What it is in
   memory is program.c's and vm.c's, when it runs thread.c's. */
#include "guests/tinyos/process.h"

#include "runtime/errno.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"

#include "guests/tinyos/program.h"
#include "guests/tinyos/serial.h"

static struct process table[PROCESS_MAX];
static struct process *fpu_owner; /* whose state the FPU holds, or NULL: nobody's */
static int last_pid;

struct process *process_current(void)
{
	return thread_current()->process;
}

void process_load(struct process *process)
{
	vm_load(&process->vm);
	if (fpu_owner == process)
		return;
	if (fpu_owner != NULL)
		fpu_save(&fpu_owner->fpu);
	fpu_load(&process->fpu);
	fpu_owner = process;
}

/* A fresh entry of the table, still unused, or NULL. */
static struct process *find_unused(void)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++) {
		if (table[i].state == PROCESS_UNUSED) {
			table[i] = (struct process){ 0 };
			return &table[i];
		}
	}
	return NULL;
}

/* The process is complete but for its thread: gives it one and a pid. */
static int start(struct process *process, struct process *parent, const struct trap_frame *frame)
{
	int error = thread_create_user(&process->thread, process, frame);

	if (error)
		return error;
	process->parent = parent;
	process->pid = ++last_pid;
	process->state = PROCESS_ALIVE;
	return process->pid;
}

/* Frees what is left of a zombie. */
static void free_process(struct process *process)
{
	thread_destroy(&process->thread);
	process->state = PROCESS_UNUSED;
}

static void set_name(struct process *process, const char *command)
{
	size_t length = strcspn(command, " ");

	snprintf(process->name, sizeof(process->name), "%.*s", (int)length, command);
}

/* Frees the processes that ended when nobody was left to wait for them. */
static void free_orphans(void)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++)
		if (table[i].state == PROCESS_ZOMBIE && table[i].parent == NULL)
			free_process(&table[i]);
}

int process_spawn(const char *command)
{
	struct process *process;
	struct trap_frame frame;
	int result;

	free_orphans();
	process = find_unused();
	if (process == NULL)
		return -EAGAIN;
	result = vm_create(&process->vm);
	if (result == 0)
		result = program_load(&process->vm, command, &frame);
	fpu_reset(&process->fpu);
	set_name(process, command);
	if (result == 0)
		result = start(process, NULL, &frame);
	if (result < 0)
		vm_destroy(&process->vm);
	return result;
}

int process_fork(const struct trap_frame *frame)
{
	struct process *parent = process_current(), *child = find_unused();
	struct trap_frame child_frame = *frame;
	int result;

	if (child == NULL)
		return -EAGAIN;
	child_frame.rax = 0;
	result = vm_fork(&child->vm, &parent->vm);
	fpu_save(&child->fpu);
	memcpy(child->name, parent->name, sizeof(child->name));
	if (result == 0)
		result = start(child, parent, &child_frame);
	if (result < 0)
		vm_destroy(&child->vm);
	return result;
}

int process_exec(const char *command, struct trap_frame *frame)
{
	struct process *process = process_current();
	struct vm vm;
	int error = vm_create(&vm);

	if (error)
		return error;
	error = program_load(&vm, command, frame);
	if (error) {
		vm_destroy(&vm);
		return error;
	}
	set_name(process, command);
	vm_load(&vm);
	vm_destroy(&process->vm);
	process->vm = vm;
	fpu_reset(&process->fpu);
	fpu_load(&process->fpu);
	return 0;
}

/* Writes the line out in one piece. */
static void write_line(struct process *process)
{
	int length = (int)process->line_length;

	process->line_length = 0;
	if (length >= 2 && memcmp(process->line, "# ", 2) == 0)
		serial_print("%.*s\n", length, process->line);
	else
		serial_print("[%d %s] %.*s\n", process->pid, process->name, length, process->line);
}

void process_write(const char *text, size_t bytes)
{
	struct process *process = process_current();

	for (; bytes > 0 && !process->killed; bytes--, text++) {
		if (*text != '\n')
			process->line[process->line_length++] = *text;
		if (*text == '\n' || process->line_length == LINE_MAX)
			write_line(process);
	}
}

/* What processes and the shell wait for when they wait for their children. */
static const void *children_of(const struct process *parent)
{
	return parent != NULL ? (const void *)parent : table;
}

void process_exit(int status)
{
	struct process *process = process_current();

	if (process->line_length > 0)
		write_line(process);
	vm_load(NULL);
	vm_destroy(&process->vm);
	fpu_owner = NULL;
	for (unsigned int i = 0; i < PROCESS_MAX; i++)
		if (table[i].parent == process)
			table[i].parent = NULL;
	process->status = status;
	process->state = PROCESS_ZOMBIE;
	thread_wake(children_of(process->parent));
	thread_exit();
}

/* A child of parent's that has ended; else NULL, and *any tells whether there are others. */
static struct process *find_zombie(const struct process *parent, bool *any)
{
	*any = false;
	for (unsigned int i = 0; i < PROCESS_MAX; i++) {
		if (table[i].state == PROCESS_UNUSED || table[i].parent != parent)
			continue;
		if (table[i].state == PROCESS_ZOMBIE)
			return &table[i];
		*any = true;
	}
	return NULL;
}

int process_wait(struct process *parent, int *status)
{
	struct process *child;
	bool any;

	while ((child = find_zombie(parent, &any)) == NULL) {
		if (!any)
			return -ENOENT;
		if (parent != NULL && parent->killed)
			return -EAGAIN;
		thread_wait(children_of(parent), THREAD_NO_DEADLINE);
	}
	*status = child->status;
	free_process(child);
	return child->pid;
}

static void kill(struct process *process)
{
	process->killed = true;
	if (process->thread.state == THREAD_WAITING)
		thread_interrupt(&process->thread);
}

int process_kill(int pid)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++) {
		if (table[i].state == PROCESS_ALIVE && table[i].pid == pid) {
			kill(&table[i]);
			return 0;
		}
	}
	return -ENOENT;
}

void process_kill_all(void)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++)
		if (table[i].state == PROCESS_ALIVE)
			kill(&table[i]);
}

bool process_running(void)
{
	for (unsigned int i = 0; i < PROCESS_MAX; i++)
		if (table[i].state == PROCESS_ALIVE)
			return true;
	return false;
}

void process_leave_kernel(const struct trap_frame *frame)
{
	struct process *process = process_current();

	if ((frame->cs & 3) != 0 && process->killed)
		process_exit(STATUS_KILLED);
}

static const char *state_name(const struct process *process)
{
	if (process->state == PROCESS_ZOMBIE)
		return "zombie";
	return process->thread.state == THREAD_WAITING ? "waiting" : "ready";
}

void process_print(void)
{
	unsigned int count = 0;

	serial_print("  PID PARENT STATE    PAGES NAME\n");
	for (unsigned int i = 0; i < PROCESS_MAX; i++) {
		struct process *p = &table[i];

		if (p->state == PROCESS_UNUSED)
			continue;
		serial_print("%5d %6d %-8s %5lu %s\n", p->pid, p->parent ? p->parent->pid : 0,
			state_name(p), p->vm.pages, p->name);
		count++;
	}
	serial_print("%u processes, %d started so far\n", count, last_pid);
}
