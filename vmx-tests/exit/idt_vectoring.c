/* Exits during the delivery of an event: IDT-vectoring information for each type of event and each
   way in which its delivery can exit (Intel SDM, "Information for VM Exits That Occur During Event
   Delivery"). Double and triple faults, which do not count, are double_fault.c's; task gates are
   task_switch.c's. */
#define TEST_FOLDER "exit/"
#include "runtime/apic.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/exit/landing.h"
#include "vmx-tests/guest_tables.h"

#define SECTION "SDM Information for VM Exits That Occur During Event Delivery"
#define COVERS                                                                                     \
	"field:IDT_VECTORING_INFORMATION field:IDT_VECTORING_ERROR_CODE "                          \
	"field:EXIT_INSTRUCTION_LENGTH"
#define ABSENT_ADDRESS (UINT64_C(16) << 30) /* not in the guest's page tables */
#define ABSENT_PAGE    UINT64_C(1023) /* 2 MiB below 2 GiB, taken from them where a test asks */
#define BEHIND         5 /* bytes of the VMCALL and the jump that end the guest's code */
#define VECTOR         0x55

GUEST64(idt_vectoring_de, "xorl %ecx, %ecx; divl %ecx");
GUEST64(idt_vectoring_ud, "ud2");
GUEST64(idt_vectoring_np, "movl $0x68, %eax; movl %eax, %ds");
GUEST64(idt_vectoring_gp, "movl $0x7c, %eax; movl %eax, %ds");
GUEST64(idt_vectoring_pf, "movq $1, %rax; shlq $34, %rax; movl %eax, (%rax)");
GUEST64(idt_vectoring_int1, ".byte 0xf1");
GUEST64(idt_vectoring_int3, "int3");
GUEST32(idt_vectoring_into32, "movl $0x7fffffff, %eax; incl %eax; into");
GUEST64(idt_vectoring_int, "int $0x55");
GUEST64(idt_vectoring_int_3, ".byte 0xcd, 0x03");
GUEST64(idt_vectoring_nop, "nop");

struct event_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint8_t bytes; /* of the instruction that raises the event, the code's last */
	uint8_t type, vector;
	bool has_error;
	uint32_t error;
};

#define ROW(name, code, mode, bytes, type, vector, has_error, error)                               \
	{                                                                                          \
		{ name, FAULT(NP) }, CODE_OF(idt_vectoring_##code), mode, bytes,                   \
			INTERRUPTION_##type, vector, has_error, error                              \
	}

static const struct event_row events[] = {
	ROW("#DE", de, GUEST_64BIT, 2, HARDWARE_EXCEPTION, VECTOR_DE, false, 0),
	ROW("#UD", ud, GUEST_64BIT, 2, HARDWARE_EXCEPTION, VECTOR_UD, false, 0),
	ROW("#GP", gp, GUEST_64BIT, 2, HARDWARE_EXCEPTION, VECTOR_GP, true, 0x7c),
	ROW("INT1", int1, GUEST_64BIT, 1, PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, false, 0),
	ROW("INT3", int3, GUEST_64BIT, 1, SOFTWARE_EXCEPTION, VECTOR_BP, false, 0),
	ROW("INTO", into32, GUEST_COMPATIBILITY, 1, SOFTWARE_EXCEPTION, VECTOR_OF, false, 0),
	ROW("INT n", int, GUEST_64BIT, 2, SOFTWARE, VECTOR, false, 0),
	ROW("INT 3 of two bytes", int_3, GUEST_64BIT, 2, SOFTWARE, VECTOR_BP, false, 0),
	ROW("INT n at CPL 3", int, GUEST_64BIT_USER, 2, SOFTWARE, VECTOR, false, 0),
};

/* These two are also what the delivery of the others meets. */
static const struct event_row not_present =
	ROW("#NP", np, GUEST_64BIT, 2, HARDWARE_EXCEPTION, VECTOR_NP, true, 0x68);
static const struct event_row page_fault =
	ROW("#PF", pf, GUEST_64BIT, 2, HARDWARE_EXCEPTION, VECTOR_PF, true, PF_WRITE);

static bool is_software(const struct event_row *row)
{
	return row->type >= INTERRUPTION_SOFTWARE;
}

static uint64_t vectoring_information(const struct event_row *row)
{
	return INTERRUPTION_VALID | FIELD_PUT(row->vector, INTERRUPTION_VECTOR) |
	       FIELD_PUT(row->type, INTERRUPTION_TYPE) |
	       (row->has_error ? INTERRUPTION_HAS_ERROR : 0);
}

/* Bit 12 is undefined, and not compared. */
static outcome check_vectoring(const struct event_row *row)
{
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & ~INTERRUPTION_NMI_UNBLOCKING,
		vectoring_information(row));
	if (row->has_error)
		CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_ERROR_CODE), row->error);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.end) - BEHIND - row->bytes);
	if (is_software(row))
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), row->bytes);
	return OK;
}

static void start(const struct event_row *row, uint64_t exception_bitmap)
{
	guest_reset();
	landing_set_gates();
	guest_gdt[0x68 / 8] =
		guest_gdt[GUEST_SELECTOR_DATA / 8] & ~(FIELD_PUT(1, ACCESS_RIGHTS_P) << 40);
	field_write(VMCS_EXCEPTION_BITMAP, exception_bitmap);
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
}

/* The event's own gate is not present: #NP, with the gate's number as error code. Bits 2:0 of it:
   EXT unless software raised the event, and IDT. For INT1 the manual does not say whether EXT is
   set. */
static outcome meet_absent_gate(const struct event_row *row)
{
	uint64_t error = row->vector * 8U + 2 + (row->type == INTERRUPTION_HARDWARE_EXCEPTION);
	outcome result, check;

	start(row, BIT(VECTOR_NP));
	guest_idt[2 * row->vector] &= ~(BIT(7) << 40);
	result = guest_run(NULL);
	if (row->type == INTERRUPTION_PRIVILEGED_SOFTWARE_EXCEPTION)
		error |= outcome_value(result) & 1;
	CHECK_EQUAL(result, FAULT(NP, error));
	check = check_vectoring(row);
	return check == OK ? row->row.expected : check;
}

SWEEP(idt_vectoring, absent_gate, SECTION,
	"each type of event, when its gate is not present and #NP exits", events,
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	return meet_absent_gate(TEST_ROW(struct event_row));
}

TEST(idt_vectoring, absent_gate_page_fault, SECTION,
	"the same for #PF, whose error code is recorded", FAULT(NP),
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	return meet_absent_gate(&page_fault);
}

/* The page of the IDT is absent: #PF. */
static outcome meet_absent_idt(const struct event_row *row)
{
	outcome check;

	start(row, BIT(VECTOR_PF));
	field_write(VMCS_GUEST_IDTR_BASE, ABSENT_ADDRESS);
	CHECK_EQUAL(guest_run(NULL), FAULT(PF, 0));
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), ABSENT_ADDRESS + row->vector * 16U);
	check = check_vectoring(row);
	return check == OK ? row->row.expected : check;
}

SWEEP(idt_vectoring, unreachable_idt, SECTION,
	"each type of event, when a page fault on the IDT exits", events,
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	return meet_absent_idt(TEST_ROW(struct event_row));
}

TEST(idt_vectoring, unreachable_idt_not_present, SECTION,
	"the same for #NP, whose error code is recorded", FAULT(NP),
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	return meet_absent_idt(&not_present);
}

/* The stack that the event's frame should be pushed to is absent: #PF. */
SWEEP(idt_vectoring, unreachable_stack, SECTION,
	"each type of event, when a page fault on the stack exits", events,
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	const struct event_row *row = TEST_ROW(struct event_row);
	outcome result, check;

	start(row, BIT(VECTOR_PF));
	guest_pd[ABSENT_PAGE] = 0;
	if (row->mode == GUEST_64BIT_USER) /* RSP0 of the TSS */
		*(uint64_t *)(void *)(guest_tss.bytes + 4) = ABSENT_PAGE * PAGE_SIZE_2M + 64;
	else
		field_write(VMCS_GUEST_RSP, ABSENT_PAGE * PAGE_SIZE_2M + 64);
	result = guest_run(NULL);
	check = check_vectoring(row);
	CHECK_EQUAL(result, FAULT(PF, PF_WRITE));
	return check == OK ? row->row.expected : check;
}

SWEEP(idt_vectoring, ept_violation, SECTION,
	"each type of event, when its delivery meets an EPT violation", events,
	.needs = NEEDS(&need_ept), .covers = COVERS " exit:EPT_VIOLATION")
{
	const struct event_row *row = TEST_ROW(struct event_row);
	outcome result, check;

	start(row, 0);
	ept_enable();
	field_write(VMCS_GUEST_IDTR_BASE, 0xfffff000);
	*ept_entry(0xfffff000, 1) = 0;
	ept_invalidate();
	result = guest_run(NULL);
	check = check_vectoring(row);
	CHECK_EQUAL(result, EXIT(EXIT_REASON_EPT_VIOLATION));
	return check == OK ? row->row.expected : check;
}

/* Events that no instruction raises. Their gate is not present. */
static outcome meet_interrupt(uint8_t vector)
{
	landing_set_gates();
	guest_idt[2 * vector] &= ~(BIT(7) << 40);
	field_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_NP));
	guest_set_mode(GUEST_64BIT, idt_vectoring_nop,
		(size_t)(idt_vectoring_nop_end - idt_vectoring_nop));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	return guest_run(NULL);
}

TEST(idt_vectoring, external_interrupt, SECTION, "an external interrupt whose gate is not present",
	FAULT(NP, VECTOR * 8 + 3),
	VALUES({ VMCS_IDT_VECTORING_INFORMATION, INTERRUPTION_VALID | VECTOR }),
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	outcome result;

	apic_send_fixed(apic_id(), VECTOR);
	result = meet_interrupt(VECTOR);
	apic_eoi();
	return result;
}

/* The guest sends itself an NMI: with "NMI exiting" 0 it is delivered as without VMX. */
static void send_nmi(void)
{
	apic_send_nmi(apic_id());
	for (;;)
		cpu_pause();
}

TEST(idt_vectoring, nmi, SECTION, "an NMI whose gate is not present", FAULT(NP, VECTOR_NMI * 8 + 3),
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | VECTOR_NMI | FIELD_PUT(INTERRUPTION_NMI, INTERRUPTION_TYPE) }),
	.covers = COVERS " exit:EXCEPTION_OR_NMI")
{
	landing_set_gates();
	guest_idt[2 * VECTOR_NMI] &= ~(BIT(7) << 40);
	field_write(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_NP));
	exit_let_msrs_pass();
	return guest_run(send_nmi);
}

/* What is injected counts as an event in delivery, too. */
static outcome inject(uint64_t information, uint32_t error, uint32_t length)
{
	uint8_t vector = (uint8_t)(information & INTERRUPTION_VECTOR);

	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
	field_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, error);
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, length);
	return meet_interrupt(vector);
}

struct injection_row {
	struct test_row row;
	uint64_t information;
	uint32_t error, length;
};

#define INJECT(name, type, vector, flags, error, length)                                           \
	{                                                                                          \
		{ name, FAULT(NP) },                                                               \
			INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_##type, INTERRUPTION_TYPE) |   \
				(vector) | (flags),                                                \
			error, length                                                              \
	}

static const struct injection_row injections[] = {
	INJECT("external interrupt", EXTERNAL, VECTOR, 0, 0, 0),
	INJECT("NMI", NMI, VECTOR_NMI, 0, 0, 0),
	INJECT("#UD", HARDWARE_EXCEPTION, VECTOR_UD, 0, 0, 0),
	INJECT("#GP", HARDWARE_EXCEPTION, VECTOR_GP, INTERRUPTION_HAS_ERROR, 0x1230, 0),
	INJECT("software interrupt", SOFTWARE, VECTOR, 0, 0, 7),
	INJECT("privileged software exception", PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, 0, 0, 1),
	INJECT("software exception", SOFTWARE_EXCEPTION, VECTOR_BP, 0, 0, 3),
};

SWEEP(idt_vectoring, injected, SECTION, "each type of injected event, when its gate is not present",
	injections,
	.covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION field:ENTRY_INSTRUCTION_LENGTH")
{
	const struct injection_row *row = TEST_ROW(struct injection_row);
	outcome result;

	guest_reset();
	result = inject(row->information, row->error, row->length);
	CHECK_EQUAL(result & ~UINT64_C(0xffffffff), FAULT(NP));
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & ~INTERRUPTION_NMI_UNBLOCKING,
		row->information);
	if (row->information & INTERRUPTION_HAS_ERROR)
		CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_ERROR_CODE), row->error);
	if (row->length != 0)
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), row->length);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(idt_vectoring_nop));
	return row->row.expected;
}

TEST(idt_vectoring, invalid_otherwise, SECTION,
	"an exit that is not during delivery clears the valid bit", FAULT(UD),
	.covers = "field:IDT_VECTORING_INFORMATION")
{
	const struct event_row *row = &events[1];

	CHECK_EQUAL(meet_absent_gate(row), FAULT(NP)); /* leaves it set */
	field_write(VMCS_EXCEPTION_BITMAP, UINT32_MAX);
	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	CHECK_EQUAL(guest_run(NULL), FAULT(UD));
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return FAULT(UD);
}
