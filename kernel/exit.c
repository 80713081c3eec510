/* One switch over all exits: the table below is the policy. The vendors' files only translate what the
   hardware reports. */
#include "kernel/exit.h"

#include "kernel/memory.h"
#include "kernel/mmio.h"
#include "kernel/vm.h"
#include "runtime/panic.h"
#include "runtime/x86.h"

/* The host has had its interrupt: perhaps another CPU's word that something is to be looked at. */
static void handle_interrupt(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu->attention = true;
}

/* The vCPU waits for an interrupt. With interrupts off none can come: it has ended itself. */
static void handle_hlt(struct vcpu *vcpu, const struct exit *exit)
{
	backend->advance(vcpu, exit);
	vcpu->attention = true;
	if (vcpu_get(vcpu, REG_RFLAGS) & RFLAGS_IF)
		vcpu->halted = true;
	else
		vm_die(vcpu->vm, "halted with interrupts off at RIP %#lx", exit->rip);
}

static void handle_exception(struct vcpu *vcpu, const struct exit *exit)
{
	if (exit->exception.type == EVENT_EXCEPTION)
		vcpu_set_resume_flag(vcpu, exit->exception.vector);
	vcpu->inject = exit->exception;
}

static void handle_tick(struct vcpu *vcpu, const struct exit *exit)
{
	vm_update(vcpu->vm, exit->tsc);
	vcpu->progress.due = true;
	vcpu->attention = true;
}

/* The next round of vcpu_run() finds the guest able to take the interrupt. */
static void handle_irq_window(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu->irq_window = false;
	vcpu->attention = true;
	backend->irq_window(vcpu, false);
}

static void handle_stage2(struct vcpu *vcpu, const struct exit *exit)
{
	if (memory_fault(vcpu->vm, exit) == 0)
		return;
	if (memory_is_ram(vcpu->vm, exit->stage2.gpa))
		vm_die(vcpu->vm, "no memory left for guest-physical address %#lx", exit->stage2.gpa);
	else if (exit->stage2.fetch)
		vm_die(vcpu->vm, "executes at guest-physical address %#lx, where it has no memory",
			exit->stage2.gpa);
	else if (mmio_emulate(vcpu, exit) != 0)
		vm_die(vcpu->vm, "an instruction at RIP %#lx that cannot be emulated accesses "
				 "guest-physical address %#lx, where it has no memory",
			exit->rip, exit->stage2.gpa);
}

/* The guest's caches are the machine's: writing them back on one's word would stall every guest,
   and dropping them would lose the others' data. Memory is coherent without. */
static void handle_cache(struct vcpu *vcpu, const struct exit *exit)
{
	backend->advance(vcpu, exit);
}

static void handle_undefined(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu_inject_exception(vcpu, VECTOR_UD, 0);
}

static void handle_shutdown(struct vcpu *vcpu, const struct exit *exit)
{
	vm_die(vcpu->vm, "triple fault");
}

static void handle_refused(struct vcpu *vcpu, const struct exit *exit)
{
	vm_die(vcpu->vm, "VM entry refused: %s (%#lx)", exit_raw_name(exit), exit->raw);
	backend->explain(vcpu);
}

static void handle_other(struct vcpu *vcpu, const struct exit *exit)
{
	vm_die(vcpu->vm, "unexpected exit %s (%#lx), information %#lx, RIP %#lx", exit_raw_name(exit),
		exit->raw, exit->info, exit->rip);
}

void (*const exit_handlers[EXIT_KINDS])(struct vcpu *vcpu, const struct exit *exit) = {
	[EXIT_CPUID] = guest_cpuid,
	[EXIT_HLT] = handle_hlt,
	[EXIT_IO] = guest_io,
	[EXIT_RDMSR] = guest_rdmsr,
	[EXIT_WRMSR] = guest_wrmsr,
	[EXIT_CR] = guest_cr_access,
	[EXIT_HYPERCALL] = guest_hypercall,
	[EXIT_EXCEPTION] = handle_exception,
	[EXIT_INTERRUPT] = handle_interrupt,
	[EXIT_TICK] = handle_tick,
	[EXIT_IRQ_WINDOW] = handle_irq_window,
	[EXIT_STAGE2] = handle_stage2,
	[EXIT_XSETBV] = guest_xsetbv,
	[EXIT_CACHE] = handle_cache,
	[EXIT_TASK] = guest_task_switch,
	[EXIT_UNDEFINED] = handle_undefined,
	[EXIT_SHUTDOWN] = handle_shutdown,
	[EXIT_REFUSED] = handle_refused,
	[EXIT_OTHER] = handle_other,
};

const char *exit_kind_name(enum exit_kind kind)
{
	static const char *const names[EXIT_KINDS] = {
		[EXIT_CPUID] = "CPUID",
		[EXIT_HLT] = "HLT",
		[EXIT_IO] = "port I/O",
		[EXIT_RDMSR] = "RDMSR",
		[EXIT_WRMSR] = "WRMSR",
		[EXIT_CR] = "control register",
		[EXIT_HYPERCALL] = "hypercall",
		[EXIT_EXCEPTION] = "exception",
		[EXIT_INTERRUPT] = "host interrupt",
		[EXIT_TICK] = "tick",
		[EXIT_IRQ_WINDOW] = "interrupt window",
		[EXIT_STAGE2] = "stage-2 fault",
		[EXIT_XSETBV] = "XSETBV",
		[EXIT_CACHE] = "cache",
		[EXIT_TASK] = "task switch",
		[EXIT_UNDEFINED] = "undefined instruction",
		[EXIT_SHUTDOWN] = "shutdown",
		[EXIT_REFUSED] = "entry refused",
		[EXIT_OTHER] = "other",
	};

	return names[kind];
}
