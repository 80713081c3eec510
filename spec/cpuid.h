/* CPUID leaves and feature bits (Intel SDM volume 2, "CPUID - CPU Identification"; AMD APM volume 3,
   "Obtaining Processor Information Via the CPUID Instruction"). */
#ifndef SPEC_CPUID_H
#define SPEC_CPUID_H

#include "runtime/compiler.h"

#define CPUID_VENDOR	   0x00000000
#define CPUID_VENDOR_ECX_INTEL 0x6c65746e /* "ntel" of "GenuineIntel" */
#define CPUID_VENDOR_ECX_AMD   0x444d4163 /* "cAMD" of "AuthenticAMD" */
#define CPUID_FEATURES	   0x00000001
#define CPUID_MONITOR	   0x00000005
#define CPUID_POWER	   0x00000006
#define CPUID_STRUCTURED   0x00000007
#define CPUID_PERFMON	   0x0000000a
#define CPUID_TOPOLOGY	   0x0000000b
#define CPUID_XSAVE	   0x0000000d
#define CPUID_SGX	   0x00000012
#define CPUID_PT	   0x00000014
#define CPUID_TOPOLOGY2	   0x0000001f
#define CPUID_HYPERVISOR   0x40000000
#define CPUID_HYPERVISOR_LAST 0x400000ff
#define CPUID_EXT_MAX	   0x80000000
#define CPUID_EXT_FEATURES 0x80000001
#define CPUID_EXT_BRAND	   0x80000002 /* to 0x80000004 */
#define CPUID_EXT_ADDRESS  0x80000008
#define CPUID_EXT_SVM	   0x8000000a

/* Leaf 1 */
#define CPUID_1_EBX_BRAND	 BITS(7, 0)
#define CPUID_1_EBX_CLFLUSH	 BITS(15, 8)
#define CPUID_1_ECX_MONITOR	 BIT(3)
#define CPUID_1_ECX_VMX		 BIT(5)
#define CPUID_1_ECX_SMX		 BIT(6)
#define CPUID_1_ECX_EIST	 BIT(7)
#define CPUID_1_ECX_PDCM	 BIT(15)
#define CPUID_1_ECX_PCID	 BIT(17)
#define CPUID_1_ECX_X2APIC	 BIT(21)
#define CPUID_1_ECX_TSC_DEADLINE BIT(24)
#define CPUID_1_ECX_XSAVE	 BIT(26)
#define CPUID_1_ECX_OSXSAVE	 BIT(27)
#define CPUID_1_ECX_RDRAND	 BIT(30)
#define CPUID_1_ECX_HYPERVISOR	 BIT(31)
#define CPUID_1_EDX_FPU		 BIT(0)
#define CPUID_1_EDX_VME		 BIT(1)
#define CPUID_1_EDX_DE		 BIT(2)
#define CPUID_1_EDX_PSE		 BIT(3)
#define CPUID_1_EDX_TSC		 BIT(4)
#define CPUID_1_EDX_PAE		 BIT(6)
#define CPUID_1_EDX_MCE		 BIT(7)
#define CPUID_1_EDX_APIC	 BIT(9)
#define CPUID_1_EDX_MTRR	 BIT(12)
#define CPUID_1_EDX_PGE		 BIT(13)
#define CPUID_1_EDX_MCA		 BIT(14)
#define CPUID_1_EDX_DS		 BIT(21)
#define CPUID_1_EDX_ACPI	 BIT(22)
#define CPUID_1_EDX_FXSR	 BIT(24)
#define CPUID_1_EDX_SSE		 BIT(25)
#define CPUID_1_EDX_HTT		 BIT(28)
#define CPUID_1_EDX_TM		 BIT(29)

/* Leaf 7, subleaf 0 */
#define CPUID_7_EBX_FSGSBASE   BIT(0)
#define CPUID_7_EBX_TSC_ADJUST BIT(1)
#define CPUID_7_EBX_SGX	       BIT(2)
#define CPUID_7_EBX_SMEP       BIT(7)
#define CPUID_7_EBX_INVPCID    BIT(10)
#define CPUID_7_EBX_MPX	       BIT(14)
#define CPUID_7_EBX_RDSEED     BIT(18)
#define CPUID_7_EBX_SMAP       BIT(20)
#define CPUID_7_EBX_PT	       BIT(25)
#define CPUID_7_ECX_UMIP       BIT(2)
#define CPUID_7_ECX_PKU	       BIT(3)
#define CPUID_7_ECX_OSPKE      BIT(4)
#define CPUID_7_ECX_WAITPKG    BIT(5)
#define CPUID_7_ECX_CET_SS     BIT(7)
#define CPUID_7_ECX_LA57       BIT(16)
#define CPUID_7_ECX_RDPID      BIT(22)
#define CPUID_7_ECX_KEYLOCKER  BIT(23)
#define CPUID_7_ECX_ENQCMD     BIT(29)
#define CPUID_7_ECX_SGX_LC     BIT(30)
#define CPUID_7_ECX_PKS	       BIT(31)
#define CPUID_7_EDX_UINTR      BIT(5)
#define CPUID_7_EDX_PCONFIG    BIT(18)
#define CPUID_7_EDX_CET_IBT    BIT(20)
#define CPUID_7_EDX_MSRS       (BITS(31, 26) | BIT(13) | BIT(18)) /* features that come with MSRs */

/* Leaf 0xa */
#define CPUID_A_EAX_COUNTERS BITS(15, 8) /* general-purpose performance counters */

/* Leaf 0xd, subleaf 1 */
#define CPUID_D1_EAX_XSAVES BIT(3)

/* Leaf 0x80000008 */
#define CPUID_EXT_EBX_WBNOINVD BIT(9)

/* Leaf 0x80000001 */
#define CPUID_EXT_ECX_CMP_LEGACY BIT(1)
#define CPUID_EXT_ECX_SVM      BIT(2)
#define CPUID_EXT_ECX_EXTAPIC  BIT(3)
#define CPUID_EXT_ECX_OSVW     BIT(9)
#define CPUID_EXT_ECX_IBS      BIT(10)
#define CPUID_EXT_ECX_SKINIT   BIT(12)
#define CPUID_EXT_ECX_WDT      BIT(13)
#define CPUID_EXT_ECX_PERFCTR  BIT(23)
#define CPUID_EXT_ECX_MONITORX BIT(29)
#define CPUID_EXT_EDX_SYSCALL  BIT(11)
#define CPUID_EXT_EDX_NX       BIT(20)
#define CPUID_EXT_EDX_FFXSR    BIT(25)
#define CPUID_EXT_EDX_PAGE1GB  BIT(26)
#define CPUID_EXT_EDX_RDTSCP   BIT(27)
#define CPUID_EXT_EDX_LM       BIT(29)

#endif
