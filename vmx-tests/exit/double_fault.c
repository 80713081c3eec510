/* Double and triple faults: which exceptions make them, what exits, and what the exits report
   (Intel SDM, "Exception Bitmap", "Other Causes of VM Exits", "Interrupt 8 - Double Fault
   Exception"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/landing.h"

#define ABSENT_ADDRESS (UINT64_C(16) << 30) /* not in the guest's page tables */

GUEST64(double_fault_de, "xorl %ecx, %ecx; divl %ecx");
GUEST64(double_fault_ud, "ud2");
GUEST64(double_fault_gp, "movq $1, %rax; rolq $62, %rax; movq (%rax), %rax");
GUEST64(double_fault_ss, "movq $1, %rbp; rolq $62, %rbp; movq (%rbp), %rax");
GUEST64(double_fault_pf, "movq $1, %rax; shlq $34, %rax; movq (%rax), %rax");
GUEST64(double_fault_int, "int $0x80");
GUEST64(double_fault_bp, "int3");

struct fault_row {
	struct test_row row;
	struct guest_code code;
	uint32_t exits;  /* exception bitmap */
	bool page_fault; /* delivery meets a #PF, not a #NP */
};

#define ROW(name, expected, code, exits, page_fault)                                               \
	{                                                                                          \
		{ name, expected }, CODE_OF(double_fault_##code), exits, page_fault                \
	}
#define EXITS_DF    BIT(VECTOR_DF)
#define EXITS_FIRST (BIT(VECTOR_DF) | BIT(VECTOR_NP))

/* The first exception's gate is not present; or the IDT is in a page that is not. Neither exits by
 * itself. */
static const struct fault_row combinations[] = {
	ROW("#DE, then #NP", FAULT(DF), de, EXITS_DF, false),
	ROW("#GP, then #NP", FAULT(DF), gp, EXITS_DF, false),
	ROW("#SS, then #NP", FAULT(DF), ss, EXITS_DF, false),
	ROW("#PF, then #NP", FAULT(DF), pf, EXITS_DF, false),
	ROW("#PF, then #PF", FAULT(DF), pf, EXITS_DF, true),
};

/* Gates as they should be, but not present. */
static void set_absent_gates(void)
{
	unsigned int vector;

	landing_set_gates();
	for (vector = 0; vector < 256; vector++)
		guest_idt[2 * vector] &= ~(BIT(7) << 40);
}

static outcome run_row(const struct fault_row *row)
{
	guest_reset();
	set_absent_gates();
	field_write(VMCS_EXCEPTION_BITMAP, row->exits);
	if (row->page_fault)
		field_write(VMCS_GUEST_IDTR_BASE, ABSENT_ADDRESS);
	return exit_run(row->code);
}

static outcome check_double_fault(void)
{
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & ~INTERRUPTION_NMI_UNBLOCKING,
		INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR | VECTOR_DF |
			FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE));
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE), 0);
	return OK;
}

SWEEP(double_fault, exits, "SDM Exception Bitmap", "a double fault exits where bit 8 is 1",
	combinations,
	.covers =
		"exit:EXCEPTION_OR_NMI field:EXCEPTION_BITMAP field:EXIT_INTERRUPTION_INFORMATION "
		"field:EXIT_INTERRUPTION_ERROR_CODE")
{
	outcome result = run_row(TEST_ROW(struct fault_row)), check = check_double_fault();

	return check == OK ? result : check;
}

SWEEP(double_fault, no_vectoring, "SDM Information for VM Exits That Occur During Event Delivery",
	"the exit of a double fault does not count as one during event delivery", combinations,
	.covers = "field:IDT_VECTORING_INFORMATION")
{
	outcome result = run_row(TEST_ROW(struct fault_row));

	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

/* Benign first exceptions, interrupts and the like make no double fault: the second exception is
   delivered, here to an exit of its own. */
static const struct fault_row benign[] = {
	ROW("#UD, then #NP", FAULT(NP, VECTOR_UD * 8 + 3), ud, EXITS_FIRST, false),
	ROW("#BP, then #NP", FAULT(NP, VECTOR_BP * 8 + 2), bp, EXITS_FIRST, false),
	ROW("INT n, then #NP", FAULT(NP, 0x80 * 8 + 2), int, EXITS_FIRST, false),
};

SWEEP(double_fault, benign, "SDM Interrupt 8 - Double Fault Exception",
	"no double fault follows a benign exception or an interrupt", benign,
	.covers = "exit:EXCEPTION_OR_NMI")
{
	return run_row(TEST_ROW(struct fault_row));
}

/* With nothing in the exception bitmap and no gate present, everything ends in a triple fault. */
static const struct fault_row triple[] = {
	ROW("#DE", EXIT(EXIT_REASON_TRIPLE_FAULT), de, 0, false),
	ROW("#UD", EXIT(EXIT_REASON_TRIPLE_FAULT), ud, 0, false),
	ROW("#GP", EXIT(EXIT_REASON_TRIPLE_FAULT), gp, 0, false),
	ROW("#PF", EXIT(EXIT_REASON_TRIPLE_FAULT), pf, 0, false),
	ROW("#PF of the IDT", EXIT(EXIT_REASON_TRIPLE_FAULT), pf, 0, true),
	ROW("INT n", EXIT(EXIT_REASON_TRIPLE_FAULT), int, 0, false),
};

SWEEP(double_fault, triple, "SDM Other Causes of VM Exits",
	"a triple fault exits, whatever the controls", triple, .covers = "exit:TRIPLE_FAULT")
{
	return run_row(TEST_ROW(struct fault_row));
}

SWEEP(double_fault, triple_information, "SDM Basic VM-Exit Information",
	"a triple fault's exit has no qualification and no event, not even one in delivery", triple,
	.covers = "exit:TRIPLE_FAULT field:EXIT_QUALIFICATION field:IDT_VECTORING_INFORMATION")
{
	outcome result = run_row(TEST_ROW(struct fault_row));

	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	return result;
}

TEST(double_fault, triple_state, "SDM Saving Non-Register State",
	"the activity state that a triple fault's exit saves is active, not shutdown",
	EXIT(EXIT_REASON_TRIPLE_FAULT), VALUES({ VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE }),
	.covers = "exit:TRIPLE_FAULT field:GUEST_ACTIVITY_STATE")
{
	return run_row(&triple[1]);
}

TEST(double_fault, exits_before_triple, "SDM Other Causes of VM Exits",
	"an exception on the way to the triple fault that exits itself ends it", FAULT(DF),
	.covers = "exit:TRIPLE_FAULT")
{
	return run_row(&combinations[1]);
}

TEST(double_fault, delivered, "SDM Exception Bitmap",
	"a double fault is delivered where bit 8 is 0", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:EXCEPTION_BITMAP")
{
	outcome result;

	guest_reset();
	landing_set_gates();
	guest_idt[2 * VECTOR_GP] = guest_idt[2 * VECTOR_GP + 1] = 0;
	field_write(VMCS_EXCEPTION_BITMAP, 0);
	result = exit_run((struct guest_code)CODE_OF(double_fault_gp));
	CHECK_EQUAL(landing_vector(), VECTOR_DF);
	CHECK_EQUAL(test_observe(*(uint64_t *)(uintptr_t)field_read(VMCS_GUEST_RSP)), 0);
	return result;
}
