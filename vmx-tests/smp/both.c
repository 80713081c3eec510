/* Two CPUs in VMX non-root operation at the same time, each with a VMCS of its own (Intel SDM,
   "Software Use of Virtual- Machine Control Structures"). */
#define TEST_FOLDER "smp/"
#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"
#include "vmx-tests/worker.h"

#define PATIENCE 200000 /* rounds */

static uint8_t other_stack[4096] __aligned(16);
static volatile uint32_t here[2];
static volatile uint64_t seen[2];

/* Each guest says that it is there and waits for the other, not for ever. */
static void meet(unsigned int own, unsigned int other)
{
	unsigned int i;

	here[own] = 1;
	for (i = 0; i < PATIENCE && !here[other]; i++)
		cpu_pause();
	seen[own] = here[other];
}

static void guest_0(void)
{
	meet(0, 1);
}

static void guest_1(void)
{
	meet(1, 0);
}

/* The field's value, or 0; not the CPU's answer to a test. */
static uint64_t read_quietly(uint64_t encoding)
{
	uint64_t value = 0;

	__asm__ volatile("vmread %1, %0" : "+r"(value) : "r"(encoding) : "cc");
	return value;
}

/* Copies every field that can be written from the current VMCS to the spare one, which becomes
 * clear again. */
static void copy_vmcs(void)
{
	static uint64_t values[VMCS_FIELDS];
	unsigned int i;

	for (i = 0; i < VMCS_FIELDS; i++)
		values[i] = read_quietly(vmcs_fields[i].encoding);
	vmclear(vmx_address(vmx_spare_region));
	vmptrld(vmx_address(vmx_spare_region));
	for (i = 0; i < VMCS_FIELDS; i++)
		if (vmcs_fields[i].area != AREA_READONLY)
			vmwrite(vmcs_fields[i].encoding, values[i]);
}

static outcome run_other(void *arg)
{
	outcome result;

	CHECK_EQUAL(vmptrld(vmx_address(vmx_spare_region)), OK);
	guest_set_host();
	result = guest_launch();
	CHECK_EQUAL(vmclear(vmx_address(vmx_spare_region)), OK);
	return result;
}

/* A stack for the other guest, prepared as guest_set_code() does it. */
static void set_other_code(void (*code)(void))
{
	uint64_t *top = (uint64_t *)(void *)(other_stack + sizeof(other_stack)) - 2;

	guest_set_code(code);
	*top = (uintptr_t)code;
	field_write(VMCS_GUEST_RSP, vmx_address(top));
}

TEST(both, guests, "SDM Software Use of Virtual-Machine Control Structures",
	"two CPUs run guests at the same time, each with its own current VMCS",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_smp), .covers = "insn:VMLAUNCH insn:VMPTRLD")
{
	outcome result, other;

	here[0] = here[1] = 0;
	seen[0] = seen[1] = 0;
	copy_vmcs();
	set_other_code(guest_1);
	CHECK_EQUAL(vmclear(vmx_address(vmx_spare_region)), OK);
	CHECK_EQUAL(vmptrld(vmx_address(vmx_region)), OK);
	guest_set_code(guest_0);
	worker_start(1, run_other, NULL);
	result = guest_launch();
	other = worker_wait(1);
	CHECK_EQUAL(other, EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(test_observe(seen[0]), 1);
	CHECK_EQUAL(test_observe(seen[1]), 1);
	return result;
}
