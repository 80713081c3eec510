/* The local APIC's registers and commands (Intel SDM, "Advanced Programmable Interrupt Controller
   (APIC)"; AMD APM, "Advanced Programmable Interrupt Controller (APIC)"). */
#ifndef SPEC_APIC_H
#define SPEC_APIC_H

#include "runtime/compiler.h"

/* IA32_APIC_BASE */
#define APIC_BASE_BSP	  BIT(8)
#define APIC_BASE_X2APIC  BIT(10)
#define APIC_BASE_ENABLE  BIT(11)
#define APIC_BASE_ADDRESS BITS(51, 12)
#define APIC_BASE_RESET	  UINT64_C(0xfee00000) /* the address after reset */

/* Register offsets in bytes ("Local APIC Register Address Map"); the x2APIC's MSR of a register is
   MSR_X2APIC_FIRST + offset / 16. */
#define MSR_X2APIC_FIRST   0x800
#define APIC_REG_ID	   0x020
#define APIC_REG_TPR	   0x080
#define APIC_REG_EOI	   0x0b0
#define APIC_REG_SVR	   0x0f0
#define APIC_REG_ESR	   0x280
#define APIC_REG_ICR_LOW   0x300
#define APIC_REG_ICR_HIGH  0x310
#define APIC_REG_LVT_TIMER 0x320
#define APIC_REG_LVT_LINT0 0x350
#define APIC_REG_LVT_LINT1 0x360
#define APIC_REG_LVT_ERROR 0x370
#define APIC_REG_TIMER_INITIAL 0x380
#define APIC_REG_TIMER_CURRENT 0x390
#define APIC_REG_TIMER_DIVIDE  0x3e0

#define APIC_SVR_ENABLE	   BIT(8)
#define APIC_LVT_MASKED	   BIT(16)
#define APIC_LVT_PERIODIC  BIT(17) /* of the timer */
#define APIC_LVT_NMI	   (UINT64_C(4) << 8)
#define APIC_LVT_EXTINT	   (UINT64_C(7) << 8) /* the 8259 pair names the vector */
#define APIC_TIMER_DIVIDE_1 0xb /* "Divide Configuration Register" */

/* Interrupt command register, low half */
#define APIC_ICR_FIXED	 (UINT32_C(0) << 8)
#define APIC_ICR_SMI	 (UINT32_C(2) << 8)
#define APIC_ICR_NMI	 (UINT32_C(4) << 8)
#define APIC_ICR_INIT	 (UINT32_C(5) << 8)
#define APIC_ICR_STARTUP (UINT32_C(6) << 8)
#define APIC_ICR_PENDING (UINT32_C(1) << 12)
#define APIC_ICR_ASSERT	 (UINT32_C(1) << 14)
#define APIC_ICR_SELF	 (UINT32_C(1) << 18) /* shorthands instead of a destination */
#define APIC_ICR_ALL	 (UINT32_C(2) << 18)
#define APIC_ICR_OTHERS	 (UINT32_C(3) << 18)

#define IOAPIC_ADDRESS UINT64_C(0xfec00000) /* of a PC's first */
#define IOAPIC_SELECT  0x00 /* offsets, bytes */
#define IOAPIC_WINDOW  0x10
#define IOAPIC_REDIRECTION_0 0x10 /* in IOAPIC_SELECT: entry 0, low half */

/* IA-PC HPET Specification, "Register Overview" */
#define HPET_ADDRESS       UINT64_C(0xfed00000)
#define HPET_CONFIGURATION 0x10

#endif
