/* The workloads. What they cost a monitor is told by its own statistics. */
#include "guests/probe/workload.h"

#include "guests/probe/engine.h"
#include "guests/probe/table.h"
#include "guests/probe/wake.h"
#include "runtime/clock.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/pic.h"
#include "spec/pit.h"

#define INTEGER_ROUNDS 150000
#define MEMORY_ORDER   (PAGE_ORDER_2M + 2)
#define MEMORY_PASSES  2
#define SYSTEM_CALLS   100000
#define PAGE_FAULTS    5000
#define SWITCHES       10000
#define PORT_READS     3000
#define BUSY_ROUNDS    150000 /* while interrupts come */
#define INTERRUPT_GAP  20000  /* TSC ticks from one to the next, about */
#define KERNEL_OFFSET  0xa00  /* in the code page: where context.c lets SYSCALL go */
#define TABLE_ENTRIES  512
#define RBX            3

static volatile uint64_t sink; /* results go here, so that they are computed */

static void nothing(void)
{
}

/* A generator of random numbers and a hash of what it gives. */
static void run_integer(void)
{
	uint64_t value = 1, hash = 0;
	unsigned int i;

	for (i = 0; i < INTEGER_ROUNDS; i++) {
		value = value * UINT64_C(6364136223846793005) + 1442695040888963407;
		hash = (hash ^ value >> 33) * 31;
		hash += hash >> 7;
	}
	sink = hash;
}

/* Writes and reads fresh memory, a word in each 64 bytes. */
static void run_memory(void)
{
	uint64_t words = (PAGE_SIZE << MEMORY_ORDER) / sizeof(uint64_t), i, sum = 0;
	uint64_t *memory = page_alloc(MEMORY_ORDER);
	unsigned int pass;

	assert(memory != NULL);
	for (pass = 0; pass < MEMORY_PASSES; pass++)
		for (i = 0; i < words; i += 8) {
			sum += memory[i];
			memory[i] = sum + i;
		}
	sink = sum;
	page_free(memory, MEMORY_ORDER);
}

/* CPL 3 calls CPL 0, which returns at once. */
static void run_system_calls(void)
{
	static const uint8_t user[] = { 0x0f, 0x05, 0xff, 0xcb, 0x75,
		0xfa };                                       /* syscall; dec %ebx; jnz */
	static const uint8_t kernel[] = { 0x48, 0x0f, 0x07 }; /* sysretq */
	struct engine_registers registers = engine_default(ENGINE_64_CPL3);

	engine_reset(user, sizeof(user));
	memcpy(engine_code + KERNEL_OFFSET, kernel, sizeof(kernel));
	registers.gpr[RBX] = SYSTEM_CALLS;
	engine_run(&registers);
}

/* The entry of the last level that maps an address below 4 GiB. */
static uint64_t *find_entry(uint64_t address)
{
	uint64_t *table = (uint64_t *)(uintptr_t)(read_cr3() & PTE_ADDR);
	unsigned int shift;

	for (shift = 39; shift > 12; shift -= 9)
		table = (uint64_t *)(uintptr_t)(table[address >> shift & (TABLE_ENTRIES - 1)] &
						PTE_ADDR);
	return &table[address >> 12 & (TABLE_ENTRIES - 1)];
}

static uint64_t *faulting_entry;

static void answer_page_fault(struct trap_frame *frame)
{
	*faulting_entry |= PTE_P;
}

/* A page that is taken away and given back at the fault, as demand paging does. */
static void run_page_faults(void)
{
	volatile uint8_t *page = engine_data; /* mapped by an entry of its own */
	trap_handler *before = trap_set_handler(VECTOR_PF, answer_page_fault);
	unsigned int i;

	faulting_entry = find_entry((uintptr_t)page);
	for (i = 0; i < PAGE_FAULTS; i++) {
		*faulting_entry &= ~(uint64_t)PTE_P;
		invlpg((uintptr_t)page);
		page[0]++;
	}
	trap_set_handler(VECTOR_PF, before);
}

/* Two address spaces that are the same but for the address of their first table. */
static void run_context_switches(void)
{
	static uint64_t other[TABLE_ENTRIES] __aligned(4096);
	uint64_t own = read_cr3();
	unsigned int i, j;

	memcpy(other, (const void *)(uintptr_t)(own & PTE_ADDR), PAGE_SIZE);
	for (i = 0; i < SWITCHES; i++) {
		write_cr3(i % 2 ? own : (uintptr_t)other);
		for (j = 0; j < ENGINE_DATA_BYTES; j += ENGINE_DATA_BYTES / 8)
			sink += engine_data[j];
	}
	write_cr3(own);
}

static void run_port_io(void)
{
	unsigned int i;

	for (i = 0; i < PORT_READS; i++)
		sink += in8(PIC_MASTER_DATA);
}

static void end_interrupt(struct trap_frame *frame)
{
	out8(PIC_MASTER_COMMAND, PIC_OCW2_EOI);
}

/* Work that does not wait for interrupts, but is interrupted. */
static void run_interrupts(void)
{
	trap_handler *before = trap_set_handler(WAKE_VECTOR, end_interrupt);
	uint64_t count = clock_scale(PIT_HZ, INTERRUPT_GAP, clock_tsc_hz());
	uint64_t hash = 0;
	unsigned int i;

	wake_arm_periodic((uint16_t)MIN(MAX(count, 4), UINT16_MAX));
	interrupts_on();
	for (i = 0; i < BUSY_ROUNDS; i++)
		hash = (hash ^ i) * 31 + (hash >> 7);
	interrupts_off();
	wake_disarm();
	trap_set_handler(WAKE_VECTOR, before);
	sink = hash;
}

static const struct {
	const char *name;
	void (*run)(void);
} workloads[] = {
	{ "none", nothing },
	{ "integer", run_integer },
	{ "memory", run_memory },
	{ "system_calls", run_system_calls },
	{ "page_faults", run_page_faults },
	{ "context_switches", run_context_switches },
	{ "port_io", run_port_io },
	{ "interrupts", run_interrupts },
};

static void run_one(unsigned int number)
{
	uint64_t started = rdtsc();

	workloads[number].run();
	started = rdtsc() - started;
	print("& %-16s %16lu\n", workloads[number].name, started);
}

void workload_run_integer(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(workloads); i++)
		if (workloads[i].run == run_integer)
			run_one(i);
}

unsigned int workload_run(const char *patterns, const struct machine *good)
{
	unsigned int i, done = 0;

	clock_tsc_hz(); /* measures now, and not within a workload */
	for (i = 0; i < ARRAY_SIZE(workloads); i++) {
		struct machine now;

		if (!table_selects(patterns, workloads[i].name))
			continue;
		run_one(i);
		machine_read(&now);
		machine_restore(good, &now);
		done++;
	}
	return done;
}
