/* Events that a monitor delivers or helps to deliver: on stacks that no memory was ever given to,
   so that the delivery itself exits, and one after the other, so that each end of an interrupt
   counts. */
#include "guests/probe/engine.h"
#include "guests/probe/monitor.h"
#include "guests/probe/record.h"
#include "guests/probe/wake.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/pic.h"
#include "spec/pit.h"

#define LOST                                                                                       \
	"an event whose delivery exits to the monitor, for its stack has no memory yet, is lost "  \
	"or changed"
#define SECTION    "Interrupt and Exception Handling"
#define RCX        1
#define SPINS      400000000 /* in which the interrupt must come: some seconds */
#define INTERRUPTS 5
#define PERIOD     (PIT_HZ / 200)

/* One piece of code whose end is delivered on a new stack. */
static const struct stack_probe {
	const char *id, *text;
	uint8_t code[4], bytes;
	bool wakes; /* by the interrupt of wake.h */
	uint64_t rflags;
} stack_probes[] = {
	{ "interrupt_new_stack", "1: loop 1b", { 0xe2, 0xfe }, 2, true, RFLAGS_IF },
	{ "int_new_stack", "int $0x80", { 0xcd, 0x80 }, 2, false, 0 },
	{ "ud_new_stack", "ud2", { 0x0f, 0x0b }, 2, false, 0 },
	{ "step_new_stack", "nop", { 0x90 }, 1, false, RFLAGS_TF },
};

/* The end of two granules of 2 MiB, the largest that a monitor gives out at a time: taking such a
   block touches the first of them only. */
static uint64_t new_stack(void)
{
	uint8_t *block = page_alloc(PAGE_ORDER_2M + 1);

	return block ? (uintptr_t)block + (PAGE_SIZE << (PAGE_ORDER_2M + 1)) : 0;
}

static void run_on_new_stack(const struct stack_probe *probe, const struct machine *good)
{
	struct record record = { .form = probe->id, .mode = engine_mode_name(ENGINE_64_CPL0) };
	uint64_t stack = new_stack();

	if (stack != 0)
		engine_set_exit_stack(stack);
	engine_reset(probe->code, probe->bytes);
	record.before = engine_default(ENGINE_64_CPL0);
	record.before.gpr[RCX] = SPINS;
	record.before.rflags |= probe->rflags;
	machine_read(&record.machine_before);
	if (probe->wakes)
		wake_arm();
	record.result = engine_run(&record.before);
	if (probe->wakes)
		wake_disarm();
	machine_read(&record.machine_after);
	machine_restore(good, &record.machine_after);
	if (record.result.vector == WAKE_VECTOR) /* when exactly is nobody's promise */
		record.result.after.gpr[RCX] = SPINS;
	record_print(&record);
}

static volatile unsigned int interrupts_seen;

static void count_interrupt(struct trap_frame *frame)
{
	interrupts_seen++;
	out8(PIC_MASTER_COMMAND, PIC_OCW2_EOI);
}

/* Several in a row: the next comes only when the one before was ended. */
static unsigned int count_interrupts(void)
{
	trap_handler *before = trap_set_handler(WAKE_VECTOR, count_interrupt);
	unsigned int i;

	interrupts_seen = 0;
	wake_arm_periodic(PERIOD);
	interrupts_on();
	for (i = 0; i < SPINS / 16 && interrupts_seen < INTERRUPTS; i++)
		cpu_pause();
	interrupts_off();
	wake_disarm();
	trap_set_handler(WAKE_VECTOR, before);
	return interrupts_seen;
}

unsigned int interrupt_run(const struct monitor_request *request)
{
	unsigned int i, records = 0;

	for (i = 0; i < ARRAY_SIZE(stack_probes); i++) {
		const struct stack_probe *probe = &stack_probes[i];

		if (!monitor_wants(request, probe->id))
			continue;
		monitor_list(probe->id, SECTION, probe->text, LOST);
		run_on_new_stack(probe, request->good);
		records++;
	}
	if (!monitor_wants(request, "interrupts"))
		return records;
	monitor_list("interrupts", SECTION, "five interrupts of the 8254, each ended by an EOI",
		"an interrupt was lost: not requested, not delivered, or the one before never "
		"ended");
	print("@ interrupts 64/0 end count=%u\n", count_interrupts());
	return records + 1;
}
