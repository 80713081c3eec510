/* Prints a virtual CPU's state by name, for a guest that has died. */
#include "kernel/vcpu.h"
#include "runtime/print.h"

static void dump_segment(struct vcpu *vcpu, const char *name, enum segment segment)
{
	print("  %-4s %04lx base %016lx limit %08lx access %05lx\n", name,
		vcpu_get(vcpu, REG_SEGMENT(segment, PART_SELECTOR)),
		vcpu_get(vcpu, REG_SEGMENT(segment, PART_BASE)),
		vcpu_get(vcpu, REG_SEGMENT(segment, PART_LIMIT)),
		vcpu_get(vcpu, REG_SEGMENT(segment, PART_ACCESS)));
}

void vcpu_dump(struct vcpu *vcpu)
{
	static const char *const segments[SEGMENTS] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR",
		"TR" };
	const uint64_t *g = vcpu->gpr;
	unsigned int i;

	print("  RIP %016lx RSP %016lx RFLAGS %08lx%s\n", vcpu_get(vcpu, REG_RIP),
		vcpu_get(vcpu, REG_RSP), vcpu_get(vcpu, REG_RFLAGS),
		vcpu->halted ? " halted" : "");
	print("  RAX %016lx RBX %016lx RCX %016lx RDX %016lx\n", g[GPR_RAX], g[GPR_RBX], g[GPR_RCX],
		g[GPR_RDX]);
	print("  RSI %016lx RDI %016lx RBP %016lx R8  %016lx\n", g[GPR_RSI], g[GPR_RDI], g[GPR_RBP],
		g[GPR_R8]);
	print("  R9  %016lx R10 %016lx R11 %016lx R12 %016lx\n", g[GPR_R9], g[GPR_R10], g[GPR_R11],
		g[GPR_R12]);
	print("  R13 %016lx R14 %016lx R15 %016lx\n", g[GPR_R13], g[GPR_R14], g[GPR_R15]);
	print("  CR0 %016lx CR2 %016lx CR3 %016lx CR4 %016lx EFER %lx\n", vcpu_get(vcpu, REG_CR0),
		vcpu_get(vcpu, REG_CR2), vcpu_get(vcpu, REG_CR3), vcpu_get(vcpu, REG_CR4),
		vcpu_get(vcpu, REG_EFER));
	for (i = 0; i < SEGMENTS; i++)
		dump_segment(vcpu, segments[i], (enum segment)i);
	print("  GDTR base %016lx limit %04lx  IDTR base %016lx limit %04lx\n",
		vcpu_get(vcpu, REG_GDTR_BASE), vcpu_get(vcpu, REG_GDTR_LIMIT),
		vcpu_get(vcpu, REG_IDTR_BASE), vcpu_get(vcpu, REG_IDTR_LIMIT));
}
