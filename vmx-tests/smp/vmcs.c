/* One VMCS on several CPUs, one after the other (Intel SDM, "Software Use of Virtual-Machine
   Control Structures", "Software Access to Related Structures"): VMCLEAR on the one, then VMPTRLD
   on the other. */
#define TEST_FOLDER "smp/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/worker.h"

#define COVERS "insn:VMCLEAR insn:VMPTRLD"
#define TITLE  "SDM Software Use of Virtual-Machine Control Structures"
#define NEEDED NEEDS(&need_smp)

static const struct {
	uint16_t field;
	uint64_t value;
} fields[] = {
	{ VMCS_GUEST_RIP, UINT64_C(0x123456789abcdef0) },
	{ VMCS_GUEST_RSP, 0x5678 },
	{ VMCS_GUEST_CR3, 0x7000 },
	{ VMCS_EXCEPTION_BITMAP, 0xa5a5a5a5 },
	{ VMCS_HOST_RIP, 0x1111 },
	{ VMCS_GUEST_CS_SELECTOR, 0xbeef },
	{ VMCS_GUEST_CS_LIMIT, 0xfeed },
	{ VMCS_TSC_OFFSET, UINT64_C(0xfedcba9876543210) },
};

/* The fields as the other CPU sees them, and then other values for the way back. */
static outcome read_and_change(void *region)
{
	unsigned int i;

	CHECK_EQUAL(vmptrld(vmx_address(region)), OK);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		CHECK_EQUAL(field_read(fields[i].field), fields[i].value);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		field_write(fields[i].field, fields[i].value ^ 0x88);
	return vmclear(vmx_address(region));
}

TEST(vmcs, migration, TITLE,
	"after VMCLEAR on one CPU, VMPTRLD on another finds every field as it was written", OK,
	.needs = NEEDED, .covers = COVERS)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++)
		field_write(fields[i].field, fields[i].value);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	CHECK_EQUAL(worker_run(read_and_change, vmx_region), OK);
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	for (i = 0; i < ARRAY_SIZE(fields); i++)
		CHECK_EQUAL(field_read(fields[i].field), fields[i].value ^ 0x88);
	return OK;
}

static void guest_cpuid_twice(void)
{
	cpuid(0, 0);
	cpuid(0, 0);
}

static outcome launch(void *region)
{
	outcome result;

	CHECK_EQUAL(vmptrld(vmx_address(region)), OK);
	guest_set_host();
	result = guest_launch();
	guest_skip();
	CHECK_EQUAL(vmclear(vmx_address(region)), OK);
	return result;
}

TEST(vmcs, launch_state, TITLE,
	"a VMCS launched on one CPU is clear on another, after VMCLEAR: VMRESUME fails",
	FAIL_VALID(VMX_ERROR_VMRESUME_NOT_LAUNCHED), .needs = NEEDED,
	.covers = COVERS " insn:VMRESUME error:VMRESUME_NOT_LAUNCHED")
{
	guest_set_code(guest_cpuid_twice);
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	CHECK_EQUAL(worker_run(launch, vmx_region), EXIT(EXIT_REASON_CPUID));
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	guest_set_host();
	return guest_resume();
}

TEST(vmcs, guest_moves, TITLE, "a guest that ran on one CPU goes on on another where it stopped",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDED, .covers = COVERS " insn:VMLAUNCH")
{
	outcome result;

	guest_set_code(guest_cpuid_twice);
	CHECK_EQUAL(guest_launch(), EXIT(EXIT_REASON_CPUID));
	guest_skip();
	CHECK_EQUAL(vmclear(vmx_address(vmx_region)), OK);
	CHECK_EQUAL(worker_run(launch, vmx_region), EXIT(EXIT_REASON_CPUID));
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	guest_set_host();
	result = guest_launch();
	return result;
}

static outcome load_and_clear(void *region)
{
	uint64_t pointer;

	CHECK_EQUAL(vmptrld(vmx_address(region)), OK);
	CHECK_EQUAL(vmptrst(&pointer), OK);
	CHECK_EQUAL(test_observe(pointer), vmx_address(region));
	field_write(VMCS_GUEST_RIP, 0x2222);
	CHECK_EQUAL(vmclear(vmx_address(region)), OK);
	CHECK_EQUAL(vmptrst(&pointer), OK);
	CHECK_EQUAL(test_observe(pointer), VMCS_NO_POINTER);
	return OK;
}

TEST(vmcs, current_per_cpu, TITLE,
	"each CPU has its own current VMCS: VMPTRLD and VMCLEAR on one leave the others'", OK,
	.needs = NEEDED, .covers = COVERS " insn:VMPTRST")
{
	uint64_t pointer;

	field_write(VMCS_GUEST_RIP, 0x1111);
	CHECK_EQUAL(worker_run(load_and_clear, vmx_spare_region), OK);
	CHECK_EQUAL(vmptrst(&pointer), OK);
	CHECK_EQUAL(test_observe(pointer), vmx_address(vmx_region));
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), 0x1111);
	return OK;
}

static outcome leave(void *arg)
{
	CHECK_EQUAL(vmxoff(), OK);
	return test_observe(vmx_is_on()) ? FAIL_INVALID : OK;
}

TEST(vmcs, vmxoff_per_cpu, "SDM VMXOFF",
	"VMXOFF on one CPU leaves the others in VMX operation, with their current VMCS", OK,
	.needs = NEEDED, .covers = "insn:VMXOFF")
{
	field_write(VMCS_GUEST_RIP, 0x3333);
	CHECK_EQUAL(worker_run(leave, NULL), OK);
	CHECK(test_observe(vmx_is_on()));
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), 0x3333);
	return OK;
}

static outcome no_current(void *arg)
{
	return vmwrite(VMCS_GUEST_RIP, 0);
}

TEST(vmcs, no_current_after_vmxon, "SDM VMXON",
	"VMXON leaves the CPU without a current VMCS, whatever others have: VMfailInvalid",
	FAIL_INVALID, .needs = NEEDED, .covers = "insn:VMXON insn:VMWRITE")
{
	CHECK_EQUAL(worker_run(leave, NULL), OK);
	return worker_run(no_current, NULL);
}

static outcome same_capabilities(void *arg)
{
	const uint64_t *values = arg;
	uint32_t msr;

	for (msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_VMFUNC; msr++)
		CHECK_EQUAL(test_observe(vmx_capability(msr)), values[msr - MSR_IA32_VMX_BASIC]);
	return OK;
}

TEST(vmcs, same_capabilities, "SDM Discovering Support for VMX",
	"all CPUs report the same VMX capabilities, so that a VMCS can move", OK, .needs = NEEDED)
{
	uint64_t values[MSR_IA32_VMX_VMFUNC - MSR_IA32_VMX_BASIC + 1];
	outcome result = OK;
	unsigned int cpu;
	uint32_t msr;

	for (msr = MSR_IA32_VMX_BASIC; msr <= MSR_IA32_VMX_VMFUNC; msr++)
		values[msr - MSR_IA32_VMX_BASIC] = vmx_capability(msr);
	for (cpu = 1; cpu < worker_cpus() && result == OK; cpu++) {
		worker_start(cpu, same_capabilities, values);
		result = worker_wait(cpu);
	}
	return result;
}
