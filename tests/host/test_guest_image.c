/* The guest image's parser: sound images of both classes, each thing that can be wrong with one,
   and mutations of all of it at random. Links: kernel/guest_image.c
*/
#include "tests/host/tap.h"

#include <stdlib.h>

#include "kernel/guest_load.h"
#include "runtime/errno.h"
#include "spec/elf.h"
#include "spec/multiboot.h"
#include "tests/host/random.h"

#define MEMORY    (UINT64_C(16) << 20)
#define SEGMENTS  3
#define CODE_AT   0x1000 /* bytes into the file, as the next ones */
#define DATA_AT   0x1400
#define NOTE_AT   0x1300
#define HEADER_AT (CODE_AT + 8)
#define FILE_SIZE 0x1500
#define VIRTUAL   UINT64_C(0x40000000) /* code's virtual address */

static uint8_t file[FILE_SIZE];
static struct guest_image image;
static char message[200];

static const uint32_t note[] = { 8, 8, 1, 0x70617254, 0x00657a65, VIRTUAL + 0x200, 0 };
static const struct multiboot1_header header = { MULTIBOOT1_HEADER_MAGIC, 3,
	-(MULTIBOOT1_HEADER_MAGIC + 3) };

/* Code at 1 MiB but virtual elsewhere, data with a zeroed tail at 2 MiB, a note. */
static void build64(void)
{
	struct elf64_header elf = { .ident = { 0x7f, 'E', 'L', 'F', ELF_CLASS_64, ELF_DATA_LITTLE,
					    ELF_VERSION_CURRENT },
		.type = ELF_TYPE_EXECUTABLE,
		.machine = ELF_MACHINE_X86_64,
		.entry = VIRTUAL + 0x100,
		.phoff = sizeof(elf),
		.phnum = SEGMENTS,
		.phentsize = sizeof(struct elf64_segment) };
	struct elf64_segment segment[SEGMENTS] = {
		{ .type = ELF_SEGMENT_LOAD,
			.offset = CODE_AT,
			.vaddr = VIRTUAL,
			.paddr = 0x100000,
			.filesz = 0x400,
			.memsz = 0x400 },
		{ .type = ELF_SEGMENT_LOAD,
			.offset = DATA_AT,
			.vaddr = 0x200000,
			.paddr = 0x200000,
			.filesz = 0x100,
			.memsz = 0x3000 },
		{ .type = ELF_SEGMENT_NOTE, .offset = NOTE_AT, .filesz = sizeof(note) },
	};

	memset(file, 0, sizeof(file));
	memcpy(file, &elf, sizeof(elf));
	memcpy(file + sizeof(elf), segment, sizeof(segment));
	memcpy(file + HEADER_AT, &header, sizeof(header));
	memcpy(file + NOTE_AT, note, sizeof(note));
}

static void build32(void)
{
	struct elf32_header elf = { .ident = { 0x7f, 'E', 'L', 'F', ELF_CLASS_32, ELF_DATA_LITTLE,
					    ELF_VERSION_CURRENT },
		.type = ELF_TYPE_EXECUTABLE,
		.machine = ELF_MACHINE_386,
		.entry = (uint32_t)VIRTUAL + 0x100,
		.phoff = sizeof(elf),
		.phnum = SEGMENTS,
		.phentsize = sizeof(struct elf32_segment) };
	struct elf32_segment segment[SEGMENTS] = {
		{ .type = ELF_SEGMENT_LOAD,
			.offset = CODE_AT,
			.vaddr = (uint32_t)VIRTUAL,
			.paddr = 0x100000,
			.filesz = 0x400,
			.memsz = 0x400 },
		{ .type = ELF_SEGMENT_LOAD,
			.offset = DATA_AT,
			.vaddr = 0x200000,
			.paddr = 0x200000,
			.filesz = 0x100,
			.memsz = 0x3000 },
		{ .type = ELF_SEGMENT_NOTE, .offset = NOTE_AT, .filesz = sizeof(note) },
	};

	memset(file, 0, sizeof(file));
	memcpy(file, &elf, sizeof(elf));
	memcpy(file + sizeof(elf), segment, sizeof(segment));
	memcpy(file + HEADER_AT, &header, sizeof(header));
	memcpy(file + NOTE_AT, note, sizeof(note));
}

/* Parses a copy of the first `size` bytes that ends where its memory ends, so that the address
   sanitizer sees each byte read too far. */
static int parse(uint64_t size, uint64_t memory_size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int error;

	memcpy(copy, file, size);
	error = guest_image_parse(copy, size, memory_size, &image, message, sizeof(message));
	free(copy);
	return error;
}

static void check_sound(void)
{
	CHECK_EQ(parse(FILE_SIZE, MEMORY), 0);
	CHECK_EQ(message[0], 0);
	CHECK_EQ(image.entry, 0x100100);
	CHECK_EQ(image.entry64, 0x100200);
	CHECK_EQ(image.multiboot_flags, 3);
	CHECK_EQ(image.segments, 2);
	CHECK_EQ(image.segment[1].index, 1);
	CHECK_EQ(image.segment[1].file_offset, DATA_AT);
	CHECK_EQ(image.segment[1].file_size, 0x100);
	CHECK_EQ(image.segment[1].address, 0x200000);
	CHECK_EQ(image.segment[1].memory_size, 0x3000);
}

static void sound_elf64(void)
{
	build64();
	check_sound();
	CHECK(image.elf64);
}

static void sound_elf32(void)
{
	build32();
	check_sound();
	CHECK(!image.elf64);
}

/* One field of the sound ELF64 image changed, and what the parser must say. */
struct broken_row {
	unsigned int offset, bytes;
	uint64_t value;
	int error;
	const char *says;
};

#define HEADER(field, value)                                                                       \
	offsetof(struct elf64_header, field), sizeof(((struct elf64_header *)0)->field), value
#define SEGMENT(n, field, value)                                                                   \
	sizeof(struct elf64_header) + (n) * sizeof(struct elf64_segment) +                         \
		offsetof(struct elf64_segment, field),                                             \
		sizeof(((struct elf64_segment *)0)->field), value
#define MULTIBOOT(field, value) HEADER_AT + offsetof(struct multiboot1_header, field), 4, value

static const struct broken_row broken_rows[] = {
	{ 0, 4, 0x00905a4d, -ENOEXEC, "not an ELF file: it starts with 4d 5a 90 00" },
	{ ELF_CLASS, 1, 3, -ENOEXEC, "unknown ELF class 3" },
	{ ELF_DATA, 1, 2, -ENOEXEC, "not little-endian" },
	{ ELF_IDENT_VERSION, 1, 0, -ENOEXEC, "unknown ELF version 0" },
	{ ELF_CLASS, 1, ELF_CLASS_32, -ENOEXEC, "ELF machine 62, ELF32 needs 3 (i386)" },
	{ HEADER(machine, 183), -ENOEXEC, "wrong machine: ELF machine 183" },
	{ HEADER(machine, ELF_MACHINE_386), -ENOEXEC, "ELF64 needs 62 (x86-64)" },
	{ HEADER(type, 3), -ENOEXEC, "not an executable: ELF type 3" },
	{ HEADER(phnum, 0), -EINVAL, "no program headers" },
	{ HEADER(phnum, 0xffff), -EINVAL, "truncated: 65535 program headers at byte 64" },
	{ HEADER(phentsize, 32), -EINVAL, "program headers of 32 bytes, expected 56" },
	{ HEADER(phoff, FILE_SIZE - 8), -EINVAL, "truncated: 3 program headers at byte 5368" },
	{ HEADER(phoff, UINT64_MAX - 8), -EINVAL, "truncated: 3 program headers" },
	{ HEADER(entry, VIRTUAL - 1), -EINVAL, "entry point 0x3fffffff lies outside" },
	{ HEADER(entry, VIRTUAL + 0x400), -EINVAL, "entry point 0x40000400 lies outside" },
	{ HEADER(entry, 0x100100), -EINVAL, "entry point 0x100100 lies outside" },
	{ HEADER(entry, 0x200100), -EINVAL, "entry point 0x200100 lies outside" },
	{ SEGMENT(0, offset, FILE_SIZE - 0x3ff), -EINVAL,
		"truncated: segment 0 has 1024 bytes at byte 4353, but the file has 5376" },
	{ SEGMENT(0, offset, UINT64_MAX), -EINVAL, "truncated: segment 0" },
	{ SEGMENT(0, filesz, UINT64_MAX), -EINVAL, "truncated: segment 0" },
	{ SEGMENT(0, memsz, 0x3ff), -EINVAL, "segment 0 has 1024 bytes in the file but only 1023" },
	{ SEGMENT(1, memsz, MEMORY), -E2BIG,
		"too large: segment 1 needs 16384 KiB at 0x200000, but mem= gives 16384 KiB" },
	{ SEGMENT(1, paddr, MEMORY - 0x2fff), -E2BIG, "too large: segment 1" },
	{ SEGMENT(1, paddr, UINT64_MAX - 1), -E2BIG, "too large: segment 1" },
	{ SEGMENT(1, memsz, UINT64_MAX), -E2BIG, "too large: segment 1" },
	{ SEGMENT(1, paddr, 0x1003ff), -EINVAL, "segments 0 and 1 overlap at 0x1003ff" },
	{ SEGMENT(1, paddr, 0xfd001), -EINVAL, "overlaps the hole" },
	{ SEGMENT(1, paddr, 0x9d001), -EINVAL, "0x9d001-0xa0000, overlaps the hole" },
	{ SEGMENT(1, paddr, 0x6001), -EINVAL, "overlaps the Multiboot information's page" },
	{ SEGMENT(1, paddr, 0x9fff), -EINVAL, "overlaps the Multiboot information's page" },
	{ SEGMENT(2, offset, FILE_SIZE), -EINVAL, "truncated: segment 2" },
	{ NOTE_AT + 20, 4, 0x1234, -EINVAL, "64-bit entry point 0x1234 lies outside" },
	{ MULTIBOOT(magic, 0), -ENOEXEC, "no Multiboot 1 header in the first 5376 bytes" },
	{ MULTIBOOT(checksum, 0), -ENOEXEC,
		"the Multiboot header at byte 4104 has a bad checksum" },
};

static void broken_images(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(broken_rows); i++) {
		const struct broken_row *row = &broken_rows[i];

		build64();
		memcpy(file + row->offset, &row->value, row->bytes);
		CHECK_ROW(i, parse(FILE_SIZE, MEMORY), row->error);
		if (!strstr(message, row->says))
			printf("# row %u says \"%s\", not \"%s\"\n", i, message, row->says);
		CHECK(strstr(message, row->says) != NULL);
	}
}

/* What touches but does not overlap is sound. */
static void edges_are_sound(void)
{
	static const struct broken_row rows[] = {
		{ SEGMENT(1, paddr, 0x100400), 0, "" },
		{ SEGMENT(1, paddr, 0xfd000), -EINVAL, "hole" },
		{ SEGMENT(1, paddr, 0x9d000), 0, "" }, { SEGMENT(1, paddr, 0xa000), 0, "" },
		{ SEGMENT(1, paddr, 0x6000), 0, "" }, { SEGMENT(1, paddr, MEMORY - 0x3000), 0, "" },
		{ HEADER(entry, VIRTUAL + 0x3ff), 0, "" },
		{ SEGMENT(0, filesz, 0x500), -EINVAL, "only 1024 in memory" },
		{ SEGMENT(1, memsz, 0), 0, "" }, /* nothing to load */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		build64();
		memcpy(file + rows[i].offset, &rows[i].value, rows[i].bytes);
		CHECK_ROW(i, parse(FILE_SIZE, MEMORY), rows[i].error);
	}
}

static void multiboot_flags(void)
{
	static const struct {
		uint32_t flags;
		int error;
		const char *says;
	} rows[] = {
		{ 0, 0, "" }, { MULTIBOOT1_VIDEO, -ENOEXEC, "video mode" },
		{ MULTIBOOT1_ADDRESSES, -ENOEXEC, "load addresses" },
		{ BIT(3), -ENOEXEC, "unknown requirements: flags 0x8" },
		{ BIT(15), -ENOEXEC, "unknown requirements: flags 0x8000" },
		{ BIT(17) | BIT(31), 0, "" }, /* optional ones */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct multiboot1_header changed = { MULTIBOOT1_HEADER_MAGIC, rows[i].flags,
			-(MULTIBOOT1_HEADER_MAGIC + rows[i].flags) };

		build64();
		memcpy(file + HEADER_AT, &changed, sizeof(changed));
		CHECK_ROW(i, parse(FILE_SIZE, MEMORY), rows[i].error);
		CHECK(strstr(message, rows[i].says) != NULL);
	}
}

static void header_beyond_8_kib(void)
{
	static uint8_t large[MULTIBOOT1_HEADER_SEARCH + 64];

	build64();
	memset(file + HEADER_AT, 0, sizeof(header));
	memcpy(large, file, sizeof(file));
	memcpy(large + MULTIBOOT1_HEADER_SEARCH - 8, &header, sizeof(header));
	CHECK_EQ(guest_image_parse(large, sizeof(large), MEMORY, &image, message, sizeof(message)),
		-ENOEXEC);
	memcpy(large + MULTIBOOT1_HEADER_SEARCH - 12, &header, sizeof(header));
	CHECK_EQ(guest_image_parse(large, sizeof(large), MEMORY, &image, message, sizeof(message)),
		0);
}

/* Cut anywhere, an image is refused with a reason and without a look behind its end. */
static void truncated_anywhere(void)
{
	for (unsigned int class = 0; class < 2; class ++) {
		class ? build64() : build32();
		for (uint64_t size = 0; size < FILE_SIZE; size++) {
			CHECK_ROW(size, parse(size, MEMORY) < 0, true);
			CHECK_ROW(size, message[0] != '\0', true);
		}
	}
}

static void short_message_is_cut(void)
{
	char small[8];

	build64();
	file[0] = 0;
	CHECK_EQ(
		guest_image_parse(file, FILE_SIZE, MEMORY, &image, small, sizeof(small)), -ENOEXEC);
	CHECK_EQ(strlen(small), sizeof(small) - 1);
}

/* What an accepted image may rely on. */
static void check_promises(uint64_t size)
{
	bool entered = false;

	for (unsigned int i = 0; i < image.segments; i++) {
		const struct guest_segment *segment = &image.segment[i];

		CHECK(segment->file_offset <= size &&
			segment->file_size <= size - segment->file_offset);
		CHECK(segment->file_size <= segment->memory_size);
		CHECK(segment->address <= MEMORY &&
			segment->memory_size <= MEMORY - segment->address);
		entered |= image.entry - segment->address < segment->memory_size;
	}
	CHECK(image.segments > 0 && image.segments <= GUEST_MAX_SEGMENTS && entered);
}

static void mutate(void)
{
	static const uint8_t interesting[] = { 0, 1, 0x7f, 0x80, 0xff };
	/* mostly the tables, sometimes anywhere */
	uint64_t range = random_below(4) ? sizeof(struct elf64_header) + SEGMENTS * 56 : FILE_SIZE;

	for (uint64_t changes = 1 + random_below(6); changes; changes--) {
		uint64_t at = random_below(range);

		file[at] = random_below(2) ? interesting[random_below(sizeof(interesting))]
					   : (uint8_t)random_u64();
	}
}

static void random_mutations(void)
{
	unsigned int accepted = 0;

	random_seed(2);
	for (unsigned int i = 0; i < 100000; i++) {
		uint64_t size = random_below(8) ? FILE_SIZE : random_below(FILE_SIZE);

		i & 1 ? build64() : build32();
		mutate();
		if (parse(size, MEMORY) == 0) {
			accepted++;
			check_promises(size);
		} else {
			CHECK(message[0] != '\0');
		}
	}
	printf("# %u of 100000 mutations accepted\n", accepted);
	CHECK(accepted > 1000 && accepted < 90000);
}

TAP_MAIN(TAP_TEST(sound_elf64), TAP_TEST(sound_elf32), TAP_TEST(broken_images),
	TAP_TEST(edges_are_sound), TAP_TEST(multiboot_flags), TAP_TEST(header_beyond_8_kib),
	TAP_TEST(truncated_anywhere), TAP_TEST(short_message_is_cut), TAP_TEST(random_mutations))
