/* Finds a program, checks its ELF file and builds its first memory: segments, and a stack with its
   arguments. Pages and their rights are vm.c's. */
#include "guests/tinyos/program.h"

#include "runtime/errno.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/elf.h"

#define RPL_USER 3

/* A command taken apart: the words lie one after the other, each with its NUL. */
struct words {
	unsigned int count;
	unsigned int start[WORDS_MAX]; /* offsets in text */
	char text[COMMAND_MAX];
};

static int split_words(const char *command, struct words *words)
{
	unsigned int at = 0;

	words->count = 0;
	for (;;) {
		while (*command == ' ')
			command++;
		if (*command == '\0')
			return words->count > 0 ? 0 : -ENOENT;
		if (words->count == WORDS_MAX)
			return -E2BIG;
		words->start[words->count++] = at;
		while (*command != ' ' && *command != '\0') {
			if (at + 1 == sizeof(words->text))
				return -E2BIG;
			words->text[at++] = *command++;
		}
		words->text[at++] = '\0';
		if (at == sizeof(words->text))
			return -E2BIG;
	}
}

static const struct program *find_program(const char *name)
{
	for (const struct program *program = program_table; program->name != NULL; program++)
		if (strcmp(program->name, name) == 0)
			return program;
	return NULL;
}

static int check_segment(const struct elf64_segment *segment, uint64_t file_size)
{
	if (segment->offset > file_size || segment->filesz > file_size - segment->offset)
		return -ENOEXEC;
	if (segment->filesz > segment->memsz || !IS_ALIGNED(segment->vaddr, PAGE_SIZE))
		return -ENOEXEC;
	if (segment->vaddr < USER_BASE || segment->vaddr > USER_END - USER_STACK_SIZE ||
		segment->memsz > USER_END - USER_STACK_SIZE - segment->vaddr)
		return -ENOEXEC;
	if ((segment->flags & ELF_FLAG_WRITE) && (segment->flags & ELF_FLAG_EXECUTE))
		return -ENOEXEC;
	return 0;
}

static int load_segment(struct vm *vm, const uint8_t *file, const struct elf64_segment *segment)
{
	unsigned int rights = (segment->flags & ELF_FLAG_WRITE ? VM_WRITE : 0) |
			      (segment->flags & ELF_FLAG_EXECUTE ? VM_EXECUTE : 0);

	for (uint64_t at = 0; at < segment->memsz; at += PAGE_SIZE) {
		void *page = vm_map(vm, segment->vaddr + at, rights);

		if (page == NULL)
			return -ENOMEM;
		if (at < segment->filesz)
			memcpy(page, file + segment->offset + at,
				MIN(segment->filesz - at, PAGE_SIZE));
	}
	vm->heap_start = MAX(vm->heap_start, ALIGN_UP(segment->vaddr + segment->memsz, PAGE_SIZE));
	vm->heap_end = vm->heap_start;
	return 0;
}

/* Loads all segments and tells the entry point. 0, -ENOEXEC or -ENOMEM. */
static int load_file(struct vm *vm, const uint8_t *file, uint64_t size, uint64_t *entry)
{
	const struct elf64_header *header = (const struct elf64_header *)file;
	const struct elf64_segment *segment;
	int error;

	if (size < sizeof(*header) || memcmp(header->ident, ELF_MAGIC, ELF_MAGIC_SIZE) != 0 ||
		header->ident[ELF_CLASS] != ELF_CLASS_64 || header->type != ELF_TYPE_EXECUTABLE ||
		header->machine != ELF_MACHINE_X86_64)
		return -ENOEXEC;
	if (header->phentsize != sizeof(*segment) || header->phoff > size ||
		header->phnum * sizeof(*segment) > size - header->phoff)
		return -ENOEXEC;
	segment = (const struct elf64_segment *)(file + header->phoff);
	for (unsigned int i = 0; i < header->phnum; i++, segment++) {
		if (segment->type != ELF_SEGMENT_LOAD || segment->memsz == 0)
			continue;
		error = check_segment(segment, size);
		if (error == 0)
			error = load_segment(vm, file, segment);
		if (error)
			return error;
	}
	if (header->entry < USER_BASE || header->entry >= vm->heap_start)
		return -ENOEXEC;
	*entry = header->entry;
	return 0;
}

/* Maps the stack's last page and puts the arguments there: the words, and below them an array of
   pointers to them, where the stack begins. Returns its address, or 0 when memory has run out. */
static uint64_t push_words(struct vm *vm, const struct words *words)
{
	uint64_t text = USER_END - COMMAND_MAX;
	uint64_t vector =
		text - (WORDS_MAX + 2) / 2 * 16; /* a NULL behind the last; 16-byte aligned */
	uint8_t *page = vm_map(vm, USER_END - PAGE_SIZE, VM_WRITE);
	uint64_t *argv;

	if (page == NULL)
		return 0;
	memcpy(page + text % PAGE_SIZE, words->text, sizeof(words->text));
	argv = (uint64_t *)(page + vector % PAGE_SIZE);
	for (unsigned int i = 0; i < words->count; i++)
		argv[i] = text + words->start[i];
	return vector;
}

int program_load(struct vm *vm, const char *command, struct trap_frame *frame)
{
	const struct program *program;
	struct words words;
	uint64_t entry, stack;
	int error = split_words(command, &words);

	if (error)
		return error;
	program = find_program(words.text);
	if (program == NULL)
		return -ENOENT;
	error = load_file(vm, program->file, (uint64_t)(program->file_end - program->file), &entry);
	if (error)
		return error;
	stack = push_words(vm, &words);
	if (stack == 0)
		return -ENOMEM;
	*frame = (struct trap_frame){
		.rip = entry,
		.cs = SELECTOR_USER_CODE64 | RPL_USER,
		.rflags = RFLAGS_FIXED | RFLAGS_IF,
		.rsp = stack,
		.ss = SELECTOR_USER_DATA | RPL_USER,
		.rdi = words.count,
		.rsi = stack,
	};
	return 0;
}
