/* The processor's registers, bit by bit, and its exception vectors: what Intel SDM volume 3
   "Control Registers", "Extended Feature Enable Register" and "Exception and Interrupt Reference"
   and AMD APM volume 2 "System-Control Registers" declare. Model-specific registers: spec/msr.def. */
#ifndef SPEC_CPU_H
#define SPEC_CPU_H

#include "runtime/compiler.h"

/* CR0 */
#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

/* CR4 */
#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_KL	       BIT(19)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)
#define CR4_PKS	       BIT(24)

/* EFER */
#define EFER_SCE   BIT(0)
#define EFER_LME   BIT(8)
#define EFER_LMA   BIT(10)
#define EFER_NXE   BIT(11)
#define EFER_SVME  BIT(12) /* AMD */
#define EFER_LMSLE BIT(13) /* AMD */
#define EFER_FFXSR BIT(14) /* AMD */

/* RFLAGS */
#define RFLAGS_CF    BIT(0)
#define RFLAGS_FIXED BIT(1) /* always 1 */
#define RFLAGS_PF    BIT(2)
#define RFLAGS_AF    BIT(4)
#define RFLAGS_ZF    BIT(6)
#define RFLAGS_SF    BIT(7)
#define RFLAGS_TF    BIT(8)
#define RFLAGS_IF    BIT(9)
#define RFLAGS_DF    BIT(10)
#define RFLAGS_OF    BIT(11)
#define RFLAGS_IOPL  BITS(13, 12)
#define RFLAGS_NT    BIT(14)
#define RFLAGS_RF    BIT(16)
#define RFLAGS_VM    BIT(17)
#define RFLAGS_AC    BIT(18)
#define RFLAGS_VIF   BIT(19)
#define RFLAGS_VIP   BIT(20)
#define RFLAGS_ID    BIT(21)

/* DR6 and DR7 */
#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR6_BS	  BIT(14)
#define DR7_RESET UINT64_C(0x400)
#define DR7_GD	  BIT(13)

/* Exception vectors */
enum vector {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_OF = 4,
	VECTOR_BR = 5,
	VECTOR_UD = 6,
	VECTOR_NM = 7,
	VECTOR_DF = 8,
	VECTOR_TS = 10,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_MC = 18,
	VECTOR_XM = 19,
	VECTOR_VE = 20,
	VECTOR_CP = 21,
	VECTOR_SX = 30, /* AMD */
};

/* Exceptions that push an error code, one bit per vector. */
#define VECTORS_WITH_ERROR_CODE                                                                    \
	(BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) |      \
		BIT(VECTOR_PF) | BIT(VECTOR_AC) | BIT(VECTOR_CP) | BIT(VECTOR_SX))

/* Page-fault error code */
#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER	   BIT(2)
#define PF_RSVD	   BIT(3)
#define PF_FETCH   BIT(4)

/* Page-table entries, all levels ("4-Level Paging") */
#define PTE_P	 BIT(0)
#define PTE_W	 BIT(1)
#define PTE_U	 BIT(2)
#define PTE_PWT	 BIT(3)
#define PTE_PCD	 BIT(4)
#define PTE_A	 BIT(5)
#define PTE_D	 BIT(6)
#define PTE_PS	 BIT(7)
#define PTE_G	 BIT(8)
#define PTE_NX	 BIT(63)
#define PTE_ADDR BITS(51, 12)

/* IA32_MISC_ENABLE ("Architectural MSRs") */
#define MISC_ENABLE_THERMAL  BIT(3)  /* automatic thermal control circuit */
#define MISC_ENABLE_PERFMON  BIT(7)  /* performance monitoring available */
#define MISC_ENABLE_NO_BTS   BIT(11) /* branch trace storage unavailable */
#define MISC_ENABLE_NO_PEBS  BIT(12) /* processor event-based sampling unavailable */
#define MISC_ENABLE_SPEEDSTEP BIT(16)
#define MISC_ENABLE_MONITOR  BIT(18)

/* Model-specific registers: MSR_<NAME> */
enum msr {
#define MSR(name, number, citation) MSR_##name = (int)(number),
#include "spec/msr.def"
#undef MSR
};

/* The name of a model-specific register as the manuals write it, or NULL. */
const char *msr_name(uint32_t number);

#endif
