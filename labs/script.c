/* The scripted back end: what is called is counted, registers are kept. */
#include "labs/script.h"

#include "kernel/vm.h"
#include "labs/suite.h"
#include "runtime/string.h"
#include "spec/cpu.h"
#include "spec/vmx.h"

struct script script;

static uint64_t get(struct vcpu *vcpu, enum reg reg)
{
	return script.reg[reg];
}

static void set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
	script.reg[reg] = value;
}

static void advance(struct vcpu *vcpu, const struct exit *exit)
{
	script.advances += exit == script.exit;
}

static const char *name_exit(const struct exit *exit)
{
	return "an exit";
}

static const struct backend scripted = {
	.name = "script", .get = get, .set = set, .advance = advance, .exit_name = name_exit
};

struct vcpu *script_vcpu(void)
{
	struct vm *vm = lab_vm(true);

	memset(&script, 0, sizeof(script));
	script.reg[REG_RFLAGS] = RFLAGS_FIXED;
	script.reg[REG_CR0] = CR0_PE | CR0_ET | CR0_PG;
	script.reg[REG_CR4] = CR4_PAE;
	script.reg[REG_EFER] = EFER_LME | EFER_LMA;
	script.reg[REG_SEGMENT(SEG_CS, PART_ACCESS)] = ACCESS_RIGHTS_L;
	return &vm->vcpu;
}

void script_handle(struct vcpu *vcpu, const struct exit *exit,
	void (*handler)(struct vcpu *, const struct exit *))
{
	const struct backend *real = backend;

	backend = &scripted;
	script.exit = exit;
	handler(vcpu, exit);
	backend = real;
}
