/* A guest's image: an ELF executable with a Multiboot 1 header, checked before it is believed,
   placed in the VM's memory, and entered as the Multiboot specification says. */
#ifndef KERNEL_GUEST_LOAD_H
#define KERNEL_GUEST_LOAD_H

#include "runtime/boot.h"
#include "runtime/compiler.h"

struct vm;

#define GUEST_MAX_SEGMENTS 16

/* Where the guest finds the Multiboot information: structure, memory map, loader's name and command
   line, in one page. Images must leave it alone. */
#define GUEST_INFO_ADDRESS UINT64_C(0x9000)
#define GUEST_INFO_SIZE    PAGE_SIZE

/* The hole below 1 MiB that a PC has no RAM in. */
#define GUEST_HOLE_START UINT64_C(0xa0000)
#define GUEST_HOLE_END   UINT64_C(0x100000)

#define GUEST_MIN_MEMORY (UINT64_C(2) << 20) /* bytes */

struct guest_segment {
	unsigned int index; /* in the program header table */
	uint64_t file_offset;
	uint64_t file_size;   /* bytes */
	uint64_t address;     /* guest-physical */
	uint64_t memory_size; /* bytes; beyond file_size: zeroes */
};

struct guest_image {
	bool elf64;
	uint64_t entry;   /* guest-physical, for 32-bit protected mode */
	uint64_t entry64; /* for 64-bit mode (stage2=off), from the note "Trapeze"; 0: none */
	uint32_t multiboot_flags;
	unsigned int segments;
	struct guest_segment segment[GUEST_MAX_SEGMENTS];
};

/* Checks the image in file against a VM with memory_size bytes and describes it.
   Returns 0, or -ENOEXEC (not an image of that kind), -E2BIG (more memory than there is), -EINVAL
   (malformed), with a sentence about what is wrong where in error (error_size > 0 bytes). */
int guest_image_parse(const void *file, uint64_t size, uint64_t memory_size,
	struct guest_image *image, char *error, size_t error_size);

/* Places the image of module in the VM's memory, with cmdline for the guest, and sets its vCPU,
   created before, to enter it. Returns 0 or an error, after printing "trapeze: error: vm NAME:
   ...". */
int guest_load(struct vm *vm, const struct boot_module *module, const char *cmdline);

#endif
