/* Guest state in the VMCS, reached by the neutral names of enum reg: most are fields, the control
   registers have bits that the guest sees and others that the hardware runs with. Which values a
   guest may write is left to kernel/exit.c. */
#include "kernel/exit.h"
#include "kernel/guest_memory.h"
#include "kernel/vm.h"
#include "kernel/vmx/on.h"
#include "kernel/vmx/vmx.h"
#include "runtime/x86.h"

/* The registers that are a field as it is; 0 for the others. */
static const uint16_t fields[REGS] = {
	[REG_RIP] = VMCS_GUEST_RIP,
	[REG_RSP] = VMCS_GUEST_RSP,
	[REG_RFLAGS] = VMCS_GUEST_RFLAGS,
	[REG_CR3] = VMCS_GUEST_CR3,
	[REG_EFER] = VMCS_GUEST_IA32_EFER,
	[REG_PAT] = VMCS_GUEST_IA32_PAT,
	[REG_DR7] = VMCS_GUEST_DR7,
	[REG_GDTR_BASE] = VMCS_GUEST_GDTR_BASE,
	[REG_GDTR_LIMIT] = VMCS_GUEST_GDTR_LIMIT,
	[REG_IDTR_BASE] = VMCS_GUEST_IDTR_BASE,
	[REG_IDTR_LIMIT] = VMCS_GUEST_IDTR_LIMIT,
	[REG_SYSENTER_CS] = VMCS_GUEST_IA32_SYSENTER_CS,
	[REG_SYSENTER_ESP] = VMCS_GUEST_IA32_SYSENTER_ESP,
	[REG_SYSENTER_EIP] = VMCS_GUEST_IA32_SYSENTER_EIP,
	[REG_TSC_OFFSET] = VMCS_TSC_OFFSET,
#define SEGMENT(seg)                                                                               \
	[REG_SEGMENT(SEG_##seg, PART_SELECTOR)] = VMCS_GUEST_##seg##_SELECTOR,                     \
				[REG_SEGMENT(SEG_##seg, PART_BASE)] = VMCS_GUEST_##seg##_BASE,     \
				[REG_SEGMENT(SEG_##seg, PART_LIMIT)] = VMCS_GUEST_##seg##_LIMIT,   \
				[REG_SEGMENT(SEG_##seg, PART_ACCESS)] =                            \
					VMCS_GUEST_##seg##_ACCESS_RIGHTS
	SEGMENT(ES),
	SEGMENT(CS),
	SEGMENT(SS),
	SEGMENT(DS),
	SEGMENT(FS),
	SEGMENT(GS),
	SEGMENT(LDTR),
	SEGMENT(TR),
#undef SEGMENT
};

/* Caching is the hardware's business: a guest may set these, and they do nothing. */
#define CR0_SHADOW_ONLY (CR0_CD | CR0_NW)

/* What a guest reads from a control register ("Guest/Host Masks and Read Shadows for CR0 and
   CR4"): the shadow where the mask has 1, the register itself elsewhere. */
static uint64_t read_masked(uint64_t real, uint64_t mask, uint64_t shadow)
{
	return (real & ~mask) | (shadow & mask);
}

/* The bits of CR0 that must be 1 while this guest runs: an unrestricted one may clear PE and PG. */
static uint64_t cr0_fixed0(const struct vcpu *vcpu)
{
	uint64_t fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0);

	return vcpu->vm->use_stage2 ? fixed0 & ~(CR0_PE | CR0_PG) : fixed0;
}

/* Loads the four page-directory-pointer-table entries that CR3 points at, as MOV to CR3 does with
   PAE paging; with EPT it is ours to do when we load CR3 or turn PAE paging on ("Guest
   Page-Directory-Pointer-Table Entries"). Outside the VM's memory they read as not present. */
static void load_pdptes(struct vcpu *vcpu)
{
	uint64_t pdpte[4] = { 0 };

	if (guest_read_physical(
		    vcpu->vm, vmread(VMCS_GUEST_CR3) & BITS(31, 5), pdpte, sizeof(pdpte)))
		pdpte[0] = pdpte[1] = pdpte[2] = pdpte[3] = 0;
	vmwrite(VMCS_GUEST_PDPTE0, pdpte[0]);
	vmwrite(VMCS_GUEST_PDPTE1, pdpte[1]);
	vmwrite(VMCS_GUEST_PDPTE2, pdpte[2]);
	vmwrite(VMCS_GUEST_PDPTE3, pdpte[3]);
}

/* What follows from CR0, CR3, CR4 and EFER together: IA-32e mode is active when LME and PG are
   set, and then EFER.LMA and the VM-entry control say so; PAE paging outside it has PDPTEs. */
static void update_paging_mode(struct vcpu *vcpu)
{
	uint64_t efer = vmread(VMCS_GUEST_IA32_EFER) & ~EFER_LMA;
	uint64_t entry = vmread(VMCS_VM_ENTRY_CONTROLS) & ~(uint64_t)VM_ENTRY_IA32E_MODE_GUEST;
	bool paging = vmread(VMCS_GUEST_CR0) & CR0_PG;

	if (paging && (efer & EFER_LME)) {
		efer |= EFER_LMA;
		entry |= VM_ENTRY_IA32E_MODE_GUEST;
	} else if (paging && (vmread(VMCS_GUEST_CR4) & CR4_PAE) && vcpu->vm->use_stage2) {
		load_pdptes(vcpu);
	}
	vmwrite(VMCS_GUEST_IA32_EFER, efer);
	vmwrite(VMCS_VM_ENTRY_CONTROLS, entry);
}

/* Makes CR0 `value` as the guest sees it, which is not what the hardware runs with ("Guest/Host
   Masks and Read Shadows for CR0 and CR4"). The guest reads the shadow where the mask has 1, and
   exits when it changes such a bit. GUEST_CR0 has the bits that VMX operation fixes: those of
   cr0_fixed0() are 1, those that IA32_VMX_CR0_FIXED1 has not are 0 ("VMX-Fixed Bits in CR0"); and
   CR0_SHADOW_ONLY 0 always. The mask has 1 for exactly these bits: all others are the guest's own.
   Ends with update_paging_mode(). */
static void set_cr0(struct vcpu *vcpu, uint64_t value)
{
	uint64_t fixed0 = cr0_fixed0(vcpu), fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1);

	vmwrite(VMCS_CR0_GUEST_HOST_MASK, fixed0 | ~fixed1 | CR0_SHADOW_ONLY);
	vmwrite(VMCS_CR0_READ_SHADOW, value);
	vmwrite(VMCS_GUEST_CR0, on_fix_bits(value & ~CR0_SHADOW_ONLY, fixed0, fixed1));
	update_paging_mode(vcpu);
}

static void set_cr4(struct vcpu *vcpu, uint64_t value)
{
	uint64_t fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0), fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1);

	/* VMXE stays set, and what the virtual CPU does not offer is for policy to refuse. */
	vmwrite(VMCS_CR4_GUEST_HOST_MASK, fixed0 | ~(fixed1 & guest_cr4_allowed()));
	vmwrite(VMCS_CR4_READ_SHADOW, value);
	vmwrite(VMCS_GUEST_CR4, on_fix_bits(value, fixed0, fixed1));
	update_paging_mode(vcpu);
}

static void set_interrupt_shadow(bool shadow)
{
	uint64_t state = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	state &= ~(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, state | (shadow ? INTERRUPTIBILITY_STI : 0));
}

uint64_t vmx_get(struct vcpu *vcpu, enum reg reg)
{
	switch (reg) {
	case REG_CR0:
		return read_masked(vmread(VMCS_GUEST_CR0), vmread(VMCS_CR0_GUEST_HOST_MASK),
			vmread(VMCS_CR0_READ_SHADOW));
	case REG_CR4:
		return read_masked(vmread(VMCS_GUEST_CR4), vmread(VMCS_CR4_GUEST_HOST_MASK),
			vmread(VMCS_CR4_READ_SHADOW));
	case REG_CR2:
		return read_cr2(); /* VT-x does not switch it */
	case REG_INTERRUPT_SHADOW:
		return vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE) &
				       (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)
			       ? 1
			       : 0;
	default:
		return vmread(fields[reg]);
	}
}

void vmx_set(struct vcpu *vcpu, enum reg reg, uint64_t value)
{
	switch (reg) {
	case REG_CR0:
		set_cr0(vcpu, value);
		break;
	case REG_CR4:
		set_cr4(vcpu, value);
		break;
	case REG_CR2:
		write_cr2(value);
		break;
	case REG_INTERRUPT_SHADOW:
		set_interrupt_shadow(value);
		break;
	case REG_CR3:
	case REG_EFER:
		vmwrite(fields[reg], value);
		update_paging_mode(vcpu);
		break;
	default:
		vmwrite(fields[reg], value);
	}
}

/* Steps over the instruction that exited, of exit->len bytes at exit->rip, as the CPU does at an
   instruction's end: RIP is the next one's, 32 bits wide unless the code segment is a 64-bit one;
   blocking by STI and MOV SS is over (set_interrupt_shadow(), "Guest Non-Register State"); and with
   RFLAGS.TF set a single-step trap is pending: DEBUG_EXCEPTION_BS in PENDING_DEBUG_EXCEPTIONS,
   other bits kept. */
void vmx_advance(struct vcpu *vcpu, const struct exit *exit)
{
	uint64_t rip = exit->rip + exit->len;
	uint64_t blocked = vmread(VMCS_GUEST_INTERRUPTIBILITY_STATE);

	if (unlikely(rip > UINT32_MAX) && !(vmread(VMCS_GUEST_CS_ACCESS_RIGHTS) & ACCESS_RIGHTS_L))
		rip = (uint32_t)rip;
	vmwrite(VMCS_GUEST_RIP, rip);
	if (unlikely(blocked & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)))
		set_interrupt_shadow(false);
	if (unlikely(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF))
		vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | DEBUG_EXCEPTION_BS);
}

void vmx_irq_window(struct vcpu *vcpu, bool wanted)
{
	struct vmx_vcpu *vmx = vcpu->vmx;
	uint32_t proc = vmx->proc & ~(uint32_t)PROC_INTERRUPT_WINDOW_EXITING;

	if (wanted)
		proc |= PROC_INTERRUPT_WINDOW_EXITING;
	if (proc != vmx->proc)
		vmwrite(VMCS_PROC_CONTROLS, proc);
	vmx->proc = proc;
}
