/* Reads a guest's image: ELF32 or ELF64 with a Multiboot 1 header. Nothing in the file is believed
   before it was checked, and what is wrong is said in words; memory is guest_load.c's. */
#include "kernel/guest_load.h"

#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "spec/elf.h"
#include "spec/multiboot.h"

#define NOTE_NAME    "Trapeze" /* with the final NUL: 8 bytes */
#define NOTE_ENTRY64 1         /* type; the descriptor is the address, 8 bytes */

struct parser {
	const uint8_t *file;
	uint64_t size;
	uint64_t memory_size;
	struct guest_image *image;
	char *error;
	size_t error_size;

	/* of the ELF header */
	uint64_t entry; /* virtual, as is entry64 */
	uint64_t entry64;
	uint64_t table; /* of program headers */
	unsigned int segments;
	uint64_t virtual[GUEST_MAX_SEGMENTS]; /* addresses of image->segment[] */
};

/* A program header of either class. */
struct segment_header {
	uint32_t type;
	uint64_t offset, vaddr, paddr, filesz, memsz;
};

static int refuse(struct parser *parser, int error, const char *format, ...) __printf(3, 4);

static int refuse(struct parser *parser, int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parser->error, parser->error_size, format, args);
	va_end(args);
	return error;
}

/* Does [start, start + size) lie within [0, limit)? */
static bool is_within(uint64_t start, uint64_t size, uint64_t limit)
{
	return start <= limit && size <= limit - start;
}

static bool overlaps(uint64_t start, uint64_t size, uint64_t other, uint64_t other_size)
{
	return start < other + other_size && other < start + size;
}

static int check_identification(struct parser *parser)
{
	const uint8_t *ident = parser->file;
	const char *class;

	if (parser->size < ELF_IDENT_SIZE)
		return refuse(parser, -ENOEXEC, "not an ELF file: it has only %lu bytes",
			(unsigned long)parser->size);
	if (memcmp(ident, ELF_MAGIC, ELF_MAGIC_SIZE) != 0)
		return refuse(parser, -ENOEXEC,
			"not an ELF file: it starts with %02x %02x %02x %02x", ident[0], ident[1],
			ident[2], ident[3]);
	if (ident[ELF_CLASS] != ELF_CLASS_32 && ident[ELF_CLASS] != ELF_CLASS_64)
		return refuse(parser, -ENOEXEC, "unknown ELF class %u", ident[ELF_CLASS]);
	if (ident[ELF_DATA] != ELF_DATA_LITTLE)
		return refuse(parser, -ENOEXEC, "wrong machine: the ELF file is not little-endian");
	if (ident[ELF_IDENT_VERSION] != ELF_VERSION_CURRENT)
		return refuse(parser, -ENOEXEC, "unknown ELF version %u", ident[ELF_IDENT_VERSION]);
	parser->image->elf64 = ident[ELF_CLASS] == ELF_CLASS_64;
	class = parser->image->elf64 ? "ELF64" : "ELF32";
	if (parser->size <
		(parser->image->elf64 ? sizeof(struct elf64_header) : sizeof(struct elf32_header)))
		return refuse(parser, -EINVAL, "truncated: the %s header is cut off at byte %lu",
			class, (unsigned long)parser->size);
	return 0;
}

/* What both classes have at the same place. */
static int check_machine(struct parser *parser, uint16_t type, uint16_t machine)
{
	unsigned int wanted = parser->image->elf64 ? ELF_MACHINE_X86_64 : ELF_MACHINE_386;

	if (machine != wanted)
		return refuse(parser, -ENOEXEC, "wrong machine: ELF machine %u, %s needs %u (%s)",
			machine, parser->image->elf64 ? "ELF64" : "ELF32", wanted,
			parser->image->elf64 ? "x86-64" : "i386");
	if (type != ELF_TYPE_EXECUTABLE)
		return refuse(parser, -ENOEXEC, "not an executable: ELF type %u, expected %u", type,
			ELF_TYPE_EXECUTABLE);
	return 0;
}

static int check_table(struct parser *parser, uint16_t entry_size, uint64_t expected)
{
	if (parser->segments == 0)
		return refuse(parser, -EINVAL, "no program headers");
	if (entry_size != expected)
		return refuse(parser, -EINVAL, "program headers of %u bytes, expected %lu",
			entry_size, (unsigned long)expected);
	if (!is_within(parser->table, parser->segments * expected, parser->size))
		return refuse(parser, -EINVAL,
			"truncated: %u program headers at byte %lu, but the file has %lu bytes",
			parser->segments, (unsigned long)parser->table,
			(unsigned long)parser->size);
	return 0;
}

static int read_header32(struct parser *parser)
{
	struct elf32_header header;
	int error;

	memcpy(&header, parser->file, sizeof(header));
	error = check_machine(parser, header.type, header.machine);
	if (error)
		return error;
	parser->entry = header.entry;
	parser->table = header.phoff;
	parser->segments = header.phnum;
	return check_table(parser, header.phentsize, sizeof(struct elf32_segment));
}

static int read_header64(struct parser *parser)
{
	struct elf64_header header;
	int error;

	memcpy(&header, parser->file, sizeof(header));
	error = check_machine(parser, header.type, header.machine);
	if (error)
		return error;
	parser->entry = header.entry;
	parser->table = header.phoff;
	parser->segments = header.phnum;
	return check_table(parser, header.phentsize, sizeof(struct elf64_segment));
}

static struct segment_header read_segment(const struct parser *parser, unsigned int index)
{
	struct elf32_segment s32;
	struct elf64_segment s64;

	if (parser->image->elf64) {
		memcpy(&s64, parser->file + parser->table + index * sizeof(s64), sizeof(s64));
		return (struct segment_header){ s64.type, s64.offset, s64.vaddr, s64.paddr,
			s64.filesz, s64.memsz };
	}
	memcpy(&s32, parser->file + parser->table + index * sizeof(s32), sizeof(s32));
	return (struct segment_header){ s32.type, s32.offset, s32.vaddr, s32.paddr, s32.filesz,
		s32.memsz };
}

/* The file's part of a segment, loaded or note. */
static int check_file_part(
	struct parser *parser, unsigned int index, const struct segment_header *segment)
{
	if (!is_within(segment->offset, segment->filesz, parser->size))
		return refuse(parser, -EINVAL,
			"truncated: segment %u has %lu bytes at byte %lu, but the file has %lu "
			"bytes",
			index, (unsigned long)segment->filesz, (unsigned long)segment->offset,
			(unsigned long)parser->size);
	return 0;
}

static int refuse_overlap(struct parser *parser, unsigned int index,
	const struct segment_header *segment, const char *what)
{
	return refuse(parser, -EINVAL, "segment %u, 0x%lx-0x%lx, overlaps %s", index,
		(unsigned long)segment->paddr, (unsigned long)(segment->paddr + segment->memsz - 1),
		what);
}

/* The segment's place in the VM's memory. */
static int check_place(
	struct parser *parser, unsigned int index, const struct segment_header *segment)
{
	const struct guest_image *image = parser->image;

	if (segment->filesz > segment->memsz)
		return refuse(parser, -EINVAL,
			"segment %u has %lu bytes in the file but only %lu in memory", index,
			(unsigned long)segment->filesz, (unsigned long)segment->memsz);
	if (!is_within(segment->paddr, segment->memsz, parser->memory_size))
		return refuse(parser, -E2BIG,
			"too large: segment %u needs %lu KiB at 0x%lx, but mem= gives %lu KiB in "
			"all",
			index, (unsigned long)(segment->memsz / 1024),
			(unsigned long)segment->paddr, (unsigned long)(parser->memory_size / 1024));
	if (overlaps(segment->paddr, segment->memsz, GUEST_INFO_ADDRESS, GUEST_INFO_SIZE))
		return refuse_overlap(parser, index, segment, "the Multiboot information's page");
	if (overlaps(segment->paddr, segment->memsz, GUEST_HOLE_START,
		    GUEST_HOLE_END - GUEST_HOLE_START))
		return refuse_overlap(
			parser, index, segment, "the hole below 1 MiB, 0xa0000-0xfffff");
	for (unsigned int i = 0; i < image->segments; i++)
		if (overlaps(segment->paddr, segment->memsz, image->segment[i].address,
			    image->segment[i].memory_size))
			return refuse(parser, -EINVAL, "segments %u and %u overlap at 0x%lx",
				image->segment[i].index, index,
				(unsigned long)MAX(segment->paddr, image->segment[i].address));
	return 0;
}

static int add_segment(
	struct parser *parser, unsigned int index, const struct segment_header *segment)
{
	struct guest_image *image = parser->image;
	int error = check_place(parser, index, segment);

	if (error)
		return error;
	if (image->segments == GUEST_MAX_SEGMENTS)
		return refuse(parser, -E2BIG, "more than %u segments to load", GUEST_MAX_SEGMENTS);
	parser->virtual[image->segments] = segment->vaddr;
	image->segment[image->segments++] = (struct guest_segment){
		.index = index,
		.file_offset = segment->offset,
		.file_size = segment->filesz,
		.address = segment->paddr,
		.memory_size = segment->memsz,
	};
	return 0;
}

/* Looks for our note among those of a segment; each is a header, a name, a descriptor. */
static void read_notes(struct parser *parser, const struct segment_header *segment)
{
	const uint8_t *notes = parser->file + segment->offset;
	uint64_t at = 0, name, end;
	struct elf_note note;

	for (; is_within(at, sizeof(note), segment->filesz); at = end) {
		memcpy(&note, notes + at, sizeof(note));
		name = at + sizeof(note);
		end = name + ALIGN_UP(note.namesz, 4) + ALIGN_UP(note.descsz, 4);
		if (end > segment->filesz)
			return;
		if (note.type == NOTE_ENTRY64 && note.namesz == sizeof(NOTE_NAME) &&
			note.descsz == sizeof(parser->entry64) &&
			memcmp(notes + name, NOTE_NAME, sizeof(NOTE_NAME)) == 0)
			memcpy(&parser->entry64, notes + name + sizeof(NOTE_NAME),
				sizeof(parser->entry64));
	}
}

static int read_segments(struct parser *parser)
{
	for (unsigned int i = 0; i < parser->segments; i++) {
		struct segment_header segment = read_segment(parser, i);
		bool loads = segment.type == ELF_SEGMENT_LOAD && segment.memsz;
		int error;

		if (!loads && segment.type != ELF_SEGMENT_NOTE)
			continue;
		error = check_file_part(parser, i, &segment);
		if (!error && loads)
			error = add_segment(parser, i, &segment);
		if (error)
			return error;
		if (!loads)
			read_notes(parser, &segment);
	}
	if (parser->image->segments == 0)
		return refuse(parser, -EINVAL, "no segment to load");
	return 0;
}

/* Entries are virtual addresses: finds the segment and with it the guest-physical address. */
static int find_entry(struct parser *parser, uint64_t entry, const char *name, uint64_t *physical)
{
	const struct guest_image *image = parser->image;

	for (unsigned int i = 0; i < image->segments; i++) {
		uint64_t offset = entry - parser->virtual[i];

		if (offset < image->segment[i].file_size) {
			*physical = image->segment[i].address + offset;
			return 0;
		}
	}
	return refuse(parser, -EINVAL, "%s 0x%lx lies outside what the segments load", name,
		(unsigned long)entry);
}

/* "The layout of Multiboot header": within the first 8 KiB, 4-byte aligned, checksummed. */
static int find_multiboot_header(struct parser *parser)
{
	uint64_t end = MIN(parser->size, MULTIBOOT1_HEADER_SEARCH), bad = UINT64_MAX;
	struct multiboot1_header header;

	for (uint64_t at = 0; is_within(at, sizeof(header), end); at += 4) {
		memcpy(&header, parser->file + at, sizeof(header));
		if (header.magic != MULTIBOOT1_HEADER_MAGIC)
			continue;
		if (header.magic + header.flags + header.checksum == 0) {
			parser->image->multiboot_flags = header.flags;
			return 0;
		}
		bad = MIN(bad, at);
	}
	if (bad != UINT64_MAX)
		return refuse(parser, -ENOEXEC,
			"the Multiboot header at byte %lu has a bad checksum", (unsigned long)bad);
	return refuse(parser, -ENOEXEC, "no Multiboot 1 header in the first %lu bytes",
		(unsigned long)end);
}

/* Flags 0 to 15 are requirements: what cannot be met is refused. */
static int check_multiboot_flags(struct parser *parser)
{
	uint32_t flags = parser->image->multiboot_flags;
	uint32_t known = MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO;

	if (flags & MULTIBOOT1_VIDEO)
		return refuse(parser, -ENOEXEC,
			"its Multiboot header asks for a video mode (flag 2), but the VM has no "
			"display");
	if (flags & 0xffff & ~known)
		return refuse(parser, -ENOEXEC,
			"its Multiboot header has unknown requirements: flags 0x%x",
			flags & 0xffff & ~known);
	if (flags & MULTIBOOT1_ADDRESSES)
		return refuse(parser, -ENOEXEC,
			"its Multiboot header gives load addresses (flag 16) besides ELF's");
	return 0;
}

int guest_image_parse(const void *file, uint64_t size, uint64_t memory_size,
	struct guest_image *image, char *error, size_t error_size)
{
	struct parser parser = { .file = file,
		.size = size,
		.memory_size = memory_size,
		.image = image,
		.error = error,
		.error_size = error_size };
	int result;

	*image = (struct guest_image){ 0 };
	*error = '\0';
	result = check_identification(&parser);
	if (!result)
		result = image->elf64 ? read_header64(&parser) : read_header32(&parser);
	if (!result)
		result = find_multiboot_header(&parser);
	if (!result)
		result = check_multiboot_flags(&parser);
	if (!result)
		result = read_segments(&parser);
	if (!result)
		result = find_entry(&parser, parser.entry, "entry point", &image->entry);
	if (!result && parser.entry64)
		result = find_entry(&parser, parser.entry64, "64-bit entry point", &image->entry64);
	return result;
}
