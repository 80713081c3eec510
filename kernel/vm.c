/* Virtual machines from boot modules to their end. What a guest may do in between is exit.c's. */
#include "kernel/vm.h"

#include "kernel/guest_load.h"
#include "kernel/memory.h"
#include "kernel/terminal.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"

#define VM_ORDER     3 /* 32 KiB hold a struct vm */
#define TIMER_IRQ    0
_Static_assert(sizeof(struct vm) <= PAGE_SIZE << VM_ORDER, "VM_ORDER");

unsigned int vm_count, vm_running;
struct vm *vm_list[VM_MAX];

static int config_error(const struct vm *vm, const char *word, const char *value, const char *rule)
{
	print("trapeze: error: module %u: %s=%s: %s\n", vm->number, word, value, rule);
	return -EINVAL;
}

static bool is_name(const char *name)
{
	if (*name == '\0')
		return false;
	for (; *name != '\0'; name++)
		if (!((*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			    (*name >= '0' && *name <= '9') || *name == '-' || *name == '_'))
			return false;
	return true;
}

static int parse_name(struct vm *vm, const char *line)
{
	char value[64];
	unsigned int i;

	if (boot_word(line, "name", value, sizeof(value)) == -ENOENT)
		snprintf(value, sizeof(value), "vm%u", vm->number);
	if (!is_name(value) || string_copy(vm->name, sizeof(vm->name), value) != 0)
		return config_error(vm, "name", value, "must be 1 to 15 letters, digits, - or _");
	for (i = 0; i < vm->number; i++)
		if (strcmp(vm_list[i]->name, vm->name) == 0)
			return config_error(vm, "name", value, "is another guest's name already");
	return 0;
}

static int parse_memory(struct vm *vm, const char *line)
{
	char value[64] = "32M", pages[8] = "2M";

	boot_word(line, "mem", value, sizeof(value));
	if (string_to_u64(value, true, &vm->memory_size) || !IS_ALIGNED(vm->memory_size, PAGE_SIZE) ||
		vm->memory_size < GUEST_MIN_MEMORY || vm->memory_size > BIT(40))
		return config_error(vm, "mem", value, "must be 2M to 1024G, a multiple of 4K, e.g. 32M");
	boot_word(line, "pages", pages, sizeof(pages));
	vm->page_level = strcmp(pages, "4K") == 0 ? 1 :
			 strcmp(pages, "2M") == 0 ? 2 :
			 strcmp(pages, "1G") == 0 ? 3 :
						    0;
	if (vm->page_level == 0)
		return config_error(vm, "pages", pages, "must be 4K, 2M or 1G");
	return 0;
}

/* The words before "--" are ours, those behind it the guest's. */
static int parse_cmdline(struct vm *vm, const char *cmdline)
{
	static const char *const known[] = { "name", "mem", "vcpus", "pages", NULL };
	char line[BOOT_CMDLINE_MAX], value[16] = "1";
	const char *bad;
	char *dashes;
	int error;

	string_copy(line, sizeof(line), cmdline);
	dashes = strncmp(line, "-- ", 3) == 0 ? line : strstr(line, " -- ");
	if (dashes != NULL) {
		*dashes = '\0';
		string_copy(vm->guest_cmdline, sizeof(vm->guest_cmdline), strchr(dashes + 1, '-') + 3);
	}
	if (boot_check_words(line, known, &bad) != 0) {
		print("trapeze: error: module %u: unknown word: %.*s (the guest's own words come after --)\n",
			vm->number, (int)strcspn(bad, " "), bad);
		return -EINVAL;
	}
	boot_word(line, "vcpus", value, sizeof(value));
	if (strcmp(value, "1") != 0)
		return config_error(vm, "vcpus", value, "must be 1");
	error = parse_name(vm, line);
	return error ? error : parse_memory(vm, line);
}

int vm_create_all(bool use_stage2, unsigned int cpus)
{
	unsigned int i;
	int error;

	if (boot.modules == 0) {
		print("trapeze: error: no guest: the boot loader passed no module\n");
		return -ENOENT;
	}
	for (i = 0; i < boot.modules; i++) {
		struct vm *vm = page_alloc_zeroed(VM_ORDER);

		if (vm == NULL) {
			print("trapeze: error: out of memory\n");
			return -ENOMEM;
		}
		vm->number = i;
		vm->module = &boot.module[i];
		vm->use_stage2 = use_stage2;
		vm->cpu = i % cpus;
		vm_list[vm_count++] = vm;
		error = parse_cmdline(vm, vm->module->cmdline);
		if (error)
			return error;
	}
	vm_running = vm_count;
	return 0;
}

static void transmit(struct uart *uart, uint8_t byte)
{
	struct vm *vm = (struct vm *)((char *)uart - offsetof(struct vm, uart));

	terminal_output(vm, byte);
}

int vm_start(struct vm *vm)
{
	int error = memory_init(vm);

	if (error) {
		print("trapeze: error: vm %s: mem=%luM is more than the %lu MiB that are free\n", vm->name,
			vm->memory_size >> 20, page_free_count() * PAGE_SIZE >> 20);
		return error;
	}
	pic_init(&vm->pic);
	pit_init(&vm->pit);
	uart_init(&vm->uart, transmit);
	error = vcpu_create(&vm->vcpu, vm);
	if (error) {
		print("trapeze: error: vm %s: no memory for its vCPU\n", vm->name);
		return error;
	}
	return guest_load(vm, vm->module, vm->guest_cmdline);
}

void vm_release(struct vm *vm)
{
	vcpu_destroy(&vm->vcpu);
	memory_destroy(vm);
}

void vm_update_uart_irq(struct vm *vm)
{
	if (uart_irq_fell(&vm->uart))
		pic_set_irq(&vm->pic, UART_IRQ, false);
	pic_set_irq(&vm->pic, UART_IRQ, uart_irq(&vm->uart));
}

static void receive_input(struct vm *vm)
{
	uint32_t in = __atomic_load_n(&vm->input_in, __ATOMIC_ACQUIRE);
	uint32_t out = vm->input_out;

	if (in == out)
		return;
	while (out != in && uart_receive(&vm->uart, vm->input[out % VM_INPUT]) == 0)
		out++;
	__atomic_store_n(&vm->input_out, out, __ATOMIC_RELEASE);
	vm_update_uart_irq(vm);
}

/* Without stage 2 the guest drives the real UART, whose interrupt goes nowhere: when the line could
   have asked for one, its PIC hears it. */
static void forward_serial_irq(struct vm *vm)
{
	if (in8(UART_PORT + UART_LSR) & (UART_LSR_THRE | UART_LSR_DATA)) {
		pic_set_irq(&vm->pic, UART_IRQ, false);
		pic_set_irq(&vm->pic, UART_IRQ, true);
	}
}

void vm_update_timer(struct vm *vm, uint64_t now)
{
	if (pit_update(&vm->pit, now)) {
		pic_set_irq(&vm->pic, TIMER_IRQ, false);
		pic_set_irq(&vm->pic, TIMER_IRQ, true);
	}
}

void vm_update(struct vm *vm, uint64_t now)
{
	if (!vm->use_stage2)
		forward_serial_irq(vm);
	vm_update_timer(vm, now);
	receive_input(vm);
}

static void end(struct vm *vm, enum vm_state state)
{
	vm->state = state;
	vm->vcpu.stopped = vm->vcpu.attention = true;
	terminal_flush(vm);
}

void vm_power_off(struct vm *vm, int status)
{
	vm->status = status;
	end(vm, VM_POWERED_OFF);
	print("trapeze: vm %s powered off, status %d\n", vm->name, status);
	__atomic_fetch_sub(&vm_running, 1, __ATOMIC_SEQ_CST);
}

void vm_die(struct vm *vm, const char *format, ...)
{
	char reason[160];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	end(vm, VM_DIED);
	print("trapeze: vm %s died: %s\n", vm->name, reason);
	vcpu_dump(&vm->vcpu);
	__atomic_fetch_sub(&vm_running, 1, __ATOMIC_SEQ_CST);
}
