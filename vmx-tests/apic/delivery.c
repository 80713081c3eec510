/* Virtual-interrupt delivery (Intel SDM, "Evaluation and Delivery of Virtual Interrupts", "PPR
   Virtualization", "EOI Virtualization", "Self-IPI Virtualization"). */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/needs.h"

#define NEEDS_DELIVERY                                                                             \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,                         \
		&need_PROC2_VIRTUAL_INTERRUPT_DELIVERY, &need_PIN_EXTERNAL_INTERRUPT_EXITING)
#define COVERS           "control:PROC2_VIRTUAL_INTERRUPT_DELIVERY field:GUEST_INTERRUPT_STATUS"
#define ENDS             EXIT(EXIT_REASON_VMCALL)
#define STATUS(svi, rvi) ((svi) << 8 | (rvi))

static void spin_a_little(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		cpu_pause();
}

/* Requests `vector` before the entry, with the TPR and IF given. */
static outcome run_requested(uint8_t vector, uint8_t tpr, bool interrupts)
{
	apic_use_delivery();
	apic_put(APIC_REG_TPR, tpr);
	apic_set_vector(APIC_REG_IRR, vector);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, vector));
	guest_set_counting_gate(vector, false);
	guest_set_code(spin_a_little);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (interrupts ? RFLAGS_IF : 0));
	return guest_run(NULL);
}

TEST(delivery, delivered, "SDM Virtual-Interrupt Delivery",
	"a recognised virtual interrupt is delivered: VISR set, VIRR cleared, SVI its vector, VPPR "
	"its class",
	ENDS, .needs = NEEDS_DELIVERY, .covers = COVERS)
{
	outcome result = run_requested(0x51, 0, true);

	CHECK_EQUAL(test_observe(guest_events), 1);
	CHECK_EQUAL(test_observe(guest_event_vector), 0x51);
	CHECK(apic_vector(APIC_REG_ISR, 0x51));
	CHECK(!apic_vector(APIC_REG_IRR, 0x51));
	CHECK_EQUAL(apic_get(APIC_REG_PPR), 0x50);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0x51, 0));
	return result;
}

TEST(delivery, interrupts_off, "SDM Virtual-Interrupt Delivery",
	"with RFLAGS.IF 0 it stays requested", ENDS, .needs = NEEDS_DELIVERY, .covers = COVERS)
{
	outcome result = run_requested(0x51, 0, false);

	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, 0x51));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, 0x51));
	return result;
}

struct priority_row {
	struct test_row row;
	uint8_t vector, tpr;
	bool delivered;
};

static const struct priority_row priorities[] = {
	{ { "class above the TPR's", ENDS }, 0x60, 0x5f, true },
	{ { "class equal to the TPR's", ENDS }, 0x5f, 0x50, false },
	{ { "class below the TPR's", ENDS }, 0x4f, 0x50, false },
	{ { "highest vector", ENDS }, 0xff, 0xe0, true },
	{ { "highest class masked", ENDS }, 0xff, 0xf0, false },
};

SWEEP(delivery, priority, "SDM Evaluation of Pending Virtual Interrupts",
	"it is recognised only when its class is above VPPR's", priorities, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	const struct priority_row *row = TEST_ROW(struct priority_row);
	outcome result;

	guest_reset();
	result = run_requested(row->vector, row->tpr, true);
	CHECK_EQUAL(test_observe(guest_events), row->delivered);
	return result;
}

TEST(delivery, in_service, "SDM PPR Virtualization",
	"a vector in service masks its class and those below", ENDS, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_ISR, 0x58);
	apic_set_vector(APIC_REG_IRR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0x58, 0x51));
	guest_set_counting_gate(0x51, false);
	guest_set_code(spin_a_little);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK_EQUAL(apic_get(APIC_REG_PPR), 0x50);
	return result;
}

TEST(delivery, two, "SDM Virtual-Interrupt Delivery",
	"of two requests the higher comes first, RVI is the other", ENDS, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_IRR, 0x41);
	apic_set_vector(APIC_REG_IRR, 0x61);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0x61));
	guest_set_counting_gate(0x61, false);
	guest_set_counting_gate(0x41, false);
	guest_set_code(spin_a_little);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_events), 1);
	CHECK_EQUAL(test_observe(guest_event_vector), 0x61);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0x61, 0x41));
	return result;
}

TEST(delivery, eoi, "SDM EOI Virtualization",
	"a write of EOI ends the service: VISR cleared, SVI the next one, VPPR recomputed", ENDS,
	.needs = NEEDS_DELIVERY, .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_ISR, 0x51);
	apic_set_vector(APIC_REG_ISR, 0x31);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0x51, 0));
	result = apic_guest_write(APIC_REG_EOI, 0);
	CHECK(!apic_vector(APIC_REG_ISR, 0x51));
	CHECK(apic_vector(APIC_REG_ISR, 0x31));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0x31, 0));
	CHECK_EQUAL(apic_get(APIC_REG_PPR), 0x30);
	return result;
}

/* Each vector's bit alone, in all four fields of the bitmap. */
TEST(delivery, eoi_exits, "SDM EOI Virtualization",
	"an EOI exits when the vector's bit in the EOI-exit bitmap is 1, with it as qualification",
	OK, .needs = NEEDS_DELIVERY,
	.covers = "exit:VIRTUALIZED_EOI field:EOI_EXIT_BITMAP_0 field:EOI_EXIT_BITMAP_1 "
		  "field:EOI_EXIT_BITMAP_2 "
		  "field:EOI_EXIT_BITMAP_3")
{
	unsigned int vector, other;

	for (vector = 16; vector < 256; vector++) {
		for (other = 0; other < 2; other++) { /* its bit, then all the others */
			uint64_t bit = BIT(vector % 64);
			unsigned int i;

			guest_reset();
			apic_use_delivery();
			apic_set_vector(APIC_REG_ISR, (uint8_t)vector);
			field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(vector, 0));
			for (i = 0; i < 4; i++) {
				uint64_t mine = i == vector / 64 ? bit : 0;

				field_write(VMCS_EOI_EXIT_BITMAP_0 + 2 * i, other ? ~mine : mine);
			}
			CHECK_EQUAL(apic_guest_write(APIC_REG_EOI, 0),
				other ? ENDS : EXIT(EXIT_REASON_VIRTUALIZED_EOI));
			if (!other)
				CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), vector);
			CHECK(!apic_vector(APIC_REG_ISR, (uint8_t)vector));
		}
	}
	return OK;
}

TEST(delivery, tpr_lets_in, "SDM TPR Virtualization",
	"lowering the TPR lets a masked virtual interrupt in", ENDS, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_put(APIC_REG_TPR, 0xf0);
	apic_set_vector(APIC_REG_IRR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0x51));
	guest_set_counting_gate(0x51, false);
	guest_gpr[RAX] = 0;
	guest_set_mode(GUEST_64BIT, CODE(apic_write_code));
	guest_gpr[RDI] = vmx_address(apic_access) + APIC_REG_TPR;
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_events), 1);
	return result;
}

TEST(delivery, self_ipi_by_icr, "SDM Self-IPI Virtualization",
	"a write of ICR_LO that is a fixed self-IPI requests its vector", ENDS,
	.needs = NEEDS_DELIVERY, .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	result = apic_guest_write(APIC_REG_ICR_LOW, 0x00040062); /* shorthand: self */
	CHECK(apic_vector(APIC_REG_IRR, 0x62));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, 0x62));
	return result;
}

TEST(delivery, other_ipi_by_icr, "SDM APIC-Write Emulation",
	"any other write of ICR_LO is an APIC-write exit", EXIT(EXIT_REASON_APIC_WRITE),
	.needs = NEEDS_DELIVERY, .covers = COVERS " exit:APIC_WRITE",
	VALUES({ VMCS_EXIT_QUALIFICATION, APIC_REG_ICR_LOW }))
{
	outcome result;

	apic_use_delivery();
	result = apic_guest_write(APIC_REG_ICR_LOW, 0x00000062);
	CHECK_EQUAL(apic_get(APIC_REG_ICR_LOW), 0x62);
	CHECK(!apic_vector(APIC_REG_IRR, 0x62));
	return result;
}

TEST(delivery, wakes_hlt, "SDM Virtual-Interrupt Delivery",
	"a virtual interrupt ends the HLT activity state", ENDS, .needs = NEEDS_DELIVERY,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_IRR, 0x51);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0x51));
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	guest_set_watchdog(GUEST_SOON);
	guest_set_counting_gate(0x51, false);
	guest_set_code(spin_a_little);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_events), 1);
	return result;
}
