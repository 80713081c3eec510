/* The walk of a guest's page tables, in every paging mode, with every right.
   Links: kernel/guest_walk.c
*/
#include "tests/host/tap.h"

#include "kernel/guest_walk.h"
#include "runtime/errno.h"
#include "spec/cpu.h"

#define MEMORY   0x10000
#define CR3      0x1000
#define LINEAR   UINT64_C(0x7f8040201abc) /* 4-level: entry 255, 1, 1, 1 */
#define LINEAR32 UINT64_C(0x00401abc)     /* 32-bit: entry 1, 1; PAE: 0, 2, 1 */
#define ALL      (PTE_P | PTE_W | PTE_U)
#define SUPER    (PTE_P | PTE_W)

static uint8_t memory[MEMORY] __aligned(4096);

void *guest_host_pointer(struct vm *vm, uint64_t gpa, uint64_t *bytes_left, bool write)
{
	CHECK(!write);
	return gpa < MEMORY ? memory + gpa : NULL;
}

static void put(uint64_t gpa, uint64_t value, unsigned int bytes)
{
	memcpy(memory + gpa, &value, bytes);
}

enum mode { OFF, BITS32, PAE, LEVELS4 };

static const struct guest_paging modes[] = {
	[OFF] = { .cr0 = CR0_PE },
	[BITS32] = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = CR3, .cr4 = CR4_PSE },
	[PAE] = { .cr0 = CR0_PE | CR0_PG | CR0_WP, .cr3 = CR3, .cr4 = CR4_PAE, .efer = EFER_NXE },
	[LEVELS4] = { .cr0 = CR0_PE | CR0_PG | CR0_WP,
		.cr3 = CR3,
		.cr4 = CR4_PAE,
		.efer = EFER_NXE | EFER_LME | EFER_LMA },
};

/* Tables for LINEAR or LINEAR32 with the given entries, from the top; unused ones are 0. */
static void build(enum mode mode, const uint64_t entry[4])
{
	memset(memory, 0, sizeof(memory));
	switch (mode) {
	case OFF:
		break;
	case BITS32:
		put(CR3 + 4, entry[0], 4);
		put(0x2000 + 4, entry[1], 4);
		break;
	case PAE:
		put(CR3, entry[0], 8);
		put(0x2000 + 8 * 2, entry[1], 8);
		put(0x3000 + 8, entry[2], 8);
		break;
	case LEVELS4:
		put(CR3 + 8 * 255, entry[0], 8);
		put(0x2000 + 8, entry[1], 8);
		put(0x3000 + 8, entry[2], 8);
		put(0x4000 + 8, entry[3], 8);
		break;
	}
}

struct walk_row {
	enum mode mode;
	uint64_t entry[4];
	unsigned int access;
	uint64_t cr0_clear, cr4_set, efer_clear, rflags;
	int error;
	uint64_t gpa;  /* when error is 0 */
	uint32_t code; /* when it is -EFAULT: #PF's error code */
};

#define L4(e0, e1, e2, e3)                                                                         \
	LEVELS4,                                                                                   \
	{                                                                                          \
		0x2000 | (e0), 0x3000 | (e1), 0x4000 | (e2), 0x9000 | (e3)                         \
	}
#define FINE     .gpa = 0x9abc
#define PF(bits) .error = -EFAULT, .code = bits
#define NXE_OFF  .efer_clear = EFER_NXE

static const struct walk_row rows[] = {
	{ OFF, { 0 }, GUEST_WRITE, .gpa = LINEAR32 },
	/* 4-level: rights combine */
	{ L4(ALL, ALL, ALL, ALL), GUEST_USER | GUEST_WRITE, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_USER | GUEST_FETCH, FINE },
	{ L4(SUPER, ALL, ALL, ALL), GUEST_USER, PF(PF_PRESENT | PF_USER) },
	{ L4(ALL, SUPER, ALL, ALL), GUEST_USER, PF(PF_PRESENT | PF_USER) },
	{ L4(ALL, ALL, SUPER, ALL), GUEST_USER, PF(PF_PRESENT | PF_USER) },
	{ L4(ALL, ALL, ALL, SUPER), GUEST_USER, PF(PF_PRESENT | PF_USER) },
	{ L4(ALL, ALL, ALL, SUPER), GUEST_READ, FINE },
	{ L4(ALL, ALL, ALL, SUPER), GUEST_USER | GUEST_IMPLICIT, FINE },
	{ L4(ALL, ALL, ALL, PTE_P | PTE_U), GUEST_USER, FINE },
	{ L4(ALL, ALL, ALL, PTE_P | PTE_U), GUEST_USER | GUEST_WRITE,
		PF(PF_PRESENT | PF_USER | PF_WRITE) },
	{ L4(ALL, PTE_P | PTE_U, ALL, ALL), GUEST_WRITE, PF(PF_PRESENT | PF_WRITE) },
	{ L4(ALL, PTE_P | PTE_U, ALL, ALL), GUEST_WRITE, .cr0_clear = CR0_WP, FINE },
	{ L4(ALL, PTE_P | PTE_U, ALL, ALL), GUEST_WRITE | GUEST_USER, .cr0_clear = CR0_WP,
		PF(PF_PRESENT | PF_USER | PF_WRITE) },
	/* not present, at each level */
	{ L4(0, ALL, ALL, ALL), GUEST_READ, PF(0) },
	{ L4(ALL, 0, ALL, ALL), GUEST_USER, PF(PF_USER) },
	{ L4(ALL, ALL, 0, ALL), GUEST_WRITE, PF(PF_WRITE) },
	{ L4(ALL, ALL, ALL, 0), GUEST_FETCH, PF(PF_FETCH) },
	{ L4(ALL, ALL, ALL, 0), GUEST_FETCH, NXE_OFF, PF(0) },
	/* no execute */
	{ L4(ALL, ALL, ALL, ALL | PTE_NX), GUEST_FETCH, PF(PF_PRESENT | PF_FETCH) },
	{ L4(ALL | PTE_NX, ALL, ALL, ALL), GUEST_FETCH | GUEST_USER,
		PF(PF_PRESENT | PF_FETCH | PF_USER) },
	{ L4(ALL, ALL | PTE_NX, ALL, ALL), GUEST_WRITE, FINE },
	{ L4(ALL, ALL | PTE_NX, ALL, ALL), GUEST_READ, NXE_OFF, PF(PF_PRESENT | PF_RSVD) },
	/* SMEP and SMAP */
	{ L4(ALL, ALL, ALL, ALL), GUEST_FETCH, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_FETCH, .cr4_set = CR4_SMEP, PF(PF_PRESENT | PF_FETCH) },
	{ L4(ALL, ALL, ALL, SUPER), GUEST_FETCH, .cr4_set = CR4_SMEP, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_FETCH | GUEST_USER, .cr4_set = CR4_SMEP, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_READ, .cr4_set = CR4_SMAP, PF(PF_PRESENT) },
	{ L4(ALL, ALL, ALL, ALL), GUEST_READ, .cr4_set = CR4_SMAP, .rflags = RFLAGS_AC, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_IMPLICIT, .cr4_set = CR4_SMAP, .rflags = RFLAGS_AC,
		PF(PF_PRESENT) },
	{ L4(ALL, ALL, ALL, ALL), GUEST_USER, .cr4_set = CR4_SMAP, FINE },
	{ L4(ALL, ALL, ALL, ALL), GUEST_FETCH, .cr4_set = CR4_SMAP, FINE },
	{ L4(ALL, ALL, ALL, SUPER), GUEST_READ, .cr4_set = CR4_SMAP, FINE },
	/* reserved bits */
	{ L4(ALL | PTE_PS, ALL, ALL, ALL), GUEST_READ, PF(PF_PRESENT | PF_RSVD) },
	{ LEVELS4, { 0x2000 | ALL, 0x3000 | ALL, 0x202000 | ALL | PTE_PS }, GUEST_READ,
		PF(PF_PRESENT | PF_RSVD) },
	{ LEVELS4, { 0x2000 | ALL, 0x40200000 | ALL | PTE_PS }, GUEST_READ,
		PF(PF_PRESENT | PF_RSVD) },
	/* large pages; bit 12 is the PAT's */
	{ LEVELS4, { 0x2000 | ALL, 0x3000 | ALL, 0x601000 | ALL | PTE_PS }, GUEST_READ,
		.gpa = 0x601abc },
	{ LEVELS4, { 0x2000 | ALL, 0x80000000 | ALL | PTE_PS }, GUEST_READ, .gpa = 0x80201abc },
	/* a table outside the memory */
	{ LEVELS4, { 0x2000 | ALL, 0x7f0000 | ALL }, GUEST_READ, .error = -EIO },
	/* PAE: the first level has no rights, and reserves what others use for them */
	{ PAE, { 0x2000 | PTE_P, 0x3000 | ALL, 0x9000 | ALL }, GUEST_USER | GUEST_WRITE, FINE },
	{ PAE, { 0x2000 | PTE_P | PTE_W, 0x3000 | ALL, 0x9000 | ALL }, GUEST_READ,
		PF(PF_PRESENT | PF_RSVD) },
	{ PAE, { 0x2000 | PTE_P, 0x3000 | ALL, 0x9000 | ALL | PTE_NX }, GUEST_FETCH,
		PF(PF_PRESENT | PF_FETCH) },
	{ PAE, { 0x2000 | PTE_P, 0x3000 | ALL, 0x9000 | ALL | BIT(62) }, GUEST_READ,
		PF(PF_PRESENT | PF_RSVD) },
	{ PAE, { 0x2000 | PTE_P, 0x600000 | ALL | PTE_PS }, GUEST_READ, .gpa = 0x601abc },
	{ PAE, { 0x2000 | PTE_P, 0x3000 | ALL, 0 }, GUEST_WRITE, PF(PF_WRITE) },
	/* 32-bit, with 4 MiB pages and their upper address bits */
	{ BITS32, { 0x2000 | ALL, 0x9000 | ALL }, GUEST_USER | GUEST_WRITE, FINE },
	{ BITS32, { 0x2000 | ALL, 0x9000 | SUPER }, GUEST_USER, PF(PF_PRESENT | PF_USER) },
	{ BITS32, { 0x2000 | ALL, 0x9000 | PTE_P }, GUEST_WRITE, PF(PF_PRESENT | PF_WRITE) },
	{ BITS32, { 0x2000 | ALL, 0 }, GUEST_FETCH, PF(0) },
	{ BITS32, { 0x2000 | ALL, 0 }, GUEST_FETCH, .cr4_set = CR4_SMEP, PF(PF_FETCH) },
	{ BITS32, { 0xc00000 | ALL | PTE_PS }, GUEST_READ, .gpa = 0xc01abc },
	{ BITS32, { 0xc00000 | 1 << 13 | ALL | PTE_PS }, GUEST_READ, .gpa = 0x100c01abc },
	{ BITS32, { 0xe00000 | ALL | PTE_PS }, GUEST_READ, PF(PF_PRESENT | PF_RSVD) },
};

static void check_row(unsigned int i)
{
	const struct walk_row *row = &rows[i];
	uint64_t linear = row->mode == LEVELS4 ? LINEAR : LINEAR32;
	struct guest_paging paging = modes[row->mode];
	struct guest_fault fault = { 0 };
	struct guest_walk walk;

	paging.cr0 &= ~row->cr0_clear;
	paging.cr4 |= row->cr4_set;
	paging.efer &= ~row->efer_clear;
	paging.rflags = row->rflags;
	build(row->mode, row->entry);
	CHECK_ROW(i, guest_walk(NULL, &paging, linear, row->access, &walk, &fault), row->error);
	if (row->error == 0)
		CHECK_ROW(i, walk.gpa, row->gpa);
	if (row->error != -EFAULT)
		return;
	CHECK_ROW(i, fault.vector, VECTOR_PF);
	CHECK_ROW(i, fault.error, row->code);
	CHECK_ROW(i, fault.address, linear);
}

static void translations_and_rights(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(i);
}

static void addresses_must_be_canonical(void)
{
	struct guest_fault fault;
	struct guest_walk walk;

	CHECK_EQ(guest_walk(NULL, &modes[LEVELS4], BIT(47), 0, &walk, &fault), -EFAULT);
	CHECK_EQ(fault.vector, VECTOR_GP);
	CHECK_EQ(fault.error, 0);
	memset(memory, 0, sizeof(memory));
	CHECK_EQ(guest_walk(NULL, &modes[LEVELS4], BITS(63, 47), 0, &walk, &fault), -EFAULT);
	CHECK_EQ(fault.vector, VECTOR_PF);
}

/* Outside long mode the upper half of an address does not count. */
static void addresses_have_32_bits(void)
{
	static const uint64_t entries[4] = { 0x2000 | ALL, 0x9000 | ALL };
	struct guest_fault fault;
	struct guest_walk walk;

	build(BITS32, entries);
	CHECK_EQ(guest_walk(NULL, &modes[BITS32], BIT(40) | LINEAR32, 0, &walk, &fault), 0);
	CHECK_EQ(walk.gpa, 0x9abc);
	CHECK_EQ(guest_walk(NULL, &modes[OFF], BIT(40) | LINEAR32, 0, &walk, &fault), 0);
	CHECK_EQ(walk.gpa, LINEAR32);
	CHECK_EQ(walk.levels, 0);
}

static void entries_are_reported(void)
{
	static const uint64_t entries[4] = { 0x2000 | ALL, 0x3000 | ALL, 0x4000 | ALL,
		0x9000 | ALL };
	struct guest_fault fault;
	struct guest_walk walk;

	build(LEVELS4, entries);
	CHECK_EQ(guest_walk(NULL, &modes[LEVELS4], LINEAR, 0, &walk, &fault), 0);
	CHECK_EQ(walk.levels, 4);
	CHECK_EQ(walk.entry[0].gpa, CR3 + 8 * 255);
	CHECK_EQ(walk.entry[3].gpa, 0x4008);
	CHECK_EQ(walk.entry[3].value, 0x9000 | ALL);
	build(BITS32, entries);
	CHECK_EQ(guest_walk(NULL, &modes[BITS32], LINEAR32, 0, &walk, &fault), 0);
	CHECK_EQ(walk.levels, 2);
	CHECK_EQ(walk.entry[0].gpa, CR3); /* the 8 bytes around it */
	CHECK_EQ(walk.entry[0].value >> 32, entries[0]);
}

TAP_MAIN(TAP_TEST(translations_and_rights), TAP_TEST(addresses_must_be_canonical),
	TAP_TEST(addresses_have_32_bits), TAP_TEST(entries_are_reported))
