/* The other CPUs, working for tests: each waits in a loop, in VMX root operation without a current
   VMCS, and runs the job it is given. Tests that use one need need_smp. */
#ifndef VMX_TESTS_WORKER_H
#define VMX_TESTS_WORKER_H

#include "vmx-tests/vmx.h"

/* What a worker does: returns what happened, as a test's body does; an exception it does not catch
   becomes its outcome. Interrupts are off. It leaves the CPU in VMX root operation, and clears each
   VMCS that it made active: the next test uses it on CPU 0. */
typedef outcome worker_job(void *arg);

/* The number of CPUs, this one included; starts the workers when first called. */
unsigned int worker_cpus(void);

/* Gives a job to CPU `cpu`, 1 ... worker_cpus() - 1, and returns at once. A CPU that did not come
   back from its last one is started again first. */
void worker_start(unsigned int cpu, worker_job *job, void *arg);
bool worker_is_done(unsigned int cpu);

/* Waits some seconds for the end of the job: its outcome, or an ERROR. */
outcome worker_wait(unsigned int cpu);

/* worker_start() and worker_wait() with CPU 1. */
outcome worker_run(worker_job *job, void *arg);

/* Makes the worker leave VMX operation and starts it again by INIT and SIPI, also where an INIT is
   pending there: for tests after which it may not be as it was. Not while it has a job that may
   come back. */
void worker_restart(unsigned int cpu);

/* Starts a worker again that shut down: false when it stays so, as after a VMX abort it should. */
bool worker_revive(unsigned int cpu);

uint32_t worker_apic_id(unsigned int cpu);

/* Waits until *flag is not 0, on any CPU: false when that took some seconds. */
bool worker_sees(const volatile uint32_t *flag);

/* A job that enters a guest calls guest_set_host() (guest.h) first, and then guest_launch(),
   guest_resume() or guest_run(), one CPU at a time. */

#endif
