/* Lab 3 on VT-x: guests of a few instructions are entered and left, and every register on both
   sides is looked at. What their exits mean to a guest is lab 4's. */
#define TEST_FOLDER "lab3/"
#include "kernel/vm.h"
#include "kernel/vmx/vmx.h"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/x86.h"

#define VTX    .needs = NEEDS(&lab_needs_vtx)
#define SWITCH "SDM VM Entries"

LAB_CODE(only_cpuid, "cpuid");
LAB_CODE(two_cpuids, "cpuid; cpuid");
LAB_CODE(loop_forever, "1: jmp 1b");
/* Each register becomes its complement, so that what comes back was the guest's. */
LAB_CODE(complement,
	"not %rax; not %rcx; not %rdx; not %rbx; not %rbp; not %rsi; not %rdi; not %r8; not %r9;"
	"not %r10; not %r11; not %r12; not %r13; not %r14; not %r15; cpuid");

#define CHECK_GUEST(vcpu)                                                                          \
	do {                                                                                       \
		if ((vcpu) == NULL)                                                                \
			return test_error(__LINE__, "no guest could be made");                     \
	} while (0)

#define TIMER_FAR UINT32_MAX

static const char *const gpr_names[GPRS] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
	"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };

static outcome compare(const uint64_t *came, bool inverted)
{
	for (unsigned int i = 0; i < GPRS; i++) {
		uint64_t wanted = inverted ? ~lab_guest_number(i) : lab_guest_number(i);

		if (i != GPR_RSP && came[i] != wanted)
			return test_mismatch(
				__LINE__, "%s is %#lx, not %#lx", gpr_names[i], came[i], wanted);
	}
	return OK;
}

/* ---- vmx_run: exits land in the tests' own code, so that vmx_exit is not needed ---- */

/* Enters with the exit landing in lab_landing: -1 then, else what vmx_run returned. */
static int enter(struct vcpu *vcpu)
{
	vmwrite(VMCS_HOST_RIP, (uint64_t)lab_landing);
	vmwrite(VMCS_PREEMPTION_TIMER_VALUE, TIMER_FAR);
	return lab_enter((void *)vmx_run, vcpu, vcpu->vmx);
}

TEST(vmx_run, enters, SWITCH,
	"the guest runs: its CPUID exits" CAUSE("VMLAUNCH fails, or is not reached"),
	EXIT(EXIT_REASON_CPUID), VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);

	CHECK_GUEST(vcpu);
	if (enter(vcpu) != -1)
		return test_mismatch(__LINE__, "VMLAUNCH failed: %s",
			vmx_error_text((uint32_t)vmread(VMCS_VM_INSTRUCTION_ERROR)));
	return EXIT(vmread(VMCS_EXIT_REASON));
}

TEST(vmx_run, loads_registers, SWITCH,
	"the guest starts with the registers of vcpu->gpr" CAUSE(
		"a register is not loaded, from another one's place, or is the pointer that the "
		"others are loaded "
		"by: that one comes last"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	CHECK_EQUAL(enter(vcpu), -1);
	return compare(lab_landed, false);
}

TEST(vmx_run, host_rsp, "SDM Loading Host RIP, RSP, RFLAGS, and SSP",
	"HOST_RSP is where the vcpu was pushed, and vmx->host_rsp says so" CAUSE(
		"HOST_RSP is off: it must be RSP after the last push, when vcpu lies on top"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);

	CHECK_GUEST(vcpu);
	CHECK_EQUAL(enter(vcpu), -1);
	if (vmread(VMCS_HOST_RSP) == 0)
		return test_mismatch(__LINE__,
			"wanted: HOST_RSP written before the first entry; came: it is 0 still");
	CHECK_EQUAL(lab_landed_rsp, vmread(VMCS_HOST_RSP));
	CHECK_EQUAL(vcpu->vmx->host_rsp, vmread(VMCS_HOST_RSP));
	CHECK_EQUAL(*(const uint64_t *)lab_landed_rsp, vcpu);
	return OK;
}

TEST(vmx_run, resumes, "SDM VMLAUNCH/VMRESUME",
	"a VMCS that was launched is entered by VMRESUME" CAUSE(
		"VMLAUNCH is used always: vmx->launched is not looked at, or the flags of its "
		"comparison are lost"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(two_cpuids);

	CHECK_GUEST(vcpu);
	CHECK_EQUAL(enter(vcpu), -1);
	vcpu->vmx->launched = 1;
	vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP) + 2);
	CHECK_EQUAL(enter(vcpu), -1);
	CHECK_EQUAL(vmread(VMCS_GUEST_RIP), lab_guest_code + 2);
	return OK;
}

TEST(vmx_run, launches, "SDM VMLAUNCH/VMRESUME",
	"a VMCS that is clear is entered by VMLAUNCH" CAUSE(
		"VMRESUME is used for a VMCS that was never launched"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);

	CHECK_GUEST(vcpu);
	vcpu->vmx->launched = 1; /* a lie: VMRESUME must fail */
	CHECK_EQUAL(enter(vcpu), 1);
	CHECK_EQUAL(vmread(VMCS_VM_INSTRUCTION_ERROR), VMX_ERROR_VMRESUME_NOT_LAUNCHED);
	return OK;
}

TEST(vmx_run, failure_told, "SDM VMLAUNCH/VMRESUME",
	"where VMLAUNCH fails: 1, with all registers that a C function preserves" CAUSE(
		"the way out of a failed entry does not take off the stack what was pushed"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);
	uint64_t changed = 0;

	CHECK_GUEST(vcpu);
	vmwrite(VMCS_HOST_CS_SELECTOR, 0); /* a rule of the host state */
	CHECK_EQUAL(lab_call((void *)vmx_run, vcpu, vcpu->vmx, NULL, &changed), 1);
	CHECK_PRESERVED(changed);
	return OK;
}

/* ---- vmx_exit ---- */

/* There and back by the student's code alone. */
static int run(struct vcpu *vcpu, uint64_t *changed)
{
	vmwrite(VMCS_PREEMPTION_TIMER_VALUE, TIMER_FAR);
	return lab_call((void *)vmx_run, vcpu, vcpu->vmx, NULL, changed);
}

TEST(vmx_exit, returns_0, SWITCH,
	"after an exit vmx_run returns 0" CAUSE("EAX is not 0 at the end"), OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);
	uint64_t changed = 0;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu); /* EAX is not 0 by chance */
	CHECK_EQUAL(run(vcpu, &changed), 0);
	return OK;
}

TEST(vmx_exit, saves_registers, SWITCH,
	"vcpu->gpr has the registers that the guest had at its exit" CAUSE(
		"a register is not stored, in another one's place, or after it was used for "
		"something else"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(complement);
	uint64_t changed = 0;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	CHECK_EQUAL(run(vcpu, &changed), 0);
	return compare(vcpu->gpr, true);
}

TEST(vmx_exit, preserves, SWITCH,
	"RBX, RBP and R12-R15 are the caller's again" CAUSE(
		"what vmx_run pushed is popped in another order, or not all of it"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(complement);
	uint64_t changed = 0;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	CHECK_EQUAL(run(vcpu, &changed), 0);
	CHECK_PRESERVED(changed);
	return OK;
}

TEST(vmx_exit, twice, SWITCH,
	"the guest goes on with its registers at its next entry" CAUSE(
		"HOST_RSP is not what the stack is now, or the stack is left a little deeper each "
		"time"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(complement);
	uint64_t changed = 0;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	CHECK_EQUAL(run(vcpu, &changed), 0);
	vcpu->vmx->launched = 1;
	vmwrite(VMCS_GUEST_RIP, (uint64_t)lab_guest_code);
	CHECK_EQUAL(run(vcpu, &changed), 0);
	CHECK_PRESERVED(changed);
	return compare(vcpu->gpr, false);
}

/* ---- vmx_enter ---- */

/* 0x5a everywhere: what must be written shows. */
static struct exit stale_exit(void)
{
	struct exit exit;

	__builtin_memset(&exit, 0x5a, sizeof(exit));
	return exit;
}

/* Its timer is far away, also where arm_timer() is not written yet. */
static struct vcpu *undisturbed(struct vcpu *vcpu)
{
	if (vcpu != NULL)
		vmwrite(VMCS_PREEMPTION_TIMER_VALUE, TIMER_FAR);
	return vcpu;
}

TEST(vmx_enter, tells_exit, "SDM Basic VM-Exit Information",
	"kind, raw reason, RIP and length of the exit" CAUSE(
		"raw is EXIT_REASON, rip is GUEST_RIP, info and len are 0 before decode() fills "
		"them in"),
	OK, VTX)
{
	struct vcpu *vcpu = undisturbed(LAB_GUEST(only_cpuid));
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_CPUID);
	CHECK_EQUAL(exit.raw, EXIT_REASON_CPUID);
	CHECK_EQUAL(exit.rip, lab_guest_code);
	CHECK_EQUAL(exit.len, 2);
	CHECK_EQUAL(exit.info, 0);
	return OK;
}

TEST(vmx_enter, launched, "SDM VMLAUNCH/VMRESUME",
	"after the first exit the VMCS counts as launched" CAUSE(
		"vmx->launched stays 0: the next entry is a VMLAUNCH, which fails"),
	OK, VTX)
{
	struct vcpu *vcpu = undisturbed(LAB_GUEST(two_cpuids));
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	vmx_enter(vcpu, &exit);
	CHECK(vcpu->vmx->launched);
	vmwrite(VMCS_GUEST_RIP, exit.rip + 2);
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_CPUID);
	return OK;
}

TEST(vmx_enter, refused_guest, "SDM VM-Entry Failures During or After Loading Guest State",
	"a guest state that breaks a rule: EXIT_REFUSED, and the VMCS stays clear" CAUSE(
		"the failure bit of the exit reason is not looked at: launched must stay 0 then"),
	OK, VTX)
{
	struct vcpu *vcpu = undisturbed(LAB_GUEST(only_cpuid));
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	vmwrite(VMCS_GUEST_RFLAGS, 0); /* bit 1 must be 1 */
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_REFUSED);
	CHECK_EQUAL(exit.raw, EXIT_REASON_ENTRY_FAILURE | EXIT_REASON_ENTRY_FAILURE_GUEST_STATE);
	CHECK_EQUAL(vcpu->vmx->launched, 0);
	return OK;
}

TEST(vmx_enter, refused_host, "SDM VM Instruction Error Numbers",
	"a host state that breaks a rule: VMLAUNCH fails, EXIT_REFUSED with the error number" CAUSE(
		"what vmx_run() returns is not looked at: EXIT_REASON is the last exit's then"),
	OK, VTX)
{
	struct vcpu *vcpu = undisturbed(LAB_GUEST(only_cpuid));
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	vmwrite(VMCS_HOST_CS_SELECTOR, 0);
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_REFUSED);
	CHECK_EQUAL(exit.raw, VMX_ERROR_ENTRY_HOST_STATE);
	return OK;
}

/* ---- arm_timer ---- */

#define TIMER "SDM VMX-Preemption Timer"
#define TICKS 200000

TEST(arm_timer, ends_the_run, TIMER,
	"a guest that loops for ever exits when its deadline has passed" CAUSE(
		"the timer's value is not written, or not in its own units: it counts once in "
		"2^timer_shift ticks"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(loop_forever);
	struct exit exit = stale_exit();
	uint64_t now;

	CHECK_GUEST(vcpu);
	lab_guest_load(vcpu, TICKS);
	vmx_enter(vcpu, &exit);
	now = rdtsc();
	CHECK_EQUAL(exit.kind, EXIT_TICK);
	CHECK(now >= vcpu->deadline);
	CHECK(now < vcpu->deadline + TICKS);
	return OK;
}

TEST(arm_timer, rounds_up, TIMER,
	"the exit does not come before the deadline" CAUSE(
		"the count is rounded down (add 1), or not shifted by timer_shift"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	lab_guest_load(vcpu, TICKS);
	vcpu->vmx->timer_shift = 5;
	vcpu->deadline = vcpu->entered + 1000 * 32 + 31;
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(vmread(VMCS_PREEMPTION_TIMER_VALUE), 1001);
	return OK;
}

TEST(arm_timer, passed, TIMER,
	"a deadline that has passed: the guest exits before its first instruction" CAUSE(
		"the difference is taken as unsigned: a negative one is very large then"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(loop_forever);
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	lab_guest_load(vcpu, TICKS);
	vcpu->deadline = vcpu->entered - TICKS;
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_TICK);
	CHECK_EQUAL(vmread(VMCS_PREEMPTION_TIMER_VALUE), 0);
	return OK;
}

TEST(arm_timer, far, TIMER,
	"the counter has 32 bits: a deadline farther away gets the largest value" CAUSE(
		"the count is cut to 32 bits where it is to be limited to them"),
	OK, VTX)
{
	struct vcpu *vcpu = LAB_GUEST(only_cpuid);
	struct exit exit = stale_exit();

	CHECK_GUEST(vcpu);
	vcpu->deadline = vcpu->entered + (UINT64_C(1) << 50);
	vmx_enter(vcpu, &exit);
	CHECK_EQUAL(vmread(VMCS_PREEMPTION_TIMER_VALUE), UINT32_MAX);
	return OK;
}

/* ---- vmx_advance ---- */

/* A current VMCS of zeroes with this RIP in 64-bit code or not, and one step over `len` bytes. */
static struct vcpu *advance(
	uint64_t rip, uint8_t len, bool is_64bit, uint64_t shadow, uint64_t rflags)
{
	struct vcpu *vcpu = &lab_vm(true)->vcpu;
	struct exit exit = { .rip = rip, .len = len };

	lab_vmcs();
	vmwrite(VMCS_GUEST_RIP, rip);
	vmwrite(VMCS_GUEST_IA32_EFER, is_64bit ? EFER_LME | EFER_LMA : 0);
	vmwrite(VMCS_GUEST_CS_ACCESS_RIGHTS, is_64bit ? ACCESS_RIGHTS_L : ACCESS_RIGHTS_DB);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, shadow);
	vmwrite(VMCS_GUEST_RFLAGS, rflags);
	vmx_advance(vcpu, &exit);
	return vcpu;
}

TEST(vmx_advance, rip, "SDM Guest RIP",
	"RIP is behind the instruction" CAUSE(
		"RIP is not advanced by exit->len, or not written back"),
	OK, VTX)
{
	advance(0x1000, 3, true, 0, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_RIP), 0x1003);
	advance(UINT64_C(0xffffffff80000000), 2, true, 0, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_RIP), UINT64_C(0xffffffff80000002));
	return OK;
}

TEST(vmx_advance, wraps, "SDM Instruction Pointer",
	"outside 64-bit code RIP has 32 bits" CAUSE(
		"RIP grows beyond 4 GiB in code that is not 64-bit code"),
	OK, VTX)
{
	advance(0xffffffff, 2, false, 0, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_RIP), 1);
	return OK;
}

TEST(vmx_advance, shadow, "SDM Guest Non-Register State",
	"blocking by STI and by MOV SS is over" CAUSE(
		"the interruptibility state is not cleared: interrupts stay blocked for an "
		"instruction too many"),
	OK, VTX)
{
	advance(0x1000, 2, true, INTERRUPTIBILITY_STI | INTERRUPTIBILITY_NMI, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
	advance(0x1000, 2, true, INTERRUPTIBILITY_MOV_SS, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE), 0);
	return OK;
}

TEST(vmx_advance, single_step, "SDM Guest Non-Register State",
	"with RFLAGS.TF a single-step trap is pending after the instruction" CAUSE(
		"BS is not set in the pending debug exceptions: a debugger in the guest steps too "
		"far"),
	OK, VTX)
{
	advance(0x1000, 2, true, 0, RFLAGS_FIXED | RFLAGS_TF);
	CHECK_EQUAL(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), DEBUG_EXCEPTION_BS);
	advance(0x1000, 2, true, 0, RFLAGS_FIXED);
	CHECK_EQUAL(vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), 0);
	return OK;
}
