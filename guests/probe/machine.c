/* Reads and restores the state of machine.def. */
#include "guests/probe/machine.h"

#include "runtime/segments.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define TSS_BUSY BIT(41) /* in the descriptor ("TSS Descriptor") */

const char *const machine_names[MACHINE_COUNT] = {
#define MACHINE(name, read, write) [MACHINE_##name] = #name,
#include "guests/probe/machine.def"
#undef MACHINE
};

static bool has_xsave(void)
{
	return (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_OSXSAVE) && (read_cr4() & CR4_OSXSAVE);
}

static uint64_t read_xcr0(void)
{
	return has_xsave() ? xgetbv(0) : 0;
}

static void write_xcr0(uint64_t value)
{
	if (has_xsave())
		xsetbv(0, value);
}

static bool has_tsc_aux(void)
{
	return cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_RDTSCP;
}

static uint64_t read_tsc_aux(void)
{
	return has_tsc_aux() ? rdmsr(MSR_IA32_TSC_AUX) : 0;
}

static void write_tsc_aux(uint64_t value)
{
	if (has_tsc_aux())
		wrmsr(MSR_IA32_TSC_AUX, value);
}

static void write_ldtr(uint16_t selector)
{
	__asm__ volatile("lldt %0" : : "r"(selector));
}

/* LTR takes only a TSS that is not busy, and makes it busy. */
static void write_tr(uint16_t selector)
{
	uint64_t *descriptor = (uint64_t *)(uintptr_t)(read_gdtr().base + (selector & ~7U));

	*descriptor &= ~TSS_BUSY;
	__asm__ volatile("ltr %0" : : "r"(selector));
}

static bool is_plain;

void machine_stay_plain(void)
{
	is_plain = true;
}

void machine_read(struct machine *machine)
{
#define MACHINE(name, read, write)          machine->value[MACHINE_##name] = read;
#define MACHINE_ANSWERED(name, read, write) machine->value[MACHINE_##name] = is_plain ? 0 : read;
#include "guests/probe/machine.def"
#undef MACHINE
}

void machine_restore(const struct machine *good, const struct machine *now)
{
	uint64_t v;

#define MACHINE(name, read, write)                                                                 \
	v = good->value[MACHINE_##name];                                                           \
	if (v != now->value[MACHINE_##name])                                                       \
		write;
#include "guests/probe/machine.def"
#undef MACHINE
}
