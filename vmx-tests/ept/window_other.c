/* A second set of EPT structures, in which the window shows guest_page[1]. */
#include "vmx-tests/ept/window.h"

static uint64_t other_root[512] __aligned(4096), other_pdpt[512] __aligned(4096),
	other_pd[512] __aligned(4096), other_pt[512] __aligned(4096);

static uint64_t copy(uint64_t *to, const uint64_t *entry, unsigned int level)
{
	const uint64_t *from = entry - (window_gpa() >> (12 + 9 * (level - 1)) & BITS(8, 0));
	unsigned int i;

	for (i = 0; i < 512; i++)
		to[i] = from[i];
	return (uint64_t)(entry - from);
}

uint64_t window_other_pointer(void)
{
	uint64_t i4 = copy(other_root, window_entry(4), 4),
		 i3 = copy(other_pdpt, window_entry(3), 3), i2 = copy(other_pd, window_entry(2), 2),
		 i1 = copy(other_pt, window_entry(1), 1);

	other_root[i4] = vmx_address(other_pdpt) | EPT_ALL;
	other_pdpt[i3] = vmx_address(other_pd) | EPT_ALL;
	other_pd[i2] = vmx_address(other_pt) | EPT_ALL;
	other_pt[i1] += PAGE_SIZE;
	return (ept_pointer() & ~EPTP_ADDRESS) | vmx_address(other_root);
}

uint64_t *window_other_entry(unsigned int level)
{
	uint64_t *const tables[] = { other_pt, other_pd, other_pdpt, other_root };

	return &tables[level - 1][window_gpa() >> (12 + 9 * (level - 1)) & BITS(8, 0)];
}
