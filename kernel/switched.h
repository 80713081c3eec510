/* The state that neither vendor's entry or exit switches: it stays in the CPU's registers while the
   hypervisor runs, which does not use it, and is exchanged only when another vCPU's turn comes. */
#ifndef KERNEL_SWITCHED_H
#define KERNEL_SWITCHED_H

#include "kernel/backend.h"

struct vcpu;

struct vcpu_switched {
	uint64_t dr[4], dr6, xcr0;
	uint64_t star, lstar, cstar, fmask, kernel_gs_base, tsc_aux;
	uint64_t cr2;
	void *xsave; /* the XSAVE or FXSAVE area, 64-byte aligned */
};

/* Turns on what this CPU's registers need: OSFXSR, OSXSAVE. Once per CPU. */
void switched_init_cpu(void);

/* State as after reset. 0 or -ENOMEM. */
int switched_create(struct vcpu_switched *state);
void switched_destroy(struct vcpu_switched *state);

/* Puts vcpu's state into the calling CPU's registers, after saving there whose it was. */
void switched_load(struct vcpu *vcpu);

#endif
