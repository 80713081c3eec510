/* The physical-address width (CPUID leaf 80000008H and "Basic VMX Information") and the address
   bits above it. */
#include "vmx-tests/insn/physical.h"

#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/vmx.h"

unsigned int physical_width(void)
{
	if (rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_ADDRESSES_32BIT)
		return 32;
	if (cpuid(CPUID_EXT_MAX, 0).eax < CPUID_EXT_ADDRESS)
		return 36;
	return cpuid(CPUID_EXT_ADDRESS, 0).eax & BITS(7, 0);
}

uint64_t physical_bit(void)
{
	unsigned int above = TEST_ROW(struct physical_row)->above, width = physical_width();

	if (above == PHYSICAL_LAST)
		return BIT(63);
	return width + above > 63 ? 0 : BIT(width + above);
}
