/* Lab 5, the walk over stage-2 tables: with entries of a form of their own, so that neither
 * vendor's matters. */
#define TEST_FOLDER "lab5/"
#include "kernel/stage2.h"
#include "labs/suite.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"

#define PRESENT      BIT(0)
#define LEAF         BIT(1)
#define RIGHTS_SHIFT 2
#define ADDRESS      BITS(51, 12)
#define GIB          PAGE_SIZE_1G
#define MIB2         PAGE_SIZE_2M
#define ALL          (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)

static uint64_t leaf(uint64_t hpa, uint64_t rights, unsigned int level)
{
	return hpa | rights << RIGHTS_SHIFT | PRESENT | LEAF;
}

static uint64_t table(uint64_t hpa)
{
	return hpa | PRESENT;
}

static bool present(uint64_t entry)
{
	return entry & PRESENT;
}

static bool is_leaf(uint64_t entry, unsigned int level)
{
	return entry & LEAF;
}

static uint64_t rights(uint64_t entry)
{
	return entry >> RIGHTS_SHIFT & 15;
}

static unsigned int max_level(void)
{
	return 3;
}

static const struct stage2_format format = { .leaf = leaf,
	.table = table,
	.present = present,
	.is_leaf = is_leaf,
	.rights = rights,
	.max_level = max_level };

static uint64_t level4[512] __aligned(4096), level3[512] __aligned(4096);
static uint64_t level2[512] __aligned(4096), level1[512] __aligned(4096);

/* Tables for the first page of the map, made by hand down to level 1, and nothing mapped. */
static struct stage2 make_map(void)
{
	uint64_t *const tables[] = { level4, level3, level2, level1 };

	for (unsigned int i = 0; i < ARRAY_SIZE(tables); i++)
		__builtin_memset(tables[i], 0, PAGE_SIZE);
	level4[0] = table((uintptr_t)level3);
	level3[0] = table((uintptr_t)level2);
	level2[0] = table((uintptr_t)level1);
	return (struct stage2){ .format = &format, .root = level4, .tables = 4 };
}

/* ---- find_entry: where the tables exist ---- */

#define WALK "SDM EPT Translation Mechanism; APM Nested Table Walk"

TEST(find_entry, level_1, WALK,
	"a 4 KiB page: bits 47:39, 38:30, 29:21, 20:12 index the four tables" CAUSE(
		"the walk goes one level too few or too many, or an index is another level's"),
	OK)
{
	struct stage2 map = make_map();

	CHECK_ERROR(stage2_map(&map, 5 * PAGE_SIZE, 0x7000, PAGE_SIZE, STAGE2_READ, 1), 0);
	CHECK_EQUAL(level1[5], leaf(0x7000, STAGE2_READ, 1));
	CHECK_EQUAL(map.tables, 4);
	return OK;
}

TEST(find_entry, level_2, WALK,
	"a 2 MiB page is an entry of level 2" CAUSE(
		"the walk does not stop at the level that was asked for"),
	OK)
{
	struct stage2 map = make_map();

	CHECK_ERROR(stage2_map(&map, 3 * MIB2, 4 * MIB2, MIB2, ALL, 3), 0);
	CHECK_EQUAL(level2[3], leaf(4 * MIB2, ALL, 2));
	CHECK_EQUAL(map.leaves[2], 1);
	return OK;
}

TEST(find_entry, level_3, WALK,
	"a 1 GiB page is an entry of level 3" CAUSE(
		"the walk does not stop at the level that was asked for"),
	OK)
{
	struct stage2 map = make_map();

	CHECK_ERROR(stage2_map(&map, 2 * GIB, 4 * GIB, GIB, ALL, 3), 0);
	CHECK_EQUAL(level3[2], leaf(4 * GIB, ALL, 3));
	return OK;
}

TEST(find_entry, existing, WALK,
	"tables that are there are used, and keep what is in them" CAUSE(
		"a table is made where one is already: what was mapped by it is lost"),
	OK)
{
	struct stage2 map = make_map();

	level1[6] = leaf(0x9000, ALL, 1);
	CHECK_ERROR(stage2_map(&map, 5 * PAGE_SIZE, 0x7000, PAGE_SIZE, ALL, 1), 0);
	CHECK_EQUAL(level1[5], leaf(0x7000, ALL, 1));
	CHECK_EQUAL(level1[6], leaf(0x9000, ALL, 1));
	CHECK_EQUAL(level2[0], table((uintptr_t)level1));
	return OK;
}

/* ---- split_entry ---- */

static uint64_t *table_at(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ADDRESS);
}

#define SPLITS "kernel/stage2.c"

TEST(split_entry, absent, SPLITS,
	"where nothing is mapped an empty table is made, on every level" CAUSE(
		"an absent entry gets no table, or one with something in it"),
	OK)
{
	struct stage2 map = make_map();
	const uint64_t *last;

	level4[0] = 0;
	CHECK_ERROR(stage2_map(&map, PAGE_SIZE, 0x7000, PAGE_SIZE, ALL, 1), 0);
	last = table_at(table_at(table_at(level4[0])[0])[0]);
	CHECK_EQUAL(last[1], leaf(0x7000, ALL, 1));
	CHECK_EQUAL(last[0] | last[2] | last[511], 0);
	CHECK_EQUAL(map.tables, 4 + 3);
	return OK;
}

TEST(split_entry, leaf, SPLITS,
	"a 2 MiB leaf becomes 512 leaves of 4 KiB with the same translation and rights" CAUSE(
		"the new leaves do not go on where the one before ends, or have other rights"),
	OK)
{
	struct stage2 map = make_map();
	const uint64_t *small;

	level2[1] = leaf(6 * MIB2, STAGE2_READ | STAGE2_EXECUTE, 2);
	map.leaves[2] = 1;
	CHECK_ERROR(stage2_map(&map, MIB2 + 9 * PAGE_SIZE, 0x7000, PAGE_SIZE, ALL, 1), 0);
	small = table_at(level2[1]);
	CHECK(!is_leaf(level2[1], 2));
	CHECK_EQUAL(small[0], leaf(6 * MIB2, STAGE2_READ | STAGE2_EXECUTE, 1));
	CHECK_EQUAL(small[511], leaf(6 * MIB2 + 511 * PAGE_SIZE, STAGE2_READ | STAGE2_EXECUTE, 1));
	CHECK_EQUAL(small[9], leaf(0x7000, ALL, 1));
	return OK;
}

TEST(split_entry, huge, SPLITS,
	"a 1 GiB leaf becomes 512 leaves of 2 MiB" CAUSE(
		"the step between the new leaves is not the size of the level below"),
	OK)
{
	struct stage2 map = make_map();
	const uint64_t *middle;

	level3[1] = leaf(2 * GIB, ALL, 3);
	map.leaves[3] = 1;
	CHECK_ERROR(stage2_map(&map, GIB + MIB2, 0, MIB2, ALL, 2), 0);
	middle = table_at(level3[1]);
	CHECK_EQUAL(middle[0], leaf(2 * GIB, ALL, 2));
	CHECK_EQUAL(middle[2], leaf(2 * GIB + 2 * MIB2, ALL, 2));
	CHECK_EQUAL(middle[1], leaf(0, ALL, 2));
	return OK;
}

TEST(split_entry, counts, SPLITS,
	"leaves are counted by level, and generation goes up for a leaf" CAUSE(
		"leaves[] or generation is not kept: a CPU may still hold the large translation"),
	OK)
{
	struct stage2 map = make_map();

	level2[1] = leaf(6 * MIB2, ALL, 2);
	map.leaves[2] = 1;
	CHECK_ERROR(stage2_map(&map, MIB2, 0x7000, PAGE_SIZE, ALL, 1), 0);
	CHECK_EQUAL(map.leaves[2], 0);
	CHECK_EQUAL(map.leaves[1], 512);
	CHECK(map.generation >= 2);
	return OK;
}

TEST(split_entry, no_memory, "runtime/errno.h",
	"without memory for a table: -ENOMEM, the entry as it was" CAUSE(
		"what new_table() returns is not compared with NULL before the entry is written"),
	OK)
{
	struct stage2 map = make_map();

	level2[1] = leaf(6 * MIB2, ALL, 2);
	lab_next_allocation(LAB_OUT_OF_MEMORY);
	CHECK_ERROR(stage2_map(&map, MIB2, 0x7000, PAGE_SIZE, ALL, 1), -ENOMEM);
	CHECK_EQUAL(level2[1], leaf(6 * MIB2, ALL, 2));
	return OK;
}

/* ---- stage2_lookup ---- */

static struct stage2_mapping found;

TEST(stage2_lookup, page, WALK,
	"a 4 KiB page: its address plus the low 12 bits, its rights, level 1" CAUSE(
		"the walk goes one level too few, or the offset in the page is lost"),
	OK)
{
	struct stage2 map = make_map();

	level1[5] = leaf(0x7000, STAGE2_READ, 1);
	CHECK_ERROR(stage2_lookup(&map, 0x5123, &found), 0);
	CHECK_EQUAL(found.hpa, 0x7123);
	CHECK_EQUAL(found.rights, STAGE2_READ);
	CHECK_EQUAL(found.level, 1);
	return OK;
}

TEST(stage2_lookup, large, WALK,
	"a large page: its address plus all bits below its size" CAUSE(
		"the offset has 12 bits where it must have 21 or 30"),
	OK)
{
	struct stage2 map = make_map();

	level2[3] = leaf(8 * MIB2, ALL, 2);
	level3[1] = leaf(4 * GIB, ALL, 3);
	CHECK_ERROR(stage2_lookup(&map, 3 * MIB2 + 0x12345, &found), 0);
	CHECK_EQUAL(found.hpa, 8 * MIB2 + 0x12345);
	CHECK_EQUAL(found.level, 2);
	CHECK_ERROR(stage2_lookup(&map, GIB + 0x12345678, &found), 0);
	CHECK_EQUAL(found.hpa, 4 * GIB + 0x12345678);
	CHECK_EQUAL(found.level, 3);
	return OK;
}

TEST(stage2_lookup, absent, WALK,
	"-EFAULT where an entry on the way is not present" CAUSE(
		"an absent entry is followed: a walk through address 0"),
	OK)
{
	struct stage2 map = make_map();

	CHECK_ERROR(stage2_lookup(&map, 0, &found), -EFAULT);
	CHECK_ERROR(stage2_lookup(&map, 7 * GIB, &found), -EFAULT);
	CHECK_ERROR(stage2_lookup(&map, BIT(39), &found), -EFAULT);
	return OK;
}

TEST(stage2_lookup, beyond, WALK,
	"-EFAULT for more than 48 bits" CAUSE(
		"bits 63:48 are cut off: a high address is taken for a low one"),
	OK)
{
	struct stage2 map = make_map();

	level1[0] = leaf(0x7000, ALL, 1);
	CHECK_ERROR(stage2_lookup(&map, BIT(48), &found), -EFAULT);
	CHECK_ERROR(stage2_lookup(&map, BIT(63), &found), -EFAULT);
	return OK;
}
