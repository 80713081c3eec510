/* How EPT entries are written ("The Extended Page Table Mechanism (EPT)"), and how the CPU is made
   to forget translations ("INVEPT", "INVVPID"). The walk over the tables is kernel/stage2.c's. */
#include "kernel/stage2.h"

#include "kernel/vm.h"
#include "kernel/vmx/vmx.h"
#include "runtime/panic.h"
#include "runtime/x86.h"

#define EPT_RIGHTS (EPT_READ | EPT_WRITE | EPT_EXECUTE)
#define EPT_LEVELS 4
#define LEVEL_PAGE 1 /* leaves of other levels are marked as such */

_Static_assert(
	STAGE2_READ == EPT_READ && STAGE2_WRITE == EPT_WRITE && STAGE2_EXECUTE == EPT_EXECUTE,
	"rights are EPT's bits");

/* The entry that maps a page of `level` (1: 4 KiB, 2: 2 MiB, 3: 1 GiB) to hpa with `rights`
   (STAGE2_*), as "Format of an EPT Page-Table Entry that Maps a 4-KByte Page" and its kin have it:
   the rights' bits are EPT's own; memory type write-back, or uncacheable with STAGE2_DEVICE; above
   level 1 the bit that tells a page from a table (EPT_PAGE). No other bit is set: a reserved one is
   an EPT misconfiguration. */
static uint64_t make_leaf(uint64_t hpa, uint64_t rights, unsigned int level)
{
	uint64_t type = rights & STAGE2_DEVICE ? MEMORY_TYPE_UC : MEMORY_TYPE_WB;

	return hpa | (rights & EPT_RIGHTS) | FIELD_PUT(type, EPT_MEMORY_TYPE) |
	       (level > LEVEL_PAGE ? EPT_PAGE : 0);
}

static uint64_t make_table(uint64_t hpa)
{
	return hpa | EPT_RIGHTS;
}

static bool is_present(uint64_t entry)
{
	return entry & EPT_RIGHTS;
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return level == LEVEL_PAGE || (entry & EPT_PAGE);
}

static uint64_t rights_of(uint64_t leaf)
{
	bool device = FIELD_GET(leaf, EPT_MEMORY_TYPE) == MEMORY_TYPE_UC;

	return (leaf & EPT_RIGHTS) | (device ? STAGE2_DEVICE : 0);
}

static unsigned int max_level(void)
{
	uint64_t capabilities = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);

	if (!(capabilities & VMX_EPT_VPID_CAP_PAGE_2M))
		return 1;
	return capabilities & VMX_EPT_VPID_CAP_PAGE_1G ? 3 : 2;
}

const struct stage2_format vmx_stage2_format = {
	.leaf = make_leaf,
	.table = make_table,
	.present = is_present,
	.is_leaf = is_leaf,
	.rights = rights_of,
	.max_level = max_level,
};

/* "Format of Extended-Page-Table Pointer": tables of 4 levels, read through the cache where the CPU
   can. */
uint64_t vmx_eptp(const struct stage2 *stage2)
{
	bool write_back = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & VMX_EPT_VPID_CAP_EPTP_WB;

	return (uint64_t)stage2->root | FIELD_PUT(EPT_LEVELS - 1, EPTP_WALK_LENGTH) |
	       FIELD_PUT(write_back ? MEMORY_TYPE_WB : MEMORY_TYPE_UC, EPTP_MEMORY_TYPE);
}

/* Makes the calling CPU forget what it has cached from the tables of stage2 ("INVEPT"; "Operations
   that Invalidate Cached Mappings"): by the single-context type, which names the EPTP in a
   descriptor, or by the all-context type where the CPU has not that (VMX_EPT_VPID_CAP_*). A failure
   would be our own mistake: assert(). */
void vmx_stage2_flush(struct stage2 *stage2)
{
	bool single = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP) & VMX_EPT_VPID_CAP_INVEPT_SINGLE;
	struct invept_descriptor descriptor = { .eptp = vmx_eptp(stage2) };
	uint64_t type = single ? INVEPT_SINGLE_CONTEXT : INVEPT_ALL_CONTEXT;
	bool failed;

	__asm__ volatile("invept %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(descriptor), "r"(type)
			 : "memory");
	assert(!failed);
}

void vmx_forget_vpid(uint16_t vpid)
{
	uint64_t capabilities = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
	bool single = capabilities & VMX_EPT_VPID_CAP_INVVPID_SINGLE;
	struct invvpid_descriptor descriptor = { .vpid = vpid };
	uint64_t type = single ? INVVPID_SINGLE_CONTEXT : INVVPID_ALL_CONTEXT;
	bool failed;

	if (!(capabilities & VMX_EPT_VPID_CAP_INVVPID))
		return;
	__asm__ volatile("invvpid %1, %2"
			 : "=@ccbe"(failed)
			 : "m"(descriptor), "r"(type)
			 : "memory");
	assert(!failed);
}
