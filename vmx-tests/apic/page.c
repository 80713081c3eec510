/* Pages, controls and guest code that the tests of APIC virtualization share. */
#include "vmx-tests/apic/page.h"

#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest_tables.h"

uint8_t apic_page[4096] __aligned(4096), apic_access[4096] __aligned(4096);
static uint64_t access_table[512] __aligned(4096); /* maps the 2 MiB around apic_access */
static uint8_t msr_bitmap[4096] __aligned(4096);   /* all zeroes: no RDMSR or WRMSR exits */

void apic_use_tpr_shadow(void)
{
	memset(apic_page, 0, sizeof(apic_page));
	memset(apic_access, APIC_ACCESS_PATTERN, sizeof(apic_access));
	field_set(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW);
	field_write(VMCS_VIRTUAL_APIC_ADDRESS, vmx_address(apic_page));
}

static void map_access_page(void)
{
	uint64_t base = ALIGN_DOWN(vmx_address(apic_access), PAGE_SIZE_2M), i;

	for (i = 0; i < 512; i++)
		access_table[i] = (base + i * PAGE_SIZE) | PTE_P | PTE_W | PTE_U | PTE_A | PTE_D;
	guest_pd[base / PAGE_SIZE_2M] = vmx_address(access_table) | PTE_P | PTE_W | PTE_U;
}

void apic_use_access_page(void)
{
	apic_use_tpr_shadow();
	map_access_page();
	proc2_set(PROC2_VIRTUALIZE_APIC_ACCESSES);
	field_write(VMCS_APIC_ACCESS_ADDRESS, vmx_address(apic_access));
}

void apic_use_registers(void)
{
	apic_use_access_page();
	proc2_set(PROC2_APIC_REGISTER_VIRTUALIZATION);
}

/* Virtual-interrupt delivery asks for external-interrupt exiting ("VM-Execution Control Fields").
 */
void apic_use_delivery(void)
{
	apic_use_access_page();
	proc2_set(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	field_set(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
}

uint32_t apic_get(unsigned int offset)
{
	uint32_t value;

	memcpy(&value, apic_page + offset, sizeof(value));
	return (uint32_t)test_observe(value);
}

void apic_put(unsigned int offset, uint32_t value)
{
	memcpy(apic_page + offset, &value, sizeof(value));
}

/* 32 vectors to a register, registers 16 bytes apart. */
bool apic_vector(unsigned int first, uint8_t vector)
{
	return test_observe(apic_get(first + vector / 32 * 16) >> vector % 32 & 1);
}

void apic_set_vector(unsigned int first, uint8_t vector)
{
	unsigned int offset = first + vector / 32 * 16;
	uint32_t value;

	memcpy(&value, apic_page + offset, sizeof(value));
	apic_put(offset, value | UINT32_C(1) << vector % 32);
}

__asm__(".globl apic_read_code, apic_read_code_end, apic_write_code, apic_write_code_end");
GUEST_CODE64(apic_read_code, "movl (%rdi), %eax; vmcall");
GUEST_CODE64(apic_write_code, "movl %eax, (%rdi); vmcall");
GUEST_CODE64(cr8_write_code, "movq %rax, %cr8; vmcall");
GUEST_CODE64(cr8_read_code, "movq %cr8, %rax; vmcall");
GUEST_CODE64(rdmsr_code, "rdmsr; vmcall");
GUEST_CODE64(wrmsr_code, "wrmsr; vmcall");

/* Code behind labels, with the exception of the guest as an outcome. */
static outcome run(const uint8_t *code, size_t bytes)
{
	guest_set_mode(GUEST_64BIT, code, bytes);
	return guest_run(NULL);
}

outcome apic_guest_read(unsigned int offset, uint32_t *value)
{
	outcome result;

	guest_gpr[RDI] = vmx_address(apic_access) + offset;
	result = run(CODE(apic_read_code));
	*value = (uint32_t)test_observe(guest_gpr[RAX]);
	return result;
}

outcome apic_guest_write(unsigned int offset, uint32_t value)
{
	guest_gpr[RDI] = vmx_address(apic_access) + offset;
	guest_gpr[RAX] = value;
	return run(CODE(apic_write_code));
}

outcome apic_guest_cr8_write(uint64_t value)
{
	guest_gpr[RAX] = value;
	return run(CODE(cr8_write_code));
}

outcome apic_guest_cr8_read(uint64_t *value)
{
	outcome result = run(CODE(cr8_read_code));

	*value = test_observe(guest_gpr[RAX]);
	return result;
}

static void pass_msrs(void)
{
	field_set(VMCS_PROC_CONTROLS, PROC_MSR_BITMAPS);
	field_write(VMCS_MSR_BITMAP, vmx_address(msr_bitmap));
}

outcome apic_guest_rdmsr(uint32_t msr, uint64_t *value)
{
	outcome result;

	pass_msrs();
	guest_gpr[RCX] = msr;
	result = run(CODE(rdmsr_code));
	*value = test_observe(guest_gpr[RDX] << 32 | (uint32_t)guest_gpr[RAX]);
	return result;
}

outcome apic_guest_wrmsr(uint32_t msr, uint64_t value)
{
	pass_msrs();
	guest_gpr[RCX] = msr;
	guest_gpr[RAX] = (uint32_t)value;
	guest_gpr[RDX] = value >> 32;
	return run(CODE(wrmsr_code));
}
