/* The workers' loop, and the hand-over of jobs to it. What the jobs do is the tests'. */
#include "vmx-tests/worker.h"

#include "runtime/apic.h"
#include "runtime/clock.h"
#include "runtime/harness.h"
#include "runtime/panic.h"
#include "runtime/smp.h"
#include "runtime/trap.h"
#include "spec/apic.h"
#include "vmx-tests/beat.h"

#define PATIENCE 5 /* seconds */

struct worker {
	worker_job *job; /* NULL: none; written by CPU 0 to start, by the worker when done */
	void *arg;
	outcome result;
	struct vmcs_region *on_region;
};

static struct worker workers[SMP_MAX_CPUS];

/* The interrupt only ends a HLT. */
static void acknowledge(struct trap_frame *frame)
{
	apic_eoi();
}

static void enter_operation(struct worker *worker)
{
	if (!(rdmsr(MSR_IA32_FEATURE_CONTROL) & FEATURE_CONTROL_LOCK))
		wrmsr(MSR_IA32_FEATURE_CONTROL, rdmsr(MSR_IA32_FEATURE_CONTROL) |
							FEATURE_CONTROL_LOCK |
							FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	write_cr0((read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	write_cr4((read_cr4() | rdmsr(MSR_IA32_VMX_CR4_FIXED0) | CR4_VMXE) &
		  rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	if (worker->on_region == NULL)
		worker->on_region = vmx_new_region();
	if (vmxon(vmx_address(worker->on_region)) != OK)
		panic("VMXON failed on CPU %u", smp_this()->number);
}

static void call_job(void *arg)
{
	struct worker *worker = arg;

	worker->result = worker->job(worker->arg);
}

static worker_job *next_job(struct worker *worker)
{
	worker_job *job;

	while ((job = __atomic_load_n(&worker->job, __ATOMIC_ACQUIRE)) == NULL)
		interrupts_wait();
	return job;
}

/* A VM exit sets the limits to their maximum ("Loading Host Segment and Descriptor-Table
 * Registers"). */
static void work(unsigned int number)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();
	struct worker *worker = &workers[number];
	struct trap_info info;

	for (;;) {
		if (vmx_is_on())
			vmxoff(); /* a job may have left another VMXON region, or a current VMCS */
		enter_operation(worker);
		beat_start();
		next_job(worker);
		if (trap_catch(call_job, worker, &info) != TRAP_NONE)
			worker->result = outcome_fault(info.vector, info.error);
		write_gdtr(gdtr);
		write_idtr(idtr);
		__atomic_store_n(&worker->job, NULL, __ATOMIC_RELEASE);
	}
}

unsigned int worker_cpus(void)
{
	if (smp_cpus == 1) {
		trap_set_handler(APIC_VECTOR_WAKE, acknowledge);
		smp_start(0, work);
	}
	return smp_cpus;
}

uint32_t worker_apic_id(unsigned int cpu)
{
	return smp_cpu(cpu)->apic_id;
}

static void give(unsigned int cpu, worker_job *job, void *arg)
{
	workers[cpu].arg = arg;
	__atomic_store_n(&workers[cpu].job, job, __ATOMIC_RELEASE);
	apic_send_fixed(worker_apic_id(cpu), APIC_VECTOR_WAKE);
}

/* A pending INIT is taken as soon as VMX operation is left: this may not return. */
static outcome leave_operation(void *arg)
{
	vmxoff();
	*(volatile uint32_t *)arg = 1;
	while (*(volatile uint32_t *)arg)
		halt();
	return OK;
}

static bool wait_until_done(unsigned int cpu, uint64_t ticks)
{
	uint64_t start = rdtsc();

	while (!worker_is_done(cpu) && rdtsc() - start < ticks)
		cpu_pause();
	return worker_is_done(cpu);
}

/* A worker in a guest comes back by an INIT's exit; then it leaves VMX operation, where INIT is
 * blocked. */
void worker_restart(unsigned int cpu)
{
	static volatile uint32_t left;
	uint64_t start;

	if (!worker_is_done(cpu)) {
		apic_send(worker_apic_id(cpu), APIC_ICR_INIT | APIC_ICR_ASSERT);
		wait_until_done(cpu, clock_tsc_hz() / 10);
	}
	left = 0;
	give(cpu, leave_operation, (void *)(uintptr_t)&left);
	for (start = rdtsc(); left == 0 && rdtsc() - start < clock_tsc_hz() / 100;)
		cpu_pause();
	__atomic_store_n(&workers[cpu].job, NULL, __ATOMIC_RELEASE);
	if (!smp_restart(cpu))
		panic("CPU %u cannot be started again", cpu);
}

bool worker_revive(unsigned int cpu)
{
	__atomic_store_n(&workers[cpu].job, NULL, __ATOMIC_RELEASE);
	return smp_restart(cpu);
}

void worker_start(unsigned int cpu, worker_job *job, void *arg)
{
	if (cpu == 0 || cpu >= worker_cpus())
		panic("there is no CPU %u for a job", cpu);
	if (!worker_is_done(cpu))
		worker_restart(cpu);
	give(cpu, job, arg);
}

bool worker_is_done(unsigned int cpu)
{
	return __atomic_load_n(&workers[cpu].job, __ATOMIC_ACQUIRE) == NULL;
}

static bool is_in_time(uint64_t start)
{
	cpu_pause();
	return rdtsc() - start < PATIENCE * clock_tsc_hz();
}

outcome worker_wait(unsigned int cpu)
{
	uint64_t start = rdtsc();

	while (!worker_is_done(cpu))
		if (!is_in_time(start))
			return test_error(__LINE__, "CPU %u does not come back from its job", cpu);
	return workers[cpu].result;
}

bool worker_sees(const volatile uint32_t *flag)
{
	uint64_t start = rdtsc();

	while (*flag == 0)
		if (!is_in_time(start))
			return false;
	return true;
}

outcome worker_run(worker_job *job, void *arg)
{
	worker_start(1, job, arg);
	return worker_wait(1);
}
