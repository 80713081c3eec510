/* "Virtualize x2APIC mode" (Intel SDM, "Virtualizing MSR-Based APIC Accesses"): RDMSR and WRMSR of
   the x2APIC's range that act on the virtual-APIC page. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

#define NEEDS_X2APIC                                                                               \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS, &need_PROC2_VIRTUALIZE_X2APIC_MODE)
#define NEEDS_REGISTERS                                                                            \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS, &need_PROC2_VIRTUALIZE_X2APIC_MODE,   \
		&need_PROC2_APIC_REGISTER_VIRTUALIZATION)
#define NEEDS_DELIVERY                                                                             \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS, &need_PROC2_VIRTUALIZE_X2APIC_MODE,   \
		&need_PROC2_VIRTUAL_INTERRUPT_DELIVERY)
#define COVERS       "control:PROC2_VIRTUALIZE_X2APIC_MODE"
#define ENDS         EXIT(EXIT_REASON_VMCALL)
#define MSR_TPR      (MSR_X2APIC_FIRST + APIC_REG_TPR / 16)
#define MSR_EOI      (MSR_X2APIC_FIRST + APIC_REG_EOI / 16)
#define MSR_SELF_IPI 0x83f

static void use_x2apic_mode(void)
{
	apic_use_tpr_shadow();
	proc2_set(PROC2_VIRTUALIZE_X2APIC_MODE);
}

TEST(x2apic, tpr_read, "SDM Virtualizing MSR-Based APIC Accesses",
	"RDMSR of 808H reads VTPR, 64 bits of it", ENDS, .needs = NEEDS_X2APIC, .covers = COVERS)
{
	uint64_t value;
	outcome result;

	use_x2apic_mode();
	apic_put(APIC_REG_TPR, 0x45);
	apic_put(APIC_REG_TPR + 4, 0x89abcdef);
	result = apic_guest_rdmsr(MSR_TPR, &value);
	CHECK_EQUAL(value, UINT64_C(0x89abcdef00000045));
	return result;
}

TEST(x2apic, tpr_write, "SDM Virtualizing MSR-Based APIC Accesses", "WRMSR of 808H writes VTPR",
	ENDS, .needs = NEEDS_X2APIC, .covers = COVERS)
{
	outcome result;

	use_x2apic_mode();
	result = apic_guest_wrmsr(MSR_TPR, 0x67);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), 0x67);
	return result;
}

TEST(x2apic, tpr_reserved, "SDM Virtualizing MSR-Based APIC Accesses",
	"WRMSR of 808H with a bit above 7 set faults", FAULT(GP), .needs = NEEDS_X2APIC,
	.covers = COVERS)
{
	use_x2apic_mode();
	return apic_guest_wrmsr(MSR_TPR, 0x100);
}

TEST(x2apic, tpr_threshold, "SDM TPR Virtualization",
	"a WRMSR that takes VTPR below the threshold exits", EXIT(EXIT_REASON_TPR_BELOW_THRESHOLD),
	.needs = NEEDS_X2APIC, .covers = COVERS " exit:TPR_BELOW_THRESHOLD")
{
	use_x2apic_mode();
	apic_put(APIC_REG_TPR, 0xf0);
	field_write(VMCS_TPR_THRESHOLD, 9);
	return apic_guest_wrmsr(MSR_TPR, 0x80);
}

TEST(x2apic, bitmap_first, "SDM Virtualizing MSR-Based APIC Accesses",
	"an MSR that exits by the bitmaps is not virtualized", EXIT(EXIT_REASON_RDMSR),
	.needs = NEEDS_X2APIC, .covers = COVERS)
{
	uint64_t value;
	outcome result;
	static uint8_t all[4096] __aligned(4096) = { [MSR_TPR / 8] = 1 << MSR_TPR % 8 };

	use_x2apic_mode();
	result = apic_guest_rdmsr(MSR_TPR, &value);
	CHECK(result == ENDS);
	field_write(VMCS_MSR_BITMAP, vmx_address(all));
	field_write(VMCS_GUEST_RIP, field_read(VMCS_GUEST_RIP) - 2); /* RDMSR again */
	guest_gpr[RCX] = MSR_TPR;
	return guest_enter();
}

TEST(x2apic, registers_read, "SDM Virtualizing MSR-Based APIC Accesses",
	"with APIC-register virtualization RDMSR of 800H-8FFH reads the virtual-APIC page", OK,
	.needs = NEEDS_REGISTERS, .covers = COVERS " control:PROC2_APIC_REGISTER_VIRTUALIZATION")
{
	unsigned int offset;
	uint64_t value;

	use_x2apic_mode();
	proc2_set(PROC2_APIC_REGISTER_VIRTUALIZATION);
	for (offset = 0; offset < 4096; offset += 16)
		apic_put(offset, 0x70000000 + offset);
	for (offset = 0; offset < 4096; offset += 16) {
		if (apic_guest_rdmsr(MSR_X2APIC_FIRST + offset / 16, &value) != ENDS)
			return test_mismatch(__LINE__, "RDMSR of %#x did not succeed",
				MSR_X2APIC_FIRST + offset / 16);
		CHECK_EQUAL(value, 0x70000000 + offset);
	}
	return OK;
}

TEST(x2apic, eoi, "SDM EOI Virtualization", "WRMSR of 80BH with 0 is EOI virtualization", ENDS,
	.needs = NEEDS_DELIVERY, .covers = COVERS " control:PROC2_VIRTUAL_INTERRUPT_DELIVERY")
{
	outcome result;

	use_x2apic_mode();
	proc2_set(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	field_set(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	apic_set_vector(APIC_REG_ISR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, 0x51 << 8);
	result = apic_guest_wrmsr(MSR_EOI, 0);
	CHECK(!apic_vector(APIC_REG_ISR, 0x51));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), 0);
	return result;
}

TEST(x2apic, eoi_reserved, "SDM Virtualizing MSR-Based APIC Accesses",
	"WRMSR of 80BH with any other value faults", FAULT(GP), .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	use_x2apic_mode();
	proc2_set(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	field_set(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	return apic_guest_wrmsr(MSR_EOI, 1);
}

TEST(x2apic, self_ipi, "SDM Self-IPI Virtualization",
	"WRMSR of 83FH requests the vector: it is in VIRR and RVI", ENDS, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	outcome result;

	use_x2apic_mode();
	proc2_set(PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	field_set(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
	result = apic_guest_wrmsr(MSR_SELF_IPI, 0x62);
	CHECK(apic_vector(APIC_REG_IRR, 0x62));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), 0x62);
	return result;
}
