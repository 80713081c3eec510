/* The suite's EPT tables. */
#include "vmx-tests/ept.h"

#include "runtime/panic.h"
#include "runtime/string.h"

#define TABLES  32
#define LEVELS  4
#define WALK_4  3 /* walk length less 1 */
#define LEAF_2M (EPT_ALL | FIELD_PUT(MEMORY_TYPE_WB, EPT_MEMORY_TYPE) | EPT_PAGE)

static uint64_t tables[TABLES][512] __aligned(4096);
static unsigned int used;

static uint64_t level_bytes(unsigned int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

static uint64_t *new_table(void)
{
	if (used == TABLES)
		panic("the suite's EPT is out of tables");
	memset(tables[used], 0, sizeof(tables[used]));
	return tables[used++];
}

void ept_reset(void)
{
	used = 0;
}

bool ept_available(void)
{
	uint64_t needed =
		VMX_EPT_VPID_CAP_WALK_4 | VMX_EPT_VPID_CAP_EPTP_WB | VMX_EPT_VPID_CAP_PAGE_2M;

	return vmx_may_set(CONTROL_WORD_PROC2, PROC2_ENABLE_EPT) &&
	       (vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & needed) == needed;
}

bool unrestricted_guest_available(void)
{
	return ept_available() && vmx_may_set(CONTROL_WORD_PROC2, PROC2_UNRESTRICTED_GUEST);
}

void proc2_set(uint64_t bits)
{
	field_set(VMCS_PROC_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS);
	field_set(VMCS_PROC2_CONTROLS, bits);
}

static void build_identity(void)
{
	uint64_t *root = new_table(), *pdpt = new_table(), *pd, i, j;

	root[0] = vmx_address(pdpt) | EPT_ALL;
	for (i = 0; i < 4; i++) {
		pd = new_table();
		pdpt[i] = vmx_address(pd) | EPT_ALL;
		for (j = 0; j < 512; j++)
			pd[j] = (i * 512 + j) * PAGE_SIZE_2M | LEAF_2M;
	}
}

uint64_t ept_pointer(void)
{
	return vmx_address(tables[0]) | FIELD_PUT(MEMORY_TYPE_WB, EPTP_MEMORY_TYPE) |
	       FIELD_PUT(WALK_4, EPTP_WALK_LENGTH);
}

void ept_enable(void)
{
	ept_reset();
	build_identity();
	proc2_set(PROC2_ENABLE_EPT);
	field_write(VMCS_EPTP, ept_pointer());
	ept_invalidate();
}

void ept_enable_unrestricted(void)
{
	ept_enable();
	proc2_set(PROC2_UNRESTRICTED_GUEST);
}

static void split(uint64_t *entry, unsigned int level)
{
	uint64_t *table = new_table(), i;
	uint64_t small = level == 2 ? *entry & ~(uint64_t)EPT_PAGE : *entry;

	for (i = 0; i < 512 && (*entry & EPT_PAGE); i++)
		table[i] = small + i * level_bytes(level - 1);
	*entry = vmx_address(table) | EPT_ALL;
}

uint64_t *ept_entry(uint64_t gpa, unsigned int level)
{
	uint64_t *table = tables[0], *entry;
	unsigned int at;

	for (at = LEVELS;; at--) {
		entry = &table[gpa / level_bytes(at) % 512];
		if (at == level)
			return entry;
		if (!(*entry & EPT_ALL) || (at < 4 && (*entry & EPT_PAGE)))
			split(entry, at);
		table = (uint64_t *)(uintptr_t)(*entry & EPT_ADDRESS);
	}
}

void ept_invalidate(void)
{
	struct invept_descriptor descriptor = { 0 };

	if (invept(INVEPT_ALL_CONTEXT, &descriptor) != OK)
		panic("INVEPT of all contexts failed");
}
