/* Regions for several VMCSs, kept from one test to the next. */
#include "vmx-tests/vmcs/several.h"

#include "runtime/panic.h"

static struct vmcs_region *regions[SEVERAL];

struct vmcs_region *several_region(unsigned int index)
{
	if (regions[index] == NULL)
		regions[index] = vmx_new_region();
	return regions[index];
}

void several_load(unsigned int index)
{
	if (vmptrld(vmx_address(several_region(index))) != OK)
		panic("VMPTRLD of VMCS %u failed", index);
}

/* guest_reset() fills the VMCS of vmx_region: each region takes that name in turn. */
void several_prepare(void)
{
	struct vmcs_region *ours = vmx_region;
	unsigned int i;

	for (i = 0; i < SEVERAL; i++) {
		vmx_region = several_region(i);
		guest_reset();
	}
	vmx_region = ours;
}
