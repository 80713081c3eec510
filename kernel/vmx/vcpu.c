/* Creating a vCPU: its VMCS, filled by control.c and state.c, and what the controls refer to. What
   changes while it runs is left to guest.c and event.c. */
#include "kernel/vmx/bitmap.h"
#include "kernel/vmx/control.h"
#include "kernel/vmx/explain.h"
#include "kernel/vmx/state.h"
#include "kernel/vmx/vmx.h"
#include "kernel/vm.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/x86.h"

const struct backend vmx_backend = {
	.name = "VT-x",
	.hides_syscall = true,
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
		error = state_write_host();
	if (!error)
		error = state_write_guest(vcpu);
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
