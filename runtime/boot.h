/* What the boot loader told us, in one form for Multiboot 1 and Multiboot 2.
   Everything is copied out of the loader's memory, so that memory can be reused; the modules
   themselves stay where they were loaded. */
#ifndef RUNTIME_BOOT_H
#define RUNTIME_BOOT_H

#include "runtime/compiler.h"

#define BOOT_MAX_MODULES 16
#define BOOT_MAX_RANGES  64
#define BOOT_CMDLINE_MAX 1024 /* bytes, with the final NUL */

struct boot_module {
	uint64_t start; /* physical address */
	uint64_t size;  /* bytes */
	char cmdline[BOOT_CMDLINE_MAX]; /* without the file's name where the loader passed one */
};

/* A range of physical memory that is usable RAM. */
struct boot_range {
	uint64_t start; /* physical address, bytes */
	uint64_t size;  /* bytes */
};

struct boot_info {
	uint32_t magic;	    /* what the loader left in EAX */
	char loader[64];    /* its name, "" when it gave none */
	char cmdline[BOOT_CMDLINE_MAX];
	unsigned int modules;
	struct boot_module module[BOOT_MAX_MODULES];
	unsigned int ranges; /* sorted by start, without overlaps, page aligned */
	struct boot_range range[BOOT_MAX_RANGES];
	uint64_t rsdp;	    /* physical address of ACPI's RSDP as the loader gave it, or 0 */
	uint64_t entry_tsc; /* TSC at the image's first instruction */
};

extern struct boot_info boot;

/* Called once by the entry code. magic: EAX, info: EBX at entry (Multiboot specification,
   "Machine state"). Fills `boot`; returns 0 or -EINVAL when magic is of neither Multiboot, or
   -E2BIG when something did not fit and was left out (the rest is valid). */
int boot_parse(uint32_t magic, uint64_t info);

/* The command line as words: `key` or `key=value`, separated by spaces, a value may be quoted
   with "...". boot_word() finds `key` in line and copies its value ("" for a bare word) to value.
   Returns 0, -ENOENT when the word is not there, or -E2BIG when the value did not fit. */
int boot_word(const char *line, const char *key, char *value, size_t size);

/* Checks that each word of line has a key from `known` (NULL-terminated list).
   Returns 0, or -EINVAL with *bad pointing at the first other word in line. */
int boot_check_words(const char *line, const char *const known[], const char **bad);

#endif
