/* The ELF object file format (System V Application Binary Interface, "Object Files"): what a loader
   of executables reads, in both classes. */
#ifndef SPEC_ELF_H
#define SPEC_ELF_H

#include <stdint.h>

/* "ELF Identification" */
#define ELF_MAGIC           "\177ELF"
#define ELF_MAGIC_SIZE      4
#define ELF_CLASS           4 /* indices in the identification */
#define ELF_DATA            5
#define ELF_IDENT_VERSION   6
#define ELF_IDENT_SIZE      16
#define ELF_CLASS_32        1
#define ELF_CLASS_64        2
#define ELF_DATA_LITTLE     1
#define ELF_VERSION_CURRENT 1

/* "ELF Header" */
#define ELF_TYPE_EXECUTABLE 2
#define ELF_MACHINE_386     3
#define ELF_MACHINE_X86_64  62

/* "Program Header" */
#define ELF_SEGMENT_LOAD 1
#define ELF_SEGMENT_NOTE 4
#define ELF_FLAG_EXECUTE 1
#define ELF_FLAG_WRITE   2
#define ELF_FLAG_READ    4

struct elf32_header {
	uint8_t ident[ELF_IDENT_SIZE];
	uint16_t type, machine;
	uint32_t version;
	uint32_t entry; /* virtual address */
	uint32_t phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_header {
	uint8_t ident[ELF_IDENT_SIZE];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry;
	uint64_t phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf32_segment {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* "Note Section": the name and the descriptor follow, each padded to 4 bytes. */
struct elf_note {
	uint32_t namesz, descsz, type;
};

#endif
