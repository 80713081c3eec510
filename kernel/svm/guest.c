/* Guest state as the neutral code names it, over the fields of the VMCB; and what depends on it:
   stepping over an instruction, waiting for an interrupt window. */
#include "kernel/svm/svm.h"

/* "Segment State in the VMCB": attributes are the rights of VT-x with the gap between bits 7 and 12
   closed, and a segment that cannot be used is one that is not present. */
#define RIGHTS_HIGH      BITS(15, 12)
#define RIGHTS_SHIFT     4 /* from the VMCB's high attributes to VT-x' */
#define RIGHTS_UNUSABLE  BIT(16)
#define RIGHTS_DPL_SHIFT 5

/* The neutral form (PART_ACCESS in backend.h) of the attributes that the VMCB has: its low 8 bits
   are the same, the next 4 (SVM_SEGMENT_HIGH) belong at 15:12, and RIGHTS_UNUSABLE is set where
   SVM_SEGMENT_P is not. */
static uint64_t rights_of(uint16_t attributes)
{
	uint64_t rights = (attributes & SVM_SEGMENT_LOW) | (attributes & SVM_SEGMENT_HIGH)
								   << RIGHTS_SHIFT;

	return attributes & SVM_SEGMENT_P ? rights : rights | RIGHTS_UNUSABLE;
}

/* The other way: a segment that cannot be used has no attributes at all. */
static uint16_t attributes_of(uint64_t rights)
{
	if (rights & RIGHTS_UNUSABLE)
		return 0;
	return (uint16_t)((rights & SVM_SEGMENT_LOW) | (rights & RIGHTS_HIGH) >> RIGHTS_SHIFT);
}

/* The VMCB's name for each segment. */
static const uint8_t segments[SEGMENTS] = {
	[SEG_ES] = SVM_ES,
	[SEG_CS] = SVM_CS,
	[SEG_SS] = SVM_SS,
	[SEG_DS] = SVM_DS,
	[SEG_FS] = SVM_FS,
	[SEG_GS] = SVM_GS,
	[SEG_LDTR] = SVM_LDTR,
	[SEG_TR] = SVM_TR,
};

/* The privilege level is CPL's, never a segment's ("Segment State in the VMCB"); for VT-x, whose
   form the neutral code uses, it is SS's DPL. */
static uint64_t get_segment(
	const struct svm_vmcb *vmcb, enum segment number, enum segment_part part)
{
	const struct svm_segment *segment = &vmcb->segment[segments[number]];
	uint64_t rights;

	switch (part) {
	case PART_SELECTOR:
		return segment->selector;
	case PART_BASE:
		return segment->base;
	case PART_LIMIT:
		return segment->limit;
	default:
		rights = rights_of(segment->attributes);
		if (number == SEG_SS)
			rights = (rights & ~SVM_SEGMENT_DPL) | (uint64_t)vmcb->cpl
								       << RIGHTS_DPL_SHIFT;
		return rights;
	}
}

static void set_segment(
	struct svm_vmcb *vmcb, enum segment number, enum segment_part part, uint64_t value)
{
	struct svm_segment *segment = &vmcb->segment[segments[number]];

	switch (part) {
	case PART_SELECTOR:
		segment->selector = (uint16_t)value;
		break;
	case PART_BASE:
		segment->base = value;
		break;
	case PART_LIMIT:
		segment->limit = (uint32_t)value;
		break;
	default:
		segment->attributes = attributes_of(value);
		if (number == SEG_SS)
			vmcb->cpl = (uint8_t)((value & SVM_SEGMENT_DPL) >> RIGHTS_DPL_SHIFT);
	}
}

/* Registers that the guest sees as the VMCB has them. Those in which it may see something else are
   VMCB_NONE and have a case of their own below. */
static const uint8_t fields[REG_SEGMENTS] = {
	[REG_RIP] = VMCB_RIP,
	[REG_RSP] = VMCB_RSP,
	[REG_RFLAGS] = VMCB_RFLAGS,
	[REG_CR2] = VMCB_CR2,
	[REG_CR3] = VMCB_CR3,
	[REG_CR4] = VMCB_CR4,
	[REG_PAT] = VMCB_G_PAT,
	[REG_DR7] = VMCB_DR7,
	[REG_GDTR_BASE] = VMCB_GDTR_BASE,
	[REG_GDTR_LIMIT] = VMCB_GDTR_LIMIT,
	[REG_IDTR_BASE] = VMCB_IDTR_BASE,
	[REG_IDTR_LIMIT] = VMCB_IDTR_LIMIT,
	[REG_SYSENTER_CS] = VMCB_SYSENTER_CS,
	[REG_SYSENTER_ESP] = VMCB_SYSENTER_ESP,
	[REG_SYSENTER_EIP] = VMCB_SYSENTER_EIP,
	[REG_TSC_OFFSET] = VMCB_TSC_OFFSET,
};

uint64_t svm_get(struct vcpu *vcpu, enum reg reg)
{
	const struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	if (reg >= REG_SEGMENTS)
		return get_segment(
			vmcb, (reg - REG_SEGMENTS) / PARTS, (reg - REG_SEGMENTS) % PARTS);
	switch (reg) {
	case REG_RIP: /* the ones most asked for, without a look at the tables */
		return vmcb->rip;
	case REG_RFLAGS:
		return vmcb->rflags;
	case REG_CR0:
		return vmcb->cr0 | vcpu->svm->hidden_cr0;
	case REG_EFER:
		return vmcb->efer & ~EFER_SVME;
	case REG_INTERRUPT_SHADOW:
		return vmcb->interrupt_shadow & INTERRUPT_SHADOW_ACTIVE;
	default:
		return svm_vmcb_read(vmcb, fields[reg]);
	}
}

/* EFER.LMA is what LME and paging make of it ("Long Mode"). */
static void update_long_mode(struct svm_vmcb *vmcb)
{
	if ((vmcb->efer & EFER_LME) && (vmcb->cr0 & CR0_PG))
		vmcb->efer |= EFER_LMA;
	else
		vmcb->efer &= ~EFER_LMA;
}

/* A guest that turns its caches off believes it did: the hardware's stay on. For as long as the two
   bits differ all of its reads and writes exit; else only writes that change more than TS and MP.
 */
static void set_cr0(struct svm_vcpu *svm, uint64_t value)
{
	svm->hidden_cr0 = value & (CR0_CD | CR0_NW);
	svm_intercept(&svm->vmcb, INTERCEPT_CR_READ + 0, svm->hidden_cr0 != 0);
	svm_intercept(&svm->vmcb, INTERCEPT_CR_WRITE + 0, svm->hidden_cr0 != 0);
	svm->vmcb.cr0 = value & ~(CR0_CD | CR0_NW);
	update_long_mode(&svm->vmcb);
}

void svm_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	if (reg >= REG_SEGMENTS) {
		set_segment(
			vmcb, (reg - REG_SEGMENTS) / PARTS, (reg - REG_SEGMENTS) % PARTS, value);
		return;
	}
	switch (reg) {
	case REG_CR0:
		set_cr0(vcpu->svm, value);
		break;
	case REG_EFER:
		vmcb->efer = value | EFER_SVME; /* VMRUN requires it */
		update_long_mode(vmcb);
		break;
	case REG_INTERRUPT_SHADOW:
		vmcb->interrupt_shadow = value & INTERRUPT_SHADOW_ACTIVE;
		break;
	default:
		svm_vmcb_write(vmcb, fields[reg], value);
	}
	/* "TLB Control": VMRUN itself forgets nothing when these change. */
	if (reg == REG_CR0 || reg == REG_CR3 || reg == REG_CR4 || reg == REG_EFER || reg == REG_PAT)
		svm_asid_flush(vcpu->svm);
}

/* The end of an instruction that was single-stepped, or resumed with breakpoints held back. */
static void end_traced_instruction(struct vcpu *vcpu)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	vmcb->rflags &= ~RFLAGS_RF;
	if (vmcb->rflags & RFLAGS_TF) {
		vmcb->dr6 |= DR6_BS;
		vcpu_inject_exception(vcpu, VECTOR_DB, 0);
	}
}

/* Steps over the instruction that exited, of exit->len bytes at the VMCB's RIP, as the CPU does at
   an instruction's end: RIP is the next one's, 32 bits wide unless the guest runs 64-bit code
   (svm_is_64bit()); the interrupt shadow is over ("Interrupt Shadows"); with RFLAGS.RF or TF set
   end_traced_instruction() does the rest. */
void svm_advance(struct vcpu *vcpu, const struct exit *exit)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;
	uint64_t rip = vmcb->rip + exit->len;

	vmcb->rip = svm_is_64bit(vmcb) ? rip : (uint32_t)rip;
	vmcb->interrupt_shadow = 0;
	if (unlikely(vmcb->rflags & (RFLAGS_RF | RFLAGS_TF)))
		end_traced_instruction(vcpu);
}

/* A virtual interrupt that never arrives: the intercept of VINTR ends the run at the moment when
   the guest would take it, whatever its task priority is ("Virtual Interrupt Intercept"). */
void svm_irq_window(struct vcpu *vcpu, bool wanted)
{
	struct svm_vmcb *vmcb = &vcpu->svm->vmcb;

	if (wanted)
		vmcb->v_intr |= V_INTR_IRQ | V_INTR_IGN_TPR;
	else
		vmcb->v_intr &= ~(V_INTR_IRQ | V_INTR_IGN_TPR);
}
