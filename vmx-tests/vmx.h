/* The VMX instructions, each returning what came of it as an outcome, and the suite's VMXON and
   VMCS regions. Faults are not caught here: the harness makes them the test's outcome. */
#ifndef VMX_TESTS_VMX_H
#define VMX_TESTS_VMX_H

#include "runtime/outcome.h"
#include "runtime/x86.h"
#include "spec/vmx.h"

/* What an instruction leaves in RFLAGS ("Conventions" of the VMX instruction reference): CF
   VMfailInvalid, ZF VMfailValid, neither: it succeeded. */
#define VMX_FLAGS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* The flags of the last wrapped instruction on this CPU, VMX_FLAGS only. */
extern uint64_t vmx_flags;

/* Makes the outcome of an instruction's flags; FAIL_VALID reads the VM-instruction error. Flags
   that the manual does not allow (others than CF or ZF alone, or none) are a MISMATCH. */
outcome vmx_outcome(uint64_t flags);

/* VMX_INSTRUCTION("vmxon %1", "m"(operand)): runs it with all arithmetic flags set before. */
#define VMX_INSTRUCTION(text, ...)                                                                 \
	({                                                                                         \
		uint64_t flags_;                                                                   \
		__asm__ volatile("pushfq; orq $0x8d5, (%%rsp); popfq; " text "; pushfq; popq %0"   \
				 : "=&r"(flags_)                                                   \
				 : __VA_ARGS__                                                     \
				 : "memory", "cc");                                                \
		vmx_outcome(flags_);                                                               \
	})

static inline outcome vmxon(uint64_t region)
{
	return VMX_INSTRUCTION("vmxon %1", "m"(region));
}

static inline outcome vmxoff(void)
{
	return VMX_INSTRUCTION("vmxoff", "i"(0));
}

static inline outcome vmclear(uint64_t region)
{
	return VMX_INSTRUCTION("vmclear %1", "m"(region));
}

static inline outcome vmptrld(uint64_t region)
{
	return VMX_INSTRUCTION("vmptrld %1", "m"(region));
}

static inline outcome vmptrst(uint64_t *region)
{
	return VMX_INSTRUCTION("vmptrst (%1)", "r"(region));
}

static inline outcome vmwrite(uint64_t encoding, uint64_t value)
{
	return VMX_INSTRUCTION("vmwrite %2, %1", "r"(encoding), "r"(value));
}

/* The value is only valid when the outcome is OK. */
outcome vmread(uint64_t encoding, uint64_t *value);

static inline outcome invept(uint64_t type, const struct invept_descriptor *descriptor)
{
	return VMX_INSTRUCTION("invept (%1), %2", "r"(descriptor), "r"(type));
}

static inline outcome invvpid(uint64_t type, const struct invvpid_descriptor *descriptor)
{
	return VMX_INSTRUCTION("invvpid (%1), %2", "r"(descriptor), "r"(type));
}

/* A field that must be there: reading or writing it cannot fail unless the test is wrong (panics).
 */
uint64_t field_read(uint64_t encoding);
void field_write(uint64_t encoding, uint64_t value);

/* The same, fast, for fields that exist, and not observed: see guest_enter_unobserved(). */
static inline uint64_t field_peek(uint64_t encoding)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=rm"(value) : "r"(encoding) : "cc");
	return value;
}

static inline void field_poke(uint64_t encoding, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"(encoding), "rm"(value) : "cc");
}

/* Sets and clears bits of a field. */
static inline void field_set(uint64_t encoding, uint64_t bits)
{
	field_write(encoding, field_peek(encoding) | bits);
}

static inline void field_clear(uint64_t encoding, uint64_t bits)
{
	field_write(encoding, field_peek(encoding) & ~bits);
}

/* Does the CPU have that field: can it be read? With a current VMCS. */
bool field_exists(uint64_t encoding);

/* Page-sized regions with the revision id written: the VMXON region, the current VMCS, a spare one.
 */
extern struct vmcs_region *vmx_on_region, *vmx_region, *vmx_spare_region;

/* A fresh page with the revision id, and zeroes else; page_free() it. Never NULL: panics. */
struct vmcs_region *vmx_new_region(void);

static inline uint64_t vmx_address(const void *pointer)
{
	return (uintptr_t)pointer;
}

/* The revision id of this CPU ("Basic VMX Information"). */
uint32_t vmx_revision(void);

/* Is the calling CPU in VMX operation (VMPTRST does not fault)? */
bool vmx_is_on(void);

/* What the first VMXON came to while firmware had left IA32_FEATURE_CONTROL unlocked, with its bit
   for VMX outside SMX 0 and 1; 0 where it was locked. */
extern outcome vmx_unlocked[2];

/* Enters VMX operation with the fixed CR0 and CR4 bits set; panics if that fails. Leaves it. */
void vmx_enter_operation(void);
void vmx_leave_operation(void);

/* A capability MSR, 0 where the CPU does not have it. The control-word MSRs: the TRUE one where
 * there is one. */
uint64_t vmx_capability(uint32_t msr);
uint64_t vmx_control_capability(enum vmx_control_word word);

/* May the control be 1, may it be 0? */
bool vmx_may_set(enum vmx_control_word word, uint64_t bit);
bool vmx_may_clear(enum vmx_control_word word, uint64_t bit);

#endif
