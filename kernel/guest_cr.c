/* Control-register accesses that exit, and XSETBV: checked by the rules of the CPU that the guest
   believes to have, then carried out on its state. */
#include "kernel/exit.h"
#include "kernel/vcpu.h"
#include "runtime/errno.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define CR0_DEFINED                                                                                \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
		CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define CR8_BITS BITS(3, 0)

/* May the guest, whose CR0 is `old`, write `value` to it? 0, or -EFAULT: that is #GP ("MOV - Move
   to/from Control Registers", "Control Registers"). It is one for: bits 63:32; PG without PE; NW
   without CD; turning paging on with EFER.LME set while CR4.PAE is 0 or CS is a 64-bit segment
   (PART_ACCESS, L); turning paging off in 64-bit code or with CR4.PCIDE set. */
static int check_cr0(struct vcpu *vcpu, uint64_t old, uint64_t value)
{
	uint64_t cr4 = vcpu_get(vcpu, REG_CR4), efer = vcpu_get(vcpu, REG_EFER);
	bool cs_long = vcpu_get(vcpu, REG_SEGMENT(SEG_CS, PART_ACCESS)) & BIT(13);

	if (value >> 32)
		return -EFAULT;
	if (((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return -EFAULT;
	if ((value & CR0_PG) && !(old & CR0_PG) && (efer & EFER_LME) && (!(cr4 & CR4_PAE) || cs_long))
		return -EFAULT;
	if (!(value & CR0_PG) && (old & CR0_PG) && (vcpu_is_64bit(vcpu) || (cr4 & CR4_PCIDE)))
		return -EFAULT;
	return 0;
}

static int write_cr0_checked(struct vcpu *vcpu, uint64_t value)
{
	uint64_t old = vcpu_get(vcpu, REG_CR0);

	if (check_cr0(vcpu, old, value) != 0)
		return -EFAULT;
	vcpu_set(vcpu, REG_CR0, (value & CR0_DEFINED) | CR0_ET);
	return 0;
}

static int write_cr4_checked(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~guest_cr4_allowed())
		return -EFAULT;
	if (!(value & CR4_PAE) && (vcpu_get(vcpu, REG_EFER) & EFER_LMA))
		return -EFAULT;
	vcpu_set(vcpu, REG_CR4, value);
	return 0;
}

static int write_cr8_checked(struct vcpu *vcpu, uint64_t value)
{
	if (value & ~CR8_BITS)
		return -EFAULT;
	vcpu->cr8 = value; /* no local APIC: remembered, without effect */
	return 0;
}

static uint64_t read_gpr(struct vcpu *vcpu, uint8_t gpr)
{
	uint64_t value = gpr == GPR_RSP ? vcpu_get(vcpu, REG_RSP) : vcpu->gpr[gpr];

	return vcpu_is_64bit(vcpu) ? value : (uint32_t)value;
}

static void write_gpr(struct vcpu *vcpu, uint8_t gpr, uint64_t value)
{
	if (gpr == GPR_RSP)
		vcpu_set(vcpu, REG_RSP, value);
	else
		vcpu->gpr[gpr] = value;
}

static int write_cr(struct vcpu *vcpu, const struct exit *exit)
{
	uint64_t cr0 = vcpu_get(vcpu, REG_CR0), value;

	if (exit->cr.clts)
		return write_cr0_checked(vcpu, cr0 & ~CR0_TS);
	if (exit->cr.lmsw) /* sets PE but never clears it */
		return write_cr0_checked(
			vcpu, (cr0 & ~(CR0_LMSW & ~CR0_PE)) | (exit->cr.lmsw_src & CR0_LMSW));
	value = read_gpr(vcpu, exit->cr.gpr);
	switch (exit->cr.number) {
	case 0:
		return write_cr0_checked(vcpu, value);
	case 3:
		vcpu_set(vcpu, REG_CR3, value);
		return 0;
	case 4:
		return write_cr4_checked(vcpu, value);
	}
	return write_cr8_checked(vcpu, value);
}

static uint64_t read_cr(struct vcpu *vcpu, uint8_t number)
{
	switch (number) {
	case 0:
		return vcpu_get(vcpu, REG_CR0);
	case 2:
		return vcpu_get(vcpu, REG_CR2);
	case 3:
		return vcpu_get(vcpu, REG_CR3);
	case 4:
		return vcpu_get(vcpu, REG_CR4);
	}
	return vcpu->cr8;
}

void guest_cr_access(struct vcpu *vcpu, const struct exit *exit)
{
	if (!exit->cr.write)
		write_gpr(vcpu, exit->cr.gpr, read_cr(vcpu, exit->cr.number));
	else if (write_cr(vcpu, exit) != 0) {
		vcpu_inject_exception(vcpu, VECTOR_GP, 0);
		return;
	}
	backend->advance(vcpu, exit);
}

struct xcr_write {
	uint32_t index;
	uint64_t value;
};

static void write_xcr(void *arg)
{
	const struct xcr_write *write = arg;

	xsetbv(write->index, write->value);
}

static unsigned int privilege_level(struct vcpu *vcpu)
{
	return (vcpu_get(vcpu, REG_SEGMENT(SEG_SS, PART_ACCESS)) >> 5) & 3;
}

/* The guest's XCR0 is in the register while the hypervisor runs, so the CPU itself checks it. Not all
   implementations check the CPL before they exit. */
void guest_xsetbv(struct vcpu *vcpu, const struct exit *exit)
{
	struct xcr_write write = { (uint32_t)vcpu->gpr[GPR_RCX],
		vcpu->gpr[GPR_RDX] << 32 | (uint32_t)vcpu->gpr[GPR_RAX] };

	if (privilege_level(vcpu) != 0 || write.index != 0 || trap_catch(write_xcr, &write, NULL) != TRAP_NONE)
		vcpu_inject_exception(vcpu, VECTOR_GP, 0);
	else
		backend->advance(vcpu, exit);
}
