/* Lab 5 on VT-x: EPT entries bit by bit, violations as a guest of one instruction makes them, and
   what is left of a translation after INVEPT. */
#define TEST_FOLDER "lab5/"
#include "kernel/stage2.h"
#include "kernel/vm.h"
#include "kernel/vmx/vmx.h"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/smp.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define VTX     .needs = NEEDS(&lab_needs_vtx)
#define ENTRIES 512
#define RWX     7
#define WB      (UINT64_C(6) << 3)
#define LARGE   BIT(7)

/* ---- make_leaf ---- */

#define FORMAT "SDM Format of EPT Entries"

static uint64_t make_leaf(uint64_t hpa, uint64_t rights, unsigned int level)
{
	return vmx_stage2_format.leaf(hpa, rights, level);
}

TEST(make_leaf, rights, FORMAT,
	"bits 2:0 are read, write, execute" CAUSE("rights are lost, or all three are always set"),
	OK, VTX)
{
	CHECK_EQUAL(
		make_leaf(0x7000, STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE, 1), 0x7000 | WB | 7);
	CHECK_EQUAL(make_leaf(0x7000, STAGE2_READ, 1), 0x7000 | WB | 1);
	CHECK_EQUAL(make_leaf(0x7000, STAGE2_READ | STAGE2_EXECUTE, 1), 0x7000 | WB | 5);
	return OK;
}

TEST(make_leaf, memory_type, FORMAT,
	"bits 5:3 are the memory type: write-back, or uncacheable for devices" CAUSE(
		"the memory type is missing: 0 is uncacheable, and everything is slow; 6 is "
		"write-back"),
	OK, VTX)
{
	CHECK_EQUAL(make_leaf(0, STAGE2_READ, 1) >> 3 & 7, 6);
	CHECK_EQUAL(make_leaf(0, STAGE2_READ | STAGE2_DEVICE, 1) >> 3 & 7, 0);
	return OK;
}

TEST(make_leaf, large, FORMAT,
	"bit 7 makes an entry of level 2 or 3 a page, and is 0 at level 1" CAUSE(
		"bit 7 is missing: the CPU takes the page for a table; or set at level 1, where it "
		"is ignored"),
	OK, VTX)
{
	CHECK_EQUAL(make_leaf(PAGE_SIZE_2M, RWX, 2), PAGE_SIZE_2M | WB | LARGE | RWX);
	CHECK_EQUAL(make_leaf(PAGE_SIZE_1G, RWX, 3), PAGE_SIZE_1G | WB | LARGE | RWX);
	CHECK_EQUAL(make_leaf(PAGE_SIZE, RWX, 1) & LARGE, 0);
	return OK;
}

/* ---- Guests on tables made by hand: 1 GiB of identity, less one region ---- */

#define REGION 100 /* of 2 MiB */
#define AT     (REGION * PAGE_SIZE_2M + 0x5678)

LAB_CODE(ept_read, "mov (%rdi), %rax");
LAB_CODE(ept_write, "mov %rax, (%rdi)");
LAB_CODE(ept_fetch, "jmp *%rdi");

static uint64_t level4[ENTRIES] __aligned(4096), level3[ENTRIES] __aligned(4096);
static uint64_t level2[ENTRIES] __aligned(4096);

static struct vcpu *make_guest(const uint8_t *code, const uint8_t *end, uint64_t region)
{
	level4[0] = (uintptr_t)level3 | RWX;
	level3[0] = (uintptr_t)level2 | RWX;
	for (uint64_t i = 0; i < ENTRIES; i++)
		level2[i] = i * PAGE_SIZE_2M | WB | LARGE | RWX;
	level2[REGION] = region;
	return lab_guest_make_on(code, end, level4);
}

/* ---- decode_ept_violation ---- */

#define VIOLATION "SDM Exit Qualification for EPT Violations"

struct violation_row {
	struct test_row row;
	const uint8_t *code, *end;
	uint64_t region;
	bool read, write, fetch, present;
};
#define ROW(code, text, ...)                                                                       \
	{                                                                                          \
		{ text, OK }, code, code##_end, __VA_ARGS__                                        \
	}

static const struct violation_row absent[] = {
	ROW(ept_read, "read", 0, true, false, false, false),
	ROW(ept_write, "write", 0, false, true, false, false),
	ROW(ept_fetch, "fetch", 0, false, false, true, false),
};
static const struct violation_row forbidden[] = {
	ROW(ept_write, "write to a read-only page", REGION *PAGE_SIZE_2M | WB | LARGE | 1, false,
		true, false, true),
	ROW(ept_fetch, "fetch from a page without execute", REGION *PAGE_SIZE_2M | WB | LARGE | 3,
		false, false, true, true),
};

#define CHECK_MEMBER(exit, row, member, wanted)                                                    \
	do {                                                                                       \
		if ((uint64_t)(exit).member != (uint64_t)(wanted))                                 \
			return test_mismatch(__LINE__, "%s: " #member " is %#lx, not %#lx",        \
				(row)->row.name, (uint64_t)(exit).member, (uint64_t)(wanted));     \
	} while (0)

static outcome check_violation(void)
{
	const struct violation_row *row = TEST_ROW(struct violation_row);
	struct vcpu *vcpu = make_guest(row->code, row->end, row->region);
	struct exit exit = { 0 };

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	vcpu->gpr[GPR_RDI] = AT;
	vmx_enter(vcpu, &exit);
	CHECK_MEMBER(exit, row, kind, EXIT_STAGE2);
	CHECK_MEMBER(exit, row, stage2.gpa, AT);
	CHECK_MEMBER(exit, row, stage2.read, row->read);
	CHECK_MEMBER(exit, row, stage2.write, row->write);
	CHECK_MEMBER(exit, row, stage2.fetch, row->fetch);
	CHECK_MEMBER(exit, row, stage2.present, row->present);
	return OK;
}

SWEEP(decode_ept_violation, absent, VIOLATION,
	"an access where nothing is mapped: its address and kind" CAUSE(
		"the address is GUEST_PHYSICAL_ADDRESS, bits 2:0 of the qualification are the "
		"access"),
	absent, VTX)
{
	return check_violation();
}

SWEEP(decode_ept_violation, forbidden, VIOLATION,
	"an access that the entry does not permit: present" CAUSE(
		"bits 5:3 of the qualification, the rights that the entry has, are not looked at"),
	forbidden, VTX)
{
	return check_violation();
}

TEST(decode_ept_violation, info, "kernel/backend.h",
	"info is the qualification" CAUSE("exit->info is not written: the dump says nothing"), OK,
	VTX)
{
	struct vcpu *vcpu = make_guest(ept_read, ept_read_end, 0);
	struct exit exit = { 0 };

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	vcpu->gpr[GPR_RDI] = AT;
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.info, vmread(VMCS_EXIT_QUALIFICATION));
	return OK;
}

/* ---- vmx_stage2_flush ---- */

#define FLUSHES "SDM INVEPT"

/* Single-stepping tells what an emulator hides that forgets more than it has to: is INVEPT
   executed, with the EPT pointer in its descriptor, which is on the stack? */
static struct {
	unsigned int invepts;
	uint64_t eptp; /* to look for */
	bool has_eptp;
} stepped;

#define STACK_WORDS 64

static void watch_step(struct trap_frame *frame)
{
	static const uint8_t invept[] = { 0x66, 0x0f, 0x38, 0x80 };
	const uint64_t *stack = (const uint64_t *)frame->rsp;

	if (memcmp((const void *)frame->rip, invept, sizeof(invept)) != 0)
		return;
	stepped.invepts++;
	for (unsigned int i = 0; i < STACK_WORDS; i++)
		stepped.has_eptp |= stack[i] == stepped.eptp;
}

/* Flushes with RFLAGS.TF set. */
static void flush_by_steps(struct stage2 *stage2)
{
	struct trap_catch *catch =
		smp_this()->catch; /* the harness': it would take the first step */

	__builtin_memset(&stepped, 0, sizeof(stepped));
	stepped.eptp = vmx_eptp(stage2);
	trap_set_handler(VECTOR_DB, watch_step);
	smp_this()->catch = NULL;
	__asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq" : : : "memory", "cc");
	vmx_stage2_flush(stage2);
	__asm__ volatile("pushfq; andq $~0x100, (%%rsp); popfq" : : : "memory", "cc");
	smp_this()->catch = catch;
	trap_set_handler(VECTOR_DB, NULL);
}

TEST(vmx_stage2_flush, executed, FLUSHES,
	"INVEPT is executed: the CPU is to forget what was changed" CAUSE(
		"INVEPT is not executed: the guest may go on with the old page"),
	OK, VTX)
{
	struct vcpu *vcpu = make_guest(ept_read, ept_read_end, 0);

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	flush_by_steps(&vcpu->vm->stage2);
	CHECK(stepped.invepts > 0);
	return OK;
}

TEST(vmx_stage2_flush, this_map, FLUSHES,
	"its descriptor holds the EPT pointer of the map that was passed" CAUSE(
		"INVEPT of another EPT pointer: what it is without VMCS_EPTP's low bits, for one"),
	OK, VTX)
{
	struct vcpu *vcpu = make_guest(ept_read, ept_read_end, 0);

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	flush_by_steps(&vcpu->vm->stage2);
	CHECK(stepped.has_eptp);
	return OK;
}

TEST(vmx_stage2_flush, accepted, FLUSHES,
	"INVEPT succeeds, with a type that the CPU has" CAUSE(
		"the descriptor's EPT pointer or the type is wrong: INVEPT fails with VMfailValid "
		"28"),
	OK, VTX)
{
	struct vcpu *vcpu = make_guest(ept_read, ept_read_end, 0);
	uint64_t error;

	if (vcpu == NULL)
		return test_error(__LINE__, "no guest could be made");
	error = vmread(VMCS_VM_INSTRUCTION_ERROR);
	vmx_stage2_flush(&vcpu->vm->stage2);
	CHECK_EQUAL(vmread(VMCS_VM_INSTRUCTION_ERROR), error);
	return OK;
}
