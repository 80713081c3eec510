/* Control-register exits: which register, which way, and the other operand. Where the CPU does not
   say that ("Decode Assists"), the instruction does. What the guest gets is left to policy. */
#include "kernel/guest_memory.h"
#include "kernel/svm/svm.h"
#include "runtime/errno.h"

/* What insn works with, as kernel/insn.h has it. */
static void collect_state(struct vcpu *vcpu, struct insn_state *state)
{
	const struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	__builtin_memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	state->gpr[GPR_RSP] = vmcb->rsp;
	state->rip = vmcb->rip;
	state->rflags = vmcb->rflags;
	for (unsigned int i = SEG_ES; i <= SEG_GS; i++)
		state->segment_base[i] = i < SEG_FS && svm_is_64bit(vmcb)
						 ? 0
						 : svm_get(vcpu, REG_SEGMENT(i, PART_BASE));
}

/* The memory operand cannot be reached: the guest gets what the instruction would have got. */
static void become_fault(struct vcpu *vcpu, struct exit *exit, const struct guest_fault *fault)
{
	if (fault->vector == VECTOR_PF)
		vcpu->svm->vmcb.cr2 = fault->address;
	exit->kind = EXIT_EXCEPTION;
	exit->len = 0;
	exit->exception = (struct event){
		.valid = true,
		.type = EVENT_EXCEPTION,
		.vector = fault->vector,
		.has_error = true,
		.error = fault->error,
	};
}

/* LMSW's operand is a register or two bytes of memory. */
static void decode_lmsw(struct vcpu *vcpu, struct exit *exit, const struct insn *insn)
{
	struct guest_fault fault;
	struct insn_state state;
	uint16_t source = 0;
	int error = 0;

	collect_state(vcpu, &state);
	if (insn->memory)
		error = guest_read_virtual(vcpu, insn_address(insn, &state), &source,
			sizeof(source), GUEST_READ | guest_access_at_cpl(vcpu), &fault);
	else
		source = (uint16_t)state.gpr[insn->rm];
	if (error == 0) {
		exit->cr.write = exit->cr.lmsw = true;
		exit->cr.lmsw_src = source;
	} else if (error == -EFAULT) {
		become_fault(vcpu, exit, &fault);
	} else {
		exit->kind = EXIT_OTHER;
	}
}

/* SMSW exits only because MOV from CR0 has to. What it stores is complete here, for no neutral word
   tells a 16-bit operand: the exit becomes one that is dealt with already. */
static void complete_smsw(struct vcpu *vcpu, struct exit *exit, const struct insn *insn)
{
	uint64_t cr0 = svm_get(vcpu, REG_CR0);
	struct guest_fault fault;
	struct insn_state state;
	int error = 0;

	collect_state(vcpu, &state);
	if (insn->memory) {
		error = guest_write_virtual(vcpu, insn_address(insn, &state), &cr0,
			sizeof(uint16_t), GUEST_WRITE | guest_access_at_cpl(vcpu), &fault);
	} else {
		insn_set_register(insn, &state, insn->rm, insn->operand_size, cr0);
		vcpu->gpr[insn->rm] = state.gpr[insn->rm];
		if (insn->rm == GPR_RSP)
			vcpu->svm->vmcb.rsp = state.gpr[GPR_RSP];
	}
	if (error == 0) {
		svm_advance(vcpu, exit);
		exit->kind = EXIT_INTERRUPT;
		exit->len = 0;
	} else if (error == -EFAULT) {
		become_fault(vcpu, exit, &fault);
	} else {
		exit->kind = EXIT_OTHER;
	}
}

/* MOV to or from CR0 with a LOCK prefix is one of CR8 ("TPR Access in 32-Bit Mode"). */
static void decode_mov(struct exit *exit, const struct insn *insn)
{
	exit->cr.number = insn->lock && insn->reg == 0 ? 8 : insn->reg;
	exit->cr.write = insn->op == INSN_MOV_TO_CR;
	exit->cr.gpr = insn->rm;
}

/* Always from the instruction, decode assists or not: some implementations report a read of any
   control register as one of CR0. */
void svm_decode_cr(struct vcpu *vcpu, struct exit *exit)
{
	struct insn insn;

	exit->kind = EXIT_OTHER;
	if (guest_fetch_insn(vcpu, &insn))
		return;
	exit->kind = EXIT_CR;
	exit->len = insn.len;
	exit->cr.number = 0;
	exit->cr.write = exit->cr.clts = exit->cr.lmsw = false;
	switch (insn.op) {
	case INSN_MOV_TO_CR:
	case INSN_MOV_FROM_CR:
		decode_mov(exit, &insn);
		break;
	case INSN_CLTS:
		exit->cr.write = exit->cr.clts = true;
		break;
	case INSN_LMSW:
		decode_lmsw(vcpu, exit, &insn);
		break;
	case INSN_SMSW:
		complete_smsw(vcpu, exit, &insn);
		break;
	default:
		exit->kind = EXIT_OTHER;
	}
}
