/* The hypercalls of runtime/hypercall.h, on the hypervisor's side. */
#include "runtime/hypercall.h"

#include "kernel/exit.h"
#include "kernel/vm.h"
#include "runtime/errno.h"

static unsigned int privilege_level(struct vcpu *vcpu)
{
	return (vcpu_get(vcpu, REG_SEGMENT(SEG_SS, PART_ACCESS)) >> 5) & 3;
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
	}
	return -ENOSYS;
}

void guest_hypercall(struct vcpu *vcpu, const struct exit *exit)
{
	int result = call(vcpu, (uint32_t)vcpu->gpr[GPR_RAX]);

	vcpu->gpr[GPR_RAX] = (uint32_t)result;
	backend->advance(vcpu, exit);
}
