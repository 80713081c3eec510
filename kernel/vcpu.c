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

static void record_exit(struct vcpu *vcpu, const struct exit *exit, uint64_t tsc)
{
	struct ring *ring = &stats_rings[vcpu->cpu];
	struct ring_entry *entry = &ring->entry[ring->next++ % STATS_RING];

	entry->tsc = tsc;
	entry->rip = exit->rip;
	entry->raw = exit->raw;
	entry->info = exit->info;
	entry->vm = vcpu->vm->number;
	entry->kind = exit->kind;
	vcpu->stats.count[exit->kind]++;
}

void vcpu_run(struct vcpu *vcpu, uint64_t until)
{
	struct vm *vm = vcpu->vm;
	struct exit exit;
	uint64_t entered, left = rdtsc();

	exit.kind = EXIT_TICK;
	switched_load(vcpu);
	backend->load(vcpu);
	vcpu->yielded = false;
	vm_update(vm, left);
	while (vcpu_is_runnable(vcpu) && left < until && !vcpu->yielded) {
		if (unlikely(pic_pending(&vm->pic) || vcpu->irq_window))
			deliver_interrupt(vcpu);
		vcpu->deadline = MIN(until, pit_deadline(&vm->pit));
		entered = rdtsc();
		vcpu->stats.ticks[exit.kind] += entered - left;
		if (unlikely(stats_first_entry == 0))
			stats_first_entry = entered;
		backend->enter(vcpu, &exit);
		left = rdtsc();
		vcpu->stats.guest_ticks += left - entered;
		record_exit(vcpu, &exit, left);
		exit_handle(vcpu, &exit);
		if (unlikely(vcpu->kill && !vcpu->stopped))
			vm_die(vm, "killed by the user");
	}
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
	*event = (struct event){ .valid = true,
		.type = EVENT_EXCEPTION,
		.vector = vector,
		.has_error = (VECTORS_WITH_ERROR_CODE & BIT(vector)) &&
			(vcpu_get(vcpu, REG_CR0) & CR0_PE),
		.error = error };
}
