/* The hypercalls of runtime/hypercall.h, on the hypervisor's side. */
#include "runtime/hypercall.h"

#include "kernel/canary.h"
#include "kernel/exit.h"
#include "kernel/vm.h"
#include "runtime/errno.h"

static unsigned int privilege_level(struct vcpu *vcpu)
{
	return (vcpu_get(vcpu, REG_SEGMENT(SEG_SS, PART_ACCESS)) >> 5) & 3;
}

/* Exits that have nothing to do with what the guest executes are not counted. */
static int count_exits(const struct vcpu *vcpu)
{
	uint64_t exits = 0;
	unsigned int kind;

	for (kind = 0; kind < EXIT_KINDS; kind++)
		if (kind != EXIT_INTERRUPT && kind != EXIT_TICK && kind != EXIT_IRQ_WINDOW)
			exits += vcpu->stats.by_kind[kind].count;
	return (int)(exits & INT32_MAX);
}

static int ask(uint32_t number)
{
	if (!canary_is_on())
		return -ENOSYS;
	if (number >= vm_count || vm_list[number]->state != VM_RUNNING)
		return -ENOENT;
	return (int)(__atomic_load_n(&vm_list[number]->told, __ATOMIC_RELAXED) & INT32_MAX);
}

static int call(struct vcpu *vcpu, uint32_t number)
{
	if (privilege_level(vcpu) != 0)
		return -EPERM;
	switch (number) {
	case HYPERCALL_NOP:
		return 0;
	case HYPERCALL_POWEROFF:
		vm_power_off(vcpu->vm, (int)vcpu->gpr[GPR_RBX]);
		return 0;
	case HYPERCALL_YIELD:
		vcpu->yielded = vcpu->attention = true;
		return 0;
	case HYPERCALL_EXITS:
		return count_exits(vcpu);
	case HYPERCALL_CANARIES:
		return canary_check();
	case HYPERCALL_TELL:
		__atomic_store_n(&vcpu->vm->told, (uint32_t)vcpu->gpr[GPR_RBX], __ATOMIC_RELAXED);
		return 0;
	case HYPERCALL_ASK:
		return ask((uint32_t)vcpu->gpr[GPR_RBX]);
	}
	return -ENOSYS;
}

void guest_hypercall(struct vcpu *vcpu, const struct exit *exit)
{
	int result = call(vcpu, (uint32_t)vcpu->gpr[GPR_RAX]);

	vcpu->gpr[GPR_RAX] = (uint32_t)result;
	backend->advance(vcpu, exit);
}
