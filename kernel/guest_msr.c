/* The MSRs of the virtual CPU that its accesses exit for; the permission maps pass the rest of
   those that it has straight to the hardware. Any other is #GP, as on a CPU that lacks it. */
#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

/* IA32_MISC_ENABLE: what goes with features that CPUID hides, and what says that they are not
   there. */
#define MISC_ENABLE_HIDDEN                                                                         \
	(MISC_ENABLE_THERMAL | MISC_ENABLE_PERFMON | MISC_ENABLE_SPEEDSTEP | MISC_ENABLE_MONITOR)
#define MISC_ENABLE_UNAVAILABLE (MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS)

static uint64_t efer_allowed(void)
{
	uint32_t edx = cpuid(CPUID_EXT_FEATURES, 0).edx;

	return (edx & CPUID_EXT_EDX_SYSCALL ? EFER_SCE : 0) |
		(edx & CPUID_EXT_EDX_LM ? EFER_LME | EFER_LMA : 0) |
		(edx & CPUID_EXT_EDX_NX ? EFER_NXE : 0) |
		(edx & CPUID_EXT_EDX_FFXSR ? EFER_FFXSR : 0);
}

static int read_msr(struct vcpu *vcpu, uint32_t number, uint64_t *value)
{
	switch (number) {
	case MSR_IA32_TSC:
		*value = rdtsc() + vcpu_get(vcpu, REG_TSC_OFFSET);
		return 0;
	case MSR_IA32_EFER:
		*value = vcpu_get(vcpu, REG_EFER);
		return 0;
	case MSR_IA32_PAT:
		*value = vcpu_get(vcpu, REG_PAT);
		return 0;
	case MSR_IA32_MISC_ENABLE:
		if (rdmsr_safe(number, value) != 0)
			return -EFAULT;
		*value = (*value & ~MISC_ENABLE_HIDDEN) | MISC_ENABLE_UNAVAILABLE;
		return 0;
	case MSR_IA32_BIOS_SIGN_ID: /* the CPU's: errata depend on it */
		return rdmsr_safe(number, value);
	}
	return -EFAULT;
}

/* Intel SDM, "Extended Feature Enable Register": LME cannot change while paging is on, and LMA is
   the CPU's. */
static int write_efer(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu_get(vcpu, REG_EFER);

	if (value & ~efer_allowed())
		return -EFAULT;
	if (((value ^ old) & EFER_LME) && (vcpu_get(vcpu, REG_CR0) & CR0_PG))
		return -EFAULT;
	vcpu_set(vcpu, REG_EFER, (value & ~EFER_LMA) | (old & EFER_LMA));
	return 0;
}

/* Each byte a memory type: 0 1 4 5 6 7 (Intel SDM, "IA32_PAT MSR"). */
static int write_pat(struct vcpu *vcpu, uint64_t value)
{
	unsigned int i, type;

	for (i = 0; i < 64; i += 8) {
		type = (value >> i) & 0xff;
		if (type > 7 || type == 2 || type == 3)
			return -EFAULT;
	}
	vcpu_set(vcpu, REG_PAT, value);
	return 0;
}

static int write_msr(struct vcpu *vcpu, uint32_t number, uint64_t value)
{
	uint64_t old;

	switch (number) {
	case MSR_IA32_TSC:
		vcpu_set(vcpu, REG_TSC_OFFSET, value - rdtsc());
		return 0;
	case MSR_IA32_EFER:
		return write_efer(vcpu, value);
	case MSR_IA32_PAT:
		return write_pat(vcpu, value);
	case MSR_IA32_MISC_ENABLE: /* nothing in it can be changed */
		return read_msr(vcpu, number, &old) == 0 && value == old ? 0 : -EFAULT;
	case MSR_IA32_BIOS_SIGN_ID:
		return 0;
	}
	return -EFAULT;
}

/* RDMSR of the MSR that ECX numbers ("RDMSR - Read From Model Specific Register"): read_msr()'s
   value in EDX:EAX, the upper halves of RDX and RAX zero, and on to the next instruction; or, for
   an MSR that this virtual CPU has not, #GP with error code 0, at this instruction. */
void guest_rdmsr(struct vcpu *vcpu, const struct exit *exit)
{
	uint64_t value;

	if (read_msr(vcpu, (uint32_t)vcpu->gpr[GPR_RCX], &value) != 0) {
		vcpu_inject_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	vcpu->gpr[GPR_RAX] = (uint32_t)value;
	vcpu->gpr[GPR_RDX] = value >> 32;
	backend->advance(vcpu, exit);
}

void guest_wrmsr(struct vcpu *vcpu, const struct exit *exit)
{
	uint64_t value = vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX];

	if (write_msr(vcpu, (uint32_t)vcpu->gpr[GPR_RCX], value) != 0)
		vcpu_inject_exception(vcpu, VECTOR_GP, 0);
	else
		backend->advance(vcpu, exit);
}
