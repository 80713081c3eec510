/* What the predicates of spec/vmx_checks.def share: their prototypes, and the words in which they
   are written. Only spec/vmx_checks*.c includes this; everybody else uses spec/vmx_checks.h. */
#ifndef SPEC_VMX_PREDICATES_H
#define SPEC_VMX_PREDICATES_H

#include "spec/vmx_checks.h"

#define CHECK(id, section, field, rule) bool check_##id(const struct vmx_state *state);
#define CHECK_MEMORY(id, section, field, rule)                                                     \
	enum vmx_verdict check_##id(const struct vmx_state *state);
#include "spec/vmx_checks.def"

/* The value of a field; the predicates call their parameter `state`. */
#define VMCS(name) (state->field[FIELD_##name])

/* Whether a control is 1. Secondary and tertiary ones count as 0 while they are not activated. */
#define PIN(name)      ((VMCS(PIN_CONTROLS) & (uint64_t)PIN_##name) != 0)
#define PROC(name)     ((VMCS(PROC_CONTROLS) & (uint64_t)PROC_##name) != 0)
#define PROC2(name)    ((vmx_state_proc2(state) & (uint64_t)PROC2_##name) != 0)
#define PROC3(name)    ((vmx_state_proc3(state) & (uint64_t)PROC3_##name) != 0)
#define VM_EXIT(name)  ((VMCS(VM_EXIT_CONTROLS) & (uint64_t)VM_EXIT_##name) != 0)
#define VM_ENTRY(name) ((VMCS(VM_ENTRY_CONTROLS) & (uint64_t)VM_ENTRY_##name) != 0)

/* Whether a bit of a capability MSR is 1, e.g. CAPABILITY(VMX_BASIC, ANY_ERROR_CODE). */
#define CAPABILITY(msr, name)                                                                      \
	((vmx_state_capability(state, MSR_IA32_##msr) & (uint64_t)msr##_##name) != 0)

/* Bits of other registers that the rules name ("CET", "IA32_DEBUGCTL MSR", "Linear-Address
   Masking", "Intel MPX"). */
#define S_CET_SUPPRESS BIT(10)
#define S_CET_TRACKER  BIT(11)
#define DEBUGCTL_BTF   BIT(1)
#define CR3_LAM_U57    BIT(61)
#define CR3_LAM_U48    BIT(62)
#define BNDCFGS_BASE   BITS(63, 12)

/* If a then b. */
static inline bool implies(bool a, bool b)
{
	return !a || b;
}

/* All bits from `width` (1 to 63) up are equal to bit width - 1. Manual: "Canonical Addressing". */
static inline bool is_canonical(uint64_t address, unsigned int width)
{
	uint64_t high = address >> (width - 1);

	return high == 0 || high == BITS(63, 0) >> (width - 1);
}

/* A base or an MSR's address is canonical: by the widest linear addresses of the CPU. */
static inline bool is_canonical_base(const struct vmx_state *state, uint64_t address)
{
	return !state->cpu.intel64 || is_canonical(address, state->cpu.linear_width);
}

/* The bits from the linear-address width on are identical, be it to bit width - 1 or not. */
static inline bool is_identical_above(const struct vmx_state *state, uint64_t address)
{
	uint64_t mask = BITS(63, state->cpu.linear_width);

	return (address & mask) == 0 || (address & mask) == mask;
}

/* The address has no bit beyond the physical-address width, nor beyond 32 bits where
   IA32_VMX_BASIC[48] limits the VMX structures to them ("Basic VMX Information"). */
static inline bool is_physical(const struct vmx_state *state, uint64_t address)
{
	unsigned int width = state->cpu.physical_width;

	if (CAPABILITY(VMX_BASIC, ADDRESSES_32BIT))
		width = MIN(width, 32);
	return address >> width == 0;
}

/* The same for the last of `size` bytes (1 to 2^36), computed with as many bits as it takes. */
static inline bool ends_physical(const struct vmx_state *state, uint64_t address, uint64_t size)
{
	uint64_t last = address + size - 1;

	return last >= address && is_physical(state, last);
}

/* The three rules about an area of MSR entries, which apply when its count is not 0: its address is
   aligned to an entry and within the physical-address width, and so is its last byte. */
#define MSR_AREA(id, COUNT, ADDRESS)                                                               \
	bool check_##id##_aligned(const struct vmx_state *state)                                   \
	{                                                                                          \
		return implies(VMCS(COUNT) != 0, (VMCS(ADDRESS) & BITS(3, 0)) == 0);               \
	}                                                                                          \
	bool check_##id##_width(const struct vmx_state *state)                                     \
	{                                                                                          \
		return implies(VMCS(COUNT) != 0, is_physical(state, VMCS(ADDRESS)));               \
	}                                                                                          \
	bool check_##id##_end(const struct vmx_state *state)                                       \
	{                                                                                          \
		return implies(                                                                    \
			VMCS(COUNT) != 0, ends_physical(state, VMCS(ADDRESS),                      \
						  VMCS(COUNT) * sizeof(struct vmx_msr_entry)));    \
	}

/* A value that MOV to CR3 could load: nothing beyond the physical-address width, but the two bits
   of linear-address masking (62:61) on a CPU that has it. */
static inline bool is_cr3(const struct vmx_state *state, uint64_t cr3)
{
	if (state->cpu.lam)
		cr3 &= ~(CR3_LAM_U57 | CR3_LAM_U48);
	return cr3 >> state->cpu.physical_width == 0;
}

/* Each byte is one that WRMSR to IA32_PAT takes. Manual: "IA32_PAT MSR". */
bool vmx_is_pat(uint64_t pat);

/* Bits that VMX operation fixes in CR0 (or CR4) and that value has otherwise: those which must be
   1, and those which must be 0. Manual: "VMX-Fixed Bits in CR0", "VMX-Fixed Bits in CR4". */
static inline uint64_t missing_bits(const struct vmx_state *state, enum msr fixed0, uint64_t value)
{
	return vmx_state_capability(state, fixed0) & ~value;
}

static inline uint64_t excess_bits(const struct vmx_state *state, enum msr fixed1, uint64_t value)
{
	return value & ~vmx_state_capability(state, fixed1);
}

/* The event to be injected, if any ("VM-Entry Controls for Event Injection"). */
static inline bool injects(const struct vmx_state *state)
{
	return VMCS(ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID;
}

static inline bool injects_type(const struct vmx_state *state, enum interruption_type type)
{
	return injects(state) &&
	       FIELD_GET(VMCS(ENTRY_INTERRUPTION_INFORMATION), INTERRUPTION_TYPE) == type;
}

static inline uint8_t injected_vector(const struct vmx_state *state)
{
	return (uint8_t)FIELD_GET(VMCS(ENTRY_INTERRUPTION_INFORMATION), INTERRUPTION_VECTOR);
}

/* The guest will be in virtual-8086 mode; in IA-32e mode; in protected mode. */
static inline bool is_v8086(const struct vmx_state *state)
{
	return VMCS(GUEST_RFLAGS) & RFLAGS_VM;
}

static inline bool is_ia32e(const struct vmx_state *state)
{
	return VM_ENTRY(IA32E_MODE_GUEST);
}

static inline bool is_protected(const struct vmx_state *state)
{
	return VMCS(GUEST_CR0) & CR0_PE;
}

#endif
