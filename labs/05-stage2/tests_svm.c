/* Lab 5 on AMD-V: nested page-table entries bit by bit, nested page faults as the VMCB tells them,
   and the order to forget translations. */
#define TEST_FOLDER "lab5/"
#include "kernel/stage2.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/x86.h"

#define AMDV .needs = NEEDS(&lab_needs_amdv)

/* ---- write_leaf ---- */

#define FORMAT "APM Page-Translation-Table Entry Fields"
#define ALWAYS (PTE_P | PTE_U | PTE_A | PTE_D)
#define ALL    (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)

static uint64_t write_leaf(uint64_t hpa, uint64_t rights, unsigned int level)
{
	return svm_stage2_format.leaf(hpa, rights, level);
}

TEST(write_leaf, user, "APM Nested Table Walk",
	"present and user: each access of a guest is a user access here" CAUSE(
		"U is missing: nested walks are user accesses whatever the guest's CPL"),
	OK, AMDV)
{
	CHECK_EQUAL(write_leaf(0x7000, ALL, 1) & (PTE_P | PTE_U), PTE_P | PTE_U);
	return OK;
}

TEST(write_leaf, accessed_dirty, FORMAT,
	"accessed and dirty are set beforehand" CAUSE(
		"A or D is missing: the CPU has to write the entry itself"),
	OK, AMDV)
{
	CHECK_EQUAL(write_leaf(0x7000, STAGE2_READ, 1) & (PTE_A | PTE_D), PTE_A | PTE_D);
	return OK;
}

TEST(write_leaf, rights, FORMAT,
	"writable with STAGE2_WRITE, no-execute without STAGE2_EXECUTE" CAUSE(
		"NX is set where the page may be executed, or W always"),
	OK, AMDV)
{
	CHECK_EQUAL(write_leaf(0x7000, ALL, 1), 0x7000 | ALWAYS | PTE_W);
	CHECK_EQUAL(write_leaf(0x7000, STAGE2_READ, 1), 0x7000 | ALWAYS | PTE_NX);
	CHECK_EQUAL(write_leaf(0x7000, STAGE2_READ | STAGE2_EXECUTE, 1), 0x7000 | ALWAYS);
	return OK;
}

TEST(write_leaf, device, FORMAT,
	"devices: PCD and PWT, strong uncacheable" CAUSE(
		"only one of PCD and PWT is set: that is UC-, which the guest can override"),
	OK, AMDV)
{
	CHECK_EQUAL(write_leaf(0x7000, ALL | STAGE2_DEVICE, 1),
		0x7000 | ALWAYS | PTE_W | PTE_PCD | PTE_PWT);
	return OK;
}

TEST(write_leaf, large, FORMAT,
	"PS makes an entry of level 2 or 3 a page; at level 1 that bit is PAT" CAUSE(
		"PS is missing: the CPU takes the page for a table; or set at level 1"),
	OK, AMDV)
{
	CHECK_EQUAL(write_leaf(PAGE_SIZE_2M, ALL, 2), PAGE_SIZE_2M | ALWAYS | PTE_W | PTE_PS);
	CHECK_EQUAL(write_leaf(PAGE_SIZE_1G, ALL, 3), PAGE_SIZE_1G | ALWAYS | PTE_W | PTE_PS);
	CHECK_EQUAL(write_leaf(PAGE_SIZE, ALL, 1) & PTE_PS, 0);
	return OK;
}

/* ---- decode_npf ---- */

#define FAULTS "APM Nested versus Guest Page Faults, Fault Ordering"

LAB_CODE(npf_nothing, "nop");

static struct exit decode(uint64_t info)
{
	struct vcpu *vcpu = LAB_GUEST(npf_nothing);
	struct exit exit = { 0 };

	if (vcpu == NULL)
		return exit;
	vcpu->svm->vmcb.exitcode = VMEXIT_NPF;
	vcpu->svm->vmcb.exitinfo1 = info;
	vcpu->svm->vmcb.exitinfo2 = UINT64_C(0x123456789);
	svm_decode(vcpu, vcpu->svm, &exit);
	return exit;
}

TEST(decode_npf, address, FAULTS,
	"EXITINFO2 is the guest-physical address" CAUSE("the address comes from another field"), OK,
	AMDV)
{
	const struct exit exit = decode(NPF_USER | NPF_FINAL);

	CHECK_EQUAL(exit.kind, EXIT_STAGE2);
	CHECK_EQUAL(exit.stage2.gpa, UINT64_C(0x123456789));
	return OK;
}

TEST(decode_npf, read, FAULTS,
	"neither write nor fetch is a read" CAUSE(
		"there is no bit for a read: it is what the other two are not"),
	OK, AMDV)
{
	const struct exit exit = decode(NPF_USER | NPF_FINAL);

	CHECK(exit.stage2.read && !exit.stage2.write && !exit.stage2.fetch);
	return OK;
}

TEST(decode_npf, write, FAULTS, "bit 1: a write, and no read" CAUSE("NPF_WRITE is not looked at"),
	OK, AMDV)
{
	const struct exit exit = decode(NPF_USER | NPF_FINAL | NPF_WRITE);

	CHECK(!exit.stage2.read && exit.stage2.write && !exit.stage2.fetch);
	return OK;
}

TEST(decode_npf, fetch, FAULTS, "bit 4: a fetch, and no read" CAUSE("NPF_FETCH is not looked at"),
	OK, AMDV)
{
	const struct exit exit = decode(NPF_USER | NPF_FINAL | NPF_FETCH);

	CHECK(!exit.stage2.read && !exit.stage2.write && exit.stage2.fetch);
	return OK;
}

TEST(decode_npf, present, FAULTS,
	"bit 0: the address was mapped, but not with that right" CAUSE(
		"NPF_PRESENT is not looked at, or the other way round"),
	OK, AMDV)
{
	CHECK(decode(NPF_USER | NPF_WRITE | NPF_PRESENT).stage2.present);
	CHECK(!decode(NPF_USER | NPF_WRITE).stage2.present);
	return OK;
}

TEST(decode_npf, reserved, FAULTS,
	"bit 3: a reserved bit in our own tables, EXIT_OTHER" CAUSE(
		"NPF_RSVD is not looked at: the guest would fault there for ever"),
	OK, AMDV)
{
	CHECK_EQUAL(decode(NPF_USER | NPF_PRESENT | NPF_RSVD).kind, EXIT_OTHER);
	return OK;
}

/* ---- svm_stage2_flush ---- */

#define FLUSHES "APM TLB Control"

/* A vCPU of a machine with a map, which has just flushed. */
static struct vcpu *flushed_vcpu(void)
{
	static uint64_t root[512] __aligned(4096);
	struct vcpu *vcpu = lab_guest_make_on(npf_nothing, npf_nothing_end, root);

	if (vcpu != NULL)
		vcpu->svm->flushed = *vcpu->svm->flush;
	return vcpu;
}

TEST(svm_stage2_flush, ordered, FLUSHES,
	"after it each vCPU that uses the map has to flush before its next entry" CAUSE(
		"stage2->flush, the count that vCPUs compare, is not changed"),
	OK, AMDV)
{
	struct vcpu *vcpu = flushed_vcpu();

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	CHECK(!svm_asid_must_flush(vcpu->svm));
	svm_stage2_flush(&vcpu->vm->stage2);
	CHECK(svm_asid_must_flush(vcpu->svm));
	return OK;
}

TEST(svm_stage2_flush, each_time, FLUSHES,
	"twice is two orders: the count never comes back" CAUSE(
		"the count is a flag: who flushed before the second order does not see it"),
	OK, AMDV)
{
	struct vcpu *vcpu = flushed_vcpu();

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	svm_stage2_flush(&vcpu->vm->stage2);
	vcpu->svm->flushed = *vcpu->svm->flush;
	svm_stage2_flush(&vcpu->vm->stage2);
	CHECK(svm_asid_must_flush(vcpu->svm));
	return OK;
}

TEST(svm_stage2_flush, this_map_only, FLUSHES,
	"vCPUs of another map are left alone" CAUSE(
		"the order is not given by way of the map that was passed"),
	OK, AMDV)
{
	struct vcpu *vcpu = flushed_vcpu();
	struct stage2 other = { .format = &svm_stage2_format };

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	svm_stage2_flush(&other);
	CHECK(!svm_asid_must_flush(vcpu->svm));
	CHECK(other.flush != 0);
	return OK;
}
