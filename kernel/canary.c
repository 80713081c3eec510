/* Plants and checks the canaries. Which state is watched is canary.def's; what to think of a dead
   one is left to the guest that asked. */
#include "kernel/canary.h"

#include "runtime/apic.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/x86.h"
#include "spec/apic.h"
#include "spec/chipset.h"
#include "spec/pic.h"
#include "spec/pit.h"

#define PAGES        64
#define STAINED      24 /* blocks of 2 MiB: more than guests take before the first of them looks */
#define MAX_TSC_GAP  BIT(40) /* ticks between two checks: some minutes */
#define DIGEST_PRIME UINT64_C(0x9e3779b97f4a7c15)

enum canary {
#define CANARY(name, expression) CANARY_##name,
#include "kernel/canary.def"
#undef CANARY
	CANARY_COUNT
};

static const char *const names[CANARY_COUNT] = {
#define CANARY(name, expression) [CANARY_##name] = #name,
#include "kernel/canary.def"
#undef CANARY
};

/* One CPU's state as it was noted. */
struct state {
	uint64_t value[CANARY_COUNT];
	struct descriptor_table gdtr, idtr; /* VT-x makes the limits larger at every exit */
	uint64_t gdt, idt;                  /* digests */
	uint64_t tsc;                       /* at the last check */
	bool watched;                       /* from canary_init_cpu() to canary_end_cpu() */
	bool alive;                         /* by its last check */
	uint32_t round;                     /* which that was */
};

extern char image_start[], image_rodata_end[];
static struct state states[SMP_MAX_CPUS];
static uint64_t *pages[PAGES];
static uint64_t code_digest;
static bool on;
static uint32_t last_round; /* of checks: each asks all CPUs */

/* An MSR that this CPU does not have counts as all ones. */
static uint64_t read_msr(uint32_t number)
{
	uint64_t value;

	return rdmsr_safe(number, &value) == 0 ? value : ~UINT64_C(0);
}

/* The mode bits of a channel's status byte; the rest changes as it counts. */
static uint8_t read_pit_mode(unsigned int channel)
{
	out8(PIT_CONTROL, (uint8_t)(PIT_READ_BACK << PIT_SELECT_SHIFT | PIT_RB_NO_COUNT |
				    PIT_RB_CHANNEL(channel)));
	return in8((uint16_t)(PIT_CHANNEL_0 + channel)) & (PIT_RW | PIT_MODE | PIT_BCD);
}

static void read_state(uint64_t value[CANARY_COUNT])
{
#define CANARY(name, expression) value[CANARY_##name] = expression;
#include "kernel/canary.def"
#undef CANARY
}

static uint64_t digest(uint64_t start, uint64_t end)
{
	const uint64_t *word = (const uint64_t *)(uintptr_t)start;
	uint64_t sum = 0;

	for (; (uintptr_t)(word + 1) <= end; word++)
		sum = (sum ^ *word) * DIGEST_PRIME;
	return sum;
}

static uint64_t digest_table(struct descriptor_table table)
{
	return digest(table.base, table.base + table.limit + 1);
}

static uint64_t digest_code(void)
{
	return digest((uintptr_t)image_start, (uintptr_t)image_rodata_end);
}

/* Each word of a canary page holds something that depends on its address. */
static uint64_t expected_word(const uint64_t *word)
{
	return (uintptr_t)word * DIGEST_PRIME;
}

static bool page_lives(const uint64_t *page)
{
	unsigned int i;

	for (i = 0; i < PAGE_SIZE / sizeof(*page); i++)
		if (page[i] != expected_word(&page[i]))
			return false;
	return true;
}

/* Leaves a word in the middle of each page of the free memory that is taken next: a guest finds it
   in its own, unless that is zeroed. */
static void stain_memory(void)
{
	uint64_t *block[STAINED];
	unsigned int i, j;

	for (i = 0; i < STAINED; i++) {
		block[i] = page_alloc(PAGE_ORDER_2M);
		if (block[i] == NULL)
			break;
		for (j = 0; j < PAGE_SIZE_2M; j += PAGE_SIZE)
			block[i][(j + PAGE_SIZE / 2) / sizeof(uint64_t)] = DIGEST_PRIME;
	}
	while (i-- > 0)
		page_free(block[i], PAGE_ORDER_2M);
}

int canary_init(void)
{
	unsigned int i, j;

	for (i = 0; i < PAGES; i++) {
		pages[i] = page_alloc(PAGE_ORDER_4K);
		if (pages[i] == NULL)
			return -ENOMEM;
		for (j = 0; j < PAGE_SIZE / sizeof(uint64_t); j++)
			pages[i][j] = expected_word(&pages[i][j]);
	}
	stain_memory();
	code_digest = digest_code();
	on = true;
	return 0;
}

void canary_end(void)
{
	unsigned int i;

	for (i = 0; i < PAGES; i++)
		page_free(pages[i], PAGE_ORDER_4K);
}

bool canary_is_on(void)
{
	return on;
}

void canary_init_cpu(void)
{
	struct state *state = &states[smp_this()->number];

	read_state(state->value);
	state->gdtr = read_gdtr();
	state->idtr = read_idtr();
	state->gdt = digest_table(state->gdtr);
	state->idt = digest_table(state->idtr);
	state->tsc = rdtsc();
	state->round = __atomic_load_n(&last_round, __ATOMIC_ACQUIRE);
	__atomic_store_n(&state->watched, true, __ATOMIC_RELEASE);
}

void canary_end_cpu(void)
{
	__atomic_store_n(&states[smp_this()->number].watched, false, __ATOMIC_RELEASE);
}

/* Prints what is wrong; returns how many things are. */
static unsigned int compare(const char *name, uint64_t before, uint64_t now)
{
	if (before == now)
		return 0;
	print("trapeze: error: canary %s of CPU %u: was %#lx, is %#lx\n", name, smp_this()->number,
		before, now);
	return 1;
}

static unsigned int check_state(const struct state *state)
{
	uint64_t now[CANARY_COUNT];
	unsigned int i, dead = 0;

	read_state(now);
	for (i = 0; i < CANARY_COUNT; i++)
		dead += compare(names[i], state->value[i], now[i]);
	return dead + compare("gdt", state->gdt, digest_table(state->gdtr)) +
	       compare("idt", state->idt, digest_table(state->idtr));
}

static unsigned int check_memory(void)
{
	unsigned int i, dead = compare("code and constants", code_digest, digest_code());

	for (i = 0; i < PAGES; i++)
		if (!page_lives(pages[i])) {
			print("trapeze: error: canary page at %#lx: written\n",
				(uintptr_t)pages[i]);
			dead++;
		}
	return dead;
}

/* The clock may neither jump nor go back. */
static unsigned int check_clock(struct state *state)
{
	uint64_t now = rdtsc(), before = state->tsc;

	state->tsc = now;
	return now - before < MAX_TSC_GAP ? 0 : compare("tsc", before, now);
}

void canary_answer(void)
{
	struct state *state = &states[smp_this()->number];
	uint32_t round = __atomic_load_n(&last_round, __ATOMIC_ACQUIRE);

	if (!state->watched || state->round == round)
		return;
	state->alive = check_state(state) + check_clock(state) == 0;
	__atomic_store_n(&state->round, round, __ATOMIC_RELEASE);
}

/* Waits for the answer of one CPU, while another may ask this one. Returns whether all was as it
   was; of one that runs no guests nothing is asked. */
static bool wait_for(const struct state *state, uint32_t round)
{
	while (__atomic_load_n(&state->watched, __ATOMIC_ACQUIRE)) {
		canary_answer();
		if ((int32_t)(__atomic_load_n(&state->round, __ATOMIC_ACQUIRE) - round) >= 0)
			return state->alive;
		cpu_pause();
	}
	return true;
}

int canary_check(void)
{
	bool alive = true;
	uint32_t round;
	unsigned int i;

	if (!on)
		return -ENOSYS;
	round = __atomic_add_fetch(&last_round, 1, __ATOMIC_ACQ_REL);
	for (i = 0; i < smp_cpus; i++)
		alive &= wait_for(&states[i], round);
	return check_memory() == 0 && alive ? 0 : -EFAULT;
}
