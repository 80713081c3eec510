/* Turning VT-x on and off on a CPU ("Discovering Support for VMX", "Enabling and Entering VMX
   Operation"), and telling why where it cannot be. Guests are left to vcpu.c. */
#include "kernel/vmx/on.h"

#include "kernel/vmx/bitmap.h"
#include "kernel/vmx/vmx.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/smp.h"
#include "runtime/x86.h"

/* The VMXON region of each CPU, in use by the CPU while VMX is on there. */
static struct vmcs_region *vmxon_regions[SMP_MAX_CPUS];

void on_read_registers(struct on_registers *registers)
{
	*registers = (struct on_registers){ .cpuid_1_ecx = cpuid(1, 0).ecx };
	if (!(registers->cpuid_1_ecx & CPUID_1_ECX_VMX))
		return;
	rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &registers->feature_control);
	registers->basic = rdmsr(MSR_IA32_VMX_BASIC);
	rdmsr_safe(MSR_IA32_VMX_EPT_VPID_CAP, &registers->ept_vpid_cap);
	control_read_capabilities(&registers->controls);
}

int on_feature_control(uint64_t value, uint64_t *wanted)
{
	*wanted = value;
	if (!(value & FEATURE_CONTROL_LOCK))
		*wanted |= FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	return *wanted & FEATURE_CONTROL_VMX_OUTSIDE_SMX ? 0 : -EPERM;
}

uint64_t on_fix_bits(uint64_t value, uint64_t fixed0, uint64_t fixed1)
{
	return (value | fixed0) & fixed1;
}

/* Has the CPU the kind of EPT that stage2.c builds? Prints why not. */
static int check_ept(uint64_t ept_vpid_cap)
{
	static const struct {
		uint64_t any_of;
		const char *what;
	} needs[] = {
		{ VMX_EPT_VPID_CAP_WALK_4, "tables of 4 levels" },
		{ VMX_EPT_VPID_CAP_EPTP_WB | VMX_EPT_VPID_CAP_EPTP_UC, "a memory type for tables" },
		{ VMX_EPT_VPID_CAP_INVEPT, "INVEPT" },
		{ VMX_EPT_VPID_CAP_INVEPT_SINGLE | VMX_EPT_VPID_CAP_INVEPT_ALL,
			"a type of INVEPT" },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		if (ept_vpid_cap & needs[i].any_of)
			continue;
		print("trapeze: error: this CPU's EPT lacks %s\n", needs[i].what);
		error = -ENODEV;
	}
	return error;
}

int on_check(const struct on_registers *registers, bool stage2)
{
	uint32_t value[CONTROL_WORDS], missing[CONTROL_WORDS];
	uint64_t wanted;
	int error;

	if (!(registers->cpuid_1_ecx & CPUID_1_ECX_VMX)) {
		print("trapeze: error: this CPU has no VT-x\n");
		return -ENODEV;
	}
	error = on_feature_control(registers->feature_control, &wanted);
	if (error == -EPERM)
		print("trapeze: error: firmware has locked VT-x off; look for it in the BIOS "
		      "set-up\n");
	if (error)
		return error;
	if (FIELD_GET(registers->basic, VMX_BASIC_REGION_SIZE) > PAGE_SIZE) {
		print("trapeze: error: this CPU's VMCS does not fit in a page\n");
		return -ENODEV;
	}
	if (control_compute(&registers->controls, stage2, value, missing)) {
		control_print_missing(missing);
		if (stage2 && !control_compute(&registers->controls, false, value, missing))
			print("trapeze: EPT and unrestricted guests serve any image; stage2=off "
			      "runs those made for it without them\n");
		return -ENODEV;
	}
	return stage2 ? check_ept(registers->ept_vpid_cap) : 0;
}

int vmx_check(bool stage2)
{
	struct on_registers registers;

	bitmap_init();
	on_read_registers(&registers);
	return on_check(&registers, stage2);
}

int on_unlock(void)
{
	uint64_t value = rdmsr(MSR_IA32_FEATURE_CONTROL), wanted;
	int error = on_feature_control(value, &wanted);

	if (error)
		print("trapeze: error: firmware has locked VT-x off on CPU %u\n",
			smp_this()->number);
	else if (wanted != value)
		wrmsr(MSR_IA32_FEATURE_CONTROL, wanted);
	return error;
}

int on_vmxon(const struct vmcs_region *region)
{
	uint64_t address = (uint64_t)region;
	bool failed;

	/* VMfailInvalid: there is no VMCS yet that could hold an error number. */
	__asm__ volatile("vmxon %1" : "=@ccbe"(failed) : "m"(address) : "memory");
	return failed ? -EIO : 0;
}

/* Undoes what vmx_cpu_on() did around VMXON. */
static void leave_vmx(struct vmcs_region **region)
{
	write_cr4(read_cr4() & ~CR4_VMXE);
	page_free(*region, PAGE_ORDER_4K);
	*region = NULL;
}

/* VMX operation on the calling CPU ("Enabling and Entering VMX Operation"): VMXON allowed by
   IA32_FEATURE_CONTROL, CR4.VMXE and what else CR0 and CR4 must hold, and VMXON with a region that
   stays the CPU's, in vmxon_regions. 0; what on_unlock() returns; -ENOMEM; or -EIO when VMXON
   fails. The reason is then printed, CR4.VMXE is 0 and no page is kept. */
int vmx_cpu_on(void)
{
	struct vmcs_region **region = &vmxon_regions[smp_this()->number];
	int error = on_unlock();

	if (error)
		return error;
	*region = vmcs_alloc();
	if (!*region) {
		print("trapeze: error: no memory for a VMXON region\n");
		return -ENOMEM;
	}
	write_cr0(on_fix_bits(
		read_cr0(), rdmsr(MSR_IA32_VMX_CR0_FIXED0), rdmsr(MSR_IA32_VMX_CR0_FIXED1)));
	write_cr4(on_fix_bits(read_cr4() | CR4_VMXE, rdmsr(MSR_IA32_VMX_CR4_FIXED0),
		rdmsr(MSR_IA32_VMX_CR4_FIXED1)));
	error = on_vmxon(*region);
	if (error) {
		print("trapeze: error: VMXON failed on CPU %u\n", smp_this()->number);
		leave_vmx(region);
	}
	return error;
}

/* Out of VMX operation again ("VMXOFF"), on a CPU that vmx_cpu_on() brought there: CR4.VMXE is 0
   afterwards, and the VMXON region is given back. */
void vmx_cpu_off(void)
{
	__asm__ volatile("vmxoff" : : : "cc", "memory");
	leave_vmx(&vmxon_regions[smp_this()->number]);
}
