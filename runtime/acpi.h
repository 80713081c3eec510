/* The firmware's ACPI tables, checked before they are believed. A table with a wrong length or
   checksum is reported once, by name and address, and treated as absent. */
#ifndef RUNTIME_ACPI_H
#define RUNTIME_ACPI_H

#include "runtime/compiler.h"

#define ACPI_MAX_CPUS	 64
#define ACPI_MAX_IOAPICS 8

/* ACPI specification, "System Description Table Header". */
struct acpi_header {
	char signature[4];
	uint32_t length; /* bytes, with this header */
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __packed;

struct acpi_ioapic {
	uint8_t id;
	uint32_t address;  /* physical */
	uint32_t gsi_base; /* its first global system interrupt */
};

struct acpi_info {
	unsigned int cpus;		/* usable processors, the boot CPU among them */
	uint32_t apic_id[ACPI_MAX_CPUS];
	uint64_t lapic_address;		/* physical */
	unsigned int ioapics;
	struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
	uint16_t pm_timer_port;		/* 0 when there is none */
	bool pm_timer_32bit;
};

extern struct acpi_info acpi;

/* Finds the RSDP (from the boot loader, else in the BIOS areas), checks the tables and fills
   `acpi` from the MADT and the FADT. Returns 0, or -ENOENT when there is no valid RSDP: `acpi` then
   describes the one CPU we run on. */
int acpi_init(void);

/* The first valid table with that signature (4 characters), or NULL. */
const struct acpi_header *acpi_find(const char *signature);

#endif
