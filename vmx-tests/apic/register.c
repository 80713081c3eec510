/* APIC-register virtualization (Intel SDM, "Virtualizing Reads from the APIC-Access Page",
   "APIC-Write VM Exits"): which registers are read from the virtual-APIC page, and which writes go
   there first. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/needs.h"

#define NEEDS_REGISTERS                                                                            \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,                         \
		&need_PROC2_APIC_REGISTER_VIRTUALIZATION)
#define COVERS "control:PROC2_APIC_REGISTER_VIRTUALIZATION"
#define ENDS   EXIT(EXIT_REASON_VMCALL)
#define ACCESS EXIT(EXIT_REASON_APIC_ACCESS)
#define WRITE  EXIT(EXIT_REASON_APIC_WRITE)

struct offsets {
	uint16_t first, last; /* registers 16 bytes apart */
};

/* "Virtualizing Reads from the APIC-Access Page": ID, version, TPR, EOI, LDR, DFR, SVR, ISR, TMR,
   IRR, ESR, ICR, LVT entries (but not CMCI's at 2F0H), initial count, divide configuration. */
static const struct offsets readable[] = { { 0x020, 0x020 }, { 0x030, 0x030 }, { 0x080, 0x080 },
	{ 0x0b0, 0x0b0 }, { 0x0d0, 0x0d0 }, { 0x0e0, 0x0e0 }, { 0x0f0, 0x0f0 }, { 0x100, 0x170 },
	{ 0x180, 0x1f0 }, { 0x200, 0x270 }, { 0x280, 0x280 }, { 0x300, 0x300 }, { 0x310, 0x310 },
	{ 0x320, 0x370 }, { 0x380, 0x380 }, { 0x3e0, 0x3e0 } };

/* "Virtualizing Writes to the APIC-Access Page": carried out on the virtual page, then an
   APIC-write exit (but for VTPR and bytes of ICR_HI, which need none). */
static const struct offsets writable[] = { { 0x020, 0x020 }, { 0x080, 0x080 }, { 0x0b0, 0x0b0 },
	{ 0x0d0, 0x0d0 }, { 0x0e0, 0x0e0 }, { 0x0f0, 0x0f0 }, { 0x280, 0x280 }, { 0x300, 0x300 },
	{ 0x310, 0x310 }, { 0x320, 0x370 }, { 0x380, 0x380 }, { 0x3e0, 0x3e0 } };

static bool is_in(const struct offsets *list, size_t count, unsigned int offset)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (offset >= list[i].first && offset <= list[i].last)
			return true;
	return false;
}

TEST(registers, reads, "SDM Virtualizing Reads from the APIC-Access Page",
	"each register of the list reads from the virtual-APIC page, every other offset exits", OK,
	.needs = NEEDS_REGISTERS, .covers = COVERS)
{
	unsigned int offset;
	uint32_t value;
	outcome result;

	apic_use_registers();
	for (offset = 0; offset < 4096; offset += 16)
		apic_put(offset, 0x01020300 + offset / 16);
	for (offset = 0; offset < 4096; offset += 16) {
		bool listed = is_in(readable, ARRAY_SIZE(readable), offset);

		result = apic_guest_read(offset, &value);
		if (result != (listed ? ENDS : ACCESS))
			return test_mismatch(__LINE__, "offset %#x: %s", offset,
				listed ? "exits" : "does not exit");
		if (listed)
			CHECK_EQUAL(value, 0x01020300 + offset / 16);
	}
	return OK;
}

TEST(registers, writes, "SDM APIC-Write VM Exits",
	"each register of the list is written to the virtual-APIC page before the exit, every "
	"other offset exits unwritten",
	OK, .needs = NEEDS_REGISTERS, .covers = COVERS " exit:APIC_WRITE")
{
	unsigned int offset;
	outcome result, wanted;

	apic_use_registers();
	for (offset = 0; offset < 4096; offset += 16) {
		bool listed = is_in(writable, ARRAY_SIZE(writable), offset);
		bool silent = offset == APIC_REG_TPR || offset == APIC_REG_ICR_HIGH;

		wanted = !listed ? ACCESS : silent ? ENDS : WRITE;
		result = apic_guest_write(offset, 0x00000040);
		if (result != wanted)
			return test_mismatch(__LINE__, "offset %#x: exit reason %lu", offset,
				outcome_value(result));
		if (result == WRITE)
			CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), offset);
		if (listed && offset != APIC_REG_ICR_HIGH) /* see icr_high_byte */
			CHECK_EQUAL(apic_get(offset), 0x40);
		if (!listed)
			CHECK_EQUAL(apic_get(offset), 0);
	}
	return OK;
}

TEST(registers, write_is_a_trap, "SDM APIC-Write VM Exits",
	"the exit comes after the write, with RIP behind it", WRITE, .needs = NEEDS_REGISTERS,
	.covers = "exit:APIC_WRITE", VALUES({ VMCS_EXIT_QUALIFICATION, APIC_REG_SVR }))
{
	const uint8_t *next;
	outcome result;

	apic_use_registers();
	result = apic_guest_write(APIC_REG_SVR, 0x1ff);
	next = (const uint8_t *)(uintptr_t)field_read(VMCS_GUEST_RIP);
	CHECK(next == apic_write_code + 2); /* MOV is two bytes long */
	CHECK_EQUAL(apic_get(APIC_REG_SVR), 0x1ff);
	return result;
}

TEST(registers, icr_high_byte, "SDM APIC-Write Emulation",
	"a write of ICR_HI keeps only its highest byte", ENDS, .needs = NEEDS_REGISTERS,
	.covers = COVERS)
{
	outcome result;

	apic_use_registers();
	result = apic_guest_write(APIC_REG_ICR_HIGH, 0x12345678);
	CHECK_EQUAL(apic_get(APIC_REG_ICR_HIGH), 0x12000000);
	return result;
}
