/* Translations cached by another CPU: INVEPT and INVVPID act on the CPU that executes them, so that
   one CPU interrupts the other's guest, which then invalidates (Intel SDM, "Operations that
   Invalidate Cached Mappings"). */
#define TEST_FOLDER "smp/"
#include "runtime/apic.h"
#include "runtime/harness.h"
#include "runtime/trap.h"
#include "vmx-tests/ept/remap.h"
#include "vmx-tests/worker.h"

#define TITLE    "SDM Operations that Invalidate Cached Mappings"
#define VPID     3
#define PATIENCE 10000000 /* rounds that the guest waits: the watchdog ends them earlier */

static volatile uint32_t guest_runs, guest_may_end;
static volatile uint64_t first, second;

/* Reads the window before and after the change on CPU 0. */
static void guest_read_and_wait(void)
{
	const volatile uint64_t *word = (const volatile uint64_t *)(WINDOW_LINEAR + 8);
	unsigned int i;

	first = *word;
	guest_runs = 1;
	for (i = 0; i < PATIENCE && !guest_may_end; i++)
		cpu_pause();
	second = *word;
}

/* The worker's part: its guest runs until the NMI, the translations go, the guest goes on. */
static outcome run_and_invalidate(void *arg)
{
	const bool *by_vpid = arg;
	struct invvpid_descriptor vpid = { VPID, 0 };
	struct invept_descriptor eptp = { 0 };
	outcome result;

	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	guest_set_host();
	CHECK_EQUAL(invept(INVEPT_ALL_CONTEXT, &eptp), OK);
	CHECK_EQUAL(invvpid(INVVPID_SINGLE_CONTEXT, &vpid), OK);
	result = guest_launch();
	CHECK_EQUAL(result, EXIT(EXIT_REASON_EXCEPTION_OR_NMI));
	if (*by_vpid)
		CHECK_EQUAL(invvpid(INVVPID_SINGLE_CONTEXT, &vpid), OK);
	else
		CHECK_EQUAL(invept(INVEPT_ALL_CONTEXT, &eptp), OK);
	guest_may_end = 1;
	result = guest_resume();
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	return result;
}

/* An IRET ends the blocking by NMI that outlived the exit. */
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

static outcome run(enum remap_entry entry, bool by_vpid)
{
	outcome result;

	guest_runs = guest_may_end = 0;
	proc2_set(PROC2_ENABLE_VPID);
	field_write(VMCS_VPID, VPID);
	remap_open(entry, 0);
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
	guest_set_code(guest_read_and_wait);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	worker_start(1, run_and_invalidate, &by_vpid);
	CHECK(worker_sees(&guest_runs));
	*remap_target(entry) = remap_value(entry);
	apic_send_nmi(worker_apic_id(1));
	result = worker_wait(1);
	worker_run(unblock, NULL);
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	CHECK_EQUAL(test_observe(first), WINDOW_WORD);
	CHECK_EQUAL(test_observe(second), WINDOW_OTHER);
	return result;
}

TEST(invalidation, invept, TITLE,
	"after INVEPT on the CPU that runs the guest, it sees another CPU's change of its EPT",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_smp, &need_ept, &need_vpid, &need_invvpid_single),
	.covers = "insn:INVEPT")
{
	return run(REMAP_EPT, false);
}

TEST(invalidation, invvpid, TITLE,
	"after INVVPID on the CPU that runs the guest, it sees another CPU's change of the guest's "
	"tables",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_smp, &need_vpid, &need_invvpid_single),
	.covers = "insn:INVVPID")
{
	return run(REMAP_GUEST_WITHOUT_EPT, true);
}

TEST(invalidation, invvpid_ept, TITLE,
	"after INVVPID on the CPU that runs the guest under EPT, it sees another CPU's change of "
	"the guest's tables",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_smp, &need_ept, &need_vpid, &need_invvpid_single),
	.covers = "insn:INVVPID")
{
	return run(REMAP_GUEST, true);
}
