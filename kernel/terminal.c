/* Input and output of all guests on the one serial line. The hypervisor's own prompt and its
   commands are monitor.c's. */
#include "kernel/terminal.h"

#include "kernel/monitor.h"
#include "kernel/vm.h"
#include "runtime/console.h"
#include "runtime/print.h"
#include "runtime/spinlock.h"

#define KEY_ESCAPE 1 /* Ctrl-A */
#define BACKLOG	   4096 /* bytes of output that an unfocused VM keeps; a power of two */

static enum terminal_mode mode;
static unsigned int focus; /* number of a VM, or vm_count: the monitor */
static bool escape_seen, quit_wanted;
static struct spinlock backlog_lock;
static char backlog[VM_MAX][BACKLOG];
static uint32_t backlog_in[VM_MAX], backlog_out[VM_MAX];

void terminal_init(enum terminal_mode wanted)
{
	mode = wanted;
}

bool terminal_quit_wanted(void)
{
	return quit_wanted;
}

static void print_line(struct vm *vm)
{
	print("[%s] %.*s\n", vm->name, (int)vm->line_length, vm->line);
	vm->line_length = 0;
}

static void output_line(struct vm *vm, uint8_t byte)
{
	if (byte == '\r')
		return;
	if (byte == '\n') {
		print_line(vm);
		return;
	}
	vm->line[vm->line_length++] = (char)byte;
	if (vm->line_length == VM_LINE)
		print_line(vm);
}

static void keep(unsigned int number, uint8_t byte)
{
	backlog[number][backlog_in[number]++ % BACKLOG] = (char)byte;
	if (backlog_in[number] - backlog_out[number] > BACKLOG)
		backlog_out[number]++;
}

static void output_focused(struct vm *vm, uint8_t byte)
{
	char c = (char)byte;

	spinlock_lock(&backlog_lock);
	if (vm->number == focus) {
		console_lock();
		if (byte != '\r') /* console_write() adds its own */
			console_write(&c, 1);
		console_unlock();
	} else {
		keep(vm->number, byte);
	}
	spinlock_unlock(&backlog_lock);
}

void terminal_output(struct vm *vm, uint8_t byte)
{
	if (mode == TERMINAL_LINES)
		output_line(vm, byte);
	else
		output_focused(vm, byte);
}

void terminal_flush(struct vm *vm)
{
	if (mode == TERMINAL_LINES && vm->line_length > 0)
		print_line(vm);
}

/* Shows what the VM that has the focus printed while another had it. */
static void replay(unsigned int number)
{
	spinlock_lock(&backlog_lock);
	console_lock();
	for (; backlog_out[number] != backlog_in[number]; backlog_out[number]++) {
		char c = backlog[number][backlog_out[number] % BACKLOG];

		if (c != '\r')
			console_write(&c, 1);
	}
	console_unlock();
	focus = number;
	spinlock_unlock(&backlog_lock);
}

static void focus_next(void)
{
	unsigned int next = focus == vm_count ? 0 : focus + 1;

	if (next == vm_count) {
		focus = next;
		print("\n--- trapeze ---\n");
		monitor_prompt();
		return;
	}
	print("\n--- %s ---\n", vm_list[next]->name);
	replay(next);
}

static void send_input(uint8_t byte)
{
	struct vm *vm = vm_list[focus];
	uint32_t in = vm->input_in;

	if (in - __atomic_load_n(&vm->input_out, __ATOMIC_ACQUIRE) == VM_INPUT)
		return; /* nobody reads: as on a line without flow control, the character is lost */
	vm->input[in % VM_INPUT] = byte;
	__atomic_store_n(&vm->input_in, in + 1, __ATOMIC_RELEASE);
}

static void handle_byte(uint8_t byte)
{
	if (focus == vm_count)
		quit_wanted |= monitor_key((char)byte);
	else
		send_input(byte);
}

static void handle_escape(char key)
{
	switch (key) {
	case 'x':
		quit_wanted = true;
		break;
	case 'c':
		focus_next();
		break;
	case 'a':
		handle_byte(KEY_ESCAPE);
		break;
	default:
		print("\nCtrl-A x quits, Ctrl-A c goes to the next guest or to trapeze's own prompt, "
		      "Ctrl-A a sends Ctrl-A\n");
	}
}

void terminal_poll(void)
{
	int c;

	while ((c = console_getc()) >= 0) {
		if (escape_seen)
			handle_escape((char)c);
		else if (c != KEY_ESCAPE)
			handle_byte((uint8_t)c);
		escape_seen = !escape_seen && c == KEY_ESCAPE;
	}
}
