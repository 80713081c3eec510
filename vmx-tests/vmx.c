/* Flags to outcomes, regions, capabilities, and the way into VMX operation and out of it. What the
   guest is, is guest.c's. */
#include "vmx-tests/vmx.h"

#include "runtime/harness.h"
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/trap.h"

uint64_t vmx_flags;
struct vmcs_region *vmx_on_region, *vmx_region, *vmx_spare_region;

outcome vmread(uint64_t encoding, uint64_t *value)
{
	uint64_t flags, result = 0;

	__asm__ volatile("pushfq; orq $0x8d5, (%%rsp); popfq; vmread %2, %1; pushfq; popq %0"
			 : "=&r"(flags), "+r"(result)
			 : "r"(encoding)
			 : "memory", "cc");
	*value = test_observe(result);
	return vmx_outcome(flags);
}

outcome vmx_outcome(uint64_t flags)
{
	uint64_t error = 0;

	vmx_flags = flags & VMX_FLAGS;
	if (vmx_flags == 0)
		return OK;
	if (vmx_flags == RFLAGS_CF)
		return FAIL_INVALID;
	if (vmx_flags != RFLAGS_ZF)
		return OUTCOME(OUTCOME_MISMATCH, 0, __LINE__);
	__asm__ volatile("vmread %1, %0"
			 : "=r"(error)
			 : "r"((uint64_t)VMCS_VM_INSTRUCTION_ERROR)
			 : "cc");
	return FAIL_VALID(error);
}

uint64_t field_read(uint64_t encoding)
{
	uint64_t value;

	if (vmread(encoding, &value) != OK)
		panic("VMREAD of %s (%#lx) failed", vmcs_field_name((uint32_t)encoding), encoding);
	return value;
}

void field_write(uint64_t encoding, uint64_t value)
{
	if (vmwrite(encoding, value) != OK)
		panic("VMWRITE of %#lx to %s (%#lx) failed", value,
			vmcs_field_name((uint32_t)encoding), encoding);
}

bool field_exists(uint64_t encoding)
{
	uint64_t value;

	return vmread(encoding, &value) == OK;
}

uint32_t vmx_revision(void)
{
	return (uint32_t)FIELD_GET(rdmsr(MSR_IA32_VMX_BASIC), VMX_BASIC_REVISION);
}

struct vmcs_region *vmx_new_region(void)
{
	struct vmcs_region *region = page_alloc_zeroed(PAGE_ORDER_4K);

	if (region == NULL)
		panic("no memory for a VMX region");
	region->revision = vmx_revision();
	return region;
}

static void store_pointer(void *arg)
{
	uint64_t pointer;

	__asm__ volatile("vmptrst %0" : "=m"(pointer) : : "cc");
}

bool vmx_is_on(void)
{
	return trap_catch(store_pointer, NULL, NULL) == TRAP_NONE;
}

outcome vmx_unlocked[2];

static void enter(void *arg)
{
	*(outcome *)arg = vmxon(vmx_address(vmx_on_region));
}

/* VMXON before IA32_FEATURE_CONTROL is locked, which only the first one in a boot can be. */
static outcome try_unlocked(uint64_t value)
{
	struct trap_info info;
	outcome result = OK;

	wrmsr(MSR_IA32_FEATURE_CONTROL, value);
	if (trap_catch(enter, &result, &info) != TRAP_NONE)
		return outcome_fault(info.vector, info.error);
	vmx_leave_operation();
	return result;
}

/* Turns on VMX in IA32_FEATURE_CONTROL where firmware has left that to us. */
static void unlock(void)
{
	uint64_t value = rdmsr(MSR_IA32_FEATURE_CONTROL),
		 enabled = value | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	if (value & FEATURE_CONTROL_LOCK)
		return;
	vmx_unlocked[false] = try_unlocked(value & ~(uint64_t)FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	vmx_unlocked[true] = try_unlocked(enabled);
	wrmsr(MSR_IA32_FEATURE_CONTROL, enabled | FEATURE_CONTROL_LOCK);
}

void vmx_enter_operation(void)
{
	outcome result;

	write_cr0((read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_IA32_VMX_CR4_FIXED0) | CR4_VMXE) &
		  rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	if (vmx_on_region == NULL) {
		vmx_on_region = vmx_new_region();
		vmx_region = vmx_new_region();
		vmx_spare_region = vmx_new_region();
	}
	vmx_on_region->revision = vmx_revision();
	unlock();
	result = vmxon(vmx_address(vmx_on_region));
	if (result != OK)
		panic("VMXON failed: %#lx", result);
}

void vmx_leave_operation(void)
{
	if (vmx_is_on())
		vmxoff();
}

uint64_t vmx_capability(uint32_t msr)
{
	uint64_t value;

	rdmsr_safe(msr, &value);
	return value; /* not observed: it steers the suite, and caps/ looks at the MSRs themselves
		       */
}

static uint64_t read_control_capability(enum vmx_control_word word)
{
	static const struct {
		uint32_t plain, true_one;
	} msrs[CONTROL_WORDS] = {
		[CONTROL_WORD_PIN] = { MSR_IA32_VMX_PINBASED_CTLS,
			MSR_IA32_VMX_TRUE_PINBASED_CTLS },
		[CONTROL_WORD_PROC] = { MSR_IA32_VMX_PROCBASED_CTLS,
			MSR_IA32_VMX_TRUE_PROCBASED_CTLS },
		[CONTROL_WORD_PROC2] = { MSR_IA32_VMX_PROCBASED_CTLS2, 0 },
		[CONTROL_WORD_PROC3] = { MSR_IA32_VMX_PROCBASED_CTLS3, 0 },
		[CONTROL_WORD_VM_EXIT] = { MSR_IA32_VMX_EXIT_CTLS, MSR_IA32_VMX_TRUE_EXIT_CTLS },
		[CONTROL_WORD_VM_EXIT2] = { MSR_IA32_VMX_EXIT_CTLS2, 0 },
		[CONTROL_WORD_VM_ENTRY] = { MSR_IA32_VMX_ENTRY_CTLS, MSR_IA32_VMX_TRUE_ENTRY_CTLS },
	};
	bool has_true = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_TRUE_CONTROLS;

	return vmx_capability(
		has_true && msrs[word].true_one ? msrs[word].true_one : msrs[word].plain);
}

/* Does the primary control that makes the word count exist? */
static bool has_control_word(enum vmx_control_word word)
{
	switch (word) {
	case CONTROL_WORD_PROC2:
		return vmx_may_set(CONTROL_WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS);
	case CONTROL_WORD_PROC3:
		return vmx_may_set(CONTROL_WORD_PROC, PROC_ACTIVATE_TERTIARY_CONTROLS);
	case CONTROL_WORD_VM_EXIT2:
		return vmx_may_set(CONTROL_WORD_VM_EXIT, VM_EXIT_ACTIVATE_SECONDARY_CONTROLS);
	default:
		return true;
	}
}

/* Read once: the tests ask often, and an MSR that is not there costs a fault. */
uint64_t vmx_control_capability(enum vmx_control_word word)
{
	static uint64_t capabilities[CONTROL_WORDS];
	static bool known[CONTROL_WORDS];

	if (!known[word]) {
		capabilities[word] = has_control_word(word) ? read_control_capability(word) : 0;
		known[word] = true;
	}
	return capabilities[word];
}

bool vmx_may_set(enum vmx_control_word word, uint64_t bit)
{
	uint64_t capability = vmx_control_capability(word);

	if (word == CONTROL_WORD_PROC3 || word == CONTROL_WORD_VM_EXIT2) /* 64 allowed-1 bits */
		return (capability & bit) == bit;
	return (capability >> 32 & bit) == bit;
}

bool vmx_may_clear(enum vmx_control_word word, uint64_t bit)
{
	if (word == CONTROL_WORD_PROC3 || word == CONTROL_WORD_VM_EXIT2)
		return true;
	return !(vmx_control_capability(word) & bit & CAPABILITY_MUST_BE_1);
}
