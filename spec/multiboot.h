/* The Multiboot Specification version 0.6.96 and the Multiboot2 Specification version 2.0: header
   and information formats, for the images (as the loaded side) and for the hypervisor's guest
   loader (as the loading side). Also read by the assembler. */
#ifndef SPEC_MULTIBOOT_H
#define SPEC_MULTIBOOT_H

/* "Header magic fields" and "The layout of Multiboot2 header" */
#define MULTIBOOT1_HEADER_MAGIC	 0x1badb002
#define MULTIBOOT1_HEADER_SEARCH 8192 /* bytes of the file in which the header lies, 4-byte aligned */
#define MULTIBOOT1_PAGE_ALIGN	 0x00000001
#define MULTIBOOT1_MEMORY_INFO	 0x00000002
#define MULTIBOOT1_VIDEO	 0x00000004
#define MULTIBOOT1_ADDRESSES	 0x00010000
#define MULTIBOOT2_HEADER_MAGIC	 0xe85250d6
#define MULTIBOOT2_ARCH_I386	 0
#define MULTIBOOT2_HEADER_END	 0

/* "Machine state": EAX at entry */
#define MULTIBOOT1_MAGIC 0x2badb002
#define MULTIBOOT2_MAGIC 0x36d76289

/* "Boot information format", flags */
#define MULTIBOOT1_HAS_MEMORY  0x001
#define MULTIBOOT1_HAS_CMDLINE 0x004
#define MULTIBOOT1_HAS_MODULES 0x008
#define MULTIBOOT1_HAS_MMAP    0x040
#define MULTIBOOT1_HAS_LOADER  0x200

#define MULTIBOOT_MEMORY_AVAILABLE 1

/* Multiboot2 "Boot information format", tag types */
#define MULTIBOOT2_TAG_END	0
#define MULTIBOOT2_TAG_CMDLINE	1
#define MULTIBOOT2_TAG_LOADER	2
#define MULTIBOOT2_TAG_MODULE	3
#define MULTIBOOT2_TAG_MMAP	6
#define MULTIBOOT2_TAG_RSDP_OLD 14
#define MULTIBOOT2_TAG_RSDP_NEW 15

#ifndef __ASSEMBLER__

#include <stdint.h>

struct multiboot1_header {
	uint32_t magic;
	uint32_t flags;
	uint32_t checksum; /* magic + flags + checksum = 0 */
} __attribute__((packed));

struct multiboot1_info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 */
	uint32_t mem_upper; /* KiB from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline; /* physical address of a string */
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length; /* bytes */
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
} __attribute__((packed));

struct multiboot1_module {
	uint32_t start;
	uint32_t end; /* first byte after it */
	uint32_t string;
	uint32_t reserved;
} __attribute__((packed));

struct multiboot1_mmap {
	uint32_t size; /* of the entry less this field */
	uint64_t start;
	uint64_t length;
	uint32_t type;
} __attribute__((packed));

struct multiboot2_info {
	uint32_t total_size;
	uint32_t reserved;
} __attribute__((packed));

/* Each tag starts at a multiple of 8 bytes. */
struct multiboot2_tag {
	uint32_t type;
	uint32_t size; /* bytes, with this header, without padding */
} __attribute__((packed));

struct multiboot2_module {
	struct multiboot2_tag tag;
	uint32_t start;
	uint32_t end;
	char string[];
} __attribute__((packed));

struct multiboot2_mmap {
	struct multiboot2_tag tag;
	uint32_t entry_size;
	uint32_t entry_version;
} __attribute__((packed));

struct multiboot2_mmap_entry {
	uint64_t start;
	uint64_t length;
	uint32_t type;
	uint32_t reserved;
} __attribute__((packed));

#endif
#endif
