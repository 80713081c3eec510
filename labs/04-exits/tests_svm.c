/* Lab 4 on AMD-V: events on their way into a guest. */
#define TEST_FOLDER "lab4/"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "labs/suite.h"
#include "runtime/x86.h"

#define AMDV    .needs = NEEDS(&lab_needs_amdv)
#define INJECTS "APM Event Injection"
#define RIP     0x1000

static uint8_t pages[PAGE_SIZE << SVM_VCPU_ORDER] __aligned(4096);

/* Prepares the injection of an event into a guest with this CR0, and returns EVENTINJ. */
static uint64_t inject(struct event event, uint64_t cr0)
{
	struct vcpu *vcpu = &lab_vm(true)->vcpu;
	struct svm_vcpu *svm = (struct svm_vcpu *)pages;

	__builtin_memset(pages, 0, sizeof(pages));
	vcpu->svm = svm;
	svm->vmcb.cr0 = cr0;
	svm->vmcb.rip = RIP;
	vcpu->inject = event;
	vcpu->inject.valid = true;
	svm_event_inject(vcpu);
	return vcpu->inject.valid ? 0 : svm->vmcb.eventinj;
}

static uint64_t rip_after(void)
{
	return ((const struct svm_vcpu *)pages)->vmcb.rip;
}

TEST(svm_event_inject, interrupt, INJECTS,
	"an interrupt: valid bit, type 0, vector; vcpu->inject is empty again" CAUSE(
		"the valid bit (31) is missing, or vcpu->inject.valid stays true: it is delivered "
		"twice"),
	OK, AMDV)
{
	CHECK_EQUAL(inject((struct event){ .type = EVENT_INTERRUPT, .vector = 0x20 }, CR0_PE),
		0x80000020);
	CHECK_EQUAL(rip_after(), RIP);
	return OK;
}

TEST(svm_event_inject, error_code, INJECTS,
	"an exception with an error code: bit 11, and the code in 63:32" CAUSE(
		"bit 11 (EV) is missing, or the code is not in the upper half"),
	OK, AMDV)
{
	const struct event event = {
		.type = EVENT_EXCEPTION, .vector = VECTOR_GP, .has_error = true, .error = 0x18
	};

	CHECK_EQUAL(inject(event, CR0_PE), UINT64_C(0x1880000b0d));
	return OK;
}

TEST(svm_event_inject, real_mode, INJECTS,
	"in real mode no exception has an error code" CAUSE("CR0.PE of the guest is not looked at"),
	OK, AMDV)
{
	const struct event event = {
		.type = EVENT_EXCEPTION, .vector = VECTOR_GP, .has_error = true
	};

	CHECK_EQUAL(inject(event, 0), 0x8000030d);
	return OK;
}

TEST(svm_event_inject, software, INJECTS,
	"INT n: type 4; RIP is behind the instruction, which pushes that" CAUSE(
		"RIP is not moved by the event's length: the return address is the instruction "
		"itself"),
	OK, AMDV)
{
	CHECK_EQUAL(
		inject((struct event){ .type = EVENT_SOFTWARE, .vector = 0x80, .len = 2 }, CR0_PE),
		0x80000480);
	CHECK_EQUAL(rip_after(), RIP + 2);
	CHECK_EQUAL(((const struct svm_vcpu *)pages)->vmcb.nrip, RIP + 2);
	return OK;
}

TEST(svm_event_inject, software_exception, INJECTS,
	"INT3 is an exception here: type 3" CAUSE(
		"types 5 and 6 are VT-x's: AMD-V has exceptions only"),
	OK, AMDV)
{
	const struct event event = {
		.type = EVENT_SOFTWARE_EXCEPTION, .vector = VECTOR_BP, .len = 1
	};

	CHECK_EQUAL(inject(event, CR0_PE), 0x80000303);
	CHECK_EQUAL(rip_after(), RIP + 1);
	return OK;
}
