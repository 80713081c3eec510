/* The questions behind needs_ept.def. */
#include "spec/cpuid.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

static bool has_capability(unsigned int bit)
{
	return vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & BIT(bit);
}

static unsigned int physical_bits(void)
{
	return cpuid(CPUID_EXT_ADDRESS, 0).eax & BITS(7, 0);
}

static bool has_wide_physical(void)
{
	return physical_bits() >= 40;
}

static bool has_reserved_physical(void)
{
	return physical_bits() < 52;
}

#define CAP_NEED(name, bit, words)                                                                 \
	static bool has_##name(void)                                                               \
	{                                                                                          \
		return has_capability(bit);                                                        \
	}                                                                                          \
	static bool lacks_##name(void)                                                             \
	{                                                                                          \
		return !has_capability(bit);                                                       \
	}                                                                                          \
	const struct test_need need_##name = {                                                     \
		"no " words " (IA32_VMX_EPT_VPID_CAP bit " #bit ")", has_##name                    \
	};                                                                                         \
	const struct test_need need_no_##name = {                                                  \
		"it has " words " (IA32_VMX_EPT_VPID_CAP bit " #bit ")", lacks_##name              \
	};
#define NEED(name, reason) const struct test_need need_##name = { reason, has_##name };
#include "vmx-tests/needs_ept.def"
#undef NEED
#undef CAP_NEED
