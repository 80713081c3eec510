/* Entering a guest, and putting what the CPU reports at its exit into the neutral words of struct
   exit. Nothing is decided here: that is left to kernel/exit.c. */
#include "kernel/guest_memory.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "runtime/apic.h"
#include "runtime/x86.h"

/* Lets the host's own handler of `vector` run, for an event that came while a guest ran. */
#define CALL_HOST_HANDLER(vector) __asm__ volatile("int %0" : : "i"(vector) : "memory")

/* Does the walk that the cache remembers still hold, and are the bytes at CS:RIP `opcode`? The
   guest changes CR3 and its tables without an exit; all else that a walk depends on is changed by
   svm_set() or stage2_flush(), after which the cache is forgotten. False also when it is not known.
 */
static inline bool is_at_rip(const struct vcpu *vcpu, const struct svm_vmcb *vmcb, uint16_t opcode)
{
	const struct guest_fetch_cache *cache = &vcpu->fetch;
	uint64_t linear = svm_is_64bit(vmcb) ? vmcb->rip : (uint32_t)(vmcb->cs.base + vmcb->rip);
	uint64_t last = linear | (PAGE_SIZE - 1);

	if (unlikely(last != cache->page_end || linear == last || vmcb->cr3 != cache->cr3))
		return false;
	if (unlikely((*cache->entry[0] ^ cache->value[0]) | (*cache->entry[1] ^ cache->value[1]) |
		     (*cache->entry[2] ^ cache->value[2]) | (*cache->entry[3] ^ cache->value[3])))
		return false;
	return *(const uint16_t *)(cache->code + (linear & (PAGE_SIZE - 1))) == opcode;
}
_Static_assert(GUEST_FETCH_LEVELS == 4, "is_at_rip() compares four entries");

/* How one exit code is decoded. */
struct row {
	/* Completes *exit, of which raw, info, rip and kind are filled in; len is 0. */
	void (*decode)(
		struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row);
	uint8_t kind;    /* enum exit_kind */
	uint8_t op;      /* enum insn_op: the instruction that was intercepted */
	uint16_t opcode; /* its bytes without prefixes, where it has two: OPCODE_<NAME> */
};

static void decode_nothing(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
}

/* The interrupt that ended the run is still pending: the host takes it now ("INTR Intercept"). It
   may be the timer's. */
static void take_interrupt(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	interrupts_window();
	svm->armed = 0;
	if (rdtsc() >= vcpu->deadline)
		exit->kind = EXIT_TICK;
}

/* An instruction with prefixes, or one that the cache does not know, or of another length than two.
   One that cannot be found at CS:RIP has no length: nothing can be made of the exit. */
static __attribute__((noinline)) void decode_bytes(
	struct vcpu *vcpu, struct exit *exit, enum insn_op op)
{
	exit->len = guest_insn_length(vcpu, op);
	if (exit->len == 0)
		exit->kind = EXIT_OTHER;
}

/* The length of the instruction: from next-RIP where the CPU has that, else from its bytes. */
static void decode_instruction(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	if (svm->features & SVM_EDX_NRIPS)
		exit->len = (uint8_t)(svm->vmcb.nrip - svm->vmcb.rip);
	else if (likely(is_at_rip(vcpu, &svm->vmcb, row->opcode)))
		exit->len = 2;
	else
		decode_bytes(vcpu, exit, row->op);
}

/* "MSR Intercept Information" */
static void decode_msr(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	static const struct row read = { .op = INSN_RDMSR, .opcode = OPCODE_RDMSR };
	static const struct row write = { .op = INSN_WRMSR, .opcode = OPCODE_WRMSR };
	bool is_write = exit->info & MSR_INTERCEPT_WRITE;

	exit->kind = is_write ? EXIT_WRMSR : EXIT_RDMSR;
	decode_instruction(vcpu, svm, exit, is_write ? &write : &read);
}

/* Fills in exit->len and exit->io from exit->info, which is EXITINFO1 ("I/O Intercept Information";
   the bits are IOIO_*): the port; 1, 2 or 4 bytes; IN or OUT; INS or OUTS; REP. EXITINFO2 is the
   next RIP on all CPUs. */
static void decode_io(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	uint64_t info = exit->info;

	exit->len = (uint8_t)(svm->vmcb.exitinfo2 - svm->vmcb.rip);
	exit->io.port = (uint16_t)(info >> IOIO_PORT_SHIFT);
	exit->io.size = (uint8_t)((info & IOIO_SIZES) >> IOIO_SIZE_SHIFT);
	exit->io.in = info & IOIO_IN;
	exit->io.string = (info & IOIO_STRING) != 0;
	exit->io.rep = (info & IOIO_REP) != 0;
}

/* A nested page fault in neutral words ("Nested versus Guest Page Faults, Fault Ordering"):
   exit->stage2 from EXITINFO1, which is exit->info (NPF_*), and EXITINFO2, the guest-physical
   address. A write or a fetch is none of the other two; what is neither is a read. present: the
   address was mapped, but not with that right. A reserved bit in our own tables is our own mistake:
   EXIT_OTHER. */
static void decode_npf(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	uint64_t info = exit->info;

	if (info & NPF_RSVD)
		exit->kind = EXIT_OTHER;
	exit->stage2.gpa = svm->vmcb.exitinfo2;
	exit->stage2.write = (info & NPF_WRITE) != 0;
	exit->stage2.fetch = (info & NPF_FETCH) != 0;
	exit->stage2.read = !exit->stage2.write && !exit->stage2.fetch;
	exit->stage2.present = (info & NPF_PRESENT) != 0;
}

/* "Exception Intercepts" */
static void decode_exception(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	uint8_t vector = (uint8_t)(exit->raw - VMEXIT_EXCP);

	exit->exception = (struct event){
		.valid = true,
		.type = EVENT_EXCEPTION,
		.vector = vector,
		.has_error = (VECTORS_WITH_ERROR_CODE & BIT(vector)) != 0,
		.error = (uint32_t)exit->info,
	};
}

/* A machine check is the host's. */
static void take_machine_check(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	CALL_HOST_HANDLER(VECTOR_MC);
}

/* WBINVD and INVD at CPL 3 fault before they are intercepted ("Instruction Intercepts"); where they
   do not, the guest gets that fault still. Some implementations report INVD as WBINVD. */
static void decode_cache(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	if (svm->vmcb.cpl == 0) {
		decode_instruction(vcpu, svm, exit, row);
		if (exit->len == 0 && (exit->len = guest_insn_length(vcpu, INSN_INVD)) != 0)
			exit->kind = EXIT_CACHE;
		return;
	}
	exit->kind = EXIT_EXCEPTION;
	exit->exception = (struct event){
		.valid = true,
		.type = EVENT_EXCEPTION,
		.vector = VECTOR_GP,
		.has_error = true,
	};
}

static void decode_cr(
	struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit, const struct row *row)
{
	svm_decode_cr(vcpu, exit);
}

/* The exits that the intercepts of control.c make. Others have no `decode`: they are EXIT_OTHER. */
static const struct row rows[] = {
	[VMEXIT_CPUID] = { decode_instruction, EXIT_CPUID, INSN_CPUID, OPCODE_CPUID },
	[VMEXIT_HLT] = { decode_instruction, EXIT_HLT, INSN_HLT, 0 },
	[VMEXIT_VMMCALL] = { decode_instruction, EXIT_HYPERCALL, INSN_VMMCALL, 0 },
	[VMEXIT_XSETBV] = { decode_instruction, EXIT_XSETBV, INSN_XSETBV, 0 },
	[VMEXIT_INVD] = { decode_cache, EXIT_CACHE, INSN_INVD, OPCODE_INVD },
	[VMEXIT_WBINVD] = { decode_cache, EXIT_CACHE, INSN_WBINVD, OPCODE_WBINVD },
	[VMEXIT_MSR] = { decode_msr },
	[VMEXIT_IOIO] = { decode_io, EXIT_IO },
	[VMEXIT_CR_READ... VMEXIT_CR_READ + 15] = { decode_cr, EXIT_CR },
	[VMEXIT_CR_WRITE... VMEXIT_CR_WRITE + 15] = { decode_cr, EXIT_CR },
	[VMEXIT_CR0_SEL_WRITE] = { decode_cr, EXIT_CR },
	[VMEXIT_EXCP + VECTOR_DB] = { decode_exception, EXIT_EXCEPTION },
	[VMEXIT_EXCP + VECTOR_AC] = { decode_exception, EXIT_EXCEPTION },
	[VMEXIT_EXCP + VECTOR_MC] = { take_machine_check, EXIT_INTERRUPT },
	[VMEXIT_INTR] = { take_interrupt, EXIT_INTERRUPT },
	[VMEXIT_NMI... VMEXIT_INIT] = { decode_nothing, EXIT_INTERRUPT }, /* taken at STGI */
	[VMEXIT_VINTR] = { decode_nothing, EXIT_IRQ_WINDOW },
	[VMEXIT_SHUTDOWN] = { decode_nothing, EXIT_SHUTDOWN },
	[VMEXIT_VMRUN] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_VMLOAD... VMEXIT_SKINIT] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_INVLPGA] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_MONITOR... VMEXIT_MWAIT] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_RDPMC] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_RDPRU] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_INVLPGB... VMEXIT_INVLPGB_ILLEGAL] = { decode_nothing, EXIT_UNDEFINED },
	[VMEXIT_MCOMMIT... VMEXIT_TLBSYNC] = { decode_nothing, EXIT_UNDEFINED },
};

/* The codes that no intercept stands for. */
static const struct row row_npf = { .decode = decode_npf, .kind = EXIT_STAGE2 };
static const struct row row_invalid = { .decode = decode_nothing, .kind = EXIT_REFUSED };
static const struct row row_other = { .decode = decode_nothing, .kind = EXIT_OTHER };

/* Of the negative codes not all implementations write more than 32 bits. */
static inline const struct row *find_row(uint32_t code)
{
	if (likely(code < ARRAY_SIZE(rows) && rows[code].decode))
		return &rows[code];
	if (code == VMEXIT_NPF)
		return &row_npf;
	return code == (uint32_t)VMEXIT_INVALID ? &row_invalid : &row_other;
}

/* Where svm_run ends: what the VMCB says of the exit, put into *exit. raw is EXITCODE, info
   EXITINFO1, rip the guest's, len 0; kind is that of find_row(), whose decode() completes the rest.
   Before that the event whose delivery the exit cut short, if EXITINTINFO is valid, goes back by
   svm_event_put_back() ("Intercepts During IDT Interrupt Delivery"). */
void svm_decode(struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit)
{
	const struct row *row;

	if (unlikely(svm->vmcb.exitintinfo & EVENT_VALID))
		svm_event_put_back(vcpu);
	exit->raw = svm->vmcb.exitcode;
	exit->info = svm->vmcb.exitinfo1;
	exit->rip = svm->vmcb.rip;
	exit->len = 0;
	row = find_row((uint32_t)exit->raw);
	exit->kind = row->kind;
	row->decode(vcpu, svm, exit, row);
}

/* Arms the APIC's timer, in TSC ticks from now, to end the run at vcpu->deadline, a TSC value, and
   notes that deadline in svm->armed. False, and nothing done, when it has passed. */
static bool arm_timer(struct vcpu *vcpu)
{
	uint64_t now = rdtsc();

	if (now >= vcpu->deadline)
		return false;
	apic_timer_arm(vcpu->deadline - now);
	vcpu->svm->armed = vcpu->deadline;
	return true;
}

/* Keeps what svm_explain() will ask for. An entry that prepared nothing runs on what the CPU itself
   saved at the last exit, so that there is nothing to explain. */
static void keep_entered(struct svm_vcpu *svm)
{
	struct svm_entered *entered = &svm->entered;
	const struct svm_vmcb *vmcb = &svm->vmcb;

	_Static_assert(offsetof(struct svm_vmcb, rip) + sizeof(vmcb->rip) -
				       offsetof(struct svm_vmcb, cr4) ==
			       sizeof(entered->registers),
		"CR4 to RIP lie in a row");
	entered->known = true;
	entered->eventinj = vmcb->eventinj;
	entered->efer = vmcb->efer;
	entered->cs = vmcb->cs;
	__builtin_memcpy(entered->registers, &vmcb->byte[offsetof(struct svm_vmcb, cr4)],
		sizeof(entered->registers));
}

/* An entry before which something is to be done: the timer, where it is not armed for
   vcpu->deadline; the event in vcpu->inject, if valid (svm_event_inject()); a flush that is due
   (svm_asid_must_flush(), svm_asid_order_flush()). keep_entered() keeps what svm_explain() would
   ask for. After svm_run() the orders of this VMRUN are taken back, for the next must not have them
   again: EVENTINJ and TLB_CONTROL ("Event Injection", "TLB Control"); and entered.known stays true
   only if the CPU refused the state. A deadline that has passed makes no entry at all: *exit is an
   EXIT_TICK, raw VMEXIT_INTR, at the guest's RIP. */
static __attribute__((noinline)) void prepare_and_run(struct vcpu *vcpu, struct exit *exit)
{
	struct svm_vcpu *svm = vcpu->svm;

	if (svm->armed != vcpu->deadline && !arm_timer(vcpu)) {
		*exit = (struct exit){
			.kind = EXIT_TICK, .raw = VMEXIT_INTR, .rip = svm->vmcb.rip
		};
		return;
	}
	if (vcpu->inject.valid)
		svm_event_inject(vcpu);
	if (svm_asid_must_flush(svm))
		svm_asid_order_flush(vcpu);
	keep_entered(svm);
	svm_run(vcpu, svm, exit);
	svm->vmcb.eventinj = 0;
	svm->vmcb.tlb_control = TLB_CONTROL_NONE;
	svm->entered.known = exit->kind == EXIT_REFUSED;
}

/* Interrupts are off from svm_load() to the last entry but in take_interrupt(), so that nobody else
   can have taken the one that the timer sends. */
void svm_enter(struct vcpu *vcpu, struct exit *exit)
{
	struct svm_vcpu *svm = vcpu->svm;

	if (unlikely(
		    svm->armed != vcpu->deadline || vcpu->inject.valid || svm_asid_must_flush(svm)))
		prepare_and_run(vcpu, exit);
	else
		svm_run(vcpu, svm, exit);
}
