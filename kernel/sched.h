/* The scheduler: each physical CPU runs its own virtual machines in turn, a time slice each. */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include "runtime/compiler.h"

/* The length of a slice in microseconds; before the first CPU runs. */
void sched_set_slice(uint64_t microseconds);

/* Runs the VMs of the calling CPU until all VMs of the machine have ended or the user quits. */
void sched_run(void);

#endif
