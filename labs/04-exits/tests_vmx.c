/* Lab 4 on VT-x: what an I/O exit tells, and events on their way into a guest. */
#define TEST_FOLDER "lab4/"
#include "kernel/vm.h"
#include "kernel/vmx/vmx.h"
#include "labs/suite.h"
#include "runtime/x86.h"

#define VTX .needs = NEEDS(&lab_needs_vtx)

/* ---- vmx_event_inject ---- */

#define INJECTS "SDM VM-Entry Controls for Event Injection"

/* Prepares the injection of an event into a guest with this CR0, and returns the information field.
 */
static uint64_t inject(struct event event, uint64_t cr0)
{
	struct vcpu *vcpu = &lab_vm(true)->vcpu;

	lab_vmcs();
	vmwrite(VMCS_GUEST_CR0, cr0);
	vcpu->inject = event;
	vcpu->inject.valid = true;
	vmx_event_inject(vcpu);
	return vcpu->inject.valid ? 0 : vmread(VMCS_ENTRY_INTERRUPTION_INFORMATION);
}

TEST(vmx_event_inject, interrupt, INJECTS,
	"an interrupt: valid bit, type 0, vector; vcpu->inject is empty again" CAUSE(
		"the valid bit (31) is missing, or vcpu->inject.valid stays true: it is delivered "
		"twice"),
	OK, VTX)
{
	CHECK_EQUAL(inject((struct event){ .type = EVENT_INTERRUPT, .vector = 0x20 }, CR0_PE),
		0x80000020);
	return OK;
}

TEST(vmx_event_inject, error_code, INJECTS,
	"an exception with an error code: bit 11, and the code in its field" CAUSE(
		"bit 11 (deliver error code) or the error-code field is missing"),
	OK, VTX)
{
	const struct event event = {
		.type = EVENT_EXCEPTION, .vector = VECTOR_GP, .has_error = true, .error = 0x18
	};

	CHECK_EQUAL(inject(event, CR0_PE), 0x80000b0d);
	CHECK_EQUAL(vmread(VMCS_ENTRY_EXCEPTION_ERROR_CODE), 0x18);
	return OK;
}

TEST(vmx_event_inject, real_mode, INJECTS,
	"in real mode no exception has an error code" CAUSE(
		"CR0.PE of the guest is not looked at: VM entry refuses an error code with PE = 0"),
	OK, VTX)
{
	const struct event event = {
		.type = EVENT_EXCEPTION, .vector = VECTOR_GP, .has_error = true
	};

	CHECK_EQUAL(inject(event, 0), 0x8000030d);
	return OK;
}

TEST(vmx_event_inject, software, INJECTS,
	"INT n: type 4, and the instruction's length in its field" CAUSE(
		"the length is not written: the return address is the instruction itself"),
	OK, VTX)
{
	CHECK_EQUAL(
		inject((struct event){ .type = EVENT_SOFTWARE, .vector = 0x80, .len = 2 }, CR0_PE),
		0x80000480);
	CHECK_EQUAL(vmread(VMCS_ENTRY_INSTRUCTION_LENGTH), 2);
	return OK;
}

TEST(vmx_event_inject, software_exception, INJECTS,
	"INT3: type 6, and its length too" CAUSE("only INT n is taken for an event with a length"),
	OK, VTX)
{
	const struct event event = {
		.type = EVENT_SOFTWARE_EXCEPTION, .vector = VECTOR_BP, .len = 1
	};

	CHECK_EQUAL(inject(event, CR0_PE), 0x80000603);
	CHECK_EQUAL(vmread(VMCS_ENTRY_INSTRUCTION_LENGTH), 1);
	return OK;
}
