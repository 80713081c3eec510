/* The local APIC, as xAPIC or, where firmware left it on or it is needed, x2APIC: one interface
   for both. The I/O APICs are left to those who use them. */
#ifndef RUNTIME_APIC_H
#define RUNTIME_APIC_H

#include "runtime/compiler.h"

#define APIC_VECTOR_TIMER    0xf0
#define APIC_VECTOR_WAKE     0xf1 /* an IPI that only ends a HLT */
#define APIC_VECTOR_SPURIOUS 0xff

/* Maps the APIC's registers; call once, before any apic_init_cpu(). The 8259 pair is masked and
   moved out of the exceptions' vectors. */
void apic_init(void);

/* Enables the calling CPU's APIC with all local interrupts masked but NMI. */
void apic_init_cpu(void);

/* Lets the 8259 pair's interrupts through to the calling CPU, where it has a local APIC before it. */
void apic_pass_pic(void);

uint32_t apic_id(void);

/* A register of the calling CPU's APIC by its offset in spec/apic.h; 0 without an APIC. */
uint32_t apic_read(unsigned int reg);

/* Signals the end of the interrupt being handled. */
void apic_eoi(void);

/* Sends the interrupt command `icr_low` (Intel SDM, "Interrupt Command Register (ICR)") to the
   CPU with that APIC id, and waits until it was accepted. */
void apic_send(uint32_t destination, uint32_t icr_low);
void apic_send_fixed(uint32_t destination, uint8_t vector);
void apic_send_nmi(uint32_t destination);

/* One shot of the timer: APIC_VECTOR_TIMER comes after `tsc_ticks` of the TSC have passed (at
   least; 0 means as soon as possible). Replaces a shot not yet fired. The rate of the APIC's timer against the
   TSC is measured when first asked for, over the time since apic_init_cpu(). */
void apic_timer_arm(uint64_t tsc_ticks);
void apic_timer_stop(void);

/* The timer runs out again and again, after `count` of its ticks each, and interrupts nobody. */
void apic_timer_beat(uint32_t count);

#endif
