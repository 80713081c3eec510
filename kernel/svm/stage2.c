/* How nested page tables are written ("Nested Paging"): as the host's own long-mode tables are.
   What is mapped where is left to kernel/memory.c, the walk to kernel/stage2.c. */
#include "kernel/stage2.h"

#include "kernel/svm/svm.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

/* Every access of a guest is a user access to these tables ("Nested Table Walk"). Accessed and
   dirty are set beforehand, so that the CPU need not write them. */
#define ENTRY_ALL (PTE_P | PTE_U | PTE_A)

/* The entry that maps a page of `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) to hpa with `rights`
   (STAGE2_*), as long-mode page tables have it ("Nested Paging", "Page-Translation-Table Entry
   Fields"): ENTRY_ALL and dirty always; writable; no-execute where it is not STAGE2_EXECUTE; PCD
   and PWT, strong uncacheable in the host's PAT, with STAGE2_DEVICE; and above level 1 the bit that
   tells a page from a table. There is no entry that cannot be read. */
static uint64_t write_leaf(uint64_t hpa, uint64_t rights, unsigned int level)
{
	uint64_t entry = hpa | ENTRY_ALL | PTE_D;

	if (rights & STAGE2_WRITE)
		entry |= PTE_W;
	if (!(rights & STAGE2_EXECUTE))
		entry |= PTE_NX;
	if (rights & STAGE2_DEVICE)
		entry |= PTE_PCD | PTE_PWT; /* strong uncacheable in the host's PAT */
	if (level > 1)
		entry |= PTE_PS;
	return entry;
}

static uint64_t write_table(uint64_t hpa)
{
	return hpa | ENTRY_ALL | PTE_W;
}

static bool is_present(uint64_t entry)
{
	return entry & PTE_P;
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & PTE_PS);
}

/* There is no entry that can be written or executed but not read. */
static uint64_t read_rights(uint64_t entry)
{
	return STAGE2_READ | (entry & PTE_W ? STAGE2_WRITE : 0) |
	       (entry & PTE_NX ? 0 : STAGE2_EXECUTE) | (entry & PTE_PCD ? STAGE2_DEVICE : 0);
}

static unsigned int max_level(void)
{
	return cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_PAGE1GB ? 3 : 2;
}

const struct stage2_format svm_stage2_format = {
	.leaf = write_leaf,
	.table = write_table,
	.present = is_present,
	.is_leaf = is_leaf,
	.rights = read_rights,
	.max_level = max_level,
};

/* Orders a flush: the vCPUs that use the map see that stage2->flush, a count, is not the one they
   flushed at (svm_asid_must_flush(), before each entry). They may be on other CPUs: what was
   written to the tables before must be seen by whoever sees the new count. */
void svm_stage2_flush(struct stage2 *stage2)
{
	__atomic_fetch_add(&stage2->flush, 1, __ATOMIC_RELEASE);
}
