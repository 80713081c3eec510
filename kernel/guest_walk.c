/* The walk of a guest's own page tables (Intel SDM, "Paging"): no paging, 32-bit, PAE, 4-level, by
   one loop over a table of formats. Accessed and dirty bits are left as they are. */
#include "kernel/guest_walk.h"

#include "runtime/errno.h"
#include "runtime/x86.h"

#define CPUID_ADDRESS_SIZES 0x80000008
#define PHYSICAL_BITS_MIN   36
#define PHYSICAL_BITS_MAX   52

/* How the bits of an entry are used in one paging mode. */
struct format {
	unsigned int levels;
	unsigned int index_bits; /* of the linear address for each level */
	unsigned int top_bits;   /* the same for the first level */
	unsigned int entry_bytes;
	uint64_t root; /* bits of CR3 that are the first table's address */
};

enum { FORMAT_32, FORMAT_PAE, FORMAT_4_LEVEL };

static const struct format formats[] = {
	[FORMAT_32] = { 2, 10, 10, 4, BITS(31, 12) },
	[FORMAT_PAE] = { 3, 9, 2, 8, BITS(31, 5) },
	[FORMAT_4_LEVEL] = { 4, 9, 9, 8, BITS(51, 12) },
};

/* The rights that the entries of a walk give together, and what is wrong with them. */
struct rights {
	bool user, write, no_execute;
};

static unsigned int choose_format(const struct guest_paging *paging)
{
	if (!(paging->cr4 & CR4_PAE))
		return FORMAT_32;
	return paging->efer & EFER_LMA ? FORMAT_4_LEVEL : FORMAT_PAE;
}

/* MAXPHYADDR, which the guest sees as it is ("Enumeration of Paging Features by CPUID"). */
static unsigned int physical_bits(void)
{
	static unsigned int bits;

	if (!bits) {
		unsigned int reported = cpuid(CPUID_ADDRESS_SIZES, 0).eax & 0xff;

		bits = MAX(MIN(reported, PHYSICAL_BITS_MAX), PHYSICAL_BITS_MIN);
	}
	return bits;
}

/* Bits that must be 0 in a present entry; level 1 maps 4 KiB. page: it maps a page. */
static uint64_t reserved_bits(
	unsigned int format, const struct guest_paging *paging, unsigned int level, bool page)
{
	uint64_t high = BITS(51, 32) & ~(BIT(physical_bits()) - 1);
	uint64_t reserved = high | (paging->efer & EFER_NXE ? 0 : PTE_NX);

	if (format == FORMAT_32) /* PSE-36 keeps address bits 39:32 in 20:13 */
		return page && level == 2 ? BIT(21) : 0;
	if (format == FORMAT_PAE && level == 3)
		return high | BITS(63, 52) | BITS(8, 5) | BITS(2, 1);
	if (format == FORMAT_PAE)
		reserved |= BITS(62, 52);
	if (level == 4)
		return reserved | PTE_PS;
	return page && level > 1 ? reserved | BITS(12 + 9 * (level - 1) - 1, 13) : reserved;
}

static bool maps_page(
	unsigned int format, const struct guest_paging *paging, unsigned int level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (level == 4 || (format == FORMAT_PAE && level == 3) || !(entry & PTE_PS))
		return false;
	return format != FORMAT_32 || (paging->cr4 & CR4_PSE);
}

/* The page that a leaf maps, and the place in it. */
static uint64_t page_address(
	unsigned int format, unsigned int shift, uint64_t entry, uint64_t linear)
{
	uint64_t offset = BIT(shift) - 1, base = entry & PTE_ADDR;

	if (format == FORMAT_32 && shift > 12)
		base = (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << (32 - 13);
	return (base & ~offset) | (linear & offset);
}

static int page_fault(const struct guest_paging *paging, uint64_t linear, unsigned int access,
	uint32_t cause, struct guest_fault *fault)
{
	bool tells_fetch =
		((paging->cr4 & CR4_PAE) && (paging->efer & EFER_NXE)) || (paging->cr4 & CR4_SMEP);

	*fault = (struct guest_fault){ .vector = VECTOR_PF, .error = cause, .address = linear };
	if (access & GUEST_WRITE)
		fault->error |= PF_WRITE;
	if ((access & GUEST_USER) && !(access & GUEST_IMPLICIT))
		fault->error |= PF_USER;
	if ((access & GUEST_FETCH) && tells_fetch)
		fault->error |= PF_FETCH;
	return -EFAULT;
}

/* "Determination of Access Rights". */
static bool is_allowed(
	const struct guest_paging *paging, const struct rights *rights, unsigned int access)
{
	if ((access & GUEST_FETCH) && rights->no_execute)
		return false;
	if ((access & GUEST_USER) && !(access & GUEST_IMPLICIT))
		return rights->user && (rights->write || !(access & GUEST_WRITE));
	if (rights->user && (access & GUEST_FETCH) && (paging->cr4 & CR4_SMEP))
		return false;
	if (rights->user && !(access & GUEST_FETCH) && (paging->cr4 & CR4_SMAP) &&
		((access & GUEST_IMPLICIT) || !(paging->rflags & RFLAGS_AC)))
		return false;
	return rights->write || !(access & GUEST_WRITE) || !(paging->cr0 & CR0_WP);
}

/* Reads the entry of `bytes` bytes at gpa and notes in *walk what was read. */
static int read_entry(
	struct vm *vm, uint64_t gpa, unsigned int bytes, uint64_t *entry, struct guest_walk *walk)
{
	const volatile uint64_t *host = guest_host_pointer(vm, ALIGN_DOWN(gpa, 8), NULL, false);
	uint64_t value;

	if (!host)
		return -EIO;
	value = *host;
	walk->entry[walk->levels].gpa = ALIGN_DOWN(gpa, 8);
	walk->entry[walk->levels].value = value;
	walk->levels++;
	*entry = bytes == 8 ? value : (uint32_t)(value >> (gpa & 4) * 8);
	return 0;
}

/* Adds what an entry allows. A PAE page-directory-pointer entry has no rights of its own. */
static void combine_rights(struct rights *rights, uint64_t entry, bool has_rights)
{
	if (!has_rights)
		return;
	rights->user &= !!(entry & PTE_U);
	rights->write &= !!(entry & PTE_W);
	rights->no_execute |= !!(entry & PTE_NX);
}

static int walk_tables(struct vm *vm, const struct guest_paging *paging, uint64_t linear,
	unsigned int access, struct guest_walk *walk, struct guest_fault *fault)
{
	unsigned int number = choose_format(paging);
	const struct format *format = &formats[number];
	unsigned int level = format->levels, bits = format->top_bits;
	struct rights rights = { .user = true, .write = true };
	uint64_t table = paging->cr3 & format->root;

	for (;; level--, bits = format->index_bits) {
		unsigned int shift = 12 + format->index_bits * (level - 1);
		uint64_t index = linear >> shift & (BIT(bits) - 1), entry;
		bool page;
		int error;

		error = read_entry(
			vm, table + index * format->entry_bytes, format->entry_bytes, &entry, walk);
		if (error)
			return error;
		if (!(entry & PTE_P))
			return page_fault(paging, linear, access, 0, fault);
		page = maps_page(number, paging, level, entry);
		if (entry & reserved_bits(number, paging, level, page))
			return page_fault(paging, linear, access, PF_PRESENT | PF_RSVD, fault);
		combine_rights(&rights, entry, !(number == FORMAT_PAE && level == 3));
		if (page) {
			walk->gpa = page_address(number, shift, entry, linear);
			break;
		}
		table = entry & PTE_ADDR;
	}
	if (!is_allowed(paging, &rights, access))
		return page_fault(paging, linear, access, PF_PRESENT, fault);
	return 0;
}

int guest_walk(struct vm *vm, const struct guest_paging *paging, uint64_t linear,
	unsigned int access, struct guest_walk *walk, struct guest_fault *fault)
{
	bool long_mode = paging->efer & EFER_LMA;

	walk->levels = 0;
	if (!long_mode)
		linear = (uint32_t)linear;
	if (!(paging->cr0 & CR0_PG)) {
		walk->gpa = linear;
		return 0;
	}
	if (long_mode && (uint64_t)((int64_t)(linear << 16) >> 16) != linear) {
		*fault = (struct guest_fault){ .vector = VECTOR_GP };
		return -EFAULT;
	}
	return walk_tables(vm, paging, linear, access, walk, fault);
}
