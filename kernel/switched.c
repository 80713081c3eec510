/* Exchanges debug registers, system-call MSRs and FPU state between vCPUs. XSAVE does the FPU where it
   is there (Intel SDM, "Managing State Using the XSAVE Feature Set"), FXSAVE elsewhere. */
#include "kernel/switched.h"

#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/fpu.h"

static struct vcpu *loaded[SMP_MAX_CPUS]; /* whose state is in a CPU's registers */
static uint64_t all_features; /* XCR0 with all that this CPU has; 0: no XSAVE */
static bool has_tsc_aux;

void switched_init_cpu(void)
{
	struct cpuid state;

	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	has_tsc_aux = cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_RDTSCP;
	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	state = cpuid(CPUID_XSAVE, 0);
	all_features = (uint64_t)state.edx << 32 | state.eax;
	xsetbv(0, all_features);
}

/* The pages for all of this CPU's FPU state, as an order of page_alloc(). */
static unsigned int area_order(void)
{
	uint64_t bytes = all_features ? cpuid(CPUID_XSAVE, 0).ecx : FXSAVE_BYTES;
	unsigned int order = 0;

	while (PAGE_SIZE << order < bytes)
		order++;
	return order;
}

int switched_create(struct vcpu_switched *state)
{
	uint16_t fcw = FCW_RESET;
	uint32_t mxcsr = MXCSR_RESET;

	*state = (struct vcpu_switched){ .dr6 = DR6_RESET, .xcr0 = XCR0_X87 };
	state->xsave = page_alloc_zeroed(area_order());
	if (state->xsave == NULL)
		return -ENOMEM;
	memcpy((char *)state->xsave + FXSAVE_FCW, &fcw, sizeof(fcw));
	memcpy((char *)state->xsave + FXSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
	return 0;
}

void switched_destroy(struct vcpu_switched *state)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(loaded); i++)
		if (loaded[i] != NULL && &loaded[i]->switched == state)
			loaded[i] = NULL;
	page_free(state->xsave, area_order());
}

static void save_fpu(struct vcpu_switched *state)
{
	if (all_features == 0) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(state->xsave) : "memory");
		return;
	}
	state->xcr0 = xgetbv(0);
	xsetbv(0, all_features);
	__asm__ volatile("xsave64 (%0)" : : "r"(state->xsave), "a"(~0), "d"(~0) : "memory");
}

/* XCR0 holds all features here: what the area has not, is set to its initial value. */
static void load_fpu(const struct vcpu_switched *state)
{
	if (all_features == 0) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(state->xsave) : "memory");
		return;
	}
	xsetbv(0, all_features);
	__asm__ volatile("xrstor64 (%0)" : : "r"(state->xsave), "a"(~0), "d"(~0) : "memory");
	xsetbv(0, state->xcr0);
}

static void save_registers(struct vcpu_switched *state)
{
	state->cr2 = read_cr2();
	state->dr[0] = read_dr0();
	state->dr[1] = read_dr1();
	state->dr[2] = read_dr2();
	state->dr[3] = read_dr3();
	state->dr6 = read_dr6();
	state->star = rdmsr(MSR_IA32_STAR);
	state->lstar = rdmsr(MSR_IA32_LSTAR);
	state->cstar = rdmsr(MSR_IA32_CSTAR);
	state->fmask = rdmsr(MSR_IA32_FMASK);
	state->kernel_gs_base = rdmsr(MSR_IA32_KERNEL_GS_BASE);
	if (has_tsc_aux)
		state->tsc_aux = rdmsr(MSR_IA32_TSC_AUX);
}

static void load_registers(const struct vcpu_switched *state)
{
	write_cr2(state->cr2);
	write_dr0(state->dr[0]);
	write_dr1(state->dr[1]);
	write_dr2(state->dr[2]);
	write_dr3(state->dr[3]);
	write_dr6(state->dr6);
	wrmsr(MSR_IA32_STAR, state->star);
	wrmsr(MSR_IA32_LSTAR, state->lstar);
	wrmsr(MSR_IA32_CSTAR, state->cstar);
	wrmsr(MSR_IA32_FMASK, state->fmask);
	wrmsr(MSR_IA32_KERNEL_GS_BASE, state->kernel_gs_base);
	if (has_tsc_aux)
		wrmsr(MSR_IA32_TSC_AUX, state->tsc_aux);
}

void switched_load(struct vcpu *vcpu)
{
	struct vcpu *before = loaded[vcpu->cpu];

	if (before == vcpu)
		return;
	if (before != NULL) {
		save_registers(&before->switched);
		save_fpu(&before->switched);
	}
	load_registers(&vcpu->switched);
	load_fpu(&vcpu->switched);
	loaded[vcpu->cpu] = vcpu;
}
