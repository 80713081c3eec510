/* The steps of turning VT-x on. The decisions are pure functions of register values, so that values
   which no CPU at hand has can be tried on the host. */
#ifndef KERNEL_VMX_ON_H
#define KERNEL_VMX_ON_H

#include "kernel/vmx/control.h"
#include "kernel/vmx/vmcs.h"

/* What decides whether this CPU can run guests. */
struct on_registers {
	uint32_t cpuid_1_ecx;
	/* The rest is 0 where the CPU has no VMX. */
	uint64_t feature_control, basic, ept_vpid_cap;
	struct control_capabilities controls;
};

/* Reads them on the calling CPU. */
void on_read_registers(struct on_registers *registers);

/* Can a CPU with these registers run guests, with second-level paging if stage2? 0, -ENODEV or
   -EPERM as struct backend's check() says, after printing each reason. */
int on_check(const struct on_registers *registers, bool stage2);

/* What IA32_FEATURE_CONTROL must hold for VMXON outside SMX operation ("Enabling and Entering VMX
   Operation"), given what it holds: the same value when firmware locked VMX on; with VMX on and
   locked when firmware left it unlocked, its other bits as they are. Returns 0, or -EPERM when
   firmware locked VMX off; *wanted does not matter then. */
int on_feature_control(uint64_t value, uint64_t *wanted);

/* value with the bits set that are 1 in fixed0 and the bits clear that are 0 in fixed1 ("VMX-Fixed
   Bits in CR0", "VMX-Fixed Bits in CR4"). */
uint64_t on_fix_bits(uint64_t value, uint64_t fixed0, uint64_t fixed1);

/* Writes IA32_FEATURE_CONTROL on the calling CPU where firmware left that to us: after it VMXON is
   allowed. A value that is as it must be is not written, for a locked MSR makes #GP. 0, or what
   on_feature_control() returned, after printing why. */
int on_unlock(void);

/* Executes VMXON ("VMXON - Enter VMX Operation") with a region of vmcs_alloc()'s; CR0 and CR4 are
   as it asks. 0, or -EIO for VMfail ("Conventions"). */
int on_vmxon(const struct vmcs_region *region);

#endif
