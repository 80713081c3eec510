/* The set-up of a guest with VMCS shadowing. */
#include "vmx-tests/shadow/shadow.h"

#include "runtime/harness.h"
#include "runtime/panic.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"

uint8_t shadow_vmread_bitmap[4096] __aligned(4096), shadow_vmwrite_bitmap[4096] __aligned(4096);
uint64_t shadow_flags;

GUEST_CODE64(
	shadow_vmread_code, "pushq $0x8d7; popfq; vmread %rcx, %rax; pushfq; popq %rdx; vmcall");
GUEST_CODE64(
	shadow_vmwrite_code, "pushq $0x8d7; popfq; vmwrite %rax, %rcx; pushfq; popq %rdx; vmcall");

static void must(outcome result, const char *what)
{
	if (result != OK)
		panic("%s failed", what);
}

/* The launch state and fields of a shadow VMCS are undefined until VMCLEAR. */
static void make_shadow(void)
{
	must(vmclear(vmx_address(vmx_spare_region)), "VMCLEAR of the shadow VMCS");
	vmx_spare_region->revision = vmx_revision() | VMCS_SHADOW;
	must(vmclear(vmx_address(vmx_spare_region)), "VMCLEAR of the shadow VMCS");
}

static void let_through(uint8_t *bitmap, uint64_t encoding)
{
	memset(bitmap, 0xff, 4096);
	bitmap[encoding / 8] &= (uint8_t) ~(1 << encoding % 8);
}

void shadow_use(uint64_t encoding)
{
	make_shadow();
	let_through(shadow_vmread_bitmap, encoding);
	let_through(shadow_vmwrite_bitmap, encoding);
	proc2_set(PROC2_VMCS_SHADOWING);
	field_write(VMCS_VMREAD_BITMAP_ADDRESS, vmx_address(shadow_vmread_bitmap));
	field_write(VMCS_VMWRITE_BITMAP_ADDRESS, vmx_address(shadow_vmwrite_bitmap));
	field_write(VMCS_VMCS_LINK_POINTER, vmx_address(vmx_spare_region));
}

uint64_t shadow_read(uint64_t encoding)
{
	uint64_t value;

	must(vmptrld(vmx_address(vmx_spare_region)), "VMPTRLD of the shadow VMCS");
	value = field_read(encoding);
	must(vmclear(vmx_address(vmx_spare_region)), "VMCLEAR of the shadow VMCS");
	must(vmptrld(vmx_address(vmx_region)), "VMPTRLD of the suite's VMCS");
	return value;
}

void shadow_write(uint64_t encoding, uint64_t value)
{
	must(vmptrld(vmx_address(vmx_spare_region)), "VMPTRLD of the shadow VMCS");
	vmwrite(encoding, value);
	must(vmclear(vmx_address(vmx_spare_region)), "VMCLEAR of the shadow VMCS");
	must(vmptrld(vmx_address(vmx_region)), "VMPTRLD of the suite's VMCS");
}

static outcome run(const uint8_t *code, size_t bytes, uint64_t encoding, uint64_t value)
{
	outcome result;

	guest_gpr[RCX] = encoding;
	guest_gpr[RAX] = value;
	guest_set_mode(GUEST_64BIT, code, bytes);
	result = guest_run(NULL);
	shadow_flags = test_observe(guest_gpr[RDX] & VMX_FLAGS);
	return result;
}

outcome shadow_guest_vmread(uint64_t encoding, uint64_t *value)
{
	outcome result = run(CODE(shadow_vmread_code), encoding, 0);

	*value = test_observe(guest_gpr[RAX]);
	return result;
}

outcome shadow_guest_vmwrite(uint64_t encoding, uint64_t value)
{
	return run(CODE(shadow_vmwrite_code), encoding, value);
}
