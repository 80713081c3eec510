/* INIT, SIPI and NMI from one CPU to another in VMX operation (Intel SDM, "Other Causes of VM
   Exits", "Restrictions on VMX Operation", "Guest Non-Register State"). */
#define TEST_FOLDER "smp/"
#include "runtime/apic.h"
#include "runtime/harness.h"
#include "runtime/trap.h"
#include "spec/apic.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/worker.h"

#define OTHER_CAUSES "SDM Other Causes of VM Exits"
#define NEEDED       NEEDS(&need_smp)
#define SIPI_VECTOR  0x9a
#define PATIENCE     10000000 /* rounds: the watchdog ends them earlier */

/* What the worker's guest and the sender tell each other. */
static volatile uint32_t guest_runs, guest_may_end, host_runs, signalled;
static volatile uint64_t host_nmis;

static void guest_wait(void)
{
	unsigned int i;

	guest_runs = 1;
	for (i = 0; i < PATIENCE && !guest_may_end; i++)
		cpu_pause();
}

static void guest_halt(void)
{
	guest_runs = 1;
	halt();
}

static void guest_run_once(void)
{
	guest_runs = 1;
}

struct job {
	void (*before)(void);      /* changes the VMCS; may be NULL */
	bool wait_for_signal;      /* stays in root operation until the signal has been sent */
	uint64_t activity;         /* saved at the exit */
	uint32_t ran;              /* guest_runs at the exit */
	uint64_t interruptibility; /* saved at the second exit */
	outcome second;            /* another entry after the exit, with guest_may_end set */
	uint64_t qualification, interruption;
};

/* Enters the guest on the worker, once and again. */
static outcome enter_guest(void *arg)
{
	struct job *job = arg;
	outcome result;

	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	guest_set_host();
	if (job->before != NULL)
		job->before();
	host_runs = 1;
	if (job->wait_for_signal)
		CHECK(worker_sees(&signalled));
	result = guest_launch();
	job->ran = guest_runs;
	job->qualification = field_read(VMCS_EXIT_QUALIFICATION);
	job->interruption = field_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
	job->activity = field_read(VMCS_GUEST_ACTIVITY_STATE);
	guest_may_end = 1;
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	job->second = guest_resume();
	job->interruptibility = field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	return result;
}

/* The worker runs the guest, and gets the signal when *flag is set and some time has passed. */
static outcome run(struct job *job, void (*code)(void), const volatile uint32_t *flag, uint32_t icr)
{
	uint64_t start;
	outcome result;

	guest_runs = guest_may_end = host_runs = signalled = 0;
	guest_set_code(code);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	worker_start(1, enter_guest, job);
	CHECK(worker_sees(flag));
	for (start = rdtsc();
		rdtsc() - start < 20000;) /* until a HLT has been executed, or the guest entered */
		cpu_pause();
	apic_send(worker_apic_id(1), icr);
	signalled = 1;
	result = worker_wait(1);
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	return result;
}

#define SIGNAL_INIT (APIC_ICR_INIT | APIC_ICR_ASSERT)
#define SIGNAL_NMI  (APIC_ICR_NMI | APIC_ICR_ASSERT)
#define SIGNAL_SIPI (APIC_ICR_STARTUP | APIC_ICR_ASSERT | SIPI_VECTOR)

/* INIT. A CPU that keeps it pending is of no use to the next test. */
static outcome run_init(struct job *job, void (*code)(void), const volatile uint32_t *flag)
{
	outcome result = run(job, code, flag, SIGNAL_INIT);

	worker_restart(1);
	return result;
}

TEST(signal, init, OTHER_CAUSES, "an INIT to a CPU in VMX non-root operation exits",
	EXIT(EXIT_REASON_INIT_SIGNAL), .needs = NEEDED, .covers = "exit:INIT_SIGNAL")
{
	struct job job = { 0 };
	outcome result = run_init(&job, guest_wait, &guest_runs);

	CHECK_EQUAL(test_observe(job.qualification), 0);
	CHECK_EQUAL(test_observe(job.interruption) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(test_observe(job.activity), ACTIVITY_ACTIVE);
	return result;
}

TEST(signal, init_once, OTHER_CAUSES,
	"the exit consumes the INIT: the guest goes on at the next entry", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDED, .covers = "exit:INIT_SIGNAL")
{
	struct job job = { 0 };
	outcome result = run_init(&job, guest_wait, &guest_runs);

	CHECK_EQUAL(result, EXIT(EXIT_REASON_INIT_SIGNAL));
	return job.second;
}

TEST(signal, init_in_root, "SDM Restrictions on VMX Operation",
	"in VMX root operation INIT is blocked; it stays pending, and exits after the next VM "
	"entry",
	EXIT(EXIT_REASON_INIT_SIGNAL), .needs = NEEDED, .covers = "exit:INIT_SIGNAL")
{
	struct job job = { .wait_for_signal = true };
	outcome result = run_init(&job, guest_run_once, &host_runs);

	if (result == EXIT(EXIT_REASON_INIT_SIGNAL))
		CHECK_EQUAL(test_observe(job.ran), 0); /* before the guest's first instruction */
	return result;
}

static void exit_on_nothing(void)
{
	field_clear(VMCS_PROC_CONTROLS, PROC_HLT_EXITING);
}

TEST(signal, init_hlt, "SDM Saving Non-Register State",
	"an INIT to a guest in the HLT state exits, and the state is saved",
	EXIT(EXIT_REASON_INIT_SIGNAL), .needs = NEEDED,
	.covers = "exit:INIT_SIGNAL field:GUEST_ACTIVITY_STATE")
{
	struct job job = { .before = exit_on_nothing };
	outcome result = run_init(&job, guest_halt, &guest_runs);

	CHECK_EQUAL(test_observe(job.activity), ACTIVITY_HLT);
	return result;
}

/* NMI. */
static void exit_on_nmi(void)
{
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
	field_clear(VMCS_PROC_CONTROLS, PROC_HLT_EXITING);
}

/* Blocking by NMI outlives the exit: IRET ends it, on the worker. */
static outcome unblock(void *arg)
{
	__asm__ volatile("movq %%rsp, %%rax; movl %%ss, %%ecx; pushq %%rcx; pushq %%rax; pushfq; "
			 "movl %%cs, %%ecx;"
			 "pushq %%rcx; pushq $1f; iretq; 1:"
			 :
			 :
			 : "rax", "rcx", "memory");
	return OK;
}

static outcome run_nmi(struct job *job, void (*code)(void))
{
	outcome result = run(job, code, &guest_runs, SIGNAL_NMI);

	CHECK_EQUAL(worker_run(unblock, NULL), OK);
	return result;
}

#define NMI_INFORMATION                                                                            \
	(INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_NMI, INTERRUPTION_TYPE) | VECTOR_NMI)

TEST(signal, nmi, OTHER_CAUSES,
	"an NMI to a CPU in VMX non-root operation exits with \"NMI exiting\" 1",
	EXIT(EXIT_REASON_EXCEPTION_OR_NMI), .needs = NEEDED,
	.covers =
		"exit:EXCEPTION_OR_NMI control:PIN_NMI_EXITING field:EXIT_INTERRUPTION_INFORMATION")
{
	struct job job = { .before = exit_on_nmi };
	outcome result = run_nmi(&job, guest_wait);

	CHECK_EQUAL(test_observe(job.interruption), NMI_INFORMATION);
	CHECK_EQUAL(job.second, EXIT(EXIT_REASON_VMCALL));
	return result;
}

TEST(signal, nmi_hlt, "SDM Saving Non-Register State",
	"an NMI to a guest in the HLT state exits, and the state is saved",
	EXIT(EXIT_REASON_EXCEPTION_OR_NMI), .needs = NEEDED,
	.covers = "exit:EXCEPTION_OR_NMI control:PIN_NMI_EXITING field:GUEST_ACTIVITY_STATE")
{
	struct job job = { .before = exit_on_nmi };
	outcome result = run_nmi(&job, guest_halt);

	CHECK_EQUAL(test_observe(job.interruption), NMI_INFORMATION);
	CHECK_EQUAL(test_observe(job.activity), ACTIVITY_HLT);
	return result;
}

/* The guest ends when its handler has counted the NMI. */
static void guest_wait_for_event(void)
{
	unsigned int i;

	guest_runs = 1;
	for (i = 0; i < PATIENCE && guest_events == 0; i++)
		cpu_pause();
}

TEST(signal, nmi_delivered, OTHER_CAUSES,
	"an NMI to a CPU in VMX non-root operation is the guest's with \"NMI exiting\" 0",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = "control:PIN_NMI_EXITING")
{
	struct job job = { 0 };
	outcome result;

	guest_set_counting_gate(VECTOR_NMI, false);
	result = run_nmi(&job, guest_wait_for_event);
	CHECK_EQUAL(test_observe(guest_events), 1);
	CHECK_EQUAL(test_observe(guest_event_vector), VECTOR_NMI);
	return result;
}

static void count_nmi(struct trap_frame *frame)
{
	host_nmis++;
}

static outcome wait_for_nmi(void *arg)
{
	uint64_t start = rdtsc();

	host_runs = 1;
	while (host_nmis == 0 && rdtsc() - start < 5000000)
		cpu_pause();
	return OK;
}

TEST(signal, nmi_in_root, "SDM VMX Non-Root Operation",
	"in VMX root operation an NMI is the host's", OK, .needs = NEEDED)
{
	trap_handler *before = trap_set_handler(VECTOR_NMI, count_nmi);
	outcome result;

	host_runs = 0;
	host_nmis = 0;
	worker_start(1, wait_for_nmi, NULL);
	CHECK(worker_sees(&host_runs));
	apic_send_nmi(worker_apic_id(1));
	result = worker_wait(1);
	trap_set_handler(VECTOR_NMI, before);
	CHECK_EQUAL(test_observe(host_nmis), 1);
	return result;
}

/* SIPI. */
static void wait_for_sipi(void)
{
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_WAIT_FOR_SIPI);
}

static outcome run_sipi(struct job *job)
{
	outcome result;

	job->before = wait_for_sipi;
	result = run(job, guest_wait, &host_runs, SIGNAL_SIPI);
	worker_restart(1);
	return result;
}

TEST(signal, sipi, OTHER_CAUSES,
	"a SIPI to a guest in the wait-for-SIPI state exits; the qualification is its vector",
	EXIT(EXIT_REASON_SIPI), .needs = NEEDS(&need_smp, &need_wait_for_sipi),
	.covers = "exit:SIPI cap:VMX_MISC_ACTIVITY_WAIT_FOR_SIPI")
{
	struct job job = { 0 };
	outcome result = run_sipi(&job);

	CHECK_EQUAL(test_observe(job.qualification), SIPI_VECTOR);
	CHECK_EQUAL(test_observe(job.ran), 0);
	return result;
}

TEST(signal, sipi_state, "SDM Saving Non-Register State",
	"an exit for a SIPI saves the wait-for-SIPI state", EXIT(EXIT_REASON_SIPI),
	.needs = NEEDS(&need_smp, &need_wait_for_sipi),
	.covers = "exit:SIPI field:GUEST_ACTIVITY_STATE")
{
	struct job job = { 0 };
	outcome result = run_sipi(&job);

	CHECK_EQUAL(test_observe(job.activity), ACTIVITY_WAIT_FOR_SIPI);
	return result;
}

TEST(signal, sipi_unblocks, "SDM Activity State",
	"a guest that becomes active after the exit for a SIPI has SMIs and NMIs unblocked",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_smp, &need_wait_for_sipi),
	.covers = "exit:SIPI field:GUEST_INTERRUPTIBILITY_STATE")
{
	struct job job = { 0 };

	CHECK_EQUAL(run_sipi(&job), EXIT(EXIT_REASON_SIPI));
	CHECK_EQUAL(test_observe(job.interruptibility), 0);
	return job.second;
}

/* Ends the wait: an NMI has been sent before, and must not have had any effect. */
static outcome run_blocked(struct job *job, uint32_t icr)
{
	guest_set_code(guest_wait);
	guest_runs = guest_may_end = host_runs = signalled = 0;
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	worker_start(1, enter_guest, job);
	CHECK(worker_sees(&host_runs));
	for (uint64_t start = rdtsc(); rdtsc() - start < 20000;)
		cpu_pause();
	apic_send(worker_apic_id(1), icr);
	for (uint64_t start = rdtsc(); rdtsc() - start < 20000;)
		cpu_pause();
	apic_send(worker_apic_id(1), SIGNAL_SIPI);
	return worker_wait(1);
}

static void wait_for_sipi_nmi(void)
{
	wait_for_sipi();
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
}

TEST(signal, wait_for_sipi_blocks, "SDM Activity State",
	"in the wait-for-SIPI state NMIs are blocked", EXIT(EXIT_REASON_SIPI),
	.needs = NEEDS(&need_smp, &need_wait_for_sipi), .covers = "exit:SIPI")
{
	trap_handler *before = trap_set_handler(VECTOR_NMI, count_nmi);
	struct job job = { .before = wait_for_sipi_nmi };
	outcome result;

	result = run_blocked(&job, SIGNAL_NMI);
	worker_restart(1);
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	trap_set_handler(VECTOR_NMI, before);
	return result;
}

TEST(signal, sipi_active, OTHER_CAUSES, "a SIPI to a guest that is active has no effect",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = "exit:SIPI")
{
	struct job job = { 0 };
	uint64_t start;

	guest_runs = guest_may_end = host_runs = 0;
	guest_set_code(guest_wait);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	worker_start(1, enter_guest, &job);
	CHECK(worker_sees(&guest_runs));
	apic_send(worker_apic_id(1), SIGNAL_SIPI);
	for (start = rdtsc(); rdtsc() - start < 20000;)
		cpu_pause();
	guest_may_end = 1;
	return worker_wait(1);
}
