/* Lab 1 on VT-x: is VMX operation on, is it off again, and what happens where firmware forbids it.
   The cases that firmware makes are boots of their own: tools/trapeze/lab_run.py sets them up. */
#define TEST_FOLDER "lab1/"
#include "kernel/vmx/on.h"
#include "kernel/vmx/vmx.h"
#include "labs/suite.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/x86.h"

#define VTX    .needs = NEEDS(&lab_needs_vtx)
#define VTX_2  .needs = NEEDS(&lab_needs_vtx, &lab_needs_second_cpu)
#define ENTERS "SDM Enabling and Entering VMX Operation"

#define LOCK    FEATURE_CONTROL_LOCK
#define INSIDE  FEATURE_CONTROL_VMX_INSIDE_SMX
#define OUTSIDE FEATURE_CONTROL_VMX_OUTSIDE_SMX
#define LMCE    FEATURE_CONTROL_LMCE

/* ---- on_feature_control ---- */

static outcome feature_control(uint64_t value, int result, uint64_t wanted)
{
	uint64_t came = ~wanted;

	CHECK_ERROR(on_feature_control(value, &came), result);
	if (result == 0)
		CHECK_EQUAL(came, wanted);
	return OK;
}

TEST(on_feature_control, unlocked, ENTERS,
	"IA32_FEATURE_CONTROL unlocked: VMX outside SMX operation is to be enabled and the lock "
	"set" CAUSE("bits 0 (lock) and 2 (VMX outside SMX operation) must both be set"),
	OK, VTX)
{
	return feature_control(0, 0, LOCK | OUTSIDE);
}

TEST(on_feature_control, unlocked_half, ENTERS,
	"unlocked with VMX enabled already: VMXON faults until the lock is set" CAUSE(
		"the lock bit is set only where VMX was off: VMXON makes #GP while bit 0 is 0"),
	OK, VTX)
{
	return feature_control(OUTSIDE, 0, LOCK | OUTSIDE);
}

TEST(on_feature_control, unlocked_keeps_bits, ENTERS,
	"unlocked: the other bits stay as firmware left them" CAUSE(
		"the register is overwritten where bits are to be added: use |="),
	OK, VTX)
{
	return feature_control(INSIDE | LMCE, 0, LOCK | INSIDE | OUTSIDE | LMCE);
}

TEST(on_feature_control, locked_on, ENTERS,
	"locked with VMX on: nothing is to be written" CAUSE(
		"a locked register cannot be written: *wanted must be the value itself"),
	OK, VTX)
{
	return feature_control(LOCK | OUTSIDE | LMCE, 0, LOCK | OUTSIDE | LMCE);
}

TEST(on_feature_control, locked_off, ENTERS,
	"locked with VMX off: -EPERM, for a locked register cannot be written" CAUSE(
		"the lock bit is not looked at: a WRMSR would make #GP"),
	OK, VTX)
{
	return feature_control(LOCK, -EPERM, 0);
}

TEST(on_feature_control, locked_smx_only, ENTERS,
	"locked with VMX inside SMX operation only: -EPERM, for this is not SMX operation" CAUSE(
		"bit 1 is taken for bit 2: VMX inside SMX operation is not what is asked for"),
	OK, VTX)
{
	return feature_control(LOCK | INSIDE, -EPERM, 0);
}

/* ---- on_fix_bits ---- */

#define FIX_CITATION "SDM VMX-Fixed Bits in CR0"

TEST(on_fix_bits, sets_fixed0, FIX_CITATION,
	"a bit that is 1 in FIXED0 must be 1" CAUSE("FIXED0 is not ORed into the value"), OK, VTX)
{
	CHECK_EQUAL(on_fix_bits(0, CR0_PE | CR0_NE | CR0_PG, UINT64_MAX), CR0_PE | CR0_NE | CR0_PG);
	return OK;
}

TEST(on_fix_bits, clears_fixed1, FIX_CITATION,
	"a bit that is 0 in FIXED1 must be 0" CAUSE("the value is not ANDed with FIXED1"), OK, VTX)
{
	CHECK_EQUAL(on_fix_bits(UINT64_MAX, 0, UINT32_MAX), UINT32_MAX);
	return OK;
}

TEST(on_fix_bits, keeps_the_rest, FIX_CITATION,
	"a bit that is 0 in FIXED0 and 1 in FIXED1 may be either: it stays" CAUSE(
		"the value's own bits are lost: start from the value, not from FIXED0 or FIXED1"),
	OK, VTX)
{
	CHECK_EQUAL(on_fix_bits(CR0_WP | CR0_TS, CR0_PE, UINT32_MAX), CR0_WP | CR0_TS | CR0_PE);
	CHECK_EQUAL(on_fix_bits(0, CR0_PE, UINT32_MAX), CR0_PE);
	return OK;
}

TEST(on_fix_bits, this_cpu, "SDM VMX-Fixed Bits in CR4",
	"what this CPU's IA32_VMX_CR4_FIXED0 and FIXED1 demand of CR4 is met" CAUSE(
		"FIXED0 and FIXED1 have changed places"),
	OK, VTX)
{
	uint64_t fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0), fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);
	uint64_t value = on_fix_bits(read_cr4(), fixed0, fixed1);

	CHECK_EQUAL(value & fixed0, fixed0);
	CHECK_EQUAL(value & ~fixed1, 0);
	CHECK_EQUAL(value & fixed1 & ~fixed0, read_cr4() & fixed1 & ~fixed0);
	return OK;
}

/* ---- on_unlock ---- */

static const struct test_need needs_locked, needs_unlocked, needs_off, needs_smx;

/* What the register must hold after, from what the boot has put there. */
static outcome unlock(int result, uint64_t after)
{
	CHECK_ERROR(on_unlock(), result);
	CHECK_EQUAL(rdmsr(MSR_IA32_FEATURE_CONTROL), after);
	return OK;
}

TEST(on_unlock, locked_on, ENTERS,
	"locked with VMX on: it is left alone" CAUSE(
		"a WRMSR to the locked register makes #GP: write "
		"only what differs"),
	OK, .needs = NEEDS(&lab_needs_vtx, &needs_locked))
{
	return unlock(0, rdmsr(MSR_IA32_FEATURE_CONTROL));
}

TEST(on_unlock, unlocked, ENTERS,
	"unlocked by firmware: VMX is enabled and the register locked" CAUSE(
		"the computed value is never written to IA32_FEATURE_CONTROL"),
	OK, .needs = NEEDS(&lab_needs_vtx, &needs_unlocked))
{
	return unlock(0, LOCK | OUTSIDE);
}

TEST(on_unlock, locked_off, ENTERS,
	"locked with VMX off: -EPERM and no WRMSR" CAUSE(
		"the answer of on_feature_control() is not passed on, or the locked register is "
		"written"),
	OK, .needs = NEEDS(&lab_needs_vtx, &needs_off))
{
	return unlock(-EPERM, LOCK);
}

TEST(on_unlock, locked_smx_only, ENTERS,
	"locked with VMX inside SMX operation only: -EPERM and no WRMSR" CAUSE(
		"the answer of on_feature_control() is not passed on, or the locked register is "
		"written"),
	OK, .needs = NEEDS(&lab_needs_vtx, &needs_smx))
{
	return unlock(-EPERM, LOCK | INSIDE);
}

/* The boot has put this value there. */
#define NEEDS_FEATURE_CONTROL(name, value_, text)                                                  \
	static bool has_##name(void)                                                               \
	{                                                                                          \
		uint64_t value = 0;                                                                \
                                                                                                   \
		rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &value);                                      \
		return (value & (LOCK | INSIDE | OUTSIDE)) == (value_);                            \
	}                                                                                          \
	static const struct test_need needs_##name = { "firmware did not leave "                   \
						       "IA32_FEATURE_CONTROL " text,               \
		has_##name }
NEEDS_FEATURE_CONTROL(locked, LOCK | OUTSIDE, "locked with VMX on");
NEEDS_FEATURE_CONTROL(unlocked, 0, "0");
NEEDS_FEATURE_CONTROL(off, LOCK, "locked with VMX off");
NEEDS_FEATURE_CONTROL(smx, LOCK | INSIDE, "locked with VMX inside SMX only");

/* ---- on_vmxon ---- */

/* CR0 and CR4 as VMXON wants them, without the student's code. */
static void allow_vmxon(void)
{
	write_cr0(read_cr0() | rdmsr(MSR_IA32_VMX_CR0_FIXED0));
	write_cr4(read_cr4() | CR4_VMXE | rdmsr(MSR_IA32_VMX_CR4_FIXED0));
}

/* Calls on_vmxon() on a good region; afterwards the CPU is in VMX operation if it worked. */
static int call_vmxon(void)
{
	allow_vmxon();
	return on_vmxon(lab_region());
}

TEST(on_vmxon, in_operation, "SDM VMXON",
	"after it the CPU is in VMX operation: VMPTRST is no #UD" CAUSE(
		"VMXON is not executed, or not on the address of a variable that holds the "
		"region's address"),
	OK, VTX)
{
	CHECK_ERROR(call_vmxon(), 0);
	CHECK(lab_in_vmx_operation());
	return OK;
}

TEST(on_vmxon, no_current_vmcs, "SDM VMXON",
	"no VMCS is current after it: VMPTRST stores all ones" CAUSE(
		"more than VMXON is done here: a VMCS comes in lab 2"),
	OK, VTX)
{
	uint64_t pointer = 0;

	CHECK_ERROR(call_vmxon(), 0);
	CHECK_EQUAL(lab_vmptrst(&pointer), OK);
	CHECK_EQUAL(pointer, VMCS_NO_POINTER);
	return OK;
}

TEST(on_vmxon, again_fails, "SDM VMXON",
	"in VMX root operation another VMXON fails, here without a current VMCS" CAUSE(
		"VMX operation is not really on"),
	FAIL_INVALID, VTX)
{
	CHECK_ERROR(call_vmxon(), 0);
	return lab_vmxon((uint64_t)lab_region());
}

TEST(on_vmxon, again_fails_valid, "SDM VM Instruction Error Numbers",
	"with a current VMCS it says why: VMXON executed in VMX root operation" CAUSE(
		"VMX operation is not really on"),
	FAIL_VALID(VMX_ERROR_VMXON_IN_ROOT), VTX)
{
	uint64_t vmcs = (uint64_t)lab_region();

	CHECK_ERROR(call_vmxon(), 0);
	if (lab_vmclear(vmcs) != OK || lab_vmptrld(vmcs) != OK)
		return test_error(__LINE__, "no VMCS could be made current");
	return lab_vmxon((uint64_t)lab_region());
}

TEST(on_vmxon, failure_told, "SDM VMXON",
	"a region with another revision identifier makes VMfailInvalid: -EIO" CAUSE(
		"CF, which VMfailInvalid sets, is not looked at after VMXON"),
	OK, VTX)
{
	struct vmcs_region *region = lab_region();

	allow_vmxon();
	region->revision ^= 1;
	CHECK_ERROR(on_vmxon(region), -EIO);
	CHECK(!lab_in_vmx_operation());
	return OK;
}

/* ---- vmx_cpu_on ---- */

TEST(vmx_cpu_on, in_operation, ENTERS,
	"after it the CPU is in VMX operation" CAUSE(
		"a step is left out: IA32_FEATURE_CONTROL, a region, CR0 and CR4, VMXON"),
	OK, VTX)
{
	CHECK_ERROR(vmx_cpu_on(), 0);
	CHECK(lab_in_vmx_operation());
	return OK;
}

TEST(vmx_cpu_on, vmxe, ENTERS,
	"CR4.VMXE is set: without it VMXON is #UD" CAUSE(
		"CR4.VMXE is not written, or only computed"),
	OK, VTX)
{
	CHECK_ERROR(vmx_cpu_on(), 0);
	CHECK(read_cr4() & CR4_VMXE);
	return OK;
}

TEST(vmx_cpu_on, fixed_bits, "SDM VMX-Fixed Bits in CR0",
	"CR0 and CR4 hold what the IA32_VMX_CR0/CR4_FIXED MSRs demand, and are else as "
	"before" CAUSE("on_fix_bits() is not applied to both registers, or with the other's MSRs"),
	OK, VTX)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4() | CR4_VMXE;

	/* NE is one that VMX wants and that may be clear before ("VMX-Fixed Bits in CR0"). */
	write_cr0(cr0 & ~CR0_NE);
	CHECK_ERROR(vmx_cpu_on(), 0);
	CHECK_EQUAL(read_cr0(),
		(cr0 | rdmsr(MSR_IA32_VMX_CR0_FIXED0)) & rdmsr(MSR_IA32_VMX_CR0_FIXED1));
	CHECK_EQUAL(read_cr4(),
		(cr4 | rdmsr(MSR_IA32_VMX_CR4_FIXED0)) & rdmsr(MSR_IA32_VMX_CR4_FIXED1));
	return OK;
}

static void turn_on_there(void *arg)
{
	outcome *result = arg;

	*result = vmx_cpu_on() == 0 && lab_in_vmx_operation()
			  ? OK
			  : test_mismatch(__LINE__, "the second CPU is not in VMX operation");
}

TEST(vmx_cpu_on, each_cpu, "SDM VMXON",
	"each CPU enters VMX operation, with a region of its own" CAUSE(
		"one region serves all CPUs, or the calling CPU's number is not used"),
	OK, VTX_2)
{
	uint64_t free_pages = page_free_count();
	outcome result = OK;

	CHECK_ERROR(vmx_cpu_on(), 0);
	lab_run_on_cpu_1(turn_on_there, &result);
	if (result == OK)
		CHECK_EQUAL(free_pages - page_free_count(), 2);
	return result;
}

TEST(vmx_cpu_on, no_memory, "runtime/errno.h",
	"without memory for a region: -ENOMEM, and VMX stays off" CAUSE(
		"what vmcs_alloc() returns is not compared with NULL"),
	OK, VTX)
{
	uint64_t free_pages = page_free_count();

	lab_next_allocation(LAB_OUT_OF_MEMORY);
	CHECK_ERROR(vmx_cpu_on(), -ENOMEM);
	CHECK(!lab_in_vmx_operation());
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

TEST(vmx_cpu_on, failure_undone, "SDM VMXON",
	"when VMXON fails: -EIO, CR4.VMXE clear again, and the region given back" CAUSE(
		"the way out of a failed VMXON does not undo what was done before it"),
	OK, VTX)
{
	uint64_t free_pages = page_free_count();

	lab_next_allocation(LAB_UNALIGNED); /* VMXON refuses that */
	CHECK_ERROR(vmx_cpu_on(), -EIO);
	CHECK(!(read_cr4() & CR4_VMXE));
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

TEST(vmx_cpu_on, locked_off, ENTERS,
	"where firmware locked VMX off: -EPERM, CR4.VMXE clear, no page taken" CAUSE(
		"the answer of on_unlock() is not looked at before the rest"),
	OK, .needs = NEEDS(&lab_needs_vtx, &needs_off))
{
	uint64_t free_pages = page_free_count();

	CHECK_ERROR(vmx_cpu_on(), -EPERM);
	CHECK(!(read_cr4() & CR4_VMXE));
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

/* ---- vmx_cpu_off ---- */

#define LEAVES "SDM VMXOFF"

TEST(vmx_cpu_off, vmxe_clear, LEAVES,
	"CR4.VMXE is clear after it" CAUSE(
		"CR4.VMXE is left set, or written before VMXOFF, where it is #GP"),
	OK, VTX)
{
	CHECK_ERROR(vmx_cpu_on(), 0);
	vmx_cpu_off();
	CHECK(!(read_cr4() & CR4_VMXE));
	return OK;
}

TEST(vmx_cpu_off, left_operation, LEAVES,
	"the CPU has left VMX operation: with CR4.VMXE set again VMPTRST is #UD" CAUSE(
		"VMXOFF is not executed"),
	OK, VTX)
{
	CHECK_ERROR(vmx_cpu_on(), 0);
	vmx_cpu_off();
	write_cr4(read_cr4() | CR4_VMXE);
	CHECK(!lab_in_vmx_operation());
	return OK;
}

TEST(vmx_cpu_off, on_again, LEAVES,
	"VMX can be turned on again, any number of times" CAUSE(
		"what vmx_cpu_on() keeps is not put back to how it was"),
	OK, VTX)
{
	for (int i = 0; i < 3; i++) {
		CHECK_ERROR(vmx_cpu_on(), 0);
		CHECK(lab_in_vmx_operation());
		vmx_cpu_off();
	}
	return OK;
}

TEST(vmx_cpu_off, pages_back, "runtime/page_alloc.h",
	"the region is given back" CAUSE("the VMXON region is not freed"), OK, VTX)
{
	uint64_t free_pages = page_free_count();

	CHECK_ERROR(vmx_cpu_on(), 0);
	CHECK_EQUAL(free_pages - page_free_count(), 1);
	vmx_cpu_off();
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}

static void turn_off_there(void *arg)
{
	vmx_cpu_off();
}

TEST(vmx_cpu_off, each_cpu, LEAVES,
	"one CPU leaves VMX operation, the other stays in it" CAUSE(
		"the calling CPU's number is not used: another CPU's region is freed"),
	OK, VTX_2)
{
	uint64_t free_pages = page_free_count();
	outcome result = OK;

	CHECK_ERROR(vmx_cpu_on(), 0);
	lab_run_on_cpu_1(turn_on_there, &result);
	if (result != OK)
		return result;
	lab_run_on_cpu_1(turn_off_there, NULL);
	CHECK(lab_in_vmx_operation());
	CHECK_EQUAL(free_pages - page_free_count(), 1);
	vmx_cpu_off();
	CHECK_EQUAL(page_free_count(), free_pages);
	return OK;
}
