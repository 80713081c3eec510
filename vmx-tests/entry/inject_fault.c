/* Faults on the way of an injected event: the exit and its IDT-vectoring information (Intel SDM,
   "Information for VM Exits That Occur During Event Delivery"), privilege of gates, pending MTF
   exits. Delivery that succeeds is inject.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/inject.h"
#include "vmx-tests/needs.h"

#define TITLE        "SDM Information for VM Exits That Occur During Event Delivery"
#define TITLE_VECTOR "SDM Vectored-Event Injection"
#define CODE_IDT     BIT(1) /* of an error code: the index is one of the IDT */
#define CODE_EXT     BIT(0) /* ...: the event was none of the program's */
#define GATE_P       (UINT64_C(0x80) << 40)
#define ABSENT       UINT64_C(0x400000000) /* no page of the guest's is there */

struct fault_row {
	struct test_row row;
	struct inject_event event;
};

#define EVENT_ROWS(row)                                                                            \
	row("external interrupt", EXTERNAL, 48, false, 0, 0, CODE_EXT),                            \
		row("NMI", NMI, VECTOR_NMI, false, 0, 0, CODE_EXT),                                \
		row("#UD", HARDWARE_EXCEPTION, VECTOR_UD, false, 0, 0, CODE_EXT),                  \
		row("#GP", HARDWARE_EXCEPTION, VECTOR_GP, true, 0x1230, 0, CODE_EXT),              \
		row("software interrupt", SOFTWARE, 64, false, 0, 2, 0),                           \
		row("INT1", PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, false, 0, 1, CODE_EXT),      \
		row("INT3", SOFTWARE_EXCEPTION, VECTOR_BP, false, 0, 1, 0),                        \
		row("INTO", SOFTWARE_EXCEPTION, VECTOR_OF, false, 0, 1, 0)

/* The exit reports the event as it was to be injected, and RIP where it was. */
static outcome check_vectoring(const struct inject_event *event, uint64_t rip)
{
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION), inject_information(event));
	if (event->has_error)
		CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_ERROR_CODE), event->error);
	if (event->length != 0)
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), event->length);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), rip);
	CHECK_EQUAL(field_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	return OK;
}

static outcome run_faulting(const struct inject_event *event)
{
	uint64_t rip = field_read(VMCS_GUEST_RIP);
	outcome result = guest_run(NULL), details = check_vectoring(event, rip);

	return details == OK ? result : details;
}

/* ---- The gate ---- */

#define NO_GATE(name, type, vector, has_error, error, length, ext)                                 \
	{                                                                                          \
		{ name, OUTCOME(OUTCOME_FAULT, VECTOR_GP, (vector)*8 | CODE_IDT | (ext)) },        \
		{                                                                                  \
			INTERRUPTION_##type, vector, has_error, error, length                      \
		}                                                                                  \
	}
static const struct fault_row no_gate[] = { EVENT_ROWS(NO_GATE) };

SWEEP(inject_fault, no_gate, TITLE,
	"a descriptor that is no gate: #GP with the vector's error code, and the event as "
	"IDT-vectoring information",
	no_gate)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);

	inject_prepare(GUEST_64BIT, &row->event);
	guest_idt[row->event.vector * 2] = 0;
	return run_faulting(&row->event);
}

#define NOT_PRESENT(name, type, vector, has_error, error, length, ext)                             \
	{                                                                                          \
		{ name, OUTCOME(OUTCOME_FAULT, VECTOR_NP, (vector)*8 | CODE_IDT | (ext)) },        \
		{                                                                                  \
			INTERRUPTION_##type, vector, has_error, error, length                      \
		}                                                                                  \
	}
static const struct fault_row not_present[] = { EVENT_ROWS(NOT_PRESENT) };

SWEEP(inject_fault, not_present, TITLE,
	"a gate that is not present: #NP with the vector's error code", not_present)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);

	inject_prepare(GUEST_64BIT, &row->event);
	inject_allow_user(GUEST_64BIT, &row->event);
	guest_idt[row->event.vector * 2] &= ~GATE_P;
	return run_faulting(&row->event);
}

SWEEP(inject_fault, beyond_limit, TITLE,
	"a vector beyond the IDT's limit: #GP with the vector's error code", no_gate)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);

	inject_prepare(GUEST_64BIT, &row->event);
	field_write(VMCS_GUEST_IDTR_LIMIT, row->event.vector * 16u + 14);
	return run_faulting(&row->event);
}

#define PAGE_FAULT(name, type, vector, has_error, error, length, ext)                              \
	{                                                                                          \
		{ name, FAULT(PF) },                                                               \
		{                                                                                  \
			INTERRUPTION_##type, vector, has_error, error, length                      \
		}                                                                                  \
	}
static const struct fault_row page_fault[] = { EVENT_ROWS(PAGE_FAULT) };

SWEEP(inject_fault, page_fault, TITLE,
	"an IDT in a page that is absent: #PF, its address as qualification", page_fault)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);
	outcome result;

	inject_prepare(GUEST_64BIT, &row->event);
	field_write(VMCS_GUEST_IDTR_BASE, ABSENT);
	result = run_faulting(&row->event);
	if (result == FAULT(PF))
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), ABSENT + row->event.vector * 16u);
	return result;
}

/* ---- The stack ---- */

TEST(inject_fault, stack, TITLE,
	"a stack that is not canonical: #SS, the event as IDT-vectoring information",
	OUTCOME(OUTCOME_FAULT, VECTOR_SS, CODE_EXT))
{
	struct inject_event event = { INTERRUPTION_EXTERNAL, 48, false, 0, 0 };

	inject_prepare(GUEST_64BIT, &event);
	field_write(VMCS_GUEST_RSP, BIT(62));
	return run_faulting(&event);
}

/* ---- More than one fault: the exception bitmap decides about each as it arises ---- */

TEST(inject_fault, double_fault, TITLE,
	"#GP on the way of #GP, with no exit for #GP: #DF; the event is IDT-vectoring information",
	FAULT(DF))
{
	struct inject_event event = { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_GP, true, 0, 0 };

	inject_prepare(GUEST_64BIT, &event);
	guest_idt[VECTOR_GP * 2] = 0;
	field_clear(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_GP));
	return guest_run(NULL);
}

TEST(inject_fault, triple_fault, "SDM VM Exits",
	"#GP on the way of #DF, with no exit for either: triple fault",
	EXIT(EXIT_REASON_TRIPLE_FAULT), .covers = "exit:TRIPLE_FAULT")
{
	struct inject_event event = { INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_DF, true, 0, 0 };

	inject_prepare(GUEST_64BIT, &event);
	guest_idt[VECTOR_DF * 2] = 0;
	field_write(VMCS_EXCEPTION_BITMAP, 0);
	return guest_run(NULL);
}

TEST(inject_fault, second_delivery, TITLE,
	"#NP on the way of an interrupt is delivered when its bit in the bitmap is 0",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_IDT_VECTORING_INFORMATION, 0 }))
{
	struct inject_event event = { INTERRUPTION_EXTERNAL, 48, false, 0, 0 };

	inject_prepare(GUEST_64BIT, &event);
	guest_idt[VECTOR_NP * 2] = guest_idt[event.vector * 2];
	guest_idt[VECTOR_NP * 2 + 1] = guest_idt[event.vector * 2 + 1];
	guest_idt[event.vector * 2] &= ~GATE_P;
	field_clear(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_NP));
	return guest_run(NULL);
}

/* ---- Privilege: a gate with DPL 0, at CPL 3 ---- */

#define PRIVILEGE(name, expected, type, vector, has_error, error, length)                          \
	{                                                                                          \
		{ name, expected },                                                                \
		{                                                                                  \
			INTERRUPTION_##type, vector, has_error, error, length                      \
		}                                                                                  \
	}
static const struct fault_row privilege[] = {
	PRIVILEGE("external interrupt", EXIT(EXIT_REASON_VMCALL), EXTERNAL, 48, false, 0, 0),
	PRIVILEGE("NMI", EXIT(EXIT_REASON_VMCALL), NMI, VECTOR_NMI, false, 0, 0),
	PRIVILEGE("#GP", EXIT(EXIT_REASON_VMCALL), HARDWARE_EXCEPTION, VECTOR_GP, true, 0, 0),
	PRIVILEGE("INT1", EXIT(EXIT_REASON_VMCALL), PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB, false,
		0, 1),
	PRIVILEGE("software interrupt", OUTCOME(OUTCOME_FAULT, VECTOR_GP, 64 * 8 | CODE_IDT),
		SOFTWARE, 64, false, 0, 2),
	PRIVILEGE("INT3", OUTCOME(OUTCOME_FAULT, VECTOR_GP, VECTOR_BP * 8 | CODE_IDT),
		SOFTWARE_EXCEPTION, VECTOR_BP, false, 0, 1),
	PRIVILEGE("INTO", OUTCOME(OUTCOME_FAULT, VECTOR_GP, VECTOR_OF * 8 | CODE_IDT),
		SOFTWARE_EXCEPTION, VECTOR_OF, false, 0, 1),
};

SWEEP(inject_fault, gate_privilege, TITLE_VECTOR,
	"a gate's DPL counts for software interrupts, INT3 and INTO; other events use any gate",
	privilege)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);

	inject_prepare(GUEST_64BIT_USER, &row->event);
	return inject_run(GUEST_64BIT_USER, &row->event);
}

/* ---- The monitor trap flag ---- */

static outcome inject_mtf(uint64_t activity)
{
	struct inject_event event = { INTERRUPTION_OTHER, 0, false, 0, 0 };
	uint64_t rip;
	outcome result;

	inject_prepare(GUEST_64BIT, &event);
	field_write(VMCS_GUEST_ACTIVITY_STATE, activity);
	rip = field_read(VMCS_GUEST_RIP);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), rip);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(inject_fault, pending_mtf, "SDM Injection of Pending MTF VM Exits",
	"an event of type 7 and vector 0 makes an MTF exit before the guest's first instruction, "
	"MTF control or not",
	EXIT(EXIT_REASON_MONITOR_TRAP_FLAG), .needs = NEEDS(&need_PROC_MONITOR_TRAP_FLAG),
	.covers = "exit:MONITOR_TRAP_FLAG control:PROC_MONITOR_TRAP_FLAG")
{
	return inject_mtf(ACTIVITY_ACTIVE);
}

TEST(inject_fault, pending_mtf_hlt, "SDM Injection of Pending MTF VM Exits",
	"a pending MTF exit wakes a halted guest", EXIT(EXIT_REASON_MONITOR_TRAP_FLAG),
	.needs = NEEDS(&need_PROC_MONITOR_TRAP_FLAG, &need_activity_hlt),
	.covers = "exit:MONITOR_TRAP_FLAG")
{
	return inject_mtf(ACTIVITY_HLT);
}

TEST(inject_fault, mtf_after_event, "SDM Monitor Trap Flag",
	"with the monitor trap flag an injected event is delivered, then the exit comes before the "
	"handler's first instruction",
	EXIT(EXIT_REASON_MONITOR_TRAP_FLAG), .needs = NEEDS(&need_PROC_MONITOR_TRAP_FLAG),
	.covers = "exit:MONITOR_TRAP_FLAG control:PROC_MONITOR_TRAP_FLAG")
{
	struct inject_event event = { INTERRUPTION_EXTERNAL, 48, false, 0, 0 };
	uint64_t rip;
	outcome result;

	inject_prepare(GUEST_64BIT, &event);
	rip = field_read(VMCS_GUEST_RIP);
	field_set(VMCS_PROC_CONTROLS, PROC_MONITOR_TRAP_FLAG);
	result = guest_run(NULL);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), rip + 2); /* the handler is behind UD2 */
	return result;
}
