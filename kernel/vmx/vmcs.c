/* VMCS regions and the checked VMX instructions on them, with each failure printed where it
   arises ("Conventions": VMsucceed, VMfailInvalid, VMfailValid). The fields' meaning is left to
   control.c, vcpu.c and guest.c. */
#include "kernel/vmx/vmcs.h"

#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/x86.h"

/* What an instruction left in CF and ZF. */
struct vmx_flags {
	bool invalid; /* CF: there is no current VMCS that could hold an error number */
	bool valid;   /* ZF: the current VMCS holds it */
};

/* Prints why `instruction` on `operand` failed, if it did. Returns 0 or -EIO. */
static int report_failure(const char *instruction, const char *operand, struct vmx_flags flags)
{
	if (likely(!flags.invalid && !flags.valid))
		return 0;
	print("trapeze: error: %s %s: %s\n", instruction, operand,
		flags.invalid ? "there is no current VMCS"
			      : vmx_error_text((uint32_t)vmread(VMCS_VM_INSTRUCTION_ERROR)));
	return -EIO;
}

struct vmcs_region *vmcs_alloc(void)
{
	struct vmcs_region *region = page_alloc_zeroed(PAGE_ORDER_4K);

	if (region)
		region->revision = rdmsr(MSR_IA32_VMX_BASIC) & VMX_BASIC_REVISION;
	return region;
}

int vmcs_clear(struct vmcs_region *vmcs)
{
	uint64_t address = (uint64_t)vmcs;
	struct vmx_flags flags;

	__asm__ volatile("vmclear %2"
			 : "=@ccc"(flags.invalid), "=@ccz"(flags.valid)
			 : "m"(address)
			 : "memory");
	return report_failure("VMCLEAR", "of a VMCS", flags);
}

int vmcs_load(struct vmcs_region *vmcs)
{
	uint64_t address = (uint64_t)vmcs;
	struct vmx_flags flags;

	__asm__ volatile("vmptrld %2"
			 : "=@ccc"(flags.invalid), "=@ccz"(flags.valid)
			 : "m"(address)
			 : "memory");
	return report_failure("VMPTRLD", "of a VMCS", flags);
}

/* VMREAD with its flags; *value is 0 when it failed. */
static struct vmx_flags read_field(uint32_t field, uint64_t *value)
{
	struct vmx_flags flags;

	*value = 0;
	__asm__ volatile("vmread %3, %2"
			 : "=@ccc"(flags.invalid), "=@ccz"(flags.valid), "+r"(*value)
			 : "r"((uint64_t)field));
	return flags;
}

int vmcs_write(uint32_t field, uint64_t value)
{
	struct vmx_flags flags;

	__asm__ volatile("vmwrite %3, %2"
			 : "=@ccc"(flags.invalid), "=@ccz"(flags.valid)
			 : "r"((uint64_t)field), "r"(value));
	return report_failure("VMWRITE", vmcs_field_name(field), flags);
}

bool vmcs_has(uint32_t field)
{
	uint64_t value;
	struct vmx_flags flags = read_field(field, &value);

	return !flags.invalid && !flags.valid;
}

int vmcs_write_table(const struct vmcs_value *table, size_t rows)
{
	int error = 0;

	for (size_t i = 0; i < rows; i++)
		if (vmcs_write(table[i].field, table[i].value))
			error = -EIO;
	return error;
}
