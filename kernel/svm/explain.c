/* Why the CPU refused a VMRUN: saves the VMCB as it was entered with, judges it by every rule of
   spec/svm_checks.def and prints those that are broken, each with fields, values, rule and the
   manual's section. What becomes of the VM is left to kernel/exit.c. */
#include "kernel/svm/explain.h"

#include "kernel/svm/svm.h"
#include "runtime/page_alloc.h"
#include "runtime/paging.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

_Static_assert(sizeof(struct svm_state) <= 2 * PAGE_SIZE, "taken as two pages");
#define STATE_ORDER 1

static void read_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	struct cpuid r = cpuid(leaf, subleaf);

	regs[SVM_CPUID_EAX] = r.eax;
	regs[SVM_CPUID_EBX] = r.ebx;
	regs[SVM_CPUID_ECX] = r.ecx;
	regs[SVM_CPUID_EDX] = r.edx;
}

/* The PDPEs of a guest without nested paging lie at its CR3 in the host's memory. */
static void read_pdpes(struct svm_state *state)
{
	uint64_t address = state->vmcb.cr3 & BITS(31, 5);

	state->pdpes_known = paging_lookup(address, NULL) != 0;
	if (state->pdpes_known)
		memcpy(state->pdpe, (const void *)address, sizeof(state->pdpe));
}

/* Puts back what the CPU has overwritten. */
static void restore_entered(struct svm_vmcb *vmcb, const struct svm_entered *entered)
{
	if (!entered->known)
		return;
	vmcb->eventinj = entered->eventinj;
	vmcb->efer = entered->efer;
	vmcb->cs = entered->cs;
	memcpy(&vmcb->byte[offsetof(struct svm_vmcb, cr4)], entered->registers,
		sizeof(entered->registers));
}

void svm_explain_read(struct svm_state *state, struct vcpu *vcpu)
{
	static const struct svm_cpuid_source this_cpu = { read_cpuid };

	state->vmcb = vcpu->svm->vmcb;
	restore_entered(&state->vmcb, &vcpu->svm->entered);
	svm_cpu_read(&state->cpu, &this_cpu);
	state->cpu.host_cr0 = read_cr0();
	state->cpu.u_cet = 0;
	if (!(state->cpu.cr4_reserved & CR4_CET))
		rdmsr_safe(MSR_IA32_U_CET, &state->cpu.u_cet);
	read_pdpes(state);
}

static void print_check(const struct svm_check *check, const struct svm_state *state)
{
	for (unsigned int i = 0; i < SVM_CHECK_FIELDS && check->field[i] != VMCB_NONE; i++)
		print("trapeze: explain: %s: %s = 0x%lx\n", i == 0 ? "broken" : "   with",
			svm_vmcb_fields[check->field[i]].name,
			svm_vmcb_read(&state->vmcb, check->field[i]));
	print("trapeze: explain:   rule %s: %s\n", check->id, check->rule);
	print("trapeze: explain:   AMD APM volume 2, \"%s\"\n", svm_check_section(check));
}

void svm_explain(struct vcpu *vcpu)
{
	struct svm_state *state = page_alloc(STATE_ORDER);
	unsigned int broken = 0;

	print("trapeze: explain: VMRUN failed: VMEXIT_INVALID\n");
	if (!state) {
		print("trapeze: explain: no memory left to look into it\n");
		return;
	}
	svm_explain_read(state, vcpu);
	for (unsigned int i = svm_check_next(state, 0); i < SVM_CHECKS;
		i = svm_check_next(state, i + 1), broken++)
		print_check(&svm_checks[i], state);
	if (broken == 0)
		print("trapeze: explain: no rule that the manual gives for VMRUN is found "
		      "broken\n");
	page_free(state, STATE_ORDER);
}
