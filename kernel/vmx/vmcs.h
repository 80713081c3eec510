/* The VMCS and the instructions on it: checked ones that report their failures, and VMREAD and
   VMWRITE without a check for the way between two entries. What is written is left to others. */
#ifndef KERNEL_VMX_VMCS_H
#define KERNEL_VMX_VMCS_H

#include "runtime/compiler.h"
#include "spec/vmx.h"

/* A region for a VMXON or a VMCS, zeroed but for the CPU's revision identifier ("VMCS Region").
   One page; NULL when there is no memory. Free it with page_free(region, PAGE_ORDER_4K). */
struct vmcs_region *vmcs_alloc(void);

/* Makes the VMCS inactive, not current and "clear": its data is in memory, and VMLAUNCH is next.
   0, or -EIO after printing why ("VMCLEAR"). */
int vmcs_clear(struct vmcs_region *vmcs);

/* Makes the VMCS current on the calling CPU. 0, or -EIO after printing why ("VMPTRLD"). */
int vmcs_load(struct vmcs_region *vmcs);

/* Writes a field (VMCS_<NAME>) of the current VMCS. 0, or -EIO after printing why: no VMCS is
   current, the CPU has no such field, or it is read-only ("VMWRITE"). */
int vmcs_write(uint32_t field, uint64_t value);

/* True when the CPU has that field; a VMCS must be current. */
bool vmcs_has(uint32_t field);

struct vmcs_value {
	uint32_t field;
	uint64_t value;
};

/* Writes a table of fields. 0, or -EIO after printing which ones failed. */
int vmcs_write_table(const struct vmcs_value *table, size_t rows);

/* VMREAD and VMWRITE for fields that are known to exist, of the current VMCS. */
static inline uint64_t vmread(uint32_t field)
{
	uint64_t value;

	__asm__ volatile("vmread %1, %0" : "=r"(value) : "r"((uint64_t)field) : "cc");
	return value;
}

static inline void vmwrite(uint32_t field, uint64_t value)
{
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(value) : "cc");
}

#endif
