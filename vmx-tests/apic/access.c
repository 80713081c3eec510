/* The APIC-access page (Intel SDM, "Virtualizing Memory-Mapped APIC Accesses"): which accesses
   exit, what the qualification says, which are carried out on the virtual-APIC page instead. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

#define NEEDS_ACCESS                NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES)
#define COVERS                      "control:PROC2_VIRTUALIZE_APIC_ACCESSES exit:APIC_ACCESS field:APIC_ACCESS_ADDRESS"
#define ENDS                        EXIT(EXIT_REASON_VMCALL)
#define ACCESS                      EXIT(EXIT_REASON_APIC_ACCESS)
#define QUALIFICATION(type, offset) (FIELD_PUT(type, APIC_ACCESS_TYPE) | (offset))

/* Every register-sized place in the page but VTPR's. */
TEST(access, reads, "SDM Virtualizing Reads from the APIC-Access Page",
	"a read at any offset but VTPR's exits; its qualification has the offset", ACCESS,
	.needs = NEEDS_ACCESS, .covers = COVERS)
{
	unsigned int offset;
	uint32_t value;

	apic_use_access_page();
	for (offset = 0; offset < 4096; offset += 16) {
		if (offset == APIC_REG_TPR)
			continue;
		if (apic_guest_read(offset, &value) != ACCESS)
			return test_mismatch(__LINE__, "a read at offset %#x did not exit", offset);
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
			QUALIFICATION(APIC_ACCESS_LINEAR_READ, offset));
	}
	return ACCESS;
}

TEST(access, writes, "SDM Virtualizing Writes to the APIC-Access Page",
	"a write at any offset but VTPR's exits and writes nothing", ACCESS, .needs = NEEDS_ACCESS,
	.covers = COVERS)
{
	unsigned int offset;

	apic_use_access_page();
	for (offset = 0; offset < 4096; offset += 16) {
		if (offset == APIC_REG_TPR)
			continue;
		if (apic_guest_write(offset, 0x12345678) != ACCESS)
			return test_mismatch(
				__LINE__, "a write at offset %#x did not exit", offset);
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
			QUALIFICATION(APIC_ACCESS_LINEAR_WRITE, offset));
		CHECK_EQUAL(apic_get(offset), 0);
		CHECK_EQUAL(test_observe(apic_access[offset]), APIC_ACCESS_PATTERN);
	}
	return ACCESS;
}

TEST(access, delivery, "SDM Exit Qualification for APIC-Access VM Exits",
	"an access during event delivery exits with type 3 and the event in IDT-vectoring "
	"information",
	ACCESS, .needs = NEEDS_ACCESS, .covers = COVERS,
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_EXTERNAL, INTERRUPTION_TYPE) | 0x40 }))
{
	outcome result;

	apic_use_access_page();
	guest_set_counting_gate(0x40, false);
	guest_set_mode(GUEST_64BIT, CODE(apic_read_code));
	field_write(
		VMCS_GUEST_RSP, vmx_address(apic_access) + 0x800); /* the frame is pushed here */
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_EXTERNAL, INTERRUPTION_TYPE) | 0x40);
	result = guest_enter();
	CHECK_EQUAL(FIELD_GET(field_read(VMCS_EXIT_QUALIFICATION), APIC_ACCESS_TYPE),
		APIC_ACCESS_LINEAR_DELIVERY);
	CHECK_EQUAL(guest_events, 0);
	return result;
}

TEST(access, vtpr_read, "SDM Virtualizing Reads from the APIC-Access Page",
	"with the TPR shadow a read of the TPR gives VTPR", ENDS, .needs = NEEDS_ACCESS,
	.covers = COVERS)
{
	uint32_t value;
	outcome result;

	apic_use_access_page();
	apic_put(APIC_REG_TPR, 0x37);
	result = apic_guest_read(APIC_REG_TPR, &value);
	CHECK_EQUAL(value, 0x37);
	return result;
}

TEST(access, vtpr_write, "SDM APIC-Write Emulation",
	"a write of the TPR goes to VTPR, of which bytes 3:1 become 0", ENDS, .needs = NEEDS_ACCESS,
	.covers = COVERS)
{
	outcome result;

	apic_use_access_page();
	result = apic_guest_write(APIC_REG_TPR, 0x12345678);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), 0x78);
	CHECK_EQUAL(test_observe(apic_access[APIC_REG_TPR]), APIC_ACCESS_PATTERN);
	return result;
}

TEST(access, vtpr_threshold, "SDM TPR Virtualization",
	"a memory write that takes VTPR below the threshold exits",
	EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD), .needs = NEEDS_ACCESS,
	.covers = "exit:TPR_BELOW_THRESHOLD")
{
	apic_use_access_page();
	apic_put(APIC_REG_TPR, 0xf0);
	field_write(VMCS_TPR_THRESHOLD, 8);
	return apic_guest_write(APIC_REG_TPR, 0x7f);
}

TEST(access, off, "SDM Virtualizing Memory-Mapped APIC Accesses",
	"without the control the page is ordinary memory", ENDS, .needs = NEEDS_ACCESS,
	.covers = "control:PROC2_VIRTUALIZE_APIC_ACCESSES")
{
	uint32_t value;
	outcome result;

	apic_use_access_page();
	field_clear(VMCS_PROC2_CONTROLS, PROC2_VIRTUALIZE_APIC_ACCESSES);
	result = apic_guest_read(0x300, &value);
	CHECK_EQUAL(value, APIC_ACCESS_PATTERN * 0x01010101U);
	return result;
}

TEST(access, no_shadow, "SDM Virtualizing Memory-Mapped APIC Accesses",
	"without the TPR shadow an access to the TPR exits, too", ACCESS, .needs = NEEDS_ACCESS,
	.covers = COVERS,
	VALUES({ VMCS_EXIT_QUALIFICATION, QUALIFICATION(APIC_ACCESS_LINEAR_READ, APIC_REG_TPR) }))
{
	uint32_t value;

	apic_use_access_page();
	field_clear(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW);
	return apic_guest_read(APIC_REG_TPR, &value);
}

TEST(access, through_ept, "SDM Virtualizing Memory-Mapped APIC Accesses",
	"with EPT it is the guest-physical translation that counts", ACCESS,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES, &need_ept),
	.covers = COVERS)
{
	uint32_t value;

	apic_use_access_page();
	ept_enable();
	ept_entry(vmx_address(apic_access), 1); /* a 4-KByte page there, too */
	ept_invalidate();
	return apic_guest_read(0x20, &value);
}
