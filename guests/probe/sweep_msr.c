/* Every MSR of the ranges that a permission map can cover, and of the hypervisors' range. What this
   virtual CPU has is listed here from its description; any other must be #GP, as on a CPU without
   it. */
#include "guests/probe/sweep.h"

#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/svm.h"

#define HYPERVISOR_FIRST UINT32_C(0x40000000) /* no CPU has MSRs here: hypervisors use them */
#define HYPERVISOR_MSRS  0x100
#define TSC_TOLERANCE    BIT(32) /* ticks between a write and the read that follows */
#define PAT_ENTRY        8       /* bits */

/* What happens when a bit is changed. */
enum behaviour {
	OWN,   /* kept, dropped or refused by the rules of the register, and nobody else's */
	CLOCK, /* kept, and goes on */
	FIXED, /* refused */
	EMPTY, /* dropped */
	PAT,   /* kept where the type is defined */
	EFER,  /* by CPUID */
};

/* Known to the virtual CPU; all others are not there. */
static const struct own {
	uint32_t number;
	enum behaviour behaviour;
} own[] = {
	{ MSR_IA32_TSC, CLOCK },
	{ MSR_IA32_BIOS_SIGN_ID, EMPTY },
	{ MSR_IA32_SYSENTER_CS, OWN },
	{ MSR_IA32_SYSENTER_ESP, OWN },
	{ MSR_IA32_SYSENTER_EIP, OWN },
	{ MSR_IA32_MISC_ENABLE, FIXED },
	{ MSR_IA32_PAT, PAT },
	{ MSR_IA32_EFER, EFER },
	{ MSR_IA32_STAR, OWN },
	{ MSR_IA32_LSTAR, OWN },
	{ MSR_IA32_CSTAR, OWN },
	{ MSR_IA32_FMASK, OWN },
	{ MSR_IA32_FS_BASE, OWN },
	{ MSR_IA32_GS_BASE, OWN },
	{ MSR_IA32_KERNEL_GS_BASE, OWN },
	{ MSR_IA32_TSC_AUX, OWN },
};

static uint8_t leaking[MSRPM_RANGES * MSRPM_RANGE_MSRS / 8 + HYPERVISOR_MSRS / 8];

static const struct own *find_own(uint32_t number)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(own); i++)
		if (own[i].number == number)
			return &own[i];
	return NULL;
}

static uint64_t count(const struct sweep *sweep)
{
	return MSRPM_RANGES * MSRPM_RANGE_MSRS + HYPERVISOR_MSRS;
}

/* The MSR of an index. */
static uint64_t where(const struct sweep *sweep, uint64_t index)
{
	static const uint32_t first[MSRPM_RANGES] = MSRPM_RANGE_FIRST;
	uint64_t range = index / MSRPM_RANGE_MSRS;

	return (range < MSRPM_RANGES ? first[range] : HYPERVISOR_FIRST) + index % MSRPM_RANGE_MSRS;
}

static bool matters(const struct sweep *sweep, uint64_t index)
{
	return msr_name((uint32_t)where(sweep, index)) != NULL;
}

/* RDTSCP comes with its MSR. */
static bool has_tsc_aux(void)
{
	return cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_RDTSCP;
}

/* Not all CPUs have them: the virtual one follows the real one. */
static bool is_optional(const struct own *msr)
{
	return msr->behaviour == FIXED || msr->behaviour == EMPTY;
}

static void expect_absent(struct sweep_policy *policy)
{
	policy->rule = "absent";
	policy->vector = VECTOR_GP;
	policy->exits = true;
}

static void expect_read(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	uint32_t number = (uint32_t)where(sweep, index);
	const struct own *msr = find_own(number);

	if (msr == NULL || (number == (uint32_t)MSR_IA32_TSC_AUX && !has_tsc_aux())) {
		expect_absent(policy);
		return;
	}
	policy->rule = "own";
	if (is_optional(msr))
		policy->vector = SWEEP_ANY;
}

static void expect_write(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	expect_read(sweep, index, policy);
	if (leaking[index / 8] & BIT(index % 8)) {
		policy->rule = "leak";
		policy->skip = true;
	}
	/* With changed bits: msr_bits does that one by one. */
	policy->skip |= sweep->size == 64 && policy->vector != VECTOR_GP;
}

static void read_number(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	result->value = rdmsr((uint32_t)where(sweep, index));
}

/* All bits changed, or none: what is not there counts as 0. */
static void write_number(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	uint32_t number = (uint32_t)where(sweep, index);
	uint64_t value;

	if (sweep->size == 64)
		wrmsr(number, ~UINT64_C(0));
	else if (find_own(number) != NULL && rdmsr_safe(number, &value) == 0)
		wrmsr(number, value);
	else
		wrmsr(number, 0);
}

static void note_leak(const struct sweep *sweep, uint64_t index)
{
	leaking[index / 8] |= (uint8_t)BIT(index % 8);
}

/* msr_bits: an index is an MSR of `own` and a bit. */
static uint64_t count_bits(const struct sweep *sweep)
{
	return ARRAY_SIZE(own) * 64;
}

static bool always_matters(const struct sweep *sweep, uint64_t index)
{
	return true;
}

/* Records tell the MSR with the bit behind it, as two more digits. */
static uint64_t where_bit(const struct sweep *sweep, uint64_t index)
{
	return (uint64_t)own[index / 64].number << 8 | index % 64;
}

static bool is_pat_type(uint64_t type)
{
	return type <= 7 && type != 2 && type != 3;
}

static void expect_pat_bit(unsigned int bit, struct sweep_policy *policy)
{
	uint64_t pat = rdmsr(MSR_IA32_PAT) ^ BIT(bit);

	if (!is_pat_type(pat >> ALIGN_DOWN(bit, PAT_ENTRY) & BITS(7, 0)))
		policy->vector = VECTOR_GP;
}

/* Which bits there are is CPUID's to say; LME cannot change while paging is on, and changing LMA
   may be refused or ignored ("Extended Feature Enable Register"; AMD: "EFER"). */
static void expect_efer_bit(unsigned int bit, struct sweep_policy *policy)
{
	uint32_t edx = cpuid(CPUID_EXT_FEATURES, 0).edx;
	uint64_t there = (edx & CPUID_EXT_EDX_SYSCALL ? EFER_SCE : 0) |
			 (edx & CPUID_EXT_EDX_FFXSR ? EFER_FFXSR : 0);

	if (BIT(bit) == EFER_NXE)
		policy->skip = true; /* this program's page tables have NX bits */
	else if (BIT(bit) == EFER_LMA)
		policy->vector = SWEEP_ANY;
	else if (!(there & BIT(bit)))
		policy->vector = VECTOR_GP;
	if (BIT(bit) == EFER_LMA)
		policy->value = 0;
}

/* The value is what changed: the bit, and in a register of the guest's own perhaps nothing. */
static void expect_bit(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	const struct own *msr = &own[index / 64];
	unsigned int bit = index % 64;

	policy->rule = "own";
	policy->mask = ~UINT64_C(0);
	policy->value = BIT(bit);
	policy->skip = msr->number == (uint32_t)MSR_IA32_TSC_AUX && !has_tsc_aux();
	if (msr->behaviour == OWN || msr->behaviour == EMPTY)
		policy->vector = SWEEP_ANY;
	if (msr->behaviour == OWN)
		policy->mask = ~BIT(bit);
	if (msr->behaviour == OWN || msr->behaviour == CLOCK || msr->behaviour == EMPTY)
		policy->value = 0;
	if (msr->behaviour == FIXED)
		policy->vector = VECTOR_GP;
	if (msr->behaviour == PAT)
		expect_pat_bit(bit, policy);
	if (msr->behaviour == EFER)
		expect_efer_bit(bit, policy);
}

/* Without a memory access in between: GS may be what is changed. */
static uint64_t change_and_read(uint32_t number, uint64_t value, uint64_t before)
{
	uint64_t after;

	wrmsr(number, value);
	after = rdmsr(number);
	wrmsr(number, before);
	return after;
}

static void change_bit(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	const struct own *msr = &own[index / 64];
	uint64_t before = rdmsr(msr->number), value = before ^ BIT(index % 64), after;

	after = change_and_read(msr->number, value, before);
	if (msr->behaviour == CLOCK)
		result->value = after - value < TSC_TOLERANCE ? 0 : after ^ value;
	else
		result->value = after ^ before;
}

static const struct sweep_kind reads = {
	.count = count,
	.where = where,
	.matters = matters,
	.expect = expect_read,
	.access = read_number,
	.leaks = note_leak,
};

static const struct sweep_kind writes = {
	.count = count,
	.where = where,
	.matters = matters,
	.expect = expect_write,
	.access = write_number,
	.leaks = note_leak,
};

static const struct sweep_kind bits = {
	.count = count_bits,
	.where = where_bit,
	.matters = always_matters,
	.expect = expect_bit,
	.access = change_bit,
};

#define RULE                                                                                       \
	"an MSR that the virtual CPU does not have is #GP(0), whatever the machine's CPU has; "    \
	"every access exits"

static const struct sweep sweeps[] = {
	{ .name = "rdmsr", .what = "RDMSR of every MSR", .rule = RULE, .kind = &reads },
	{ .name = "wrmsr_changed",
		.what = "WRMSR of all ones to every MSR that is not the virtual CPU's",
		.rule = RULE,
		.kind = &writes,
		.size = 64 },
	{ .name = "wrmsr_same",
		.what = "WRMSR of the value that was read, or 0, to every MSR",
		.rule = RULE,
		.kind = &writes },
	{ .name = "msr_bits",
		.what = "each bit of the virtual CPU's own MSRs changed and put back",
		.rule = "the virtual CPU's own MSRs hold what its guest wrote, or refuse it by the "
			"manual's rules",
		.kind = &bits },
};

const struct sweep_list sweep_msrs = { sweeps, ARRAY_SIZE(sweeps) };
