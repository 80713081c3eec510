/* Guest accesses to addresses where the VM has no memory: decoded and carried out in software.
   Nothing answers there: reads give all ones and writes are dropped, as on a PC's bus. */
#ifndef KERNEL_MMIO_H
#define KERNEL_MMIO_H

#include "kernel/backend.h"

struct vcpu;

/* Carries out the instruction that made the EXIT_STAGE2 exit: registers, flags, RIP, or an
   exception queued for the guest. Returns 0; or -EINVAL, when the instruction is not one that can
   be emulated: the VM cannot go on. */
int mmio_emulate(struct vcpu *vcpu, const struct exit *exit);

#endif
