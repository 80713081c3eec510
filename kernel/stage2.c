/* The walk over stage-2 tables, the same for both vendors. Entries are read and written through
   the back end's format. */
#include "kernel/stage2.h"

#include "runtime/errno.h"
#include "runtime/page_alloc.h"

#define LEVELS	    4
#define ENTRIES	    512
#define ENTRY_ADDR  BITS(51, 12) /* both formats keep the next address here */
#define GPA_BITS    48

static uint64_t *table_of(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & ENTRY_ADDR);
}

static uint64_t *entry_in(uint64_t *table, uint64_t gpa, unsigned int level)
{
	return &table[gpa / stage2_level_bytes(level) % ENTRIES];
}

static uint64_t *new_table(struct stage2 *stage2)
{
	uint64_t *table = page_alloc_zeroed(PAGE_ORDER_4K);

	if (table != NULL)
		stage2->tables++;
	return table;
}

int stage2_init(struct stage2 *stage2, const struct stage2_format *format)
{
	*stage2 = (struct stage2){ .format = format };
	stage2->root = new_table(stage2);
	return stage2->root == NULL ? -ENOMEM : 0;
}

static void free_table(struct stage2 *stage2, uint64_t *table, unsigned int level)
{
	const struct stage2_format *format = stage2->format;
	unsigned int i;

	for (i = 0; i < ENTRIES && level > 1; i++)
		if (format->present(table[i]) && !format->is_leaf(table[i], level))
			free_table(stage2, table_of(table[i]), level - 1);
	page_free(table, PAGE_ORDER_4K);
	stage2->tables--;
}

void stage2_destroy(struct stage2 *stage2)
{
	if (stage2->root != NULL)
		free_table(stage2, stage2->root, LEVELS);
	stage2->root = NULL;
}

/* Puts a table where an entry of `level` (2 to 4) is a leaf or absent, so that parts of what it
   covers can be mapped differently: a leaf becomes a table (new_table()) of 512 leaves of the level
   below with the same translation and rights all together; an absent entry becomes an empty table.
   Counts: leaves[], and for a leaf generation, for a translation that the CPU may have cached has
   changed its shape. 0; or -ENOMEM, with the entry as it was. */
static int split_entry(struct stage2 *stage2, uint64_t *entry, unsigned int level)
{
	const struct stage2_format *format = stage2->format;
	uint64_t *table = new_table(stage2);
	uint64_t hpa = *entry & ENTRY_ADDR & ~(stage2_level_bytes(level) - 1), i;

	if (table == NULL)
		return -ENOMEM;
	if (format->present(*entry)) {
		for (i = 0; i < ENTRIES; i++)
			table[i] = format->leaf(hpa + i * stage2_level_bytes(level - 1),
				format->rights(*entry), level - 1);
		stage2->leaves[level]--;
		stage2->leaves[level - 1] += ENTRIES;
		stage2->generation++;
	}
	*entry = format->table((uintptr_t)table);
	return 0;
}

/* The entry of `level` (1 to 3) for gpa, walking down from the root, which is a table of level 4:
   where there is no table on the way, or a leaf in its place, split_entry() makes one. NULL without
   memory. */
static uint64_t *find_entry(struct stage2 *stage2, uint64_t gpa, unsigned int level)
{
	const struct stage2_format *format = stage2->format;
	uint64_t *table = stage2->root;
	unsigned int at;

	for (at = LEVELS; at > level; at--) {
		uint64_t *entry = entry_in(table, gpa, at);

		if ((!format->present(*entry) || format->is_leaf(*entry, at)) &&
			split_entry(stage2, entry, at) != 0)
			return NULL;
		table = table_of(*entry);
	}
	return entry_in(table, gpa, level);
}

/* Writes a leaf over whatever the entry held. */
static void replace_entry(struct stage2 *stage2, uint64_t *entry, unsigned int level, uint64_t value)
{
	const struct stage2_format *format = stage2->format;
	uint64_t old = *entry;

	*entry = value;
	if (format->present(value))
		stage2->leaves[level]++;
	if (!format->present(old))
		return;
	stage2->generation++;
	if (format->is_leaf(old, level))
		stage2->leaves[level]--;
	else
		free_table(stage2, table_of(old), level - 1);
}

/* The largest level whose leaf fits at gpa and hpa within `size` bytes. */
static unsigned int choose_level(
	const struct stage2 *stage2, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned int max_level)
{
	unsigned int level = MIN(max_level, stage2->format->max_level());

	while (level > 1 && (!IS_ALIGNED(gpa | hpa, stage2_level_bytes(level)) ||
				    size < stage2_level_bytes(level)))
		level--;
	return level;
}

static bool is_valid_range(uint64_t gpa, uint64_t hpa, uint64_t size)
{
	return IS_ALIGNED(gpa | hpa | size, PAGE_SIZE) && gpa + size >= gpa &&
		gpa + size <= BIT(GPA_BITS);
}

int stage2_map(struct stage2 *stage2, uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights,
	unsigned int max_level)
{
	unsigned int level;
	uint64_t *entry, bytes;

	if (!is_valid_range(gpa, hpa, size))
		return -EINVAL;
	for (; size > 0; gpa += bytes, hpa += bytes, size -= bytes) {
		level = choose_level(stage2, gpa, hpa, size, max_level);
		bytes = stage2_level_bytes(level);
		entry = find_entry(stage2, gpa, level);
		if (entry == NULL)
			return -ENOMEM;
		replace_entry(stage2, entry, level, stage2->format->leaf(hpa, rights, level));
	}
	return 0;
}

/* The walk that the CPU does ("EPT Translation Mechanism", "Nested Table Walk"), by the format's
   functions: from the root down until an entry is a leaf. hpa is the leaf's address plus what of
   gpa lies below its size; rights and level are the leaf's. -EFAULT when an entry on the way is not
   present or gpa has more than GPA_BITS bits. */
int stage2_lookup(const struct stage2 *stage2, uint64_t gpa, struct stage2_mapping *mapping)
{
	const struct stage2_format *format = stage2->format;
	uint64_t *table = stage2->root, entry;
	unsigned int level;

	if (gpa >= BIT(GPA_BITS))
		return -EFAULT;
	for (level = LEVELS;; level--) {
		entry = *entry_in(table, gpa, level);
		if (!format->present(entry))
			return -EFAULT;
		if (format->is_leaf(entry, level))
			break;
		table = table_of(entry);
	}
	mapping->hpa = (entry & ENTRY_ADDR & ~(stage2_level_bytes(level) - 1)) |
		(gpa & (stage2_level_bytes(level) - 1));
	mapping->rights = format->rights(entry);
	mapping->level = level;
	return 0;
}
