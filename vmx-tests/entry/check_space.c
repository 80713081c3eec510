/* Checks on the address-space size of host and guest (Intel SDM, "Checks Related to Address-Space
   Size"), as far as a CPU in IA-32e mode can break them. The suite's CPUs have Intel 64
   architecture, so that a 32-bit host breaks the rule that asks for a 64-bit one, too. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#define GROUP   check_space
#define TITLE   "SDM Checks Related to Address-Space Size"
#define REFUSED REFUSED_HOST

#define HOST32 CLEAR(VM_EXIT_CONTROLS, VM_EXIT_HOST_ADDRESS_SPACE_SIZE)

/* A CPU that entered here would come back in 32-bit mode, to code that is not for it; a guest state
   that is bad, too, does not help: such a failure comes back the same way. */
CHECK_TEST(inside_ia32e_host, NEEDS_ALSO(), BREAKS(PROTECTED, HOST32), BREAKS(PAE, HOST32))
CHECK_TEST(host32_guest, NEEDS_ALSO(), BREAKS2(LONG, inside_ia32e_host, HOST32),
	BREAKS2(COMPATIBILITY, inside_ia32e_host, HOST32))
LOCAL_NEED(pcid, "no PCIDs (IA32_VMX_CR4_FIXED1 bit 17)",
	vmx_capability(MSR_IA32_VMX_CR4_FIXED1) & CR4_PCIDE);
CHECK_TEST(host32_pcide, NEEDS_ALSO(&need_pcid),
	BREAKS2(PROTECTED, inside_ia32e_host, HOST32, OR(HOST_CR4, CR4_PCIDE)))
CHECK_TEST(host32_rip, NEEDS_ALSO(),
	CHECK_ROW("PROTECTED 32-bit host, RIP bit 32", REFUSED, PROTECTED, 0,
		VMX_CHECK_inside_ia32e_host, CHECK_NONE, .bare = true,
		.change = { HOST32, SET(HOST_RIP, BIT(32)) }))
CHECK_TEST(host_ss_null, NEEDS_ALSO(),
	BREAKS2(PROTECTED, inside_ia32e_host, HOST32, SET(HOST_SS_SELECTOR, 0)),
	HOLDS(LONG, SET(HOST_SS_SELECTOR, 0)))
CHECK_TEST(host64_pae, NEEDS_ALSO(), BREAKS(LONG, CLEAR(HOST_CR4, CR4_PAE | CR4_PCIDE)),
	BREAKS(PROTECTED, CLEAR(HOST_CR4, CR4_PAE | CR4_PCIDE)))

#define RIP(name, change_)                                                                         \
	CHECK_ROW("LONG RIP " name, REFUSED, LONG, 0, CHECK_NONE, CHECK_NONE, .bare = true,        \
		.change = { change_ })
LOCAL_NEED(width_48, "the CPU has 57-bit linear addresses (CPUID.80000008H:EAX)",
	(cpuid(0x80000008, 0).eax >> 8 & 0xff) == 48);
CHECK_TEST(host64_rip, NEEDS_ALSO(&need_width_48),
	RIP("first that is not canonical", EDGE(HOST_RIP, FIRST_BETWEEN)),
	RIP("last that is not canonical", EDGE(HOST_RIP, LAST_BETWEEN)),
	RIP("bit 63", SET(HOST_RIP, BIT(63))))

#define CET EXIT_WITH(LOAD_CET_STATE)
CHECK_TEST(host64_s_cet, NEEDS_ALSO(&need_VM_EXIT_LOAD_CET_STATE),
	BREAKS(LONG, EDGE(HOST_IA32_S_CET, FIRST_BETWEEN), CET))
CHECK_TEST(host64_ssp, NEEDS_ALSO(&need_VM_EXIT_LOAD_CET_STATE),
	BREAKS(LONG, EDGE(HOST_SSP, FIRST_BETWEEN), CET),
	BREAKS(LONG, EDGE(HOST_SSP, LAST_BETWEEN), CET), HOLDS(LONG, EDGE(HOST_SSP, LAST_LOW), CET))
CHECK_TEST(host32_s_cet, NEEDS_ALSO(&need_VM_EXIT_LOAD_CET_STATE),
	BREAKS2(PROTECTED, inside_ia32e_host, HOST32, SET(HOST_IA32_S_CET, BIT(32)), CET))
CHECK_TEST(host32_ssp, NEEDS_ALSO(&need_VM_EXIT_LOAD_CET_STATE),
	BREAKS2(PROTECTED, inside_ia32e_host, HOST32, SET(HOST_SSP, BIT(32)), CET))
