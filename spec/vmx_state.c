/* Gathers a struct vmx_state from a source: which CPUID bits make which bits of an MSR reserved is
   decided here, so that the predicates compare values only. Nothing is judged. */
#include "spec/vmx_predicates.h"

/* CPUID leaves and their bits (Intel SDM volume 2, "CPUID"). */
#define LEAF_FEATURES        7
#define LEAF_PERFMON         10
#define LEAF_TRACE           0x14
#define LEAF_LBR             0x1c
#define LEAF_EXTENDED        UINT32_C(0x80000000)
#define LEAF_EXTENDED_1      UINT32_C(0x80000001)
#define LEAF_WIDTHS          UINT32_C(0x80000008)
#define FEATURES_EBX_SGX     BIT(2)
#define FEATURES_EBX_RTM     BIT(11)
#define FEATURES_EBX_MPX     BIT(14)
#define FEATURES_EBX_TRACE   BIT(25)
#define FEATURES_ECX_SHSTK   BIT(7)
#define FEATURES_ECX_BUSLOCK BIT(24)
#define FEATURES_EDX_LBR     BIT(19)
#define FEATURES_EDX_IBT     BIT(20)
#define FEATURES1_EAX_LAM    BIT(26)
#define EXTENDED_EDX_SYSCALL BIT(11)
#define EXTENDED_EDX_NX      BIT(20)
#define EXTENDED_EDX_LM      BIT(29)

enum { EAX, EBX, ECX, EDX, CPUID_REGS };

/* CPUID of a leaf that may be beyond the CPU's last one: zeroes then. */
static void read_leaf(
	const struct vmx_source *source, uint32_t leaf, uint32_t subleaf, uint32_t regs[CPUID_REGS])
{
	source->cpuid(source, leaf & LEAF_EXTENDED, 0, regs);
	if (leaf <= regs[EAX]) {
		source->cpuid(source, leaf, subleaf, regs);
		return;
	}
	for (int i = 0; i < CPUID_REGS; i++)
		regs[i] = 0;
}

/* "IA32_DEBUGCTL MSR": bits that some models lack count as writable. */
static uint64_t debugctl_bits(const struct vmx_cpu *cpu)
{
	return BITS(1, 0) | BITS(14, 6) | (cpu->bus_lock_detection ? BIT(2) : 0) |
	       (cpu->rtm ? BIT(15) : 0);
}

/* "CET Supervisor Configuration": shadow stacks, then indirect-branch tracking with its bitmap. */
static uint64_t s_cet_bits(const uint32_t features[CPUID_REGS])
{
	uint64_t bits = 0;

	if (features[ECX] & FEATURES_ECX_SHSTK)
		bits |= BITS(1, 0);
	if (features[EDX] & FEATURES_EDX_IBT)
		bits |= BITS(63, 10) | BITS(5, 2);
	return bits;
}

/* "Extended Feature Enable Register" */
static uint64_t efer_bits(const uint32_t extended[CPUID_REGS])
{
	return (extended[EDX] & EXTENDED_EDX_SYSCALL ? EFER_SCE : 0) |
	       (extended[EDX] & EXTENDED_EDX_LM ? EFER_LME | EFER_LMA : 0) |
	       (extended[EDX] & EXTENDED_EDX_NX ? EFER_NXE : 0);
}

/* Bits n - 1 to 0; n at most 63. */
static uint64_t low_bits(unsigned int n)
{
	return BIT(n) - 1;
}

/* "Architectural Performance Monitoring": one bit per counter, general and fixed, and one for the
   metrics that IA32_PERF_CAPABILITIES reports. */
static uint64_t perf_global_ctrl_bits(const struct vmx_source *source)
{
	uint32_t regs[CPUID_REGS];
	uint64_t bits;

	read_leaf(source, LEAF_PERFMON, 0, regs);
	if ((regs[EAX] & 0xff) < 2)
		return 0;
	bits = low_bits(MIN((regs[EAX] >> 8) & 0xff, 32)) | low_bits(regs[EDX] & 0x1f) << 32;
	if (source->rdmsr(source, MSR_IA32_PERF_CAPABILITIES) & BIT(15))
		bits |= BIT(48);
	return bits;
}

/* "IA32_RTIT_CTL MSR": which bits a capability of CPUID leaf 14H makes writable. */
static uint64_t rtit_ctl_bits(const struct vmx_source *source)
{
	static const struct {
		uint8_t reg, bit;
		uint64_t bits;
	} capability[] = {
		{ EBX, 0, BIT(7) },                               /* CR3Filter */
		{ EBX, 1, BIT(1) | BITS(22, 19) | BITS(27, 24) }, /* CYCEn, CycThresh, PSBFreq */
		{ EBX, 3, BIT(9) | BITS(17, 14) },                /* MTCEn, MTCFreq */
		{ EBX, 4, BIT(5) | BIT(12) },                     /* FUPonPTW, PTWEn */
		{ EBX, 5, BIT(4) },                               /* PwrEvtEn */
		{ EBX, 6, BIT(56) },                              /* InjectPsbPmiOnEnable */
		{ EBX, 7, BIT(31) },                              /* EventEn */
		{ EBX, 8, BIT(55) },                              /* DisTNT */
		{ ECX, 0, BIT(8) },                               /* ToPA */
		{ ECX, 3, BIT(6) },                               /* FabricEn */
	};
	/* TraceEn, OS, User, TSCEn, DisRETC, BranchEn */
	uint64_t bits = BIT(0) | BITS(3, 2) | BITS(11, 10) | BIT(13);
	uint32_t main[CPUID_REGS], ranges[CPUID_REGS];

	read_leaf(source, LEAF_TRACE, 0, main);
	read_leaf(source, LEAF_TRACE, 1, ranges);
	for (unsigned int i = 0; i < ARRAY_SIZE(capability); i++)
		if (main[capability[i].reg] & BIT(capability[i].bit))
			bits |= capability[i].bits;
	/* ADDRn_CFG, four bits per address range, four ranges at most. */
	if (main[EAX] >= 1)
		bits |= low_bits(MIN(ranges[EAX] & 7, 4) * 4) << 32;
	return bits;
}

/* "Architectural Last Branch Records": LBREn; OS and USR; CALL_STACK; the branch filters. */
static uint64_t lbr_ctl_bits(const struct vmx_source *source)
{
	uint32_t regs[CPUID_REGS];

	read_leaf(source, LEAF_LBR, 0, regs);
	return BIT(0) | (regs[EBX] & BIT(0) ? BITS(2, 1) : 0) |
	       (regs[EBX] & BIT(1) ? BITS(22, 16) : 0) | (regs[EBX] & BIT(2) ? BIT(3) : 0);
}

/* What CPUID leaf 7 says of the CPU. */
static void read_features(struct vmx_cpu *cpu, const struct vmx_source *source)
{
	uint32_t features[CPUID_REGS], features1[CPUID_REGS];

	read_leaf(source, LEAF_FEATURES, 0, features);
	read_leaf(source, LEAF_FEATURES, features[EAX] >= 1 ? 1 : 0, features1);
	if (features[EAX] < 1)
		features1[EAX] = 0;
	cpu->sgx = features[EBX] & FEATURES_EBX_SGX;
	cpu->rtm = features[EBX] & FEATURES_EBX_RTM;
	cpu->bus_lock_detection = features[ECX] & FEATURES_ECX_BUSLOCK;
	cpu->lam = features1[EAX] & FEATURES1_EAX_LAM;
	cpu->debugctl = debugctl_bits(cpu);
	cpu->s_cet = s_cet_bits(features);
	cpu->bndcfgs = features[EBX] & FEATURES_EBX_MPX ? BITS(63, 12) | BITS(1, 0) : 0;
	cpu->rtit_ctl = features[EBX] & FEATURES_EBX_TRACE ? rtit_ctl_bits(source) : 0;
	cpu->lbr_ctl = features[EDX] & FEATURES_EDX_LBR ? lbr_ctl_bits(source) : 0;
	cpu->tracing = (features[EBX] & FEATURES_EBX_TRACE) &&
		       (source->rdmsr(source, MSR_IA32_RTIT_CTL) & BIT(0));
}

/* What the extended leaves say of it. */
static void read_extended(struct vmx_cpu *cpu, const struct vmx_source *source)
{
	uint32_t extended[CPUID_REGS], widths[CPUID_REGS];

	read_leaf(source, LEAF_EXTENDED_1, 0, extended);
	read_leaf(source, LEAF_WIDTHS, 0, widths);
	cpu->intel64 = extended[EDX] & EXTENDED_EDX_LM;
	cpu->efer = efer_bits(extended);
	cpu->physical_width = widths[EAX] ? (uint8_t)widths[EAX] : 36;
	cpu->linear_width = widths[EAX] >> 8 ? (uint8_t)(widths[EAX] >> 8) : 32;
}

void vmx_state_read_cpu(struct vmx_state *state, const struct vmx_source *source)
{
	struct vmx_cpu *cpu = &state->cpu;

	*cpu = (struct vmx_cpu){ 0 };
	read_features(cpu, source);
	read_extended(cpu, source);
	cpu->perf_global_ctrl = perf_global_ctrl_bits(source);
	cpu->ia32e = source->rdmsr(source, MSR_IA32_EFER) & EFER_LMA;
	cpu->current_vmcs = source->current_vmcs(source);
	for (unsigned int i = 0; i < VMX_CAPABILITY_MSRS; i++)
		state->capability[i] = source->rdmsr(source, MSR_IA32_VMX_BASIC + i);
}

void vmx_state_read_fields(struct vmx_state *state, const struct vmx_source *source)
{
	for (unsigned int i = 0; i < VMCS_FIELDS; i++)
		state->field[i] = source->vmread(source, vmcs_fields[i].encoding);
}

/* A word of memory; unknown when the source cannot read memory, or not there. */
static struct vmx_word read_word(const struct vmx_state *state, const struct vmx_source *source,
	uint64_t address, size_t bytes)
{
	struct vmx_word word = { false, 0 };

	if (source->read_physical && is_physical(state, address))
		word.known = source->read_physical(source, address, bytes, &word.value);
	return word;
}

void vmx_state_read_memory(struct vmx_state *state, const struct vmx_source *source)
{
	const uint64_t vtpr_offset = 0x80; /* "Virtualized APIC Registers" */
	const struct vmx_word unknown = { false, 0 };
	bool walks = vmx_state_uses_pdptes(state) && !PROC2(ENABLE_EPT);

	state->vtpr = unknown;
	if (PROC(TPR_SHADOW) && IS_ALIGNED(VMCS(VIRTUAL_APIC_ADDRESS), PAGE_SIZE))
		state->vtpr = read_word(
			state, source, VMCS(VIRTUAL_APIC_ADDRESS) + vtpr_offset, sizeof(uint32_t));
	state->link_revision = unknown;
	if (VMCS(VMCS_LINK_POINTER) != VMCS_NO_POINTER)
		state->link_revision =
			read_word(state, source, VMCS(VMCS_LINK_POINTER), sizeof(uint32_t));
	for (unsigned int i = 0; i < ARRAY_SIZE(state->pdpte); i++)
		state->pdpte[i] =
			walks ? read_word(state, source, (VMCS(GUEST_CR3) & BITS(31, 5)) + i * 8, 8)
			      : unknown;
}

void vmx_state_read(struct vmx_state *state, const struct vmx_source *source)
{
	vmx_state_read_cpu(state, source);
	vmx_state_read_fields(state, source);
	vmx_state_read_memory(state, source);
}

uint64_t vmx_state_allowed(const struct vmx_state *state, enum msr plain, enum msr true_msr)
{
	return vmx_state_capability(state, CAPABILITY(VMX_BASIC, TRUE_CONTROLS) ? true_msr : plain);
}

uint64_t vmx_state_proc2(const struct vmx_state *state)
{
	return PROC(ACTIVATE_SECONDARY_CONTROLS) ? VMCS(PROC2_CONTROLS) : 0;
}

uint64_t vmx_state_proc3(const struct vmx_state *state)
{
	return PROC(ACTIVATE_TERTIARY_CONTROLS) ? VMCS(PROC3_CONTROLS) : 0;
}

bool vmx_state_uses_pdptes(const struct vmx_state *state)
{
	return (VMCS(GUEST_CR0) & CR0_PG) && (VMCS(GUEST_CR4) & CR4_PAE) &&
	       !VM_ENTRY(IA32E_MODE_GUEST);
}
