/* One step of an attempt: an access, or a function, and what must come of it. Which attempts there
   are is sweep_attempt.c's. */
#include "guests/probe/sweep_step.h"

#include "runtime/x86.h"
#include "spec/cpuid.h"

static bool is_amd(void)
{
	return cpuid(CPUID_VENDOR, 0).ecx == CPUID_VENDOR_ECX_AMD;
}

static uint64_t count(const struct sweep *sweep)
{
	return sweep->steps_count;
}

static uint64_t where(const struct sweep *sweep, uint64_t index)
{
	return index;
}

static const char *name(const struct sweep *sweep, uint64_t index)
{
	return sweep->steps[index].name;
}

static bool always_matters(const struct sweep *sweep, uint64_t index)
{
	return true;
}

static void expect(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	const struct step *step = &sweep->steps[index];

	policy->rule = "attempt";
	policy->skip = (step->amd && !is_amd()) || (step->intel && is_amd());
	policy->exits = !step->stays;
	policy->vector = step->fault ? step->fault : TRAP_NONE;
	policy->mask = ~UINT64_C(0);
	policy->value = step->expect;
}

static void access(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	const struct step *step = &sweep->steps[index];
	uint16_t port = (uint16_t)step->where;
	volatile uint32_t *word = (volatile uint32_t *)(uintptr_t)step->where;

	switch (step->op) {
	case IN8:
		result->value = in8(port);
		break;
	case IN32:
		result->value = in32(port);
		break;
	case OUT8:
		out8(port, (uint8_t)step->write);
		break;
	case OUT16:
		out16(port, (uint16_t)step->write);
		break;
	case OUT32:
		out32(port, (uint32_t)step->write);
		break;
	case READ32:
		result->value = *word;
		break;
	case WRITE32:
		*word = (uint32_t)step->write;
		break;
	case READ_MSR:
		result->value = rdmsr((uint32_t)step->where);
		break;
	case WRITE_MSR:
		wrmsr((uint32_t)step->where, step->write);
		break;
	case CALL:
		result->value = step->call();
		break;
	}
}

const struct sweep_kind sweep_step_kind = {
	.count = count,
	.where = where,
	.name = name,
	.matters = always_matters,
	.expect = expect,
	.access = access,
};
