/* The predicates of spec/svm_checks.def, one rule of the manual each, and what CPUID says about the
   bits that a CPU reserves. How a state was saved is left to the caller. */
#include "spec/cpuid.h"
#include "spec/svm_checks.h"

#define CHECK(id, section, rule, ...) static bool id(const struct svm_state *state);
#include "spec/svm_checks.def"

/* A field of the state; the predicates call their parameter `state`. */
#define VMCB(name) (state->vmcb.name)

static bool implies(bool a, bool b)
{
	return !a || b;
}

static bool has_feature(const struct svm_state *state, uint64_t feature)
{
	return (state->cpu.features & feature) != 0;
}

static bool is_intercepted(const struct svm_state *state, enum svm_intercept intercept)
{
	return (VMCB(intercept)[intercept / 32] & BIT(intercept % 32)) != 0;
}

/* Long mode is what LME and PG make of it; LMA in the VMCB follows. */
static bool is_long_mode(const struct svm_state *state)
{
	return (VMCB(efer) & EFER_LME) && (VMCB(cr0) & CR0_PG);
}

static bool is_64bit_mode(const struct svm_state *state)
{
	return is_long_mode(state) && (VMCB(cs).attributes & SVM_SEGMENT_L);
}

static bool uses_nested_paging(const struct svm_state *state)
{
	return (VMCB(nested_control) & NESTED_NP_ENABLE) && has_feature(state, SVM_EDX_NP);
}

static bool uses_avic(const struct svm_state *state)
{
	return (VMCB(v_intr) & V_INTR_AVIC_ENABLE) && has_feature(state, SVM_EDX_AVIC);
}

/* The bytes [address, address + size) exist on this CPU, RAM or not. */
static bool is_physical(const struct svm_state *state, uint64_t address, uint64_t size)
{
	uint64_t limit = BIT(state->cpu.physical_width);

	return address < limit && size <= limit - address;
}

static uint64_t physical_reserved(const struct svm_state *state)
{
	return BITS(51, 0) & ~(BIT(state->cpu.physical_width) - 1);
}

/* ---- Canonicalization and Consistency Checks ---- */

static bool efer_svme(const struct svm_state *state)
{
	return (VMCB(efer) & EFER_SVME) != 0;
}

static bool cr0_nw_without_cd(const struct svm_state *state)
{
	return implies(!(VMCB(cr0) & CR0_CD), !(VMCB(cr0) & CR0_NW));
}

static bool cr0_high(const struct svm_state *state)
{
	return (VMCB(cr0) & BITS(63, 32)) == 0;
}

static bool cr3_mbz(const struct svm_state *state)
{
	return implies(
		is_long_mode(state), (VMCB(cr3) & (CR3_LONG_MBZ | physical_reserved(state))) == 0);
}

static bool cr4_mbz(const struct svm_state *state)
{
	return (VMCB(cr4) & state->cpu.cr4_reserved) == 0;
}

static bool dr6_high(const struct svm_state *state)
{
	return (VMCB(dr6) & BITS(63, 32)) == 0;
}

static bool dr7_high(const struct svm_state *state)
{
	return (VMCB(dr7) & BITS(63, 32)) == 0;
}

static bool efer_mbz(const struct svm_state *state)
{
	return (VMCB(efer) & state->cpu.efer_reserved) == 0;
}

static bool efer_long_mode(const struct svm_state *state)
{
	return implies((VMCB(efer) & (EFER_LMA | EFER_LME)) != 0, state->cpu.long_mode);
}

static bool long_mode_needs_pae(const struct svm_state *state)
{
	return implies(is_long_mode(state), (VMCB(cr4) & CR4_PAE) != 0);
}

static bool long_mode_needs_pe(const struct svm_state *state)
{
	return implies(is_long_mode(state), (VMCB(cr0) & CR0_PE) != 0);
}

static bool cs_l_and_d(const struct svm_state *state)
{
	return implies(is_64bit_mode(state) && (VMCB(cr4) & CR4_PAE),
		!(VMCB(cs).attributes & SVM_SEGMENT_DB));
}

static bool vmrun_intercept(const struct svm_state *state)
{
	return is_intercepted(state, INTERCEPT_VMRUN);
}

static bool asid_not_zero(const struct svm_state *state)
{
	return VMCB(guest_asid) != 0;
}

/* Only where the CPU has shadow stacks: then CR4.CET is not reserved. */
static bool has_shadow_stacks(const struct svm_state *state)
{
	return !(state->cpu.cr4_reserved & CR4_CET);
}

static bool s_cet_reserved(const struct svm_state *state)
{
	return implies(has_shadow_stacks(state),
		(VMCB(s_cet) & ~(S_CET_SH_STK_EN | S_CET_WR_SHSTK_EN)) == 0);
}

static bool cet_needs_wp(const struct svm_state *state)
{
	return implies(
		has_shadow_stacks(state) && (VMCB(cr4) & CR4_CET), (VMCB(cr0) & CR0_WP) != 0);
}

static bool shadow_stack_in_v86(const struct svm_state *state)
{
	bool enabled = has_shadow_stacks(state) && (VMCB(cr4) & CR4_CET) &&
		       (state->cpu.u_cet & S_CET_SH_STK_EN);

	return implies(enabled, !(VMCB(rflags) & RFLAGS_VM));
}

/* ---- Control Bits, Loading Guest State, permission maps ---- */

static bool asid_supported(const struct svm_state *state)
{
	return implies(state->cpu.nasid != 0, VMCB(guest_asid) < state->cpu.nasid);
}

/* "Legacy-Mode Page-Directory-Pointer Entry": bits 63:52, 8:5 and 2:1 must be zero in one that is
   present. */
static bool pdpe_reserved(const struct svm_state *state)
{
	uint64_t mbz = BITS(63, 52) | physical_reserved(state) | BITS(8, 5) | BITS(2, 1);
	bool pae = (VMCB(cr0) & CR0_PG) && (VMCB(cr4) & CR4_PAE) && !is_long_mode(state);

	if (!pae || uses_nested_paging(state) || !state->pdpes_known)
		return true;
	for (unsigned int i = 0; i < SVM_PDPES; i++)
		if ((state->pdpe[i] & PTE_P) && (state->pdpe[i] & mbz))
			return false;
	return true;
}

static bool iopm_address(const struct svm_state *state)
{
	return is_physical(state, ALIGN_DOWN(VMCB(iopm_base_pa), PAGE_SIZE), IOPM_BYTES);
}

static bool msrpm_address(const struct svm_state *state)
{
	return is_physical(state, ALIGN_DOWN(VMCB(msrpm_base_pa), PAGE_SIZE), MSRPM_BYTES);
}

/* ---- Event Injection ---- */

/* The vectors that are an exception's. The manual does not list which "correspond to an exception";
   these are those of its table "Interrupt Vector Source and Cause" that are not reserved. */
#define EXCEPTION_VECTORS                                                                          \
	(BIT(VECTOR_DE) | BIT(VECTOR_DB) | BIT(VECTOR_BP) | BIT(VECTOR_OF) | BIT(VECTOR_BR) |      \
		BIT(VECTOR_UD) | BIT(VECTOR_NM) | BIT(VECTOR_DF) | BIT(VECTOR_TS) |                \
		BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) | BIT(VECTOR_PF) |                \
		BIT(VECTOR_MF) | BIT(VECTOR_AC) | BIT(VECTOR_MC) | BIT(VECTOR_XM) |                \
		BIT(VECTOR_CP) | BIT(VECTOR_HV) | BIT(VECTOR_VC) | BIT(VECTOR_SX))

static unsigned int event_type_of(const struct svm_state *state)
{
	return (unsigned int)((VMCB(eventinj) & EVENT_TYPE) >> EVENT_TYPE_SHIFT);
}

static bool injects_exception(const struct svm_state *state)
{
	return (VMCB(eventinj) & EVENT_VALID) && event_type_of(state) == SVM_EVENT_EXCEPTION;
}

static bool event_type(const struct svm_state *state)
{
	uint64_t defined = BIT(SVM_EVENT_INTR) | BIT(SVM_EVENT_NMI) | BIT(SVM_EVENT_EXCEPTION) |
			   BIT(SVM_EVENT_SOFTWARE);

	return implies(
		(VMCB(eventinj) & EVENT_VALID) != 0, (defined & BIT(event_type_of(state))) != 0);
}

static bool event_vector(const struct svm_state *state)
{
	unsigned int vector = VMCB(eventinj) & EVENT_VECTOR;

	return implies(
		injects_exception(state), vector < 32 && (EXCEPTION_VECTORS & BIT(vector)) != 0);
}

/* INTO and BOUND do not exist in 64-bit mode, so neither do their exceptions. */
static bool event_possible(const struct svm_state *state)
{
	unsigned int vector = VMCB(eventinj) & EVENT_VECTOR;

	return implies(injects_exception(state) && is_64bit_mode(state),
		vector != VECTOR_OF && vector != VECTOR_BR);
}

/* ---- NMI Virtualization ---- */

static bool v_nmi_intercept(const struct svm_state *state)
{
	bool enabled = (VMCB(v_intr) & V_INTR_NMI_ENABLE) && has_feature(state, SVM_EDX_VNMI);

	return implies(enabled, is_intercepted(state, INTERCEPT_NMI));
}

/* ---- Nested Paging ---- */

static bool np_host_paging(const struct svm_state *state)
{
	return implies(uses_nested_paging(state), (state->cpu.host_cr0 & CR0_PG) != 0);
}

static bool n_cr3_mbz(const struct svm_state *state)
{
	return implies(uses_nested_paging(state),
		(VMCB(n_cr3) & (CR3_LONG_MBZ | physical_reserved(state))) == 0);
}

static bool g_pat_types(const struct svm_state *state)
{
	if (!uses_nested_paging(state))
		return true;
	for (unsigned int i = 0; i < PAT_FIELDS; i++) {
		uint8_t type = (uint8_t)(VMCB(g_pat) >> (i * PAT_FIELD_BITS));

		if (type >= PAT_FIELDS || !(PAT_TYPES_VALID & BIT(type)))
			return false;
	}
	return true;
}

static bool sss_needs_np(const struct svm_state *state)
{
	bool enabled =
		(VMCB(nested_control) & NESTED_SSS_CHECK) && has_feature(state, SVM_EDX_SSS_CHECK);

	return implies(enabled, uses_nested_paging(state));
}

/* ---- VMCB Changes for AVIC ---- */

static bool x2avic_needs_avic(const struct svm_state *state)
{
	bool enabled = (VMCB(v_intr) & V_INTR_X2AVIC_ENABLE) && has_feature(state, SVM_EDX_X2AVIC);

	return implies(enabled, (VMCB(v_intr) & V_INTR_AVIC_ENABLE) != 0);
}

static bool avic_backing_page_address(const struct svm_state *state)
{
	return implies(uses_avic(state),
		is_physical(state, VMCB(avic_backing_page) & AVIC_ADDRESS, PAGE_SIZE));
}

static bool avic_logical_table_address(const struct svm_state *state)
{
	return implies(uses_avic(state),
		is_physical(state, VMCB(avic_logical_table) & AVIC_ADDRESS, PAGE_SIZE));
}

static bool avic_physical_table_address(const struct svm_state *state)
{
	return implies(uses_avic(state),
		is_physical(state, VMCB(avic_physical_table) & AVIC_ADDRESS, PAGE_SIZE));
}

static bool avic_max_index(const struct svm_state *state)
{
	uint64_t index = VMCB(avic_physical_table) & AVIC_MAX_INDEX;

	if (!uses_avic(state))
		return true;
	if (!(VMCB(v_intr) & V_INTR_X2AVIC_ENABLE))
		return index <= AVIC_MAX_INDEX_XAPIC;
	return (state->cpu.features_ecx & SVM_ECX_X2AVIC_EXT) || index <= AVIC_MAX_INDEX_X2APIC;
}

/* ---- The table ---- */

static const char *const section_titles[SVM_SECTIONS] = {
#define SECTION(name, title) [SVM_SECTION_##name] = (title),
#include "spec/svm_checks.def"
};

const struct svm_check svm_checks[SVM_CHECKS] = {
#define CHECK(id, section, rule, ...)                                                              \
	[SVM_CHECK_##id] = { #id, rule, SVM_SECTION_##section, { __VA_ARGS__ }, id },
#include "spec/svm_checks.def"
};

const char *svm_check_section(const struct svm_check *check)
{
	return section_titles[check->section];
}

unsigned int svm_check_next(const struct svm_state *state, unsigned int first)
{
	while (first < SVM_CHECKS && svm_checks[first].holds(state))
		first++;
	return first;
}

/* ---- What this CPU reserves ---- */

/* A register's bit exists where a CPUID bit says so (APM volume 3, "Feature Bits of the CPUID
   Instruction"); unless: where it does not. */
struct feature_bit {
	uint64_t bit;
	uint32_t leaf; /* 0: on all CPUs with SVM */
	uint8_t reg;   /* enum svm_cpuid_register */
	uint64_t feature;
	bool unless;
};

static const struct feature_bit cr4_bits[] = {
	{ CR4_VME | CR4_PVI, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_VME, false },
	{ CR4_TSD, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_TSC, false },
	{ CR4_DE, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_DE, false },
	{ CR4_PSE, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_PSE, false },
	{ CR4_PAE, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_PAE, false },
	{ CR4_MCE, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_MCE, false },
	{ CR4_PGE, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_PGE, false },
	{ CR4_PCE, 0, 0, 0, false },
	{ CR4_OSFXSR, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_FXSR, false },
	{ CR4_OSXMMEXCPT, CPUID_FEATURES, SVM_CPUID_EDX, CPUID_1_EDX_SSE, false },
	{ CR4_PCIDE, CPUID_FEATURES, SVM_CPUID_ECX, CPUID_1_ECX_PCID, false },
	{ CR4_OSXSAVE, CPUID_FEATURES, SVM_CPUID_ECX, CPUID_1_ECX_XSAVE, false },
	{ CR4_FSGSBASE, CPUID_STRUCTURED, SVM_CPUID_EBX, CPUID_7_EBX_FSGSBASE, false },
	{ CR4_SMEP, CPUID_STRUCTURED, SVM_CPUID_EBX, CPUID_7_EBX_SMEP, false },
	{ CR4_SMAP, CPUID_STRUCTURED, SVM_CPUID_EBX, CPUID_7_EBX_SMAP, false },
	{ CR4_UMIP, CPUID_STRUCTURED, SVM_CPUID_ECX, CPUID_7_ECX_UMIP, false },
	{ CR4_PKE, CPUID_STRUCTURED, SVM_CPUID_ECX, CPUID_7_ECX_PKU, false },
	{ CR4_CET, CPUID_STRUCTURED, SVM_CPUID_ECX, CPUID_7_ECX_CET_SS, false },
	{ CR4_PKS, CPUID_STRUCTURED, SVM_CPUID_ECX, CPUID_7_ECX_PKS, false },
	{ CR4_LA57, CPUID_STRUCTURED, SVM_CPUID_ECX, CPUID_7_ECX_LA57, false },
};

static const struct feature_bit efer_bits[] = {
	{ EFER_SVME, 0, 0, 0, false },
	{ EFER_SCE, CPUID_EXT_FEATURES, SVM_CPUID_EDX, CPUID_EXT_EDX_SYSCALL, false },
	{ EFER_LME | EFER_LMA, CPUID_EXT_FEATURES, SVM_CPUID_EDX, CPUID_EXT_EDX_LM, false },
	{ EFER_NXE, CPUID_EXT_FEATURES, SVM_CPUID_EDX, CPUID_EXT_EDX_NX, false },
	{ EFER_FFXSR, CPUID_EXT_FEATURES, SVM_CPUID_EDX, CPUID_EXT_EDX_FFXSR, false },
	{ EFER_TCE, CPUID_EXT_FEATURES, SVM_CPUID_ECX, CPUID_EXT_ECX_TCE, false },
	{ EFER_LMSLE, CPUID_EXT_ADDRESS, SVM_CPUID_EBX, CPUID_EXT8_EBX_NO_LMSLE, true },
	{ EFER_MCOMMIT, CPUID_EXT_ADDRESS, SVM_CPUID_EBX, CPUID_EXT8_EBX_MCOMMIT, false },
	{ EFER_INTWB, CPUID_EXT_ADDRESS, SVM_CPUID_EBX, CPUID_EXT8_EBX_INTWB, false },
	{ EFER_UAIE, CPUID_EXT_FEATURES2, SVM_CPUID_EAX, CPUID_EXT21_EAX_UAI, false },
	{ EFER_AIBRSE, CPUID_EXT_FEATURES2, SVM_CPUID_EAX, CPUID_EXT21_EAX_AIBRS, false },
};

/* A leaf's registers, all zero for one above the highest of its range. */
static void read_leaf(const struct svm_cpuid_source *source, uint32_t leaf, uint32_t regs[4])
{
	source->cpuid(leaf & CPUID_EXT_MAX, 0, regs);
	if (leaf > regs[SVM_CPUID_EAX])
		regs[0] = regs[1] = regs[2] = regs[3] = 0;
	else
		source->cpuid(leaf, 0, regs);
}

/* The bits that none of the table's rows offers. */
static uint64_t reserved_bits(
	const struct svm_cpuid_source *source, const struct feature_bit *bits, size_t count)
{
	uint64_t offered = 0;
	uint32_t regs[4];

	for (size_t i = 0; i < count; i++) {
		if (bits[i].leaf)
			read_leaf(source, bits[i].leaf, regs);
		if (!bits[i].leaf || ((regs[bits[i].reg] & bits[i].feature) != 0) != bits[i].unless)
			offered |= bits[i].bit;
	}
	return ~offered;
}

void svm_cpu_read(struct svm_cpu *cpu, const struct svm_cpuid_source *source)
{
	uint32_t regs[4];

	read_leaf(source, CPUID_EXT_ADDRESS, regs);
	cpu->physical_width = (uint8_t)regs[SVM_CPUID_EAX];
	read_leaf(source, CPUID_EXT_FEATURES, regs);
	cpu->long_mode = (regs[SVM_CPUID_EDX] & CPUID_EXT_EDX_LM) != 0;
	read_leaf(source, CPUID_EXT_SVM, regs);
	cpu->nasid = regs[SVM_CPUID_EBX];
	cpu->features_ecx = regs[SVM_CPUID_ECX];
	cpu->features = regs[SVM_CPUID_EDX];
	cpu->cr4_reserved = reserved_bits(source, cr4_bits, ARRAY_SIZE(cr4_bits));
	cpu->efer_reserved = reserved_bits(source, efer_bits, ARRAY_SIZE(efer_bits));
}
