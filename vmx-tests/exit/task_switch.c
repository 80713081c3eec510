/* Task switches always exit: qualification, length and IDT-vectoring information of each source,
   and the faults that come before (Intel SDM, "Treatment of Task Switches", "Exit Qualification for
   Task Switches"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/interrupt.h"
#include "vmx-tests/guest_tables.h"

#define SECTION "SDM Treatment of Task Switches in VMX Non-Root Operation"
#define COVERS  "exit:TASK_SWITCH field:EXIT_QUALIFICATION field:EXIT_INSTRUCTION_LENGTH"
#define BEHIND  5    /* bytes of the VMCALL and the jump that end the guest's code */
#define GATE    0x70 /* selector of a task gate in the GDT */
#define VECTOR  INTERRUPT_VECTOR

/* Descriptors ("Segment Descriptors", "IDT Descriptors"). */
#define DESCRIPTOR_BUSY    (UINT64_C(2) << 40)
#define DESCRIPTOR_PRESENT (UINT64_C(0x80) << 40)
#define TASK_GATE          ((UINT64_C(0x85) << 40) | (uint64_t)GUEST_SELECTOR_TSS2 << 16)

GUEST32(task_switch_call, ".byte 0x9a; .long 0; .word 0x58"); /* GUEST_SELECTOR_TSS2 */
GUEST32(task_switch_jmp, ".byte 0xea; .long 0; .word 0x58");
GUEST32(task_switch_call_gate, ".byte 0x9a; .long 0; .word 0x70");
GUEST32(task_switch_jmp_gate, ".byte 0xea; .long 0; .word 0x70");
GUEST32(task_switch_call_memory, "pushl $0x58; pushl $0; lcall *(%esp)");
GUEST32(task_switch_jmp_memory, "pushl $0x58; pushl $0; ljmp *(%esp)");
GUEST32(task_switch_iret, "iret");
GUEST32(task_switch_int, "int $0x55");
GUEST32(task_switch_int3, "int3");
GUEST32(task_switch_into, "movl $0x7fffffff, %eax; incl %eax; into");
GUEST32(task_switch_int1, ".byte 0xf1");
GUEST32(task_switch_ud, "ud2");
GUEST32(task_switch_gp, "movl $0x7c, %eax; movl %eax, %ds");
GUEST32(task_switch_nop, "nop");

struct task_row {
	struct test_row row;
	struct guest_code code;
	uint8_t bytes; /* of the instruction, the code's last */
	uint8_t source;
	uint32_t vectoring; /* IDT-vectoring information */
	uint32_t error;
};

#define ROW(name, code, bytes, source, vectoring, error)                                           \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_TASK_SWITCH) }, CODE_OF(task_switch_##code), bytes,       \
			TASK_SWITCH_##source, vectoring, error                                     \
	}
#define EVENT(type, vector)                                                                        \
	((uint32_t)(INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_##type, INTERRUPTION_TYPE) |       \
		    (vector)))

static const struct task_row sources[] = {
	ROW("CALL", call, 7, CALL, 0, 0),
	ROW("JMP", jmp, 7, JMP, 0, 0),
	ROW("CALL, selector in memory", call_memory, 3, CALL, 0, 0),
	ROW("JMP, selector in memory", jmp_memory, 3, JMP, 0, 0),
	ROW("CALL of a task gate", call_gate, 7, CALL, 0, 0),
	ROW("JMP to a task gate", jmp_gate, 7, JMP, 0, 0),
	ROW("IRET", iret, 1, IRET, 0, 0),
	ROW("INT n", int, 2, GATE, EVENT(SOFTWARE, VECTOR), 0),
	ROW("INT3", int3, 1, GATE, EVENT(SOFTWARE_EXCEPTION, VECTOR_BP), 0),
	ROW("INTO", into, 1, GATE, EVENT(SOFTWARE_EXCEPTION, VECTOR_OF), 0),
	ROW("INT1", int1, 1, GATE, EVENT(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), 0),
	ROW("#UD", ud, 2, GATE, EVENT(HARDWARE_EXCEPTION, VECTOR_UD), 0),
	ROW("#GP", gp, 2, GATE,
		EVENT(HARDWARE_EXCEPTION, VECTOR_GP) | (uint32_t)INTERRUPTION_HAS_ERROR, 0x7c),
};

/* All IDT gates are task gates, and the TSS of the guest links back to the second one for IRET. */
static void prepare(const struct task_row *row)
{
	unsigned int vector;

	guest_reset();
	field_write(VMCS_EXCEPTION_BITMAP, 0);
	for (vector = 0; vector < 256; vector++)
		guest_idt[vector] = TASK_GATE;
	guest_gdt[GATE / 8] = TASK_GATE;
	guest_tss.bytes[0] = GUEST_SELECTOR_TSS2;
	guest_set_mode(GUEST_PAGED32, row->code.start, (size_t)(row->code.end - row->code.start));
	if (row->source == TASK_SWITCH_IRET) {
		field_set(VMCS_GUEST_RFLAGS, RFLAGS_NT);
		guest_gdt[GUEST_SELECTOR_TSS2 / 8] |= DESCRIPTOR_BUSY;
	}
}

SWEEP(task_switch, sources, SECTION,
	"every source exits; the qualification names it and the new task's TSS", sources,
	.covers = COVERS)
{
	const struct task_row *row = TEST_ROW(struct task_row);
	outcome result;

	prepare(row);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
		FIELD_PUT(GUEST_SELECTOR_TSS2, TASK_SWITCH_SELECTOR) |
			FIELD_PUT(row->source, TASK_SWITCH_SOURCE));
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

SWEEP(task_switch, rip, "SDM Saving RIP, RSP, RFLAGS, and SSP", "RIP is saved at the instruction",
	sources, .covers = "exit:TASK_SWITCH field:GUEST_RIP")
{
	const struct task_row *row = TEST_ROW(struct task_row);
	outcome result;

	prepare(row);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.end) - BEHIND - row->bytes);
	return result;
}

static bool is_hardware(const struct task_row *row)
{
	return row->vectoring != 0 &&
	       FIELD_GET(row->vectoring, INTERRUPTION_TYPE) == INTERRUPTION_HARDWARE_EXCEPTION;
}

SWEEP(task_switch, length, "SDM Information for VM Exits Due to Instruction Execution",
	"the length is the instruction's, but of hardware exceptions", sources,
	.covers = "exit:TASK_SWITCH field:EXIT_INSTRUCTION_LENGTH")
{
	const struct task_row *row = TEST_ROW(struct task_row);
	outcome result;

	prepare(row);
	result = guest_run(NULL);
	if (!is_hardware(row))
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), row->bytes);
	return result;
}

SWEEP(task_switch, vectoring, "SDM Information for VM Exits That Occur During Event Delivery",
	"a task gate of the IDT was met during the delivery of its event; other sources have none",
	sources,
	.covers = "exit:TASK_SWITCH field:IDT_VECTORING_INFORMATION field:IDT_VECTORING_ERROR_CODE")
{
	const struct task_row *row = TEST_ROW(struct task_row);
	uint64_t information;
	outcome result;

	prepare(row);
	result = guest_run(NULL);
	information = field_read(VMCS_IDT_VECTORING_INFORMATION) & ~INTERRUPTION_NMI_UNBLOCKING;
	if (row->vectoring == 0)
		information &= INTERRUPTION_VALID;
	CHECK_EQUAL(information, row->vectoring);
	if (row->vectoring & INTERRUPTION_HAS_ERROR)
		CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_ERROR_CODE), row->error);
	return result;
}

SWEEP(task_switch, untouched, SECTION,
	"nothing of the switch has happened: TR, CR0.TS, RFLAGS.NT, the TSSs", sources,
	.covers = "exit:TASK_SWITCH field:GUEST_TR_SELECTOR field:GUEST_CR0")
{
	const struct task_row *row = TEST_ROW(struct task_row);
	uint64_t descriptor, nt;
	outcome result;

	prepare(row);
	descriptor = guest_gdt[GUEST_SELECTOR_TSS2 / 8];
	nt = row->source == TASK_SWITCH_IRET ? RFLAGS_NT : 0;
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_TR_SELECTOR), GUEST_SELECTOR_TSS);
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & CR0_TS, 0);
	if (row->source != TASK_SWITCH_IRET) /* IRET's RFLAGS may be saved as the old TSS would get
						them: NT = 0 */
		CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_NT, nt);
	CHECK_EQUAL(test_observe(guest_gdt[GUEST_SELECTOR_TSS2 / 8]), descriptor);
	CHECK_EQUAL(test_observe(guest_tss.bytes[32] | guest_tss.bytes[36]),
		0); /* EIP and EFLAGS of the old task */
	return result;
}

TEST(task_switch, external_interrupt, SECTION, "a task gate met by an external interrupt",
	EXIT(EXIT_REASON_TASK_SWITCH),
	VALUES({ VMCS_EXIT_QUALIFICATION,
		       GUEST_SELECTOR_TSS2 | FIELD_PUT(TASK_SWITCH_GATE, TASK_SWITCH_SOURCE) },
		{ VMCS_IDT_VECTORING_INFORMATION, EVENT(EXTERNAL, VECTOR) }),
	.covers = COVERS " field:IDT_VECTORING_INFORMATION")
{
	const struct task_row row = ROW("", nop, 0, GATE, 0, 0);
	outcome result;

	prepare(&row);
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	interrupt_send();
	result = guest_run(NULL);
	interrupt_end();
	interrupt_drain();
	return result;
}

TEST(task_switch, injected, SECTION,
	"a task gate met by an injected software interrupt, with the injected length",
	EXIT(EXIT_REASON_TASK_SWITCH),
	VALUES({ VMCS_EXIT_QUALIFICATION,
		       GUEST_SELECTOR_TSS2 | FIELD_PUT(TASK_SWITCH_GATE, TASK_SWITCH_SOURCE) },
		{ VMCS_IDT_VECTORING_INFORMATION, EVENT(SOFTWARE, VECTOR) },
		{ VMCS_EXIT_INSTRUCTION_LENGTH, 5 }),
	.covers = COVERS " field:ENTRY_INTERRUPTION_INFORMATION field:ENTRY_INSTRUCTION_LENGTH")
{
	const struct task_row row = ROW("", nop, 0, GATE, 0, 0);

	prepare(&row);
	field_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT(SOFTWARE, VECTOR));
	field_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 5);
	return guest_run(NULL);
}

/* What comes before the exit: the checks of the TSS descriptor and of the gate. */
struct fault_row {
	struct test_row row;
	struct task_row source;
	uint64_t gate_and, tss_or, tss_and; /* of the descriptors */
};

#define FAULT_ROW(name, expected, code, source, gate_and, tss_or, tss_and)                         \
	{                                                                                          \
		{ name, expected }, ROW("", code, 0, source, 0, 0), gate_and, tss_or, tss_and      \
	}

static const struct fault_row faults[] = {
	FAULT_ROW("CALL, TSS busy", FAULT(GP, GUEST_SELECTOR_TSS2), call, CALL, UINT64_MAX,
		DESCRIPTOR_BUSY, UINT64_MAX),
	FAULT_ROW("JMP, TSS busy", FAULT(GP, GUEST_SELECTOR_TSS2), jmp, JMP, UINT64_MAX,
		DESCRIPTOR_BUSY, UINT64_MAX),
	FAULT_ROW("CALL, TSS not present", FAULT(NP, GUEST_SELECTOR_TSS2), call, CALL, UINT64_MAX,
		0, ~DESCRIPTOR_PRESENT),
	FAULT_ROW("CALL, gate not present", FAULT(NP, GATE), call_gate, CALL, ~DESCRIPTOR_PRESENT,
		0, UINT64_MAX),
	FAULT_ROW("IRET, TSS not busy", FAULT(TS, GUEST_SELECTOR_TSS2), iret, IRET, UINT64_MAX, 0,
		~DESCRIPTOR_BUSY),
};

SWEEP(task_switch, faults, SECTION,
	"faults of the gate and of the new TSS's descriptor come before the exit", faults,
	.covers = "exit:TASK_SWITCH")
{
	const struct fault_row *row = TEST_ROW(struct fault_row);

	prepare(&row->source);
	field_write(VMCS_EXCEPTION_BITMAP, UINT32_MAX);
	guest_gdt[GATE / 8] &= row->gate_and;
	guest_gdt[GUEST_SELECTOR_TSS2 / 8] =
		(guest_gdt[GUEST_SELECTOR_TSS2 / 8] | row->tss_or) & row->tss_and;
	return guest_run(NULL);
}

GUEST32(task_switch_call32, ".byte 0x9a; .long 0; .word 0x58");

TEST(task_switch, long_mode, SECTION, "IA-32e mode has no task switches: #GP, no exit",
	FAULT(GP, GUEST_SELECTOR_TSS2), .covers = "exit:TASK_SWITCH")
{
	return exit_run_mode(GUEST_COMPATIBILITY, (struct guest_code)CODE_OF(task_switch_call32));
}
