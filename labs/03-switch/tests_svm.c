/* Lab 3 on AMD-V: guests of a few instructions are entered and left, and every register on both
   sides is looked at. What their exits mean to a guest is lab 4's. */
#define TEST_FOLDER "lab3/"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "labs/guest.h"
#include "labs/suite.h"
#include "runtime/apic.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define AMDV  .needs = NEEDS(&lab_needs_amdv)
#define VMRUN "APM VMRUN Instruction"

LAB_CODE(svm_only_cpuid, "cpuid");
LAB_CODE(svm_loop, "1: jmp 1b");
LAB_CODE(svm_complement,
	"not %rax; not %rcx; not %rdx; not %rbx; not %rbp; not %rsi; not %rdi; not %r8; not %r9;"
	"not %r10; not %r11; not %r12; not %r13; not %r14; not %r15; cpuid");
/* Leaves the registers on its stack, RAX first. */
LAB_CODE(svm_push,
	"push %rax; push %rcx; push %rdx; push %rbx; push $0; push %rbp; push %rsi; push %rdi;"
	"push %r8; push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15; "
	"cpuid");
LAB_CODE(svm_read_fs, "mov %fs:0, %rax; cpuid");

#define CHECK_GUEST(vcpu)                                                                          \
	do {                                                                                       \
		if ((vcpu) == NULL)                                                                \
			return test_error(__LINE__, "no guest could be made");                     \
	} while (0)

static const char *const gpr_names[GPRS] = { "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
	"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15" };

static outcome compare(unsigned int gpr, uint64_t came, uint64_t wanted)
{
	return gpr == GPR_RSP || came == wanted ? OK
						: test_mismatch(__LINE__, "%s is %#lx, not %#lx",
							  gpr_names[gpr], came, wanted);
}

/* ---- svm_run ---- */

/* There and back by svm_run alone; a flush is not due and the timer not armed. */
static uint64_t run(struct vcpu *vcpu)
{
	struct exit exit = { 0 };
	uint64_t changed = 0;

	vcpu->svm->flushed = *vcpu->svm->flush;
	vcpu->svm->vmcb.tlb_control = TLB_CONTROL_FLUSH_ALL;
	lab_call((void *)svm_run, vcpu, vcpu->svm, &exit, &changed);
	return changed;
}

TEST(svm_run, enters, VMRUN,
	"the guest runs: its CPUID exits" CAUSE(
		"VMRUN is not reached, or RAX does not hold the VMCB's address"),
	EXIT(VMEXIT_CPUID), AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	run(vcpu);
	return EXIT(vcpu->svm->vmcb.exitcode);
}

TEST(svm_run, loads_registers, VMRUN,
	"the guest starts with the registers of vcpu->gpr" CAUSE(
		"a register is not loaded, from another one's place, or is the pointer that the "
		"others are loaded "
		"by; RAX goes through the VMCB"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_push);
	const uint64_t *top = (const uint64_t *)(lab_guest_stack + PAGE_SIZE);
	outcome result = OK;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	run(vcpu);
	for (unsigned int i = 0; i < GPRS && result == OK; i++)
		result = compare(i, top[-1 - (int)i], lab_guest_number(i));
	return result;
}

TEST(svm_run, saves_registers, "APM #VMEXIT",
	"vcpu->gpr has the registers that the guest had at its exit" CAUSE(
		"a register is not stored, in another one's place, or after it was used for "
		"something else"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_complement);
	outcome result = OK;

	CHECK_GUEST(vcpu);
	lab_guest_fill(vcpu);
	run(vcpu);
	for (unsigned int i = 0; i < GPRS && result == OK; i++)
		result = compare(i, vcpu->gpr[i], ~lab_guest_number(i));
	return result;
}

TEST(svm_run, preserves, "APM #VMEXIT",
	"RBX, RBP, R12-R15 and RFLAGS.IF are the caller's again" CAUSE(
		"what was pushed is popped in another order or not all of it, or CLI is missing on "
		"the way back"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_complement);
	uint64_t changed;

	CHECK_GUEST(vcpu);
	changed = run(vcpu);
	CHECK_PRESERVED(changed);
	return OK;
}

TEST(svm_run, loads_segments, "APM VMSAVE and VMLOAD Instructions",
	"the guest has its own FS base: VMLOAD is before VMRUN" CAUSE(
		"VMLOAD of the guest's VMCB is missing: VMRUN leaves FS, GS, TR and the "
		"system-call MSRs"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_read_fs);

	CHECK_GUEST(vcpu);
	*(uint64_t *)lab_guest_data = lab_guest_number(0);
	vcpu_set(vcpu, REG_SEGMENT(SEG_FS, PART_BASE), (uintptr_t)lab_guest_data);
	run(vcpu);
	return compare(GPR_RAX, vcpu->gpr[GPR_RAX], lab_guest_number(0));
}

TEST(svm_run, saves_segments, "APM VMSAVE and VMLOAD Instructions",
	"the host has its own GS and TR again, and the guest's are in its VMCB" CAUSE(
		"VMSAVE after VMRUN, or VMLOAD of the host's page, is missing or comes in the "
		"wrong order"),
	OK, AMDV)
{
	uint64_t gs_base = rdmsr(MSR_IA32_GS_BASE), kernel_gs = rdmsr(MSR_IA32_KERNEL_GS_BASE);
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	vcpu_set(vcpu, REG_SEGMENT(SEG_GS, PART_BASE), (uintptr_t)lab_guest_data);
	run(vcpu);
	CHECK_EQUAL(rdmsr(MSR_IA32_GS_BASE), gs_base);
	CHECK_EQUAL(rdmsr(MSR_IA32_KERNEL_GS_BASE), kernel_gs);
	CHECK_EQUAL(vcpu_get(vcpu, REG_SEGMENT(SEG_GS, PART_BASE)), (uintptr_t)lab_guest_data);
	return OK;
}

static volatile unsigned int interrupts;

static void count(struct trap_frame *frame)
{
	interrupts++;
	apic_eoi();
}

TEST(svm_run, gif, "APM Global Interrupt Flag, STGI and CLGI Instructions",
	"GIF is 1 again: the host takes its interrupts" CAUSE("STGI is missing on the way back"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	uint64_t start;

	CHECK_GUEST(vcpu);
	run(vcpu);
	interrupts = 0;
	trap_set_handler(APIC_VECTOR_TIMER, count);
	apic_timer_arm(1000000);
	start = rdtsc();
	while (interrupts == 0 && rdtsc() - start < UINT64_C(2000000000))
		interrupts_window();
	CHECK(interrupts > 0);
	return OK;
}

TEST(svm_run, interrupted, "APM INTR Intercept",
	"a physical interrupt ends the run, whatever the guest's RFLAGS.IF says" CAUSE(
		"RFLAGS.IF is 0 at VMRUN: with V_INTR_MASKING it decides whether interrupts end "
		"the run"),
	EXIT(VMEXIT_INTR), AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_loop);

	CHECK_GUEST(vcpu);
	interrupts = 0;
	trap_set_handler(APIC_VECTOR_TIMER, count);
	apic_timer_arm(50000000);
	run(vcpu);
	return EXIT(vcpu->svm->vmcb.exitcode);
}

/* ---- svm_decode ---- */

/* Decodes an exit that is written into the VMCB of a guest that never ran. */
static struct exit decode(struct vcpu *vcpu, uint64_t code, uint64_t info1)
{
	struct exit exit;

	__builtin_memset(&exit, 0x5a, sizeof(exit));
	vcpu->svm->vmcb.exitcode = code;
	vcpu->svm->vmcb.exitinfo1 = info1;
	svm_decode(vcpu, vcpu->svm, &exit);
	return exit;
}

TEST(svm_decode, fields, "APM State Saved on Exit",
	"raw is EXITCODE, info EXITINFO1, rip the guest's, len 0" CAUSE(
		"a field of *exit keeps what it held before"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	struct exit exit;

	CHECK_GUEST(vcpu);
	exit = decode(vcpu, VMEXIT_SHUTDOWN, 0x1234);
	CHECK_EQUAL(exit.kind, EXIT_SHUTDOWN);
	CHECK_EQUAL(exit.raw, VMEXIT_SHUTDOWN);
	CHECK_EQUAL(exit.info, 0x1234);
	CHECK_EQUAL(exit.rip, lab_guest_code);
	CHECK_EQUAL(exit.len, 0);
	return OK;
}

TEST(svm_decode, completed, "APM Instruction Intercepts",
	"the row's decode() completes the rest: CPUID has 2 bytes" CAUSE(
		"decode() of the row is not called"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	struct exit exit;

	CHECK_GUEST(vcpu);
	vcpu->svm->vmcb.nrip = (uintptr_t)lab_guest_code + 2;
	exit = decode(vcpu, VMEXIT_CPUID, 0);
	CHECK_EQUAL(exit.kind, EXIT_CPUID);
	CHECK_EQUAL(exit.len, 2);
	return OK;
}

TEST(svm_decode, refused, "APM Canonicalization and Consistency Checks",
	"VMEXIT_INVALID, by its low 32 bits, is EXIT_REFUSED; a code without a row "
	"EXIT_OTHER" CAUSE("the kind is not find_row()'s"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	CHECK_EQUAL(decode(vcpu, UINT32_MAX, 0).kind, EXIT_REFUSED);
	CHECK_EQUAL(decode(vcpu, UINT64_MAX, 0).kind, EXIT_REFUSED);
	CHECK_EQUAL(decode(vcpu, VMEXIT_RDTSC, 0).kind, EXIT_OTHER);
	return OK;
}

TEST(svm_decode, event_put_back, "APM Intercepts During IDT Interrupt Delivery",
	"an event whose delivery the exit cut short is delivered next time" CAUSE(
		"EXITINTINFO is not looked at: the guest loses an interrupt"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	vcpu->svm->vmcb.exitintinfo = EVENT_VALID | 0x20;
	decode(vcpu, VMEXIT_SHUTDOWN, 0);
	CHECK(vcpu->inject.valid);
	CHECK_EQUAL(vcpu->inject.vector, 0x20);
	vcpu->inject.valid = false;
	vcpu->svm->vmcb.exitintinfo = 0;
	decode(vcpu, VMEXIT_SHUTDOWN, 0);
	CHECK(!vcpu->inject.valid);
	return OK;
}

/* ---- prepare_and_run: a flush is due at the first entry, so that svm_enter() goes by it ---- */

/* Enters; the timer counts as armed. */
static struct exit enter(struct vcpu *vcpu)
{
	struct exit exit;

	__builtin_memset(&exit, 0x5a, sizeof(exit));
	vcpu->svm->armed = vcpu->deadline;
	svm_enter(vcpu, &exit);
	return exit;
}

TEST(prepare_and_run, runs, VMRUN, "the guest runs to its exit" CAUSE("svm_run() is not called"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	CHECK_EQUAL(enter(vcpu).kind, EXIT_CPUID);
	return OK;
}

TEST(prepare_and_run, flush, "APM TLB Control",
	"a flush that is due is ordered for this VMRUN and no other" CAUSE(
		"svm_asid_order_flush() is not called, or TLB_CONTROL is not taken back: every "
		"VMRUN flushes then"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	CHECK(svm_asid_must_flush(vcpu->svm));
	enter(vcpu);
	CHECK(!svm_asid_must_flush(vcpu->svm));
	CHECK_EQUAL(vcpu->svm->vmcb.tlb_control, TLB_CONTROL_NONE);
	return OK;
}

TEST(prepare_and_run, event_once, "APM Event Injection",
	"EVENTINJ is clear after the VMRUN that delivered it" CAUSE(
		"EVENTINJ is not taken back: the next VMRUN delivers the event again"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	vcpu->svm->vmcb.eventinj =
		SVM_EVENT_EXCEPTION << EVENT_TYPE_SHIFT | VECTOR_UD; /* not valid */
	enter(vcpu);
	CHECK_EQUAL(vcpu->svm->vmcb.eventinj, 0);
	return OK;
}

TEST(prepare_and_run, not_refused, "kernel/svm/svm.h",
	"what was entered with is known only after a refusal" CAUSE(
		"entered.known stays true after a good entry, or is not set for a refused one"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);

	CHECK_GUEST(vcpu);
	enter(vcpu);
	CHECK(!vcpu->svm->entered.known);
	vcpu->svm->vmcb.efer = 0; /* VMRUN demands SVME */
	svm_asid_flush(vcpu->svm);
	CHECK_EQUAL(enter(vcpu).kind, EXIT_REFUSED);
	CHECK(vcpu->svm->entered.known);
	return OK;
}

/* ---- arm_timer ---- */

#define TICKS UINT64_C(100000000)

TEST(arm_timer, interrupts_the_run, "runtime/apic.h",
	"a guest that loops for ever exits when its deadline has passed" CAUSE(
		"the APIC's timer is not armed, or with the deadline itself instead of the ticks "
		"until then"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_loop);
	struct exit exit = { 0 };
	unsigned int exits = 0;

	CHECK_GUEST(vcpu);
	trap_set_handler(APIC_VECTOR_TIMER, count);
	lab_guest_load(vcpu, TICKS);
	do
		svm_enter(vcpu, &exit);
	while (exit.kind == EXIT_INTERRUPT && exits++ < 1000);
	CHECK_EQUAL(exit.kind, EXIT_TICK);
	CHECK(rdtsc() >= vcpu->deadline);
	return OK;
}

TEST(arm_timer, noted, "kernel/svm/svm.h",
	"svm->armed is the deadline that the timer was armed for" CAUSE(
		"svm->armed is not written: the timer is armed anew at every entry"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	struct exit exit = { 0 };

	CHECK_GUEST(vcpu);
	trap_set_handler(APIC_VECTOR_TIMER, count);
	lab_guest_load(vcpu, 20 * TICKS);
	svm_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_CPUID);
	CHECK_EQUAL(vcpu->svm->armed, vcpu->deadline);
	return OK;
}

TEST(arm_timer, nothing_runs, "kernel/svm/svm.h",
	"a deadline that has passed: nothing is armed, and nothing runs" CAUSE(
		"the ticks until the deadline are negative, which the timer takes as very many"),
	OK, AMDV)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	struct exit exit = { 0 };

	CHECK_GUEST(vcpu);
	vcpu->deadline = vcpu->entered - 1;
	svm_enter(vcpu, &exit);
	CHECK_EQUAL(exit.kind, EXIT_TICK);
	CHECK_EQUAL(exit.rip, lab_guest_code);
	CHECK_EQUAL(vcpu->svm->armed, 0);
	return OK;
}

/* ---- svm_advance ---- */

/* A vCPU at this RIP in 64-bit code or not, and one step over `len` bytes. */
static struct svm_vmcb *advance(uint64_t rip, uint8_t len, bool is_64bit, uint64_t rflags)
{
	struct vcpu *vcpu = LAB_GUEST(svm_only_cpuid);
	struct exit exit = { .rip = rip, .len = len };
	struct svm_vmcb *vmcb;

	if (vcpu == NULL)
		return NULL;
	vmcb = &vcpu->svm->vmcb;
	vmcb->rip = rip;
	vmcb->rflags = rflags;
	vmcb->interrupt_shadow = INTERRUPT_SHADOW_ACTIVE;
	if (!is_64bit)
		vmcb->cs.attributes = SVM_SEGMENT_P | SVM_SEGMENT_S | SVM_SEGMENT_DB;
	svm_advance(vcpu, &exit);
	return vmcb;
}

TEST(svm_advance, rip, "APM State Saved on Exit",
	"RIP is behind the instruction" CAUSE(
		"RIP is not advanced by exit->len, or not written back"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = advance(0x1000, 3, true, RFLAGS_FIXED);

	CHECK_GUEST(vmcb);
	CHECK_EQUAL(vmcb->rip, 0x1003);
	vmcb = advance(UINT64_C(0xffffffff80000000), 2, true, RFLAGS_FIXED);
	CHECK_EQUAL(vmcb->rip, UINT64_C(0xffffffff80000002));
	return OK;
}

TEST(svm_advance, wraps, "APM Instruction Pointer",
	"outside 64-bit code RIP has 32 bits" CAUSE(
		"RIP grows beyond 4 GiB in code that is not 64-bit code"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = advance(0xffffffff, 2, false, RFLAGS_FIXED);

	CHECK_GUEST(vmcb);
	CHECK_EQUAL(vmcb->rip, 1);
	return OK;
}

TEST(svm_advance, shadow, "APM Interrupt Shadows",
	"the interrupt shadow is over" CAUSE("INTERRUPT_SHADOW is not cleared: interrupts stay "
					     "blocked for an instruction too many"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = advance(0x1000, 2, true, RFLAGS_FIXED);

	CHECK_GUEST(vmcb);
	CHECK_EQUAL(vmcb->interrupt_shadow, 0);
	return OK;
}

TEST(svm_advance, single_step, "APM Single Stepping",
	"with RFLAGS.TF a #DB follows, and DR6.BS says why" CAUSE(
		"end_traced_instruction() is not called, or only for one of RF and TF"),
	OK, AMDV)
{
	const struct svm_vmcb *vmcb = advance(0x1000, 2, true, RFLAGS_FIXED | RFLAGS_TF);

	CHECK_GUEST(vmcb);
	CHECK(vmcb->dr6 & DR6_BS);
	vmcb = advance(0x1000, 2, true, RFLAGS_FIXED | RFLAGS_RF);
	CHECK_EQUAL(vmcb->rflags & RFLAGS_RF, 0);
	return OK;
}
