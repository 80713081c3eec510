/* Lab 3, the loop of both vendors: vcpu_run() on a back end that plays exits from a script, so that
   nothing but the loop itself is tested. */
#define TEST_FOLDER "lab3/"
#include "kernel/exit.h"
#include "kernel/vm.h"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/x86.h"

#define FAR       UINT64_C(1000000000000) /* ticks */
#define VM_NUMBER 3
#define CACHE_RIP 0x1000
#define LOOP      "kernel/vcpu.c"

/* What the back end was asked for. */
static struct {
	unsigned int loads, enters, advances;
	bool loaded_first; /* before the first entry */
	uint64_t entered;  /* vcpu->entered as enter() saw it */
	const struct exit *exit;
	enum exit_kind script[8];
} played;

static void play_load(struct vcpu *vcpu)
{
	played.loaded_first = played.enters == 0;
	played.loads++;
}

/* The script's last exit is repeated. */
static void play_enter(struct vcpu *vcpu, struct exit *exit)
{
	unsigned int next = MIN(played.enters, (unsigned int)ARRAY_SIZE(played.script) - 1);

	*exit = (struct exit){ .kind = played.script[next], .rip = CACHE_RIP, .len = 2 };
	played.entered = vcpu->entered;
	played.exit = exit;
	played.enters++;
}

static void play_advance(struct vcpu *vcpu, const struct exit *exit)
{
	played.advances += exit->rip == CACHE_RIP && exit->len == 2;
}

static uint64_t play_get(struct vcpu *vcpu, enum reg reg)
{
	return reg == REG_RFLAGS ? RFLAGS_FIXED | RFLAGS_IF : 0;
}

static void play_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
}

static void play_window(struct vcpu *vcpu, bool wanted)
{
}

static const struct backend scripted = { .name = "script",
	.load = play_load,
	.enter = play_enter,
	.advance = play_advance,
	.get = play_get,
	.set = play_set,
	.irq_window = play_window };

/* Runs the loop until `ticks` from now over two exits that advance and one HLT, or over `last` for
 * ever. */
static struct vcpu *loop(enum exit_kind last, uint64_t ticks)
{
	const struct backend *real = backend;
	struct vm *vm = lab_vm(true);

	__builtin_memset(&played, 0, sizeof(played));
	for (unsigned int i = 0; i < ARRAY_SIZE(played.script); i++)
		played.script[i] = i < 2 ? EXIT_CACHE : last;
	vm->number = VM_NUMBER;
	pic_init(&vm->pic);
	pit_init(&vm->pit);
	if (switched_create(&vm->vcpu.switched) != 0)
		return NULL;
	backend = &scripted;
	vcpu_run(&vm->vcpu, rdtsc() + ticks);
	backend = real;
	return &vm->vcpu;
}

TEST(vcpu_run, loads, LOOP,
	"the vCPU is made the CPU's current one, once, before the first entry" CAUSE(
		"backend->load() is not called, or for each entry"),
	OK)
{
	CHECK(loop(EXIT_HLT, FAR) != NULL);
	CHECK_EQUAL(played.loads, 1);
	CHECK(played.loaded_first);
	return OK;
}

TEST(vcpu_run, until_halted, LOOP,
	"it enters until something wants attention and there is no reason to go on" CAUSE(
		"the loop's condition: as long as nothing wants attention, or prepare_entry() says "
		"to enter"),
	OK)
{
	const struct vcpu *vcpu = loop(EXIT_HLT, FAR);

	CHECK(vcpu != NULL);
	CHECK_EQUAL(played.enters, 3);
	CHECK(vcpu->halted);
	return OK;
}

TEST(vcpu_run, until_deadline, LOOP,
	"at `until` it ends at the next exit that wants attention" CAUSE(
		"prepare_entry() gets another time than that of the last exit"),
	OK)
{
	uint64_t start = rdtsc();

	CHECK(loop(EXIT_TICK, 1000000) != NULL);
	CHECK(rdtsc() - start >= 1000000);
	CHECK(played.enters >= 3);
	return OK;
}

TEST(vcpu_run, handles, LOOP,
	"each exit is handled" CAUSE("exit_handle() is not called for each exit"), OK)
{
	CHECK(loop(EXIT_HLT, FAR) != NULL);
	CHECK_EQUAL(played.advances, 3);
	return OK;
}

TEST(vcpu_run, counts, "kernel/stats.h",
	"exits and their ticks are counted by kind" CAUSE(
		"count goes up at another kind, or the ticks are added to the kind of the exit "
		"that follows"),
	OK)
{
	const struct vcpu *vcpu = loop(EXIT_HLT, FAR);

	CHECK(vcpu != NULL);
	CHECK_EQUAL(vcpu->stats.by_kind[EXIT_CACHE].count, 2);
	CHECK_EQUAL(vcpu->stats.by_kind[EXIT_HLT].count, 1);
	CHECK_EQUAL(vcpu->stats.by_kind[EXIT_CPUID].count, 0);
	CHECK(vcpu->stats.by_kind[EXIT_CACHE].ticks > 0);
	CHECK(vcpu->stats.by_kind[EXIT_HLT].ticks > 0);
	CHECK(vcpu->stats.run_ticks > 0);
	return OK;
}

TEST(vcpu_run, times, "kernel/backend.h",
	"exit->tsc is the time right after the exit, vcpu->entered right before" CAUSE(
		"the TSC is read at another place, or not for each exit"),
	OK)
{
	uint64_t start = rdtsc();

	CHECK(loop(EXIT_HLT, FAR) != NULL);
	CHECK(played.entered > start);
	CHECK(played.exit->tsc >= played.entered);
	CHECK(played.exit->tsc <= rdtsc());
	return OK;
}

TEST(vcpu_run, names_vm, "kernel/backend.h",
	"exit->vm is the VM's number" CAUSE("exit->vm is not written"), OK)
{
	CHECK(loop(EXIT_HLT, FAR) != NULL);
	CHECK_EQUAL(played.exit->vm, VM_NUMBER);
	return OK;
}
