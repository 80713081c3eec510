/* Finds and checks the firmware's ACPI tables (ACPI specification, "ACPI Software Programming
   Model"). Only what the runtime needs is read; others ask by signature. */
#include "runtime/acpi.h"

#include "runtime/boot.h"
#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/apic.h"
#include "spec/cpuid.h"

#define TABLE_MAX   (UINT32_C(16) << 20) /* bytes: longer is nonsense */
#define EBDA_POINTER 0x40e		 /* real-mode segment of the extended BIOS data area */

struct rsdp {
	char signature[8];
	uint8_t checksum; /* over the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __packed;

struct madt {
	struct acpi_header header;
	uint32_t lapic_address;
	uint32_t flags;
} __packed;

struct madt_entry {
	uint8_t type, length;
} __packed;

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_LAPIC_ADDRESS = 5, MADT_X2APIC = 9 };
#define MADT_CPU_ENABLED BIT(0)

struct fadt {
	struct acpi_header header;
	uint8_t before[40];
	uint32_t pm_timer_block; /* offset 76 */
	uint8_t between[32];
	uint32_t flags; /* offset 112 */
} __packed;
_Static_assert(offsetof(struct fadt, pm_timer_block) == 76, "ACPI: Fixed ACPI Description Table");
_Static_assert(offsetof(struct fadt, flags) == 112, "ACPI: Fixed ACPI Description Table");
#define FADT_PM_TIMER_32BIT BIT(8)

struct acpi_info acpi;
static const struct rsdp *acpi_rsdp;

static const void *at(uint64_t address)
{
	return (const void *)(uintptr_t)address;
}

static bool sums_to_zero(const void *table, size_t bytes)
{
	const uint8_t *byte = table;
	uint8_t sum = 0;

	while (bytes-- > 0)
		sum = (uint8_t)(sum + *byte++);
	return sum == 0;
}

static bool is_rsdp(const struct rsdp *rsdp)
{
	return memcmp(rsdp->signature, "RSD PTR ", 8) == 0 && sums_to_zero(rsdp, 20);
}

static const struct rsdp *scan_for_rsdp(uint64_t start, uint64_t bytes)
{
	uint64_t address;

	for (address = start; address < start + bytes; address += 16)
		if (is_rsdp(at(address)))
			return at(address);
	return NULL;
}

/* ACPI, "Finding the RSDP on IA-PC Systems", unless the loader knew it. */
static const struct rsdp *find_rsdp(void)
{
	const struct rsdp *rsdp = NULL;
	uint16_t segment;

	if (boot.rsdp != 0)
		return is_rsdp(at(boot.rsdp)) ? at(boot.rsdp) : NULL;
	memcpy(&segment, at(EBDA_POINTER), sizeof(segment));
	if (segment != 0)
		rsdp = scan_for_rsdp(ALIGN_UP((uint64_t)segment << 4, 16), 1024);
	return rsdp != NULL ? rsdp : scan_for_rsdp(0xe0000, 0x20000);
}

static bool is_valid(const struct acpi_header *table)
{
	if (table->length >= sizeof(*table) && table->length <= TABLE_MAX &&
		sums_to_zero(table, table->length))
		return true;
	print("acpi: table %.4s at %p has a wrong %s; ignored\n", table->signature,
		(const void *)table, table->length < sizeof(*table) ? "length" : "checksum");
	return false;
}

/* The table that the root table lists at `index`, or NULL behind the last. */
static const struct acpi_header *listed_table(unsigned int index)
{
	bool wide = acpi_rsdp->revision >= 2 && acpi_rsdp->xsdt != 0;
	const struct acpi_header *root = at(wide ? acpi_rsdp->xsdt : acpi_rsdp->rsdt);
	size_t entry = wide ? 8 : 4;
	uint64_t address = 0;

	if (root->length < sizeof(*root) + (index + 1) * entry || root->length > TABLE_MAX)
		return NULL;
	memcpy(&address, (const uint8_t *)(root + 1) + index * entry, entry);
	return at(address);
}

const struct acpi_header *acpi_find(const char *signature)
{
	const struct acpi_header *table;
	unsigned int i;

	if (acpi_rsdp == NULL)
		return NULL;
	for (i = 0; (table = listed_table(i)) != NULL; i++)
		if (memcmp(table->signature, signature, 4) == 0 && is_valid(table))
			return table;
	return NULL;
}

static void add_cpu(uint32_t apic_id, uint32_t flags)
{
	if ((flags & MADT_CPU_ENABLED) && acpi.cpus < ACPI_MAX_CPUS)
		acpi.apic_id[acpi.cpus++] = apic_id;
}

static uint32_t word_at(const void *entry, unsigned int offset)
{
	uint32_t word;

	memcpy(&word, (const uint8_t *)entry + offset, sizeof(word));
	return word;
}

/* ACPI, "Multiple APIC Description Table (MADT)". */
static void read_madt_entry(const struct madt_entry *e)
{
	const uint8_t *byte = (const uint8_t *)e;

	if (e->type == MADT_LAPIC && e->length >= 8)
		add_cpu(byte[3], word_at(e, 4));
	else if (e->type == MADT_X2APIC && e->length >= 16)
		add_cpu(word_at(e, 4), word_at(e, 8));
	else if (e->type == MADT_LAPIC_ADDRESS && e->length >= 12)
		memcpy(&acpi.lapic_address, byte + 4, 8);
	else if (e->type == MADT_IOAPIC && e->length >= 12 && acpi.ioapics < ACPI_MAX_IOAPICS)
		acpi.ioapic[acpi.ioapics++] =
			(struct acpi_ioapic){ byte[2], word_at(e, 4), word_at(e, 8) };
}

static void read_madt(const struct madt *madt)
{
	const uint8_t *entry = (const uint8_t *)(madt + 1);
	const uint8_t *end = (const uint8_t *)madt + madt->header.length;

	acpi.lapic_address = madt->lapic_address;
	while (entry + sizeof(struct madt_entry) <= end) {
		const struct madt_entry *e = (const void *)entry;

		if (e->length < sizeof(*e) || entry + e->length > end)
			break;
		read_madt_entry(e);
		entry += e->length;
	}
}

static void read_fadt(const struct fadt *fadt)
{
	if (fadt->header.length < sizeof(*fadt))
		return;
	acpi.pm_timer_port = (uint16_t)fadt->pm_timer_block;
	acpi.pm_timer_32bit = fadt->flags & FADT_PM_TIMER_32BIT;
}

int acpi_init(void)
{
	const struct acpi_header *madt, *fadt;

	acpi_rsdp = find_rsdp();
	madt = acpi_find("APIC");
	fadt = acpi_find("FACP");
	if (madt != NULL)
		read_madt((const void *)madt);
	if (fadt != NULL)
		read_fadt((const void *)fadt);
	if (acpi.cpus == 0) {
		acpi.cpus = 1;
		acpi.apic_id[0] = cpuid(CPUID_FEATURES, 0).ebx >> 24;
	}
	return acpi_rsdp != NULL ? 0 : -ENOENT;
}
