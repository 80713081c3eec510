/* The two halves of a VMCS that hold registers: the host's, to come back to, and a guest's, as a
   CPU is after reset. What changes while the guest runs is left to guest.c. */
#include "kernel/vmx/state.h"

#include "kernel/vmx/vmx.h"
#include "runtime/x86.h"
#include "spec/reset.h"

/* The base address in the descriptor of a system segment, which is 16 bytes long in 64-bit mode
   ("Segment Descriptors", "TSS Descriptor in 64-bit mode"). */
static uint64_t read_segment_base(struct descriptor_table gdt, uint16_t selector)
{
	const uint32_t *descriptor = (const uint32_t *)(gdt.base + ALIGN_DOWN(selector, 8));

	return descriptor[0] >> 16 | (descriptor[1] & BITS(7, 0)) << 16 |
	       (descriptor[1] & BITS(31, 24)) | (uint64_t)descriptor[2] << 32;
}

int state_write_host(void)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();
	const struct vmcs_value table[] = {
		{ VMCS_HOST_CR0, read_cr0() },
		{ VMCS_HOST_CR3, read_cr3() },
		{ VMCS_HOST_CR4, read_cr4() },
		{ VMCS_HOST_RIP, (uint64_t)vmx_exit },
		{ VMCS_HOST_CS_SELECTOR, read_cs() },
		{ VMCS_HOST_SS_SELECTOR, read_ss() },
		{ VMCS_HOST_DS_SELECTOR, read_ds() },
		{ VMCS_HOST_ES_SELECTOR, read_es() },
		{ VMCS_HOST_TR_SELECTOR, read_tr() },
		{ VMCS_HOST_FS_BASE, rdmsr(MSR_IA32_FS_BASE) },
		{ VMCS_HOST_GS_BASE, rdmsr(MSR_IA32_GS_BASE) },
		{ VMCS_HOST_TR_BASE, read_segment_base(gdtr, read_tr()) },
		{ VMCS_HOST_GDTR_BASE, gdtr.base },
		{ VMCS_HOST_IDTR_BASE, idtr.base },
		{ VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER) },
		{ VMCS_HOST_IA32_PAT, rdmsr(MSR_IA32_PAT) },
	};

	return vmcs_write_table(table, ARRAY_SIZE(table));
}

#define RIGHTS_CODE (ACCESS_RIGHTS_P | ACCESS_RIGHTS_S | RESET_TYPE_CODE)
#define RIGHTS_DATA (ACCESS_RIGHTS_P | ACCESS_RIGHTS_S | RESET_TYPE_DATA)
#define RIGHTS_LDT  (ACCESS_RIGHTS_P | RESET_TYPE_LDT)
#define RIGHTS_TSS  (ACCESS_RIGHTS_P | RESET_TYPE_TSS)

/* A guest starts as a CPU does after reset; what is not in the table is 0. */
static const struct vmcs_value reset_state[] = {
	{ VMCS_GUEST_RIP, RESET_RIP },
	{ VMCS_GUEST_RFLAGS, RFLAGS_FIXED },
	{ VMCS_GUEST_DR7, DR7_RESET },
	{ VMCS_GUEST_IA32_PAT, RESET_PAT },
	{ VMCS_GUEST_CS_SELECTOR, RESET_CS_SELECTOR },
	{ VMCS_GUEST_CS_BASE, RESET_CS_BASE },
	{ VMCS_GUEST_CS_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE },
	{ VMCS_GUEST_SS_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_SS_ACCESS_RIGHTS, RIGHTS_DATA },
	{ VMCS_GUEST_DS_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_DS_ACCESS_RIGHTS, RIGHTS_DATA },
	{ VMCS_GUEST_ES_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_ES_ACCESS_RIGHTS, RIGHTS_DATA },
	{ VMCS_GUEST_FS_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_FS_ACCESS_RIGHTS, RIGHTS_DATA },
	{ VMCS_GUEST_GS_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_GS_ACCESS_RIGHTS, RIGHTS_DATA },
	{ VMCS_GUEST_LDTR_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_LDTR_ACCESS_RIGHTS, RIGHTS_LDT },
	{ VMCS_GUEST_TR_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_TR_ACCESS_RIGHTS, RIGHTS_TSS },
	{ VMCS_GUEST_GDTR_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_IDTR_LIMIT, RESET_LIMIT },
	{ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE },
	{ VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER },
};

int state_write_guest(struct vcpu *vcpu)
{
	int error = vmcs_write_table(reset_state, ARRAY_SIZE(reset_state));

	vmx_set(vcpu, REG_CR0, RESET_CR0);
	vmx_set(vcpu, REG_CR4, 0);
	return error;
}
