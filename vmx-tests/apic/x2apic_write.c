/* More of "virtualize x2APIC mode": WRMSR's reserved bits, its exits, and what is not virtualized
   (Intel SDM, "Virtualizing MSR- Based APIC Accesses"). */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

#define X2APIC                                                                                     \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS, &need_PROC2_VIRTUALIZE_X2APIC_MODE)
#define DELIVERY                                                                                   \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS, &need_PROC2_VIRTUALIZE_X2APIC_MODE,   \
		&need_PROC2_VIRTUAL_INTERRUPT_DELIVERY)
#define COVERS          "control:PROC2_VIRTUALIZE_X2APIC_MODE"
#define TITLE           "SDM Virtualizing MSR-Based APIC Accesses"
#define ENDS            EXIT(EXIT_REASON_VMCALL)
#define OFFSET_SELF_IPI 0x3f0
#define MSR_OF(offset)  (MSR_X2APIC_FIRST + (offset) / 16)

static void open(bool delivery)
{
	guest_reset();
	apic_use_tpr_shadow();
	proc2_set(PROC2_VIRTUALIZE_X2APIC_MODE | (delivery ? PROC2_VIRTUAL_INTERRUPT_DELIVERY : 0));
	if (delivery)
		field_set(VMCS_PIN_CONTROLS, PIN_EXTERNAL_INTERRUPT_EXITING);
}

struct write_row {
	struct test_row row;
	unsigned int offset;
	uint64_t value;
};

static const struct write_row tpr[] = {
	{ { "0", ENDS }, APIC_REG_TPR, 0 },
	{ { "FFH", ENDS }, APIC_REG_TPR, 0xff },
	{ { "bit 8", FAULT(GP) }, APIC_REG_TPR, BIT(8) },
	{ { "bit 31", FAULT(GP) }, APIC_REG_TPR, BIT(31) },
	{ { "bit 32", FAULT(GP) }, APIC_REG_TPR, BIT(32) },
	{ { "bit 63", FAULT(GP) }, APIC_REG_TPR, BIT(63) },
};

SWEEP(x2apic_write, tpr, TITLE, "WRMSR of 808H stores EAX; bits 63:8 are reserved", tpr,
	.needs = X2APIC, .covers = COVERS)
{
	const struct write_row *row = TEST_ROW(struct write_row);
	outcome result;

	open(false);
	apic_put(APIC_REG_TPR, 0x33);
	result = apic_guest_wrmsr(MSR_OF(row->offset), row->value);
	CHECK_EQUAL(apic_get(APIC_REG_TPR), result == ENDS ? row->value : 0x33);
	return result;
}

static const struct write_row reserved[] = {
	{ { "EOI, bit 0", FAULT(GP) }, APIC_REG_EOI, BIT(0) },
	{ { "EOI, bit 31", FAULT(GP) }, APIC_REG_EOI, BIT(31) },
	{ { "EOI, bit 32", FAULT(GP) }, APIC_REG_EOI, BIT(32) },
	{ { "self-IPI, bit 8", FAULT(GP) }, OFFSET_SELF_IPI, 0x62 | BIT(8) },
	{ { "self-IPI, bit 31", FAULT(GP) }, OFFSET_SELF_IPI, 0x62 | BIT(31) },
	{ { "self-IPI, bit 32", FAULT(GP) }, OFFSET_SELF_IPI, 0x62 | BIT(32) },
	{ { "self-IPI, bit 63", FAULT(GP) }, OFFSET_SELF_IPI, 0x62 | BIT(63) },
};

SWEEP(x2apic_write, reserved, TITLE,
	"WRMSR of 80BH and 83FH faults with a reserved bit set, and has no effect", reserved,
	.needs = DELIVERY, .covers = COVERS)
{
	const struct write_row *row = TEST_ROW(struct write_row);
	outcome result;

	open(true);
	apic_set_vector(APIC_REG_ISR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, 0x5100);
	result = apic_guest_wrmsr(MSR_OF(row->offset), row->value);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), 0x5100);
	return result;
}

static const struct write_row self_ipi[] = {
	{ { "10H", ENDS }, OFFSET_SELF_IPI, 0x10 },
	{ { "FFH", ENDS }, OFFSET_SELF_IPI, 0xff },
	{ { "0FH", EXIT(EXIT_REASON_APIC_WRITE) }, OFFSET_SELF_IPI, 0x0f },
	{ { "0", EXIT(EXIT_REASON_APIC_WRITE) }, OFFSET_SELF_IPI, 0 },
};

SWEEP(x2apic_write, self_ipi, TITLE,
	"WRMSR of 83FH stores the vector, and requests it; a vector below 16 is an APIC-write exit "
	"with offset 3F0H",
	self_ipi, .needs = DELIVERY, .covers = COVERS " exit:APIC_WRITE")
{
	const struct write_row *row = TEST_ROW(struct write_row);
	outcome result;

	open(true);
	result = apic_guest_wrmsr(MSR_OF(row->offset), row->value);
	CHECK_EQUAL(apic_get(OFFSET_SELF_IPI), row->value);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), result == ENDS ? row->value : 0);
	if (result != ENDS)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), OFFSET_SELF_IPI);
	return result;
}

TEST(x2apic_write, eoi_exits, "SDM EOI Virtualization",
	"an EOI by WRMSR exits as the EOI-exit bitmap says", EXIT(EXIT_REASON_VIRTUALIZED_EOI),
	.needs = DELIVERY,
	VALUES({ VMCS_EXIT_QUALIFICATION, 0x51 }, { VMCS_GUEST_INTERRUPT_STATUS, 0 }),
	.covers = COVERS " exit:VIRTUALIZED_EOI")
{
	open(true);
	apic_set_vector(APIC_REG_ISR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, 0x5100);
	field_write(VMCS_EOI_EXIT_BITMAP_1, BIT(0x51 - 64));
	return apic_guest_wrmsr(MSR_OF(APIC_REG_EOI), 0);
}

/* What is left to the CPU's own APIC: in xAPIC mode its MSRs fault. */
static const struct write_row others[] = {
	{ { "802H (ID)", FAULT(GP) }, APIC_REG_ID, 0 },
	{ { "80FH (SVR)", FAULT(GP) }, APIC_REG_SVR, 0x1ff },
	{ { "80BH (EOI)", FAULT(GP) }, APIC_REG_EOI, 0 },
	{ { "830H (ICR)", FAULT(GP) }, APIC_REG_ICR_LOW, 0x40062 },
	{ { "83FH (self-IPI)", FAULT(GP) }, OFFSET_SELF_IPI, 0x62 },
};

SWEEP(x2apic_write, others, TITLE,
	"without virtual-interrupt delivery WRMSR of other MSRs than 808H operates normally: it "
	"faults, since the APIC is in xAPIC mode",
	others,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS,
		&need_PROC2_VIRTUALIZE_X2APIC_MODE, &need_xapic_mode),
	.covers = COVERS)
{
	const struct write_row *row = TEST_ROW(struct write_row);

	open(false);
	return apic_guest_wrmsr(MSR_OF(row->offset), row->value);
}

SWEEP(x2apic_write, others_read, TITLE,
	"without APIC-register virtualization RDMSR of other MSRs than 808H operates normally: it "
	"faults, since the APIC is in xAPIC mode",
	others,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS,
		&need_PROC2_VIRTUALIZE_X2APIC_MODE, &need_xapic_mode),
	.covers = COVERS)
{
	uint64_t value;

	open(false);
	return apic_guest_rdmsr(MSR_OF(TEST_ROW(struct write_row)->offset), &value);
}

TEST(x2apic_write, not_enabled, TITLE, "with the control 0, 808H is an MSR as any other", FAULT(GP),
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC_MSR_BITMAPS,
		&need_PROC2_VIRTUALIZE_X2APIC_MODE, &need_xapic_mode),
	.covers = COVERS)
{
	apic_use_tpr_shadow();
	return apic_guest_wrmsr(MSR_OF(APIC_REG_TPR), 0);
}
