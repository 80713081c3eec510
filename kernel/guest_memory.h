/* The guest's memory as the hypervisor reaches it: by guest-physical address through the stage-2
   map, and by linear address through a software walk of the guest's own page tables. */
#ifndef KERNEL_GUEST_MEMORY_H
#define KERNEL_GUEST_MEMORY_H

#include "kernel/insn.h"
#include "runtime/compiler.h"

struct vm;
struct vcpu;

/* Where guest-physical gpa lies in the host, populated on demand; *bytes_left (if not NULL) says
   how far the pointer is good, at most to the end of the 4 KiB page.
   NULL outside the VM's memory. Good until the stage-2 map's generation changes. */
void *guest_host_pointer(struct vm *vm, uint64_t gpa, uint64_t *bytes_left, bool write);

/* Copies bytes; 0, or -EFAULT when some of them lie outside the VM's memory (what comes before is
   then copied). guest_zero_physical() writes zeroes. */
int guest_read_physical(struct vm *vm, uint64_t gpa, void *dst, uint64_t bytes);
int guest_write_physical(struct vm *vm, uint64_t gpa, const void *src, uint64_t bytes);
int guest_zero_physical(struct vm *vm, uint64_t gpa, uint64_t bytes);

/* What an access is, for its rights ("Access Rights", "Determination of Access Rights"). */
#define GUEST_READ     0
#define GUEST_WRITE    BIT(0)
#define GUEST_FETCH    BIT(1)
#define GUEST_USER     BIT(2) /* at CPL 3 */
#define GUEST_IMPLICIT BIT(3) /* the CPU's own: descriptor tables, TSS */

/* GUEST_USER if the vCPU is at CPL 3, else 0. */
unsigned int guest_access_at_cpl(struct vcpu *vcpu);

/* The exception that an access makes. */
struct guest_fault {
	uint8_t vector; /* VECTOR_PF or VECTOR_GP */
	uint32_t error;
	uint64_t address; /* linear, for CR2 */
};

/* Queues the fault for the guest: CR2 and the exception. */
void guest_inject_fault(struct vcpu *vcpu, const struct guest_fault *fault);

/* Walks the guest's page tables (none, 32-bit, PAE, 4-level) as the vCPU is set now, without
   setting accessed and dirty bits. Returns 0 and *gpa; -EFAULT and *fault; or -EIO when a table
   lies outside the VM's memory. 5-level paging is not offered to guests. */
int guest_translate(struct vcpu *vcpu, uint64_t linear, unsigned int access, uint64_t *gpa,
	struct guest_fault *fault);

/* Copies from and to linear addresses, page by page. As guest_translate(); -EIO also when the
   memory is not the VM's. */
int guest_read_virtual(struct vcpu *vcpu, uint64_t linear, void *dst, uint64_t bytes,
	unsigned int access, struct guest_fault *fault);
int guest_write_virtual(struct vcpu *vcpu, uint64_t linear, const void *src, uint64_t bytes,
	unsigned int access, struct guest_fault *fault);

/* The last instruction fetch's walk, kept in struct vcpu. It is believed only while the registers
   that select the tables, every table entry that was used, and the stage-2 map are what they were.
   The right to execute is not asked again: the CPU has just done so. */
#define GUEST_FETCH_LEVELS 4
struct guest_fetch_cache {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t page_end;   /* linear address of the page's last byte; 0: nothing is cached */
	uint64_t generation; /* of the stage-2 map */
	const uint8_t *code; /* the page in the host */
	const volatile uint64_t *
		entry[GUEST_FETCH_LEVELS]; /* where the entries lie; unused ones point at value[] */
	uint64_t value[GUEST_FETCH_LEVELS];
};

static inline void guest_fetch_cache_forget(struct guest_fetch_cache *cache)
{
	cache->page_end = 0;
}

/* The host's pointer to the byte at linear address `linear`, or NULL when the cache does not know:
   then guest_fetch() finds it and fills the cache. Good to the end of the 4 KiB page. The
   registers are passed so that a back end can take them straight from its structure. */
static inline const uint8_t *guest_fetch_cached(const struct guest_fetch_cache *cache,
	uint64_t linear, uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer,
	uint64_t generation)
{
	uint64_t differs = ((linear | (PAGE_SIZE - 1)) ^ cache->page_end) | (cr0 ^ cache->cr0) |
			   (cr3 ^ cache->cr3) | (cr4 ^ cache->cr4) | (efer ^ cache->efer) |
			   (generation ^ cache->generation);

	if (unlikely(differs))
		return NULL;
	differs = (*cache->entry[0] ^ cache->value[0]) | (*cache->entry[1] ^ cache->value[1]) |
		  (*cache->entry[2] ^ cache->value[2]) | (*cache->entry[3] ^ cache->value[3]);
	return unlikely(differs) ? NULL : cache->code + (linear & (PAGE_SIZE - 1));
}

/* For a back end without next-RIP: does the two-byte instruction `opcode` (0x0f in its low byte:
   0xa20f for CPUID) lie at code, from guest_fetch_cached(), without prefixes? Then its length is 2;
   else guest_insn_length() tells. */
static inline bool guest_insn_is(const uint8_t *code, uint16_t opcode)
{
	uint16_t bytes;

	if (!code || ((uint64_t)(uintptr_t)code & (PAGE_SIZE - 1)) == PAGE_SIZE - 1)
		return false;
	__builtin_memcpy(&bytes, code, sizeof(bytes));
	return bytes == opcode;
}

/* Copies the bytes at the vCPU's CS:RIP, at most INSN_MAX_LEN, fewer when the next page cannot be
   fetched. Returns how many, or an error as guest_translate() without the fault: the CPU has
   just executed there, so a caller need not expect one. */
int guest_fetch(struct vcpu *vcpu, uint8_t bytes[INSN_MAX_LEN]);

/* Fetches and decodes the instruction at CS:RIP. 0, or an error of guest_fetch() or insn_decode().
 */
int guest_fetch_insn(struct vcpu *vcpu, struct insn *insn);

/* The length in bytes of the instruction at CS:RIP if it is `op`, whatever its prefixes;
   0 when it is something else or cannot be fetched. */
uint8_t guest_insn_length(struct vcpu *vcpu, enum insn_op op);

#endif
