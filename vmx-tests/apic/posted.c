/* Posted-interrupt processing (Intel SDM, "Posted-Interrupt Processing"): what a notification does
   to the descriptor, the virtual-APIC page, the local APIC and the guest. How a recognised virtual
   interrupt is delivered is delivery.c's. */
#define TEST_FOLDER "apic/"
#include "runtime/apic.h"
#include "runtime/string.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/exit/interrupt.h"
#include "vmx-tests/needs.h"

#define SECTION "SDM Posted-Interrupt Processing"
#define NEEDED                                                                                     \
	NEEDS(&need_PIN_POSTED_INTERRUPTS, &need_PROC_TPR_SHADOW,                                  \
		&need_PROC2_VIRTUALIZE_APIC_ACCESSES, &need_PROC2_VIRTUAL_INTERRUPT_DELIVERY,      \
		&need_VM_EXIT_ACKNOWLEDGE_INTERRUPT)
#define COVERS                                                                                     \
	"control:PIN_POSTED_INTERRUPTS field:POSTED_INTERRUPT_NOTIFICATION_VECTOR "                \
	"field:POSTED_INTERRUPT_DESCRIPTOR_ADDRESS"
#define ENDS             EXIT(EXIT_REASON_VMCALL)
#define STATUS(svi, rvi) ((uint64_t)(svi) << 8 | (rvi))
#define HIGHEST_CLASS    0xf0
#define OTHER_VECTOR     (INTERRUPT_VECTOR + 1)

/* "Posted-Interrupt Descriptor": the requests, the outstanding notification, and bits of software's
 * own. */
struct posted_descriptor {
	uint64_t requests[4];
	uint64_t control;
	uint64_t software[3];
};
#define OUTSTANDING      BIT(0) /* bit 256 of the descriptor */
#define SOFTWARE_CONTROL UINT64_C(0xfedcba9876543210)

static struct posted_descriptor descriptor __aligned(64);

static void post(uint8_t vector)
{
	descriptor.requests[vector / 64] |= BIT(vector % 64);
	descriptor.control |= OUTSTANDING;
}

GUEST64(posted_code, "pause; pause; pause; nop");

/* A guest with an empty descriptor; with its interrupts on, and all virtual ones masked by VTPR or
 * not. */
static void prepare(bool masked)
{
	guest_reset();
	memset(&descriptor, 0, sizeof(descriptor));
	descriptor.control = SOFTWARE_CONTROL & ~OUTSTANDING;
	memset(descriptor.software, 0x5a, sizeof(descriptor.software));
	apic_use_delivery();
	exit_control(CONTROL_WORD_VM_EXIT, VM_EXIT_ACKNOWLEDGE_INTERRUPT, true);
	field_set(VMCS_PIN_CONTROLS, PIN_POSTED_INTERRUPTS);
	field_write(VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, INTERRUPT_VECTOR);
	field_write(VMCS_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, vmx_address(&descriptor));
	guest_set_mode(GUEST_64BIT, CODE(posted_code));
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	if (masked)
		apic_put(APIC_REG_TPR, HIGHEST_CLASS);
}

/* The register of the local APIC with the vector's bit, as the host sees it. */
static uint32_t in_service(uint8_t vector)
{
	return apic_read(APIC_REG_ISR + vector / 32 * 16) >> vector % 32 & 1;
}

/* Takes away what an exit or a wrong CPU has left of the notification. */
static void settle(void)
{
	if (in_service(INTERRUPT_VECTOR))
		interrupt_end();
	interrupt_drain();
}

/* Enters with the notification pending; whatever is left of it is taken away. */
static outcome notify(void)
{
	outcome result;

	guest_set_watchdog(GUEST_SOON);
	interrupt_send();
	result = guest_run(NULL);
	settle();
	return result;
}

static uint64_t requests_left(void)
{
	return test_observe(descriptor.requests[0] | descriptor.requests[1] |
			    descriptor.requests[2] | descriptor.requests[3]);
}

TEST(posted, delivered, SECTION,
	"a notification makes no exit: the posted interrupt is requested, and delivered to the "
	"guest",
	ENDS, .needs = NEEDED, .covers = COVERS " field:GUEST_INTERRUPT_STATUS")
{
	outcome result;

	prepare(false);
	post(0x61);
	guest_set_counting_gate(0x61, false);
	result = notify();
	CHECK_EQUAL(test_observe(guest_events), 1);
	CHECK_EQUAL(test_observe(guest_event_vector), 0x61);
	CHECK(apic_vector(APIC_REG_ISR, 0x61));
	CHECK(!apic_vector(APIC_REG_IRR, 0x61));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0x61, 0));
	return result;
}

TEST(posted, descriptor, SECTION,
	"the requests and the outstanding-notification bit are cleared, all other bits stay", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;
	unsigned int i;

	prepare(true);
	post(0x31);
	post(0x61);
	post(0xb1);
	post(0xf1);
	result = notify();
	CHECK_EQUAL(requests_left(), 0);
	CHECK_EQUAL(test_observe(descriptor.control), SOFTWARE_CONTROL & ~OUTSTANDING);
	for (i = 0; i < ARRAY_SIZE(descriptor.software); i++)
		CHECK_EQUAL(test_observe(descriptor.software[i]), UINT64_C(0x5a5a5a5a5a5a5a5a));
	return result;
}

TEST(posted, each_vector, SECTION, "each posted vector gets its own bit in VIRR, and becomes RVI",
	OK, .needs = NEEDED, .covers = COVERS)
{
	unsigned int vector;

	for (vector = 16; vector < 256; vector++) {
		prepare(true);
		post((uint8_t)vector);
		CHECK_EQUAL(notify(), ENDS);
		CHECK(apic_vector(APIC_REG_IRR, (uint8_t)vector));
		CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, vector));
	}
	return OK;
}

/* "RVI": the greater of what it was and the highest vector posted. */
struct status_row {
	struct test_row row;
	uint8_t requested, posted, rvi; /* 0: none */
};

static const struct status_row statuses[] = {
	{ { "posted above RVI", ENDS }, 0x31, 0x41, 0x41 },
	{ { "posted below RVI", ENDS }, 0x71, 0x41, 0x71 },
	{ { "posted equals RVI", ENDS }, 0x41, 0x41, 0x41 },
	{ { "nothing posted", ENDS }, 0x31, 0, 0x31 },
	{ { "nothing at all", ENDS }, 0, 0, 0 },
};

SWEEP(posted, rvi, SECTION, "RVI becomes the greater of RVI and the highest posted vector",
	statuses, .needs = NEEDED, .covers = COVERS " field:GUEST_INTERRUPT_STATUS")
{
	const struct status_row *row = TEST_ROW(struct status_row);
	outcome result;

	prepare(true);
	if (row->requested)
		apic_set_vector(APIC_REG_IRR, row->requested);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, row->requested));
	if (row->posted)
		post(row->posted);
	descriptor.control |= OUTSTANDING;
	result = notify();
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, row->rvi));
	CHECK_EQUAL(test_observe(descriptor.control) & OUTSTANDING, 0);
	CHECK_EQUAL(test_observe(guest_events), 0);
	return result;
}

TEST(posted, merged, SECTION, "the posted requests are added to those in VIRR", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	static const uint8_t vectors[] = { 0x21, 0x5f, 0x60, 0x9f, 0xc0, 0xff };
	outcome result;
	unsigned int i;

	prepare(true);
	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		if (i % 2)
			post(vectors[i]);
		else
			apic_set_vector(APIC_REG_IRR, vectors[i]);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0xc0));
	result = notify();
	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		CHECK(apic_vector(APIC_REG_IRR, vectors[i]));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, 0xff));
	return result;
}

TEST(posted, masked, "SDM Evaluation of Pending Virtual Interrupts",
	"a posted interrupt whose class is not above VPPR's stays requested", ENDS, .needs = NEEDED,
	.covers = COVERS)
{
	outcome result;

	prepare(false);
	apic_put(APIC_REG_TPR, 0x60);
	post(0x61);
	guest_set_counting_gate(0x61, false);
	result = notify();
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, 0x61));
	return result;
}

TEST(posted, interrupts_off, SECTION,
	"a notification is processed with RFLAGS.IF 0, too; the posted interrupt stays requested",
	ENDS, .needs = NEEDED, .covers = COVERS)
{
	outcome result;

	prepare(false);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	post(0x61);
	result = notify();
	CHECK(apic_vector(APIC_REG_IRR, 0x61));
	CHECK_EQUAL(requests_left(), 0);
	return result;
}

TEST(posted, dismissed, SECTION,
	"the notification is acknowledged and dismissed by an EOI: another one can come", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	uint32_t serviced;
	unsigned int pending, next;
	outcome result;

	prepare(true);
	post(0x61);
	interrupt_send();
	result = guest_run(NULL);
	serviced = in_service(INTERRUPT_VECTOR);
	pending = interrupt_drain();
	interrupt_send();
	next = interrupt_drain();
	settle();
	CHECK_EQUAL(test_observe(serviced), 0);
	CHECK_EQUAL(pending, 0);
	CHECK_EQUAL(next, 1);
	return result;
}

TEST(posted, other_vector, SECTION, "an interrupt with another vector exits, acknowledged",
	EXIT(EXIT_REASON_EXTERNAL_INTERRUPT),
	VALUES({ VMCS_EXIT_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | INTERRUPT_VECTOR }),
	.needs = NEEDED, .covers = COVERS " exit:EXTERNAL_INTERRUPT")
{
	outcome result;

	prepare(false);
	field_write(VMCS_POSTED_INTERRUPT_NOTIFICATION_VECTOR, OTHER_VECTOR);
	post(0x61);
	result = notify();
	CHECK_EQUAL(test_observe(descriptor.control) & OUTSTANDING, OUTSTANDING);
	CHECK_EQUAL(test_observe(descriptor.requests[0x61 / 64]), BIT(0x61 % 64));
	return result;
}

TEST(posted, control_0, SECTION, "with the control 0 the notification vector is one like any other",
	EXIT(EXIT_REASON_EXTERNAL_INTERRUPT), .needs = NEEDED, .covers = COVERS)
{
	outcome result;

	prepare(false);
	field_clear(VMCS_PIN_CONTROLS, PIN_POSTED_INTERRUPTS);
	post(0x61);
	result = notify();
	CHECK_EQUAL(test_observe(descriptor.requests[0x61 / 64]), BIT(0x61 % 64));
	return result;
}

TEST(posted, no_notification, SECTION, "without a notification the descriptor is not looked at",
	ENDS, .needs = NEEDED, .covers = COVERS)
{
	outcome result;

	prepare(false);
	post(0x61);
	guest_set_counting_gate(0x61, false);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK_EQUAL(test_observe(descriptor.requests[0x61 / 64]), BIT(0x61 % 64));
	return result;
}

TEST(posted, wakes_hlt, SECTION, "a posted interrupt that is recognised ends the HLT state", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	prepare(false);
	post(0x61);
	guest_set_counting_gate(0x61, false);
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	result = notify();
	CHECK_EQUAL(test_observe(guest_events), 1);
	return result;
}

TEST(posted, stays_in_hlt, SECTION,
	"a notification without a recognised interrupt leaves the guest in HLT",
	EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED),
	VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT }), .needs = NEEDED, .covers = COVERS)
{
	prepare(false);
	apic_put(APIC_REG_TPR, 0x60);
	post(0x61);
	field_write(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	return notify();
}

/* The guest posts to itself and notifies itself, while it runs. */
static void post_and_wait(void)
{
	unsigned int i;

	post(0x61);
	apic_send_fixed(apic_id(), INTERRUPT_VECTOR);
	for (i = 0; i < 100000 && guest_events == 0; i++)
		cpu_pause();
}

TEST(posted, while_running, SECTION,
	"a notification that comes while the guest runs delivers the interrupt", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	prepare(false);
	exit_let_msrs_pass();
	guest_set_counting_gate(0x61, false);
	guest_set_code(post_and_wait);
	result = guest_run(NULL);
	settle();
	CHECK_EQUAL(test_observe(guest_events), 1);
	CHECK_EQUAL(requests_left(), 0);
	return result;
}
