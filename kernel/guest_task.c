/* Task switches outside IA-32e mode (Intel SDM, "Task Switching"), which a guest under VT-x cannot
   make itself: the state goes into the old task-state segment and comes from the new one. Tasks of
   the 80286 are left out. */
#include "kernel/exit.h"
#include "kernel/guest_memory.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/vmx.h"

/* "32-Bit Task-State Segment (TSS)". Registers and segments are in the order of enum gpr and
 * segment. */
struct tss32 {
	uint32_t link, stacks[6], cr3;
	uint32_t eip, eflags, gpr[8], selector[6]; /* what a switch saves */
	uint32_t ldt;
	uint16_t trap, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "as the CPU has it");
#define SAVED_START offsetof(struct tss32, eip)
#define SAVED_BYTES (offsetof(struct tss32, ldt) - SAVED_START)

/* Types of system segments ("System-Segment and Gate-Descriptor Types"), and the bit that tells
   busy from available TSSs, in the type and in the descriptor. */
#define TYPE_LDT        2
#define TYPE_TSS_BUSY   11
#define TYPE_BUSY       BIT(1)
#define DESCRIPTOR_BUSY BIT(41)

#define TYPE_ACCESSED       BIT(0)
#define DESCRIPTOR_ACCESSED BIT(40)
#define SELECTOR_RPL        BITS(1, 0)
#define SELECTOR_TABLE      BIT(2)
#define SELECTOR_ERROR      BITS(15, 2) /* of an error code that names a selector */
#define DR7_LOCAL           (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(8))
#define V8086_LIMIT         0xffff
#define V8086_ACCESS        (ACCESS_RIGHTS_P | ACCESS_RIGHTS_DPL | ACCESS_RIGHTS_S | 3)
#define SYSTEM_ACCESS       GUEST_IMPLICIT

struct descriptor {
	uint64_t raw, linear; /* where it lies */
};

/* 0; -ENOENT beyond its table; or as guest_read_virtual(). */
static int read_descriptor(struct vcpu *vcpu, uint16_t selector, struct descriptor *descriptor,
	struct guest_fault *fault)
{
	bool local = selector & SELECTOR_TABLE;
	uint64_t base = vcpu_get(vcpu, local ? REG_SEGMENT(SEG_LDTR, PART_BASE) : REG_GDTR_BASE);
	uint64_t limit = vcpu_get(vcpu, local ? REG_SEGMENT(SEG_LDTR, PART_LIMIT) : REG_GDTR_LIMIT);

	if ((selector | 7U) > limit)
		return -ENOENT;
	descriptor->linear = base + (selector & ~7U);
	return guest_read_virtual(vcpu, descriptor->linear, &descriptor->raw,
		sizeof(descriptor->raw), SYSTEM_ACCESS, fault);
}

static int write_descriptor(
	struct vcpu *vcpu, const struct descriptor *descriptor, struct guest_fault *fault)
{
	return guest_write_virtual(vcpu, descriptor->linear, &descriptor->raw,
		sizeof(descriptor->raw), SYSTEM_ACCESS, fault);
}

/* Puts a descriptor's parts into a segment register. */
static void load_segment(struct vcpu *vcpu, enum segment seg, uint16_t selector, uint64_t raw)
{
	uint64_t limit = (raw & BITS(15, 0)) | (raw >> 32 & BITS(19, 16));
	uint64_t access = raw >> 40 & (BITS(7, 0) | BITS(15, 12));

	if (access & ACCESS_RIGHTS_G)
		limit = limit << 12 | BITS(11, 0);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_SELECTOR), selector);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_BASE), (raw >> 16 & BITS(23, 0)) | (raw >> 56) << 24);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_LIMIT), limit);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_ACCESS), access);
}

static void load_null(struct vcpu *vcpu, enum segment seg, uint16_t selector)
{
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_SELECTOR), selector);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_ACCESS), ACCESS_RIGHTS_UNUSABLE);
}

static void load_v8086(struct vcpu *vcpu, enum segment seg, uint16_t selector)
{
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_SELECTOR), selector);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_BASE), (uint64_t)selector << 4);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_LIMIT), V8086_LIMIT);
	vcpu_set(vcpu, REG_SEGMENT(seg, PART_ACCESS), V8086_ACCESS);
}

/* May the segment be loaded in the new task, whose CPL is given? ("Checking for Valid Segments") */
static bool is_valid(enum segment seg, uint16_t selector, uint64_t raw, unsigned int cpl)
{
	bool code = raw & BIT(43), conforming_down = raw & BIT(42), readable = raw & BIT(41);
	unsigned int dpl = raw >> 45 & 3, rpl = selector & SELECTOR_RPL;

	if (!(raw & BIT(44)))
		return false;
	if (seg == SEG_CS)
		return code && (conforming_down ? dpl <= cpl : dpl == cpl);
	if (seg == SEG_SS)
		return !code && readable && dpl == cpl && rpl == cpl;
	if (code && !readable)
		return false;
	return (code && conforming_down) || (dpl >= cpl && dpl >= rpl);
}

/* One code or data segment of the new task. 0; -EPERM: an exception in the new task has been
 * queued. */
static int load_from_table(struct vcpu *vcpu, enum segment seg, uint16_t selector, unsigned int cpl)
{
	struct descriptor descriptor;
	struct guest_fault fault;
	uint8_t vector = VECTOR_TS;
	int error;

	if (!(selector & ~SELECTOR_RPL) && seg != SEG_CS && seg != SEG_SS) {
		load_null(vcpu, seg, selector);
		return 0;
	}
	error = read_descriptor(vcpu, selector, &descriptor, &fault);
	if (error == -EFAULT) {
		guest_inject_fault(vcpu, &fault);
		return -EPERM;
	}
	if (!error && is_valid(seg, selector, descriptor.raw, cpl)) {
		vector = seg == SEG_SS ? VECTOR_SS : VECTOR_NP;
		if (descriptor.raw & BIT(47)) {
			descriptor.raw |= DESCRIPTOR_ACCESSED;
			write_descriptor(vcpu, &descriptor, &fault);
			load_segment(vcpu, seg, selector, descriptor.raw);
			return 0;
		}
	}
	vcpu_inject_exception(vcpu, vector, selector & SELECTOR_ERROR);
	return -EPERM;
}

/* LDTR, then CS, which gives the CPL, SS and the others. */
static int load_segments(struct vcpu *vcpu, const struct tss32 *tss)
{
	static const uint8_t order[] = { SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS };
	uint16_t ldt = (uint16_t)tss->ldt;
	struct descriptor descriptor;
	struct guest_fault fault;
	unsigned int i;
	int error = 0;

	load_null(vcpu, SEG_LDTR, ldt);
	if (ldt & ~SELECTOR_RPL) {
		if ((ldt & SELECTOR_TABLE) || read_descriptor(vcpu, ldt, &descriptor, &fault) ||
			(descriptor.raw >> 40 & BITS(4, 0)) != TYPE_LDT) {
			vcpu_inject_exception(vcpu, VECTOR_TS, ldt & SELECTOR_ERROR);
			return -EPERM;
		}
		load_segment(vcpu, SEG_LDTR, ldt, descriptor.raw);
	}
	for (i = 0; i < ARRAY_SIZE(order) && !error; i++) {
		uint16_t selector = (uint16_t)tss->selector[order[i]];

		if (tss->eflags & RFLAGS_VM)
			load_v8086(vcpu, order[i], selector);
		else
			error = load_from_table(
				vcpu, order[i], selector, tss->selector[SEG_CS] & SELECTOR_RPL);
	}
	return error;
}

/* What the old task goes on with when it is switched back to. */
static int save_task(struct vcpu *vcpu, uint64_t rip, uint64_t rflags, struct guest_fault *fault)
{
	struct tss32 tss = { .eip = (uint32_t)rip, .eflags = (uint32_t)rflags };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(tss.gpr); i++)
		tss.gpr[i] = (uint32_t)vcpu->gpr[i];
	tss.gpr[GPR_RSP] = (uint32_t)vcpu_get(vcpu, REG_RSP);
	for (i = 0; i < ARRAY_SIZE(tss.selector); i++)
		tss.selector[i] = (uint32_t)vcpu_get(vcpu, REG_SEGMENT(i, PART_SELECTOR));
	return guest_write_virtual(vcpu,
		vcpu_get(vcpu, REG_SEGMENT(SEG_TR, PART_BASE)) + SAVED_START,
		(const uint8_t *)&tss + SAVED_START, SAVED_BYTES, SYSTEM_ACCESS, fault);
}

static void load_registers(struct vcpu *vcpu, const struct tss32 *tss)
{
	unsigned int i;

	if (vcpu_get(vcpu, REG_CR0) & CR0_PG)
		vcpu_set(vcpu, REG_CR3, tss->cr3);
	for (i = 0; i < ARRAY_SIZE(tss->gpr); i++)
		if (i != GPR_RSP)
			vcpu->gpr[i] = tss->gpr[i];
	vcpu_set(vcpu, REG_RSP, tss->gpr[GPR_RSP]);
	vcpu_set(vcpu, REG_RIP, tss->eip);
	vcpu_set(vcpu, REG_RFLAGS, tss->eflags | RFLAGS_FIXED);
	vcpu_set(vcpu, REG_CR0, vcpu_get(vcpu, REG_CR0) | CR0_TS);
	vcpu_set(vcpu, REG_DR7, vcpu_get(vcpu, REG_DR7) & ~DR7_LOCAL);
	vcpu_set(vcpu, REG_INTERRUPT_SHADOW, 0);
}

/* Marks the task at a selector busy or not. */
static int mark_task(struct vcpu *vcpu, uint16_t selector, bool busy, struct guest_fault *fault)
{
	struct descriptor descriptor;
	int error = read_descriptor(vcpu, selector, &descriptor, fault);

	if (error)
		return error;
	descriptor.raw =
		busy ? descriptor.raw | DESCRIPTOR_BUSY : descriptor.raw & ~DESCRIPTOR_BUSY;
	return write_descriptor(vcpu, &descriptor, fault);
}

/* The new task's segment: its descriptor and contents. 0; -EINVAL when it is none of the 80386. */
static int read_task(struct vcpu *vcpu, uint16_t selector, struct descriptor *descriptor,
	struct tss32 *tss, struct guest_fault *fault)
{
	uint64_t base;
	int error = read_descriptor(vcpu, selector, descriptor, fault);

	if (error)
		return error;
	if ((descriptor->raw >> 40 & BITS(4, 0) & ~TYPE_BUSY) != (TYPE_TSS_BUSY & ~TYPE_BUSY))
		return -EINVAL;
	base = (descriptor->raw >> 16 & BITS(23, 0)) | (descriptor->raw >> 56) << 24;
	return guest_read_virtual(vcpu, base, tss, sizeof(*tss), SYSTEM_ACCESS, fault);
}

/* Everything that lies in memory: the old task saved, the marks and the link set. */
static int switch_memory(struct vcpu *vcpu, const struct exit *exit, uint64_t rip,
	struct descriptor *descriptor, struct tss32 *tss, struct guest_fault *fault)
{
	uint16_t old = (uint16_t)vcpu_get(vcpu, REG_SEGMENT(SEG_TR, PART_SELECTOR));
	bool back = exit->task.source == TASK_SWITCH_IRET;
	bool nested =
		exit->task.source == TASK_SWITCH_CALL || exit->task.source == TASK_SWITCH_GATE;
	uint64_t rflags = vcpu_get(vcpu, REG_RFLAGS);
	int error = read_task(vcpu, exit->task.selector, descriptor, tss, fault);

	if (!error)
		error = save_task(vcpu, rip, back ? rflags & ~RFLAGS_NT : rflags, fault);
	if (!error && !nested)
		error = mark_task(vcpu, old, false, fault);
	if (!error && !back)
		error = mark_task(vcpu, exit->task.selector, true, fault);
	if (!error && nested) {
		uint64_t base = (descriptor->raw >> 16 & BITS(23, 0)) | (descriptor->raw >> 56)
										<< 24;

		tss->eflags |= RFLAGS_NT;
		error = guest_write_virtual(vcpu, base, &old, sizeof(old), SYSTEM_ACCESS, fault);
	}
	return error;
}

/* An exception through a task gate leaves its error code on the new task's stack. */
static void push_error_code(struct vcpu *vcpu, const struct event *event)
{
	uint32_t rsp = (uint32_t)vcpu_get(vcpu, REG_RSP) - sizeof(event->error);
	uint32_t linear = (uint32_t)vcpu_get(vcpu, REG_SEGMENT(SEG_SS, PART_BASE)) + rsp;
	struct guest_fault fault;

	vcpu_set(vcpu, REG_RSP, rsp);
	if (guest_write_virtual(vcpu, linear, &event->error, sizeof(event->error),
		    guest_access_at_cpl(vcpu) | GUEST_WRITE, &fault) == -EFAULT)
		guest_inject_fault(vcpu, &fault);
}

void guest_task_switch(struct vcpu *vcpu, const struct exit *exit)
{
	struct event event = { .valid = false };
	struct descriptor descriptor;
	struct guest_fault fault;
	struct tss32 tss;
	uint64_t rip = exit->rip + exit->len;
	int error;

	if (exit->task.source == TASK_SWITCH_GATE) {
		event = vcpu->inject;
		vcpu->inject.valid = false;
		rip = exit->rip + event.len;
	}
	error = switch_memory(vcpu, exit, rip, &descriptor, &tss, &fault);
	if (error == -EFAULT) {
		guest_inject_fault(vcpu, &fault);
		return;
	}
	if (error) {
		vm_die(vcpu->vm, "switches to task %#x, which cannot be emulated",
			exit->task.selector);
		return;
	}
	load_segment(vcpu, SEG_TR, exit->task.selector, descriptor.raw | DESCRIPTOR_BUSY);
	load_registers(vcpu, &tss);
	if (load_segments(vcpu, &tss) == 0 && event.valid && event.has_error)
		push_error_code(vcpu, &event);
}
