/* Creating a vCPU: its VMCS with the host state to come back to, the guest state of a CPU after
   reset, and the controls. What changes while it runs is left to guest.c and event.c. */
#include "kernel/vmx/bitmap.h"
#include "kernel/vmx/explain.h"
#include "kernel/vmx/control.h"
#include "kernel/vmx/vmx.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/x86.h"
#include "spec/reset.h"

const struct backend vmx_backend = {
	.name = "VT-x",
	.stage2_format = &vmx_stage2_format,
	.check = vmx_check,
	.cpu_on = vmx_cpu_on,
	.cpu_off = vmx_cpu_off,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.load = vmx_load,
	.enter = vmx_enter,
	.get = vmx_get,
	.set = vmx_set,
	.advance = vmx_advance,
	.irq_window = vmx_irq_window,
	.stage2_flush = vmx_stage2_flush,
	.exit_name = vmx_exit_name,
	.explain = vmx_explain,
	.explain_test = vmx_explain_test,
};

/* VMCLEAR leaves fields undefined: writes 0 to all that the CPU has and that can be written. */
static void write_zeroes(void)
{
	for (int i = 0; i < VMCS_FIELDS; i++) {
		const struct vmcs_field *field = &vmcs_fields[i];

		if (field->area != AREA_READONLY && vmcs_has(field->encoding))
			vmwrite(field->encoding, 0);
	}
}

/* The base address in the descriptor of a system segment, which is 16 bytes long in 64-bit mode
   ("Segment Descriptors", "TSS Descriptor in 64-bit mode"). */
static uint64_t read_segment_base(struct descriptor_table gdt, uint16_t selector)
{
	const uint32_t *descriptor = (const uint32_t *)(gdt.base + ALIGN_DOWN(selector, 8));

	return descriptor[0] >> 16 | (descriptor[1] & BITS(7, 0)) << 16 |
	       (descriptor[1] & BITS(31, 24)) | (uint64_t)descriptor[2] << 32;
}

/* What the CPU loads at VM exit: the state it is in now ("Host-State Area"). Selectors that the
   image does not use are 0; HOST_RSP is run.S's. */
static int write_host_state(void)
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

/* Guest state, with the control registers through the filter that set() is. */
static int write_guest_state(struct vcpu *vcpu)
{
	int error = vmcs_write_table(reset_state, ARRAY_SIZE(reset_state));

	vmx_set(vcpu, REG_CR0, RESET_CR0);
	vmx_set(vcpu, REG_CR4, 0);
	return error;
}

/* What the controls refer to: bitmaps, tables, tags, and the exceptions that exit. A table or tag
   may have been somebody else's before: what the CPU remembers of it is forgotten. */
static int write_execution_fields(struct vcpu *vcpu, const uint32_t control[CONTROL_WORDS])
{
	bool stage2 = vcpu->vm->use_stage2;
	const uint8_t *io = bitmap_io(stage2);
	const struct vmcs_value table[] = {
		/* A machine check is the machine's: it must not end up in a guest. */
		/* Delivering #DB or #AC can raise itself without end, with no instruction in between at
		   which the timer could end the guest's turn. */
		{ VMCS_EXCEPTION_BITMAP, BIT(VECTOR_MC) | BIT(VECTOR_DB) | BIT(VECTOR_AC) },
		{ VMCS_IO_BITMAP_A, (uint64_t)io },
		{ VMCS_IO_BITMAP_B, (uint64_t)io + PAGE_SIZE },
		{ VMCS_MSR_BITMAP, (uint64_t)bitmap_msr() },
	};
	uint16_t vpid = vcpu->vm->number + 1; /* 0 is the hypervisor's own */
	int error = vmcs_write_table(table, ARRAY_SIZE(table));

	if (!error && (control[CONTROL_WORD_PROC2] & PROC2_ENABLE_VPID)) {
		error = vmcs_write(VMCS_VPID, vpid);
		vmx_forget_vpid(vpid);
	}
	if (!error && stage2) {
		error = vmcs_write(VMCS_EPTP, vmx_eptp(&vcpu->vm->stage2));
		vmx_stage2_flush(&vcpu->vm->stage2);
	}
	return error;
}

/* Fills the VMCS that is current. 0 or -EIO or -ENODEV, after printing why. */
static int write_vmcs(struct vcpu *vcpu)
{
	struct control_capabilities capabilities;
	uint32_t control[CONTROL_WORDS], missing[CONTROL_WORDS];
	int error;

	control_read_capabilities(&capabilities);
	error = control_compute(&capabilities, vcpu->vm->use_stage2, control, missing);
	if (error) {
		control_print_missing(missing);
		return error;
	}
	vcpu->vmx->proc = control[CONTROL_WORD_PROC];
	write_zeroes();
	error = control_write(control);
	if (!error)
		error = write_execution_fields(vcpu, control);
	if (!error)
		error = write_host_state();
	if (!error)
		error = write_guest_state(vcpu);
	return error;
}

int vmx_vcpu_create(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = page_alloc_zeroed(PAGE_ORDER_4K);
	int error;

	if (!vmx)
		return -ENOMEM;
	vmx->timer_shift = FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_PREEMPTION_TIMER_SHIFT);
	vmx->vmcs = vmcs_alloc();
	if (!vmx->vmcs) {
		page_free(vmx, PAGE_ORDER_4K);
		return -ENOMEM;
	}
	vcpu->vmx = vmx;
	error = vmcs_clear(vmx->vmcs);
	if (!error)
		error = vmcs_load(vmx->vmcs);
	if (!error)
		error = write_vmcs(vcpu);
	if (error)
		vmx_vcpu_destroy(vcpu);
	return error;
}

void vmx_vcpu_destroy(struct vcpu *vcpu)
{
	vmcs_clear(vcpu->vmx->vmcs);
	page_free(vcpu->vmx->vmcs, PAGE_ORDER_4K);
	page_free(vcpu->vmx, PAGE_ORDER_4K);
	vcpu->vmx = NULL;
}

void vmx_load(struct vcpu *vcpu)
{
	vmcs_load(vcpu->vmx->vmcs);
}
