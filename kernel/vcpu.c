/* The life of a virtual CPU between two time slices: deliver what is due, enter, account, handle.
   What each exit means for the guest is exit.c's. */
#include "kernel/vcpu.h"

#include "kernel/exit.h"
#include "kernel/switched.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/vmx.h"

#define MIN_RUN 1000 /* TSC ticks that a guest gets at least, however fast it set its timer */

int vcpu_create(struct vcpu *vcpu, struct vm *vm)
{
	int error;

	vcpu->vm = vm;
	vcpu->cpu = smp_this()->number;
	guest_fetch_cache_forget(&vcpu->fetch);
	error = switched_create(&vcpu->switched);
	return error ? error : backend->vcpu_create(vcpu);
}

void vcpu_destroy(struct vcpu *vcpu)
{
	backend->vcpu_destroy(vcpu);
	switched_destroy(&vcpu->switched);
}

bool vcpu_is_runnable(const struct vcpu *vcpu)
{
	return !vcpu->stopped && (!vcpu->halted || vcpu->inject.valid || vcpu->kill ||
					 pic_pending(&vcpu->vm->pic));
}

bool vcpu_is_64bit(struct vcpu *vcpu)
{
	return (vcpu_get(vcpu, REG_EFER) & EFER_LMA) &&
	       (vcpu_get(vcpu, REG_SEGMENT(SEG_CS, PART_ACCESS)) & ACCESS_RIGHTS_L);
}

static bool accepts_interrupt(struct vcpu *vcpu)
{
	return !vcpu->inject.valid && (vcpu_get(vcpu, REG_RFLAGS) & RFLAGS_IF) &&
		!vcpu_get(vcpu, REG_INTERRUPT_SHADOW);
}

/* Gives the guest the interrupt that its PIC asks for, now or as soon as it can take it. */
static void deliver_interrupt(struct vcpu *vcpu)
{
	if (accepts_interrupt(vcpu)) {
		vcpu->inject = (struct event){ .valid = true,
			.type = EVENT_INTERRUPT,
			.vector = pic_acknowledge(&vcpu->vm->pic) };
		vcpu->halted = false;
	}
	if (pic_pending(&vcpu->vm->pic) != vcpu->irq_window) {
		vcpu->irq_window = pic_pending(&vcpu->vm->pic);
		backend->irq_window(vcpu, vcpu->irq_window);
	}
}

/* What is due before the next entry: an interrupt, the end of the slice or of the guest. Most exits
   change none of it and set no `attention`. Returns whether to enter. */
static bool prepare_entry(struct vcpu *vcpu, uint64_t now, uint64_t until)
{
	struct vm *vm = vcpu->vm;

	vcpu->attention = false;
	if (unlikely(vcpu->progress.due))
		progress_check(vcpu);
	if (vcpu->kill && !vcpu->stopped)
		vm_die(vm, "killed by the user");
	if (now >= until || vcpu->yielded || !vcpu_is_runnable(vcpu))
		return false;
	if (pic_pending(&vm->pic) || vcpu->irq_window)
		deliver_interrupt(vcpu);
	vcpu->deadline = MIN(until, MAX(pit_deadline(&vm->pit), now + MIN_RUN));
	if (unlikely(stats_first_entry == 0))
		stats_first_entry = rdtsc();
	return true;
}

/* The ring's next place, which the exit is decoded into. */
static struct exit *next_exit(struct ring *ring)
{
	return &ring->exit[ring->next++ % STATS_RING];
}

/* The loop of a hypervisor. First vcpu's state into the CPU (switched_load(), backend->load()) and
   its devices up to date (vm_update()); it has yielded nothing yet, and all is to be looked at
   (attention). Then, as long as nothing wants attention or prepare_entry() says to enter:
   backend->enter() into the ring's next place (next_exit()), exit_handle(). vcpu->entered is the
   TSC right before enter(); an exit's tsc the TSC right after it, its vm this VM's number.
   Statistics: stats.by_kind[kind].count of each exit; the TSC ticks from an exit to the next entry,
   or to the end, are added to the ticks of its kind (those before the first entry count as
   EXIT_TICK's); run_ticks gets all ticks of the call. */
void vcpu_run(struct vcpu *vcpu, uint64_t until)
{
	struct ring *ring = &stats_rings[vcpu->cpu];
	uint64_t *ticks = &vcpu->stats.by_kind[EXIT_TICK].ticks; /* what the last exit's kind costs */
	uint64_t started = rdtsc(), left = started;
	uint8_t number = (uint8_t)vcpu->vm->number;
	struct exit *exit;

	switched_load(vcpu);
	backend->load(vcpu);
	vcpu->yielded = false;
	vcpu->attention = true;
	vm_update(vcpu->vm, left);
	while (likely(!vcpu->attention) || prepare_entry(vcpu, left, until)) {
		exit = next_exit(ring);
		vcpu->entered = rdtsc();
		*ticks += vcpu->entered - left;
		backend->enter(vcpu, exit);
		left = rdtsc();
		exit->tsc = left;
		exit->vm = number;
		ticks = &vcpu->stats.by_kind[exit->kind].ticks;
		vcpu->stats.by_kind[exit->kind].count++;
		exit_handle(vcpu, exit);
	}
	*ticks += rdtsc() - left;
	vcpu->stats.run_ticks += rdtsc() - started;
}

static bool is_contributory(uint8_t vector)
{
	return vector == VECTOR_DE || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* Intel SDM, "Interrupt 8 - Double Fault Exception (#DF)": which two exceptions make a third. */
static bool makes_double_fault(uint8_t first, uint8_t second)
{
	return first == VECTOR_PF ? second == VECTOR_PF || is_contributory(second) :
				    is_contributory(first) && is_contributory(second);
}

/* "Resume Flag": a fault pushes RFLAGS with RF set, which is left to the one who injects it. Neither the
   traps, nor #DB, which may be either, nor the aborts are faults. */
void vcpu_set_resume_flag(struct vcpu *vcpu, uint8_t vector)
{
	const uint32_t others = BIT(VECTOR_DB) | BIT(VECTOR_NMI) | BIT(VECTOR_BP) | BIT(VECTOR_OF) |
		BIT(VECTOR_DF) | BIT(VECTOR_MC);

	if (!(others & BIT(vector)))
		vcpu_set(vcpu, REG_RFLAGS, vcpu_get(vcpu, REG_RFLAGS) | RFLAGS_RF);
}

void vcpu_inject_exception(struct vcpu *vcpu, uint8_t vector, uint32_t error)
{
	struct event *event = &vcpu->inject;

	if (event->valid && event->type == EVENT_EXCEPTION) {
		if (event->vector == VECTOR_DF) {
			vm_die(vcpu->vm, "triple fault (%u during #DF)", vector);
			return;
		}
		if (makes_double_fault(event->vector, vector)) {
			vector = VECTOR_DF;
			error = 0;
		}
	}
	vcpu_set_resume_flag(vcpu, vector);
	*event = (struct event){ .valid = true,
		.type = EVENT_EXCEPTION,
		.vector = vector,
		.has_error = (VECTORS_WITH_ERROR_CODE & BIT(vector)) &&
			(vcpu_get(vcpu, REG_CR0) & CR0_PE),
		.error = error };
}
