/* Entering a guest, and putting what the CPU reports at its exit into the neutral words of struct
   exit. Nothing is decided here: that is left to kernel/exit.c. */
#include "kernel/vmx/vmx.h"
#include "runtime/x86.h"

/* Lets the host's own handler of `vector` run, for an event that came while a guest ran. */
#define CALL_HOST_HANDLER(vector) __asm__ volatile("int %0" : : "i"(vector) : "memory")

/* Sets the preemption timer to end the run at vcpu->deadline, a TSC value ("VMX-Preemption Timer"):
   it counts down once in 2^timer_shift TSC ticks, and vcpu->entered is what the TSC is now. Not
   before the deadline; at once when that has passed: 0 makes the guest exit before its first
   instruction. The field has 32 bits: a deadline beyond them ends the run early, no harm. */
static inline void arm_timer(const struct vcpu *vcpu, const struct vmx_vcpu *vmx)
{
	uint64_t left = vcpu->deadline - vcpu->entered, count = 0;

	if (likely((int64_t)left > 0))
		count = (left >> vmx->timer_shift) + 1;
	vmwrite(VMCS_PREEMPTION_TIMER_VALUE, MIN(count, UINT32_MAX));
}

/* An exit may have cut the delivery of an event short; only exits that are no instruction's do. */
static void put_event_back(struct vcpu *vcpu)
{
	uint64_t vectoring = vmread(VMCS_IDT_VECTORING_INFORMATION);

	if (vectoring & INTERRUPTION_VALID)
		vmx_event_put_back(vcpu, vectoring);
}

/* A #DB that exits has not yet changed DR6 and DR7 ("Architectural State Before a VM Exit"): what its
   delivery would have done to them is done here. DR6 is in the CPU's own register. */
static void complete_debug_exception(uint64_t causes)
{
	uint64_t all = DEBUG_EXCEPTION_BREAKPOINTS | DEBUG_EXCEPTION_BD | DEBUG_EXCEPTION_BS;

	write_dr6((read_dr6() & ~(uint64_t)DEBUG_EXCEPTION_BREAKPOINTS) | (causes & all));
	if (causes & DEBUG_EXCEPTION_BD)
		vmwrite(VMCS_GUEST_DR7, vmread(VMCS_GUEST_DR7) & ~DR7_GD);
}

/* An exception of the guest; or a machine check or NMI, which is the host's. */
static void decode_exception(struct vcpu *vcpu, struct exit *exit)
{
	uint64_t info = vmread(VMCS_EXIT_INTERRUPTION_INFORMATION);

	exit->kind = EXIT_INTERRUPT;
	if (FIELD_GET(info, INTERRUPTION_TYPE) == INTERRUPTION_NMI) {
		CALL_HOST_HANDLER(VECTOR_NMI);
	} else if (FIELD_GET(info, INTERRUPTION_VECTOR) == VECTOR_MC) {
		CALL_HOST_HANDLER(VECTOR_MC);
	} else {
		exit->kind = EXIT_EXCEPTION;
		exit->info = vmread(VMCS_EXIT_QUALIFICATION);
		exit->exception = vmx_event_of_exit(info);
		if (exit->exception.vector == VECTOR_DB)
			complete_debug_exception(exit->info);
		exit->len = exit->exception.len;
		if (info & INTERRUPTION_NMI_UNBLOCKING && exit->exception.vector != VECTOR_DF &&
			!vcpu->inject.valid)
			vmx_event_block_nmi();
	}
}

/* Fills in exit->info and exit->io for an I/O instruction ("Exit Qualification for I/O
   Instructions"; the bits are IO_ACCESS_*): the port; 1, 2 or 4 bytes; IN or OUT; INS, OUTS; REP. */
static inline void decode_io(struct exit *exit)
{
	uint64_t access = vmread(VMCS_EXIT_QUALIFICATION);

	exit->info = access;
	exit->io.port = FIELD_GET(access, IO_ACCESS_PORT);
	exit->io.size = FIELD_GET(access, IO_ACCESS_SIZE) + 1;
	exit->io.in = access & IO_ACCESS_IN;
	exit->io.string = access & IO_ACCESS_STRING;
	exit->io.rep = access & IO_ACCESS_REP;
}

/* "Exit Qualification for Control-Register Accesses" */
static void decode_cr(struct exit *exit)
{
	uint64_t access = vmread(VMCS_EXIT_QUALIFICATION);
	uint64_t type = FIELD_GET(access, CR_ACCESS_TYPE);

	exit->info = access;
	exit->cr.number = FIELD_GET(access, CR_ACCESS_NUMBER);
	exit->cr.write = type != CR_ACCESS_MOV_FROM;
	exit->cr.clts = type == CR_ACCESS_CLTS;
	exit->cr.lmsw = type == CR_ACCESS_LMSW;
	exit->cr.gpr = FIELD_GET(access, CR_ACCESS_GPR);
	exit->cr.lmsw_src = FIELD_GET(access, CR_ACCESS_LMSW_SOURCE);
}

/* An EPT violation in neutral words ("Exit Qualification for EPT Violations"; the bits are
   EPT_VIOLATION_*): kind EXIT_STAGE2, info, and exit->stage2: where, which access, and whether the
   address was mapped with any right at all. An IRET that faulted so had unblocked NMIs already:
   vmx_event_block_nmi(), unless an event is waiting in vcpu->inject, for which that bit means
   nothing. */
static void decode_ept_violation(struct vcpu *vcpu, struct exit *exit)
{
	uint64_t access = vmread(VMCS_EXIT_QUALIFICATION);

	exit->kind = EXIT_STAGE2;
	exit->info = access;
	exit->stage2.gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	exit->stage2.read = access & EPT_VIOLATION_READ;
	exit->stage2.write = access & EPT_VIOLATION_WRITE;
	exit->stage2.fetch = access & EPT_VIOLATION_FETCH;
	exit->stage2.present = access & (EPT_VIOLATION_READABLE | EPT_VIOLATION_WRITABLE |
						EPT_VIOLATION_EXECUTABLE);
	if (access & EPT_VIOLATION_NMI_UNBLOCKING && !vcpu->inject.valid)
		vmx_event_block_nmi();
}

/* An exit that an instruction made: only then is the length defined ("Information for VM Exits Due
   to Instruction Execution"). */
static inline void from_instruction(struct exit *exit, enum exit_kind kind)
{
	exit->kind = kind;
	exit->len = vmread(VMCS_EXIT_INSTRUCTION_LENGTH);
}

/* The translation: what each basic exit reason means in neutral words. exit has raw and rip, and
   info and len are 0. */
static void decode(struct vcpu *vcpu, struct exit *exit)
{
	switch (exit->raw) {
	case EXIT_REASON_CPUID:
		from_instruction(exit, EXIT_CPUID);
		return;
	case EXIT_REASON_HLT:
		from_instruction(exit, EXIT_HLT);
		return;
	case EXIT_REASON_IO_INSTRUCTION:
		from_instruction(exit, EXIT_IO);
		decode_io(exit);
		return;
	case EXIT_REASON_RDMSR:
		from_instruction(exit, EXIT_RDMSR);
		return;
	case EXIT_REASON_WRMSR:
		from_instruction(exit, EXIT_WRMSR);
		return;
	case EXIT_REASON_CR_ACCESS:
		from_instruction(exit, EXIT_CR);
		decode_cr(exit);
		return;
	case EXIT_REASON_VMCALL:
		from_instruction(exit, EXIT_HYPERCALL);
		return;
	case EXIT_REASON_XSETBV:
		from_instruction(exit, EXIT_XSETBV);
		return;
	case EXIT_REASON_INVD:
	case EXIT_REASON_WBINVD:
		from_instruction(exit, EXIT_CACHE);
		return;
	case EXIT_REASON_GETSEC:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_MONITOR:
	case EXIT_REASON_MWAIT:
	case EXIT_REASON_RDPMC:
	case EXIT_REASON_VMCLEAR:
	case EXIT_REASON_VMFUNC:
	case EXIT_REASON_VMLAUNCH:
	case EXIT_REASON_VMPTRLD:
	case EXIT_REASON_VMPTRST:
	case EXIT_REASON_VMREAD:
	case EXIT_REASON_VMRESUME:
	case EXIT_REASON_VMWRITE:
	case EXIT_REASON_VMXOFF:
	case EXIT_REASON_VMXON:
		from_instruction(exit, EXIT_UNDEFINED);
		return;
	case EXIT_REASON_TASK_SWITCH:
		put_event_back(vcpu);
		from_instruction(exit, EXIT_TASK);
		exit->info = vmread(VMCS_EXIT_QUALIFICATION);
		exit->task.selector = FIELD_GET(exit->info, TASK_SWITCH_SELECTOR);
		exit->task.source = FIELD_GET(exit->info, TASK_SWITCH_SOURCE);
		return;
	case EXIT_REASON_EXCEPTION_OR_NMI:
		put_event_back(vcpu);
		decode_exception(vcpu, exit);
		return;
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		exit->kind = EXIT_INTERRUPT;
		interrupts_window(); /* it is still pending: the host's handler takes it here */
		return;
	case EXIT_REASON_PREEMPTION_TIMER_EXPIRED:
		exit->kind = EXIT_TICK;
		return;
	case EXIT_REASON_INTERRUPT_WINDOW:
		exit->kind = EXIT_IRQ_WINDOW;
		return;
	case EXIT_REASON_EPT_VIOLATION:
		put_event_back(vcpu);
		decode_ept_violation(vcpu, exit);
		return;
	case EXIT_REASON_TRIPLE_FAULT:
		exit->kind = EXIT_SHUTDOWN;
		return;
	case EXIT_REASON_EPT_MISCONFIGURATION:
		exit->kind = EXIT_OTHER; /* our own tables are wrong */
		exit->info = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
		return;
	default:
		exit->kind = exit->raw & EXIT_REASON_ENTRY_FAILURE ? EXIT_REFUSED : EXIT_OTHER;
		exit->info = vmread(VMCS_EXIT_QUALIFICATION);
	}
}

/* struct backend's enter(): gives vcpu->inject, if valid, to vmx_event_inject(); arms the timer;
   vmx_run(). Then *exit: rip is the guest's; raw the exit reason, which decode() puts into
   neutral words, with info and len 0 before; or, where nothing ran because VMLAUNCH or VMRESUME
   failed, kind EXIT_REFUSED with the VM-instruction error as raw. From the first entry on that got
   past its checks the VMCS is launched ("VMCS States"; EXIT_REASON_ENTRY_FAILURE tells):
   vmx->launched. Every VMREAD between two entries costs: read only what is asked for. */
void vmx_enter(struct vcpu *vcpu, struct exit *exit)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	int failed;

	if (unlikely(vcpu->inject.valid))
		vmx_event_inject(vcpu);
	arm_timer(vcpu, vmx);
	failed = vmx_run(vcpu, vmx);
	exit->info = 0;
	exit->len = 0;
	exit->rip = vmread(VMCS_GUEST_RIP);
	if (unlikely(failed)) {
		exit->kind = EXIT_REFUSED;
		exit->raw = vmread(VMCS_VM_INSTRUCTION_ERROR);
		return;
	}
	exit->raw = vmread(VMCS_EXIT_REASON);
	if (likely(!(exit->raw & EXIT_REASON_ENTRY_FAILURE))) /* then the launch state stays "clear" */
		vmx->launched = 1;
	decode(vcpu, exit);
}

const char *vmx_exit_name(const struct exit *exit)
{
	bool failed = exit->kind == EXIT_REFUSED && !(exit->raw & EXIT_REASON_ENTRY_FAILURE);

	return failed ? vmx_error_text(exit->raw)
		      : vmx_exit_reason_name(FIELD_GET(exit->raw, EXIT_REASON_BASIC));
}
