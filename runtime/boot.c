/* Reads what a Multiboot 1 or 2 loader left, into `boot`. Words of the command line are parsed
   here too; what they mean is each image's business. */
#include "runtime/boot.h"

#include "runtime/errno.h"
#include "runtime/string.h"
#include "spec/multiboot.h"

struct boot_info boot;
extern uint64_t entry_tsc; /* entry.S */

static void *at(uint64_t address)
{
	return (void *)(uintptr_t)address;
}

/* Copies a command line; QEMU's own loader puts the file's name before it. */
static int copy_cmdline(char *dst, const char *src)
{
	const char *space;

	if (strcmp(boot.loader, "qemu") == 0) {
		space = strchr(src, ' ');
		src = space == NULL ? "" : space + 1;
	}
	return string_copy(dst, BOOT_CMDLINE_MAX, src);
}

static int add_module(uint64_t start, uint64_t end, const char *cmdline)
{
	struct boot_module *module = &boot.module[boot.modules];

	if (boot.modules == BOOT_MAX_MODULES)
		return -E2BIG;
	boot.modules++;
	module->start = start;
	module->size = end > start ? end - start : 0;
	return copy_cmdline(module->cmdline, cmdline);
}

/* Adds the whole pages of a range of RAM, keeping the list sorted. */
static int add_range(uint64_t start, uint64_t size)
{
	uint64_t first = ALIGN_UP(start, PAGE_SIZE);
	uint64_t end = ALIGN_DOWN(start + size, PAGE_SIZE);
	unsigned int i;

	if (end <= first)
		return 0;
	if (boot.ranges == BOOT_MAX_RANGES)
		return -E2BIG;
	for (i = boot.ranges; i > 0 && boot.range[i - 1].start > first; i--)
		boot.range[i] = boot.range[i - 1];
	boot.range[i] = (struct boot_range){ first, end - first };
	boot.ranges++;
	return 0;
}

/* Firmware may list overlapping ranges: each then starts where the one before it ends. */
static void separate_ranges(void)
{
	unsigned int i, kept = 0;
	uint64_t end = 0;

	for (i = 0; i < boot.ranges; i++) {
		struct boot_range range = boot.range[i];
		uint64_t range_end = range.start + range.size;

		range.start = MAX(range.start, end);
		if (range_end <= range.start)
			continue;
		range.size = range_end - range.start;
		end = range_end;
		boot.range[kept++] = range;
	}
	boot.ranges = kept;
}

static int parse_mmap1(const struct multiboot1_info *info)
{
	const uint8_t *entry = at(info->mmap_addr), *end = entry + info->mmap_length;
	int error = 0;

	while (entry + sizeof(struct multiboot1_mmap) <= end) {
		const struct multiboot1_mmap *mmap = (const void *)entry;

		if (mmap->type == MULTIBOOT_MEMORY_AVAILABLE && add_range(mmap->start, mmap->length))
			error = -E2BIG;
		entry += mmap->size + sizeof(mmap->size);
	}
	return error;
}

static int parse_multiboot1(const struct multiboot1_info *info)
{
	const struct multiboot1_module *module = at(info->mods_addr);
	int error = 0;
	uint32_t i;

	if (info->flags & MULTIBOOT1_HAS_LOADER)
		string_copy(boot.loader, sizeof(boot.loader), at(info->boot_loader_name));
	if (info->flags & MULTIBOOT1_HAS_CMDLINE)
		error |= copy_cmdline(boot.cmdline, at(info->cmdline));
	if (info->flags & MULTIBOOT1_HAS_MODULES)
		for (i = 0; i < info->mods_count; i++)
			error |= add_module(module[i].start, module[i].end,
				module[i].string ? at(module[i].string) : "");
	if (info->flags & MULTIBOOT1_HAS_MMAP)
		error |= parse_mmap1(info);
	else if (info->flags & MULTIBOOT1_HAS_MEMORY)
		error |= add_range(0, info->mem_lower * UINT64_C(1024)) |
			add_range(UINT64_C(1) << 20, info->mem_upper * UINT64_C(1024));
	return error ? -E2BIG : 0;
}

static int parse_mmap2(const struct multiboot2_mmap *mmap)
{
	const uint8_t *entry = (const void *)(mmap + 1), *end = (const uint8_t *)mmap + mmap->tag.size;
	int error = 0;

	for (; entry + sizeof(struct multiboot2_mmap_entry) <= end; entry += mmap->entry_size) {
		const struct multiboot2_mmap_entry *range = (const void *)entry;

		if (range->type == MULTIBOOT_MEMORY_AVAILABLE && add_range(range->start, range->length))
			error = -E2BIG;
	}
	return error;
}

static int parse_tag2(const struct multiboot2_tag *tag)
{
	const struct multiboot2_module *module = (const void *)tag;
	const char *text = (const char *)(tag + 1);

	switch (tag->type) {
	case MULTIBOOT2_TAG_CMDLINE:
		return copy_cmdline(boot.cmdline, text);
	case MULTIBOOT2_TAG_LOADER:
		string_copy(boot.loader, sizeof(boot.loader), text);
		return 0;
	case MULTIBOOT2_TAG_MODULE:
		return add_module(module->start, module->end, module->string);
	case MULTIBOOT2_TAG_MMAP:
		return parse_mmap2((const void *)tag);
	case MULTIBOOT2_TAG_RSDP_OLD:
	case MULTIBOOT2_TAG_RSDP_NEW: /* the newer one comes last and wins */
		boot.rsdp = (uintptr_t)text;
		return 0;
	}
	return 0;
}

static int parse_multiboot2(const struct multiboot2_info *info)
{
	const uint8_t *tag = (const void *)(info + 1), *end = (const uint8_t *)info + info->total_size;
	int error = 0;

	while (tag + sizeof(struct multiboot2_tag) <= end) {
		const struct multiboot2_tag *header = (const void *)tag;

		if (header->type == MULTIBOOT2_TAG_END)
			break;
		error |= parse_tag2(header);
		tag += ALIGN_UP(header->size, 8);
	}
	return error ? -E2BIG : 0;
}

int boot_parse(uint32_t magic, uint64_t info)
{
	int error;

	boot.magic = magic;
	boot.entry_tsc = entry_tsc;
	if (magic == MULTIBOOT1_MAGIC)
		error = parse_multiboot1(at(info));
	else if (magic == MULTIBOOT2_MAGIC)
		error = parse_multiboot2(at(info));
	else
		return -EINVAL;
	separate_ranges();
	return error;
}

/* The end of the word that starts at `word`; a quoted part may hold spaces. GRUB quotes a word that
   has spaces from its start, so next_word() has stepped over that quote. */
static const char *word_end(const char *line, const char *word)
{
	bool quoted = word > line && word[-1] == '"';

	for (; *word != '\0' && (quoted || *word != ' '); word++)
		if (*word == '"')
			quoted = !quoted;
	return word;
}

static const char *next_word(const char *line)
{
	while (*line == ' ')
		line++;
	return *line == '"' ? line + 1 : line;
}

static size_t key_length(const char *word, const char *end)
{
	const char *c;

	for (c = word; c < end && *c != '='; c++)
		;
	return (size_t)(c - word);
}

static int copy_value(char *value, size_t size, const char *from, const char *end)
{
	size_t length = 0;

	for (; from < end; from++) {
		if (*from == '"')
			continue;
		if (length + 1 >= size)
			return -E2BIG;
		value[length++] = *from;
	}
	value[length] = '\0';
	return 0;
}

int boot_word(const char *line, const char *key, char *value, size_t size)
{
	const char *word, *end;
	size_t length;

	for (word = next_word(line); *word != '\0'; word = next_word(end)) {
		end = word_end(line, word);
		length = key_length(word, end);
		if (length == strlen(key) && strncmp(word, key, length) == 0)
			return copy_value(value, size, word + length + (word[length] == '='), end);
	}
	return -ENOENT;
}

int boot_check_words(const char *line, const char *const known[], const char **bad)
{
	const char *word, *end;
	size_t length;
	unsigned int i;

	for (word = next_word(line); *word != '\0'; word = next_word(end)) {
		end = word_end(line, word);
		length = key_length(word, end);
		for (i = 0; known[i] != NULL; i++)
			if (strlen(known[i]) == length && strncmp(word, known[i], length) == 0)
				break;
		if (known[i] == NULL) {
			*bad = word;
			return -EINVAL;
		}
	}
	return 0;
}
