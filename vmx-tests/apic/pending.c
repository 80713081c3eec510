/* When a recognized virtual interrupt is delivered, and what requests one (Intel SDM,
   "Virtual-Interrupt Delivery", "PPR Virtualization", "APIC-Write Emulation"). The delivery itself:
   delivery.c. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/needs.h"

#define NEEDED                                                                                     \
	NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES,                         \
		&need_PROC2_VIRTUAL_INTERRUPT_DELIVERY, &need_PIN_EXTERNAL_INTERRUPT_EXITING)
#define COVERS           "control:PROC2_VIRTUAL_INTERRUPT_DELIVERY field:GUEST_INTERRUPT_STATUS"
#define ENDS             EXIT(EXIT_REASON_VMCALL)
#define WRITE            EXIT(EXIT_REASON_APIC_WRITE)
#define VECTOR           0x51
#define STATUS(svi, rvi) ((uint64_t)(svi) << 8 | (rvi))

GUEST_CODE64(pending_pause, "pause; pause; vmcall");
GUEST_CODE64(pending_sti, "sti; nop; vmcall");
GUEST_CODE64(pending_sti_vmcall, "sti; vmcall");
GUEST_CODE64(pending_vmcall, "vmcall");
GUEST_CODE64(pending_hlt, "sti; hlt; cli; vmcall");

/* A virtual interrupt is requested; the guest runs that code. */
static outcome run(const uint8_t *code, size_t bytes, bool interrupts)
{
	apic_set_vector(APIC_REG_IRR, VECTOR);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, VECTOR));
	guest_set_counting_gate(VECTOR, false);
	guest_set_mode(GUEST_64BIT, code, bytes);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | (interrupts ? RFLAGS_IF : 0));
	return guest_run(NULL);
}

struct block_row {
	struct test_row row;
	const uint8_t *code, *end;
	bool interrupts;
	uint64_t interruptibility;
	unsigned int delivered;
};

#define CODE_ROW(name) name, name##_end
static const struct block_row blocks[] = {
	{ { "IF set", ENDS }, CODE_ROW(pending_pause), true, 0, 1 },
	{ { "IF clear", ENDS }, CODE_ROW(pending_pause), false, 0, 0 },
	{ { "STI, then another instruction", ENDS }, CODE_ROW(pending_sti), false, 0, 1 },
	{ { "STI right before the end", ENDS }, CODE_ROW(pending_sti_vmcall), false, 0, 0 },
	{ { "VM entry with blocking by STI, two instructions", ENDS }, CODE_ROW(pending_pause),
		true, INTERRUPTIBILITY_STI, 1 },
	{ { "VM entry with blocking by MOV SS, two instructions", ENDS }, CODE_ROW(pending_pause),
		true, INTERRUPTIBILITY_MOV_SS, 1 },
};

SWEEP(pending, blocking, "SDM Virtual-Interrupt Delivery",
	"a recognized virtual interrupt is delivered where an interrupt would be: RFLAGS.IF = 1, "
	"no blocking by STI or MOV SS",
	blocks, .needs = NEEDED, .covers = COVERS " field:GUEST_INTERRUPTIBILITY_STATE")
{
	const struct block_row *row = TEST_ROW(struct block_row);
	outcome result;

	guest_reset();
	apic_use_delivery();
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->interruptibility);
	result = run(row->code, (size_t)(row->end - row->code), row->interrupts);
	CHECK_EQUAL(test_observe(guest_events), row->delivered);
	return result;
}

TEST(pending, sti_hlt, "SDM Virtual-Interrupt Delivery",
	"a virtual interrupt pending at STI and HLT is delivered before the instruction behind HLT",
	ENDS, .needs = NEEDED, .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	guest_set_watchdog(GUEST_SOON);
	result = run(CODE(pending_hlt), false);
	CHECK_EQUAL(test_observe(guest_events), 1);
	return result;
}

TEST(pending, entry_blocked_by_sti, "SDM Virtual-Interrupt Delivery",
	"blocking by STI at VM entry holds it back for one instruction", ENDS, .needs = NEEDED,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_STI);
	result = run(CODE(pending_vmcall), true);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, VECTOR));
	return result;
}

TEST(pending, entry_blocked_by_mov_ss, "SDM Virtual-Interrupt Delivery",
	"blocking by MOV SS at VM entry holds it back for one instruction", ENDS, .needs = NEEDED,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_MOV_SS);
	result = run(CODE(pending_vmcall), true);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, VECTOR));
	return result;
}

TEST(pending, interrupt_window, "SDM Virtual-Interrupt Delivery",
	"with \"interrupt-window exiting\" 1 no virtual interrupt is delivered: the window exits",
	EXIT(EXIT_REASON_INTERRUPT_WINDOW), .needs = NEEDED,
	.covers = COVERS " control:PROC_INTERRUPT_WINDOW_EXITING exit:INTERRUPT_WINDOW")
{
	outcome result;

	apic_use_delivery();
	field_set(VMCS_PROC_CONTROLS, PROC_INTERRUPT_WINDOW_EXITING);
	result = run(CODE(pending_pause), true);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, VECTOR));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(0, VECTOR));
	return result;
}

TEST(pending, not_enabled, "SDM Evaluation and Delivery of Virtual Interrupts",
	"with \"virtual-interrupt delivery\" 0 nothing is delivered", ENDS, .needs = NEEDED,
	.covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	field_clear(VMCS_PROC2_CONTROLS, PROC2_VIRTUAL_INTERRUPT_DELIVERY);
	result = run(CODE(pending_pause), true);
	CHECK_EQUAL(test_observe(guest_events), 0);
	CHECK(apic_vector(APIC_REG_IRR, VECTOR));
	return result;
}

/* Every vector that may be delivered: those from 16 up have a class above 0. */
TEST(pending, vectors, "SDM Virtual-Interrupt Delivery",
	"each vector from 16 to 255 is delivered as itself", OK, .needs = NEEDED, .covers = COVERS)
{
	unsigned int vector;

	for (vector = 16; vector < 256; vector++) {
		guest_reset();
		apic_use_delivery();
		apic_set_vector(APIC_REG_IRR, (uint8_t)vector);
		field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, vector));
		guest_set_counting_gate((uint8_t)vector, false);
		guest_set_mode(GUEST_64BIT, CODE(pending_pause));
		field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
		CHECK_EQUAL(guest_run(NULL), ENDS);
		CHECK_EQUAL(test_observe(guest_event_vector), vector);
		CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), STATUS(vector, 0));
	}
	return OK;
}

struct priority_row {
	struct test_row row;
	uint32_t vtpr;
	uint8_t svi;
	uint32_t vppr;
};

static const struct priority_row priorities[] = {
	{ { "VTPR 0, SVI 0", ENDS }, 0, 0, 0 },
	{ { "VTPR 35H, SVI 0", ENDS }, 0x35, 0, 0x35 },
	{ { "VTPR 35H, SVI 41H", ENDS }, 0x35, 0x41, 0x40 },
	{ { "VTPR 35H, SVI 3FH", ENDS }, 0x35, 0x3f, 0x35 },
	{ { "VTPR 0, SVI FFH", ENDS }, 0, 0xff, 0xf0 },
	{ { "VTPR F0H, SVI E1H", ENDS }, 0xf0, 0xe1, 0xf0 },
	{ { "VTPR 4FH, SVI 40H", ENDS }, 0x4f, 0x40, 0x4f },
};

SWEEP(pending, priority_at_entry, "SDM PPR Virtualization",
	"VM entry computes VPPR: VTPR where its class is at least SVI's, else SVI's class; bytes "
	"3:1 become 0",
	priorities, .needs = NEEDED, .covers = COVERS)
{
	const struct priority_row *row = TEST_ROW(struct priority_row);
	outcome result;

	guest_reset();
	apic_use_delivery();
	apic_put(APIC_REG_TPR, row->vtpr);
	apic_put(APIC_REG_PPR, 0xffffff77);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(row->svi, 0));
	guest_set_mode(GUEST_64BIT, CODE(pending_pause));
	result = guest_run(NULL);
	CHECK_EQUAL(apic_get(APIC_REG_PPR), row->vppr);
	return result;
}

SWEEP(pending, priority_at_tpr_write, "SDM TPR Virtualization",
	"a write of the TPR computes VPPR anew", priorities, .needs = NEEDED, .covers = COVERS)
{
	const struct priority_row *row = TEST_ROW(struct priority_row);
	outcome result;

	guest_reset();
	apic_use_delivery();
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(row->svi, 0));
	result = apic_guest_write(APIC_REG_TPR, row->vtpr);
	CHECK_EQUAL(apic_get(APIC_REG_PPR), row->vppr);
	return result;
}

TEST(pending, threshold_unused, "SDM TPR Virtualization",
	"with virtual-interrupt delivery the TPR threshold makes no exits", ENDS, .needs = NEEDED,
	.covers = COVERS " field:TPR_THRESHOLD")
{
	apic_use_delivery();
	field_write(VMCS_TPR_THRESHOLD, 0xf);
	return apic_guest_write(APIC_REG_TPR, 0);
}

/* The interrupt command register: one condition broken at a time. */
#define SELF (UINT32_C(1) << 18 | VECTOR)
struct command_row {
	struct test_row row;
	uint32_t command;
};
static const struct command_row commands[] = {
	{ { "fixed, edge, self", ENDS }, SELF },
	{ { "the same, bit 11 set", ENDS }, SELF | 1U << 11 },
	{ { "the same, bit 14 set", ENDS }, SELF | 1U << 14 },
	{ { "vector 0FH", WRITE }, (SELF & ~0xffU) | 0x0f },
	{ { "vector 0", WRITE }, SELF & ~0xffU },
	{ { "delivery mode 1", WRITE }, SELF | 1U << 8 },
	{ { "delivery mode 4 (NMI)", WRITE }, SELF | 4U << 8 },
	{ { "delivery mode 7", WRITE }, SELF | 7U << 8 },
	{ { "delivery status", WRITE }, SELF | 1U << 12 },
	{ { "bit 13", WRITE }, SELF | 1U << 13 },
	{ { "level-triggered", WRITE }, SELF | 1U << 15 },
	{ { "bit 16", WRITE }, SELF | 1U << 16 },
	{ { "bit 17", WRITE }, SELF | 1U << 17 },
	{ { "no shorthand", WRITE }, VECTOR },
	{ { "all including self", WRITE }, 2U << 18 | VECTOR },
	{ { "all excluding self", WRITE }, 3U << 18 | VECTOR },
	{ { "bit 20", WRITE }, SELF | 1U << 20 },
	{ { "bit 31", WRITE }, SELF | 1U << 31 },
};

SWEEP(pending, self_ipi_conditions, "SDM APIC-Write Emulation",
	"a write to 300H is a self-IPI when the shorthand is self, edge, fixed, no reserved bit or "
	"delivery status, vector above 15; else an APIC-write exit",
	commands, .needs = NEEDED, .covers = COVERS " exit:APIC_WRITE")
{
	const struct command_row *row = TEST_ROW(struct command_row);
	outcome result;

	guest_reset();
	apic_use_delivery();
	result = apic_guest_write(APIC_REG_ICR_LOW, row->command);
	CHECK_EQUAL(apic_get(APIC_REG_ICR_LOW), row->command);
	CHECK_EQUAL(apic_vector(APIC_REG_IRR, (uint8_t)row->command), result == ENDS);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPT_STATUS), result == ENDS ? VECTOR : 0);
	return result;
}

TEST(pending, self_ipi_keeps_higher, "SDM Self-IPI Virtualization",
	"a self-IPI leaves a higher RVI", ENDS, .needs = NEEDED,
	VALUES({ VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0x77) }), .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_IRR, 0x77);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, 0x77));
	result = apic_guest_write(APIC_REG_ICR_LOW, SELF);
	CHECK(apic_vector(APIC_REG_IRR, VECTOR));
	return result;
}

/* EOI lets what it masked in. */
GUEST_CODE64(pending_eoi, "movl $0, (%rdi); pause; vmcall");

TEST(pending, eoi_lets_in, "SDM EOI Virtualization",
	"EOI virtualization evaluates pending virtual interrupts", ENDS, .needs = NEEDED,
	VALUES({ VMCS_GUEST_INTERRUPT_STATUS, STATUS(VECTOR, 0) }), .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_ISR, 0x68);
	apic_set_vector(APIC_REG_IRR, VECTOR);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0x68, VECTOR));
	guest_set_counting_gate(VECTOR, false);
	guest_set_mode(GUEST_64BIT, CODE(pending_eoi));
	guest_gpr[RDI] = vmx_address(apic_access) + APIC_REG_EOI;
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(test_observe(guest_event_vector), VECTOR);
	return result;
}

TEST(pending, eoi_clears_veoi, "SDM APIC-Write Emulation", "a write to 0B0H leaves VEOI 0", ENDS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	apic_use_delivery();
	apic_put(APIC_REG_EOI, 0x12345678);
	result = apic_guest_write(APIC_REG_EOI, 0x87654321);
	CHECK_EQUAL(apic_get(APIC_REG_EOI), 0);
	return result;
}

TEST(pending, eoi_exit_is_a_trap, "SDM EOI Virtualization",
	"the EOI exit comes after the instruction; the exit comes before the evaluation",
	EXIT(EXIT_REASON_VIRTUALIZED_EOI), .needs = NEEDED,
	VALUES({ VMCS_EXIT_QUALIFICATION, 0x68 },
		{ VMCS_GUEST_INTERRUPT_STATUS, STATUS(0, VECTOR) }),
	.covers = COVERS " exit:VIRTUALIZED_EOI")
{
	outcome result;

	apic_use_delivery();
	apic_set_vector(APIC_REG_ISR, 0x68);
	apic_set_vector(APIC_REG_IRR, VECTOR);
	field_write(VMCS_GUEST_INTERRUPT_STATUS, STATUS(0x68, VECTOR));
	field_write(VMCS_EOI_EXIT_BITMAP_1, BIT(0x68 - 64));
	guest_set_counting_gate(VECTOR, false);
	guest_set_mode(GUEST_64BIT, CODE(pending_eoi));
	guest_gpr[RDI] = vmx_address(apic_access) + APIC_REG_EOI;
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	result = guest_run(NULL);
	CHECK_EQUAL(
		field_read(VMCS_GUEST_RIP), vmx_address(pending_eoi) + 6); /* MOV is 6 bytes long */
	CHECK_EQUAL(test_observe(guest_events), 0);
	return result;
}
