/* Every bit of the control and debug registers and of XCR0, changed and put back. What a bit must
   do is the manual's, for the features that the guest's CPUID shows. */
#include "guests/probe/sweep.h"

#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/fpu.h"

#define BITS_OF_ONE 64

/* What changing a bit does. */
enum behaviour {
	KEPT,    /* is read back */
	IGNORED, /* is accepted and has no effect */
	OWN, /* kept or ignored or refused, and nobody else's: the CPU decides, not the monitor */
	REFUSED,  /* #GP */
	NOT_DONE, /* would take this program along */
};

/* The register that sweep->size numbers. */
enum registers { CR0, CR3, CR4, CR8, XCR0, DRS };

static uint64_t count(const struct sweep *sweep)
{
	return BITS_OF_ONE;
}

static uint64_t where(const struct sweep *sweep, uint64_t index)
{
	return index;
}

static bool always_matters(const struct sweep *sweep, uint64_t index)
{
	return true;
}

/* "Control Registers": PG needs PE and cannot be cleared in 64-bit code, NW needs CD. */
static enum behaviour cr0_bit(uint64_t bit)
{
	const uint64_t kept = CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_CD;

	if (bit & kept)
		return KEPT;
	return bit & (CR0_PE | CR0_PG | CR0_NW) || bit > UINT32_MAX ? REFUSED : IGNORED;
}

/* The bits of the address would move the page tables; those above are for attempt.c: not all
   implementations refuse them. */
static enum behaviour cr3_bit(uint64_t bit)
{
	return bit < PAGE_SIZE ? OWN : NOT_DONE;
}

static const struct feature {
	uint64_t bits;
	uint32_t leaf, edx, ebx, ecx; /* one of them */
} features[] = {
	{ CR4_VME | CR4_PVI, CPUID_FEATURES, .edx = CPUID_1_EDX_VME },
	{ CR4_TSD, CPUID_FEATURES, .edx = CPUID_1_EDX_TSC },
	{ CR4_DE, CPUID_FEATURES, .edx = CPUID_1_EDX_DE },
	{ CR4_PSE, CPUID_FEATURES, .edx = CPUID_1_EDX_PSE },
	{ CR4_MCE, CPUID_FEATURES, .edx = CPUID_1_EDX_MCE },
	{ CR4_PGE, CPUID_FEATURES, .edx = CPUID_1_EDX_PGE },
	{ CR4_OSFXSR, CPUID_FEATURES, .edx = CPUID_1_EDX_FXSR },
	{ CR4_OSXMMEXCPT, CPUID_FEATURES, .edx = CPUID_1_EDX_SSE },
	{ CR4_VMXE, CPUID_FEATURES, .ecx = CPUID_1_ECX_VMX },
	{ CR4_SMXE, CPUID_FEATURES, .ecx = CPUID_1_ECX_SMX },
	{ CR4_PCIDE, CPUID_FEATURES, .ecx = CPUID_1_ECX_PCID },
	{ CR4_OSXSAVE, CPUID_FEATURES, .ecx = CPUID_1_ECX_XSAVE },
	{ CR4_FSGSBASE, CPUID_STRUCTURED, .ebx = CPUID_7_EBX_FSGSBASE },
	{ CR4_SMEP, CPUID_STRUCTURED, .ebx = CPUID_7_EBX_SMEP },
	{ CR4_SMAP, CPUID_STRUCTURED, .ebx = CPUID_7_EBX_SMAP },
	{ CR4_UMIP, CPUID_STRUCTURED, .ecx = CPUID_7_ECX_UMIP },
	{ CR4_PKE, CPUID_STRUCTURED, .ecx = CPUID_7_ECX_PKU },
	{ CR4_PKS, CPUID_STRUCTURED, .ecx = CPUID_7_ECX_PKS },
};

static bool shows(const struct feature *feature)
{
	struct cpuid id = cpuid(feature->leaf, 0);

	return (id.edx & feature->edx) || (id.ebx & feature->ebx) || (id.ecx & feature->ecx);
}

/* PAE cannot be cleared in IA-32e mode, nor LA57 changed; CET needs more than its bit. */
static enum behaviour cr4_bit(uint64_t bit)
{
	unsigned int i;

	if (bit == CR4_PCE)
		return KEPT;
	for (i = 0; i < ARRAY_SIZE(features); i++)
		if (features[i].bits & bit)
			return shows(&features[i]) ? KEPT : REFUSED;
	return REFUSED;
}

/* "XSETBV": x87 cannot be off, AVX needs SSE; a state that the CPU has not is refused. */
static enum behaviour xcr0_bit(uint64_t bit)
{
	struct cpuid id = cpuid(CPUID_XSAVE, 0);
	uint64_t there = (uint64_t)id.edx << 32 | id.eax;

	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
		return NOT_DONE;
	if (bit == XCR0_X87 || !(there & bit))
		return REFUSED;
	return bit == XCR0_SSE ? KEPT : OWN; /* the others come in groups */
}

static uint64_t count_debug(const struct sweep *sweep)
{
	return 6 * BITS_OF_ONE;
}

/* Records tell the register's number with the bit behind it, as two more digits. */
static uint64_t where_debug(const struct sweep *sweep, uint64_t index)
{
	static const uint8_t numbers[] = { 0, 1, 2, 3, 6, 7 };

	return (uint64_t)numbers[index / BITS_OF_ONE] << 8 | index % BITS_OF_ONE;
}

/* GD would make the next access to a debug register a fault. */
static enum behaviour debug_bit(uint64_t number, uint64_t bit)
{
	return number == 7 && bit == DR7_GD ? NOT_DONE : OWN;
}

static enum behaviour behaviour_of(const struct sweep *sweep, uint64_t index)
{
	uint64_t bit = BIT(index % BITS_OF_ONE);

	switch ((enum registers)sweep->size) {
	case CR0:
		return cr0_bit(bit);
	case CR3:
		return cr3_bit(bit);
	case CR4:
		return cr4_bit(bit);
	case CR8:
		return index < 4 ? KEPT : REFUSED;
	case XCR0:
		return xcr0_bit(bit);
	default:
		return debug_bit(where_debug(sweep, index) >> 8, bit);
	}
}

/* The value is what has changed in the register: the bit or nothing. */
static void expect(const struct sweep *sweep, uint64_t index, struct sweep_policy *policy)
{
	static const char *const words[] = { "kept", "ignored", "own", "refused", "notdone" };
	enum behaviour behaviour = behaviour_of(sweep, index);
	uint64_t bit = BIT(index % BITS_OF_ONE);

	policy->rule = words[behaviour];
	policy->skip = behaviour == NOT_DONE;
	policy->vector = behaviour == REFUSED ? VECTOR_GP
			 : behaviour == OWN   ? SWEEP_ANY
					      : TRAP_NONE;
	policy->mask = behaviour == OWN ? ~bit : ~UINT64_C(0);
	policy->value = behaviour == KEPT ? bit : 0;
}

#define CHANGE(name, read, write)                                                                  \
	static uint64_t change_##name(uint64_t bit)                                                \
	{                                                                                          \
		uint64_t before = read, v = before ^ bit, after;                                   \
		write;                                                                             \
		after = read;                                                                      \
		v = before;                                                                        \
		write;                                                                             \
		return after ^ before;                                                             \
	}
CHANGE(cr0, read_cr0(), write_cr0(v))
CHANGE(cr3, read_cr3(), write_cr3(v))
CHANGE(cr4, read_cr4(), write_cr4(v))
CHANGE(cr8, read_cr8(), write_cr8(v))
CHANGE(xcr0, xgetbv(0), xsetbv(0, v))
CHANGE(dr0, read_dr0(), write_dr0(v))
CHANGE(dr1, read_dr1(), write_dr1(v))
CHANGE(dr2, read_dr2(), write_dr2(v))
CHANGE(dr3, read_dr3(), write_dr3(v))
CHANGE(dr6, read_dr6(), write_dr6(v))
CHANGE(dr7, read_dr7(), write_dr7(v))

static void change(const struct sweep *sweep, uint64_t index, struct sweep_result *result)
{
	static uint64_t (*const changes[])(uint64_t bit) = { change_cr0, change_cr3, change_cr4,
		change_cr8, change_xcr0, change_dr0, change_dr1, change_dr2, change_dr3, change_dr6,
		change_dr7 };

	if (sweep->size == XCR0)
		write_cr4(read_cr4() | CR4_OSXSAVE);
	result->value = changes[sweep->size + index / BITS_OF_ONE](BIT(index % BITS_OF_ONE));
}

static void hide_xsave(const struct sweep *sweep)
{
	write_cr4(read_cr4() & ~CR4_OSXSAVE);
}

static const struct sweep_kind bits = {
	.count = count,
	.where = where,
	.matters = always_matters,
	.expect = expect,
	.access = change,
	.end = hide_xsave,
};

static const struct sweep_kind debug_bits = {
	.count = count_debug,
	.where = where_debug,
	.matters = always_matters,
	.expect = expect,
	.access = change,
};

#define RULE                                                                                       \
	"a bit that the virtual CPU has is kept, one it has not is refused or ignored, as its "    \
	"CPUID and the manual say"

static const struct sweep sweeps[] = {
	{ .name = "cr0",
		.what = "each bit of CR0 changed and put back",
		.rule = RULE,
		.kind = &bits,
		.size = CR0 },
	{ .name = "cr3",
		.what = "each bit of CR3 beside the address changed and put back",
		.rule = RULE,
		.kind = &bits,
		.size = CR3 },
	{ .name = "cr4",
		.what = "each bit of CR4 changed and put back",
		.rule = RULE,
		.kind = &bits,
		.size = CR4 },
	{ .name = "cr8",
		.what = "each bit of CR8 changed and put back",
		.rule = RULE,
		.kind = &bits,
		.size = CR8 },
	{ .name = "xcr0",
		.what = "each bit of XCR0 changed and put back",
		.rule = RULE,
		.kind = &bits,
		.size = XCR0 },
	{ .name = "dr",
		.what = "each bit of the debug registers changed and put back",
		.rule = RULE,
		.kind = &debug_bits,
		.size = DRS },
};

const struct sweep_list sweep_registers = { sweeps, ARRAY_SIZE(sweeps) };
