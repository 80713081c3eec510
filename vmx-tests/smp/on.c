/* VMX operation on every CPU (Intel SDM, "Enabling and Entering VMX Operation", "MP
   Considerations"): each CPU has its own. */
#define TEST_FOLDER "smp/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/worker.h"

static outcome leave_and_enter(void *region)
{
	CHECK(test_observe(vmx_is_on()));
	CHECK_EQUAL(vmxoff(), OK);
	CHECK(!test_observe(vmx_is_on()));
	CHECK_EQUAL(vmxon(vmx_address(region)), OK);
	CHECK(test_observe(vmx_is_on()));
	return vmxoff(); /* the worker goes back to its own region */
}

TEST(on, each_cpu, "SDM Enabling and Entering VMX Operation",
	"VMXOFF and VMXON work on every CPU, with a region of its own", OK,
	.needs = NEEDS(&need_smp), .covers = "insn:VMXON insn:VMXOFF")
{
	unsigned int cpu;
	outcome result = OK;

	for (cpu = 1; cpu < worker_cpus() && result == OK; cpu++) {
		worker_start(cpu, leave_and_enter, vmx_spare_region);
		result = worker_wait(cpu);
	}
	return result;
}

static outcome run_guest(void *region)
{
	outcome result;

	CHECK_EQUAL(vmptrld(vmx_address(region)), OK);
	guest_set_host();
	result = guest_launch();
	CHECK_EQUAL(vmclear(vmx_address(region)), OK);
	return result;
}

static void guest_cpuid(void)
{
	cpuid(0, 0);
}

TEST(on, guest_on_each_cpu, "SDM MP Considerations",
	"a VMCS filled on one CPU is entered on each other", EXIT(EXIT_REASON_CPUID),
	.needs = NEEDS(&need_smp), .covers = "insn:VMCLEAR insn:VMPTRLD")
{
	unsigned int cpu;
	outcome result = EXIT(EXIT_REASON_CPUID);

	guest_set_code(guest_cpuid);
	for (cpu = 1; cpu < worker_cpus() && result == EXIT(EXIT_REASON_CPUID); cpu++) {
		CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
		worker_start(cpu, run_guest, vmx_region);
		result = worker_wait(cpu);
	}
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	return result;
}
