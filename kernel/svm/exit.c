/* Entering a guest, and putting what the CPU reports at its exit into the neutral words of struct
   exit. Nothing is decided here: that is left to kernel/exit.c. */
#include "kernel/guest_memory.h"
#include "kernel/svm/svm.h"
#include "kernel/vm.h"
#include "runtime/apic.h"
#include "runtime/x86.h"

/* Lets the host's own handler of `vector` run, for an event that came while a guest ran. */
#define CALL_HOST_HANDLER(vector) __asm__ volatile("int %0" : : "i"(vector) : "memory")

/* Arms the APIC's timer to end the run at vcpu->deadline, unless it is armed for that already.
   False when the deadline has passed. Interrupts are off from svm_load() to the last entry but in
   take_interrupt(), so that nobody else can take the one that the timer sends. */
static inline bool arm_timer(const struct vcpu *vcpu)
{
	struct svm_pcpu *pcpu = vcpu->svm->pcpu;
	uint64_t now;

	if (likely(vcpu->deadline == pcpu->armed))
		return true;
	now = rdtsc();
	if (now >= vcpu->deadline)
		return false;
	apic_timer_arm(vcpu->deadline - now);
	pcpu->armed = vcpu->deadline;
	return true;
}

/* The interrupt that ended the run is still pending: the host takes it now ("INTR Intercept"). */
static void take_interrupt(struct vcpu *vcpu, struct exit *exit)
{
	interrupts_window();
	vcpu->svm->pcpu->armed = 0;
	exit->kind = rdtsc() >= vcpu->deadline ? EXIT_TICK : EXIT_INTERRUPT;
}

/* The linear address of the instruction at CS:RIP. */
static inline uint64_t instruction_address(const struct svm_vmcb *vmcb)
{
	return svm_is_64bit(vmcb) ? vmcb->rip : (uint32_t)(vmcb->cs.base + vmcb->rip);
}

/* The length of the instruction that was intercepted, which is `op`: from next-RIP where the CPU
   has that, else from its bytes; opcode: those it has without prefixes, if it has two. */
static inline uint8_t instruction_length(struct vcpu *vcpu, enum insn_op op, uint16_t opcode)
{
	const struct svm_vmcb *vmcb = vcpu->svm->vmcb;
	const uint8_t *code;

	if (vcpu->svm->features & SVM_EDX_NRIPS)
		return (uint8_t)(vmcb->nrip - vmcb->rip);
	code = guest_fetch_cached(&vcpu->fetch, instruction_address(vmcb), vmcb->cr0, vmcb->cr3,
		vmcb->cr4, vmcb->efer, vcpu->vm->stage2.generation);
	if (likely(guest_insn_is(code, opcode)))
		return 2;
	return guest_insn_length(vcpu, op);
}

/* "I/O Intercept Information". EXITINFO2 is the next RIP on all CPUs. */
static inline void decode_io(const struct svm_vmcb *vmcb, struct exit *exit)
{
	uint64_t info = vmcb->exitinfo1;

	exit->kind = EXIT_IO;
	exit->len = (uint8_t)(vmcb->exitinfo2 - vmcb->rip);
	exit->io.port = (uint16_t)(info >> IOIO_PORT_SHIFT);
	exit->io.size = (uint8_t)((info & IOIO_SIZES) >> IOIO_SIZE_SHIFT);
	exit->io.in = info & IOIO_IN;
	exit->io.string = (info & IOIO_STRING) != 0;
	exit->io.rep = (info & IOIO_REP) != 0;
}

/* "Nested versus Guest Page Faults, Fault Ordering". A reserved bit in our own tables is our own
   mistake. */
static void decode_npf(const struct svm_vmcb *vmcb, struct exit *exit)
{
	uint64_t info = vmcb->exitinfo1;

	exit->kind = info & NPF_RSVD ? EXIT_OTHER : EXIT_STAGE2;
	exit->stage2.gpa = vmcb->exitinfo2;
	exit->stage2.write = (info & NPF_WRITE) != 0;
	exit->stage2.fetch = (info & NPF_FETCH) != 0;
	exit->stage2.read = !exit->stage2.write && !exit->stage2.fetch;
	exit->stage2.present = (info & NPF_PRESENT) != 0;
}

/* "Exception Intercepts". A machine check is the host's. */
static void decode_exception(const struct svm_vmcb *vmcb, struct exit *exit)
{
	uint8_t vector = (uint8_t)(exit->raw - VMEXIT_EXCP);

	if (vector == VECTOR_MC) {
		exit->kind = EXIT_INTERRUPT;
		CALL_HOST_HANDLER(VECTOR_MC);
		return;
	}
	exit->kind = EXIT_EXCEPTION;
	exit->exception = (struct event){
		.valid = true,
		.type = EVENT_EXCEPTION,
		.vector = vector,
		.has_error = (VECTORS_WITH_ERROR_CODE & BIT(vector)) != 0,
		.error = (uint32_t)vmcb->exitinfo1,
	};
}

/* WBINVD and INVD at CPL 3 fault before they are intercepted; where they do not, the guest gets
   that fault still. */
static void decode_cache(struct vcpu *vcpu, struct exit *exit, enum insn_op op, uint16_t opcode)
{
	exit->kind = EXIT_CACHE;
	exit->len = instruction_length(vcpu, op, opcode);
	if (vcpu->svm->vmcb->cpl == 0)
		return;
	exit->kind = EXIT_EXCEPTION;
	exit->len = 0;
	exit->exception = (struct event){
		.valid = true, .type = EVENT_EXCEPTION, .vector = VECTOR_GP, .has_error = true,
	};
}

/* Opcodes of two bytes, the first in the low half. */
#define OPCODE(second) (0x0f | (second) << 8)

/* The exits that are not as frequent as those below. */
static void decode_rare(struct vcpu *vcpu, struct exit *exit)
{
	switch ((int32_t)exit->raw) {
	case VMEXIT_EXCP ... VMEXIT_EXCP + 31:
		decode_exception(vcpu->svm->vmcb, exit);
		break;
	case VMEXIT_CR_READ ... VMEXIT_CR_READ + 15:
	case VMEXIT_CR_WRITE ... VMEXIT_CR_WRITE + 15:
	case VMEXIT_CR0_SEL_WRITE:
		svm_decode_cr(vcpu, exit);
		break;
	case VMEXIT_NMI: /* STGI let the host take it */
	case VMEXIT_SMI:
	case VMEXIT_INIT:
		exit->kind = EXIT_INTERRUPT;
		break;
	case VMEXIT_INVD:
		decode_cache(vcpu, exit, INSN_INVD, OPCODE(0x08));
		break;
	case VMEXIT_WBINVD:
		decode_cache(vcpu, exit, INSN_WBINVD, OPCODE(0x09));
		break;
	case VMEXIT_XSETBV:
		exit->kind = EXIT_XSETBV;
		exit->len = instruction_length(vcpu, INSN_XSETBV, 0);
		break;
	case VMEXIT_SHUTDOWN:
		exit->kind = EXIT_SHUTDOWN;
		break;
	case VMEXIT_INVALID:
		exit->kind = EXIT_REFUSED;
		break;
	case VMEXIT_VMRUN:
	case VMEXIT_VMLOAD ... VMEXIT_SKINIT:
	case VMEXIT_INVLPGA:
	case VMEXIT_MONITOR:
	case VMEXIT_MWAIT:
	case VMEXIT_RDPMC:
	case VMEXIT_RDPRU:
	case VMEXIT_INVLPGB:
	case VMEXIT_INVLPGB_ILLEGAL:
	case VMEXIT_MCOMMIT:
	case VMEXIT_TLBSYNC:
		exit->kind = EXIT_UNDEFINED;
		break;
	default:
		exit->kind = EXIT_OTHER;
	}
}

/* What the CPU reports in neutral words. */
static inline void decode(struct vcpu *vcpu, struct exit *exit)
{
	const struct svm_vmcb *vmcb = vcpu->svm->vmcb;

	exit->raw = vmcb->exitcode;
	exit->info = vmcb->exitinfo1;
	exit->rip = vmcb->rip;
	exit->len = 0;
	switch ((int32_t)exit->raw) {
	case VMEXIT_CPUID:
		exit->kind = EXIT_CPUID;
		exit->len = instruction_length(vcpu, INSN_CPUID, OPCODE(0xa2));
		break;
	case VMEXIT_IOIO:
		decode_io(vmcb, exit);
		break;
	case VMEXIT_INTR:
		take_interrupt(vcpu, exit);
		break;
	case VMEXIT_VINTR:
		exit->kind = EXIT_IRQ_WINDOW;
		break;
	case VMEXIT_NPF:
		decode_npf(vmcb, exit);
		break;
	case VMEXIT_HLT:
		exit->kind = EXIT_HLT;
		exit->len = instruction_length(vcpu, INSN_HLT, 0);
		break;
	case VMEXIT_MSR:
		if (vmcb->exitinfo1 & MSR_INTERCEPT_WRITE) {
			exit->kind = EXIT_WRMSR;
			exit->len = instruction_length(vcpu, INSN_WRMSR, OPCODE(0x30));
		} else {
			exit->kind = EXIT_RDMSR;
			exit->len = instruction_length(vcpu, INSN_RDMSR, OPCODE(0x32));
		}
		break;
	case VMEXIT_VMMCALL:
		exit->kind = EXIT_HYPERCALL;
		exit->len = instruction_length(vcpu, INSN_VMMCALL, 0);
		break;
	default:
		decode_rare(vcpu, exit);
	}
}

void svm_enter(struct vcpu *vcpu, struct exit *exit)
{
	struct svm_vcpu *svm = vcpu->svm;
	struct svm_vmcb *vmcb = svm->vmcb;

	if (unlikely(!arm_timer(vcpu))) {
		*exit = (struct exit){ .kind = EXIT_TICK, .raw = VMEXIT_INTR, .rip = vmcb->rip };
		return;
	}
	svm->eventinj = 0;
	if (unlikely(vcpu->inject.valid))
		svm_event_inject(vcpu);
	vmcb->eventinj = svm->eventinj;
	vmcb->tlb_control = TLB_CONTROL_NONE;
	if (unlikely(*svm->flush != svm->flushed))
		vmcb->tlb_control = svm_asid_flush_command(svm);
	vmcb->rax = vcpu->gpr[GPR_RAX];
	svm_run(vcpu, vmcb, svm->pcpu->host);
	vcpu->gpr[GPR_RAX] = vmcb->rax;
	if (unlikely(vmcb->exitintinfo & EVENT_VALID))
		svm_event_put_back(vcpu);
	decode(vcpu, exit);
}
