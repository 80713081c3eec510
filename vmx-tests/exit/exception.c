/* Exceptions that exit by the exception bitmap: each vector that an instruction can raise, with
   what the exit reports, and delivered where its bit is 0 (Intel SDM, "Exception Bitmap",
   "Information for VM Exits Due to Vectored Events"). Page faults are page_fault.c's, #DB
   debug.c's, double faults double_fault.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/landing.h"

#define SECTION "SDM Information for VM Exits Due to Vectored Events"
#define COVERS                                                                                     \
	"exit:EXCEPTION_OR_NMI field:EXCEPTION_BITMAP field:EXIT_INTERRUPTION_INFORMATION "        \
	"field:EXIT_INTERRUPTION_ERROR_CODE"
#define BEHIND      5 /* bytes of the VMCALL and the jump that end the guest's code */
#define MXCSR_RESET 0x1f80

GUEST64(exception_de, "xorl %ecx, %ecx; divl %ecx");
GUEST64(exception_int1, ".byte 0xf1");
GUEST64(exception_bp, "int3");
GUEST32(exception_of, "xorl %eax, %eax; decl %eax; shrl %eax; incl %eax; into");
GUEST32(exception_br, "xorl %eax, %eax; pushl %eax; pushl $1; boundl %eax, (%esp)");
GUEST64(exception_ud0, ".byte 0x0f, 0xff, 0xc0");
GUEST64(exception_ud1, ".byte 0x0f, 0xb9, 0xc0");
GUEST64(exception_ud2, "ud2");
GUEST64(exception_nm, "fnop");
GUEST32(exception_ts, "iret");
GUEST64(exception_np, "movl $0x68, %eax; movl %eax, %ds");
GUEST64(exception_ss, "movq $1, %rbp; rolq $62, %rbp; movq (%rbp), %rax");
GUEST64(exception_ss_selector, "movl $0x68, %eax; movl %eax, %ss");
GUEST64(exception_gp, "movq $1, %rax; rolq $62, %rax; movq (%rax), %rax");
GUEST64(exception_gp_selector, "movl $0x7c, %eax; movl %eax, %ds");
GUEST64(exception_gp_rep,
	"movl $2, %ecx; movq $1, %rsi; rolq $62, %rsi; movq %rsp, %rdi; rep movsb");
GUEST64(exception_mf, "fninit; pushq $0x37b; fldcw (%rsp); fld1; fldz; fdivrp %st(1); fwait");
GUEST64(exception_ac, "movq (%rdi), %rax");
GUEST64(exception_xm, "pushq $0x1d80; ldmxcsr (%rsp); movl $1, %eax; cvtsi2ss %eax, %xmm0; "
		      "xorps %xmm1, %xmm1; divss %xmm1, %xmm0");

struct exception_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint32_t bytes; /* of the instruction, which is the code's last */
	uint8_t vector, type;
	uint64_t cr0, cr4, rflags; /* bits to set */
};

#define ROW(name, expected, code, mode, bytes, vector, type, ...)                                  \
	{                                                                                          \
		.row = { name, expected }, CODE_OF(exception_##code), mode, bytes,                 \
		VECTOR_##vector, INTERRUPTION_##type, ##__VA_ARGS__                                \
	}
#define FAULT_ROW(name, expected, code, bytes, vector, ...)                                        \
	ROW(name, expected, code, GUEST_64BIT, bytes, vector, HARDWARE_EXCEPTION, ##__VA_ARGS__)

static const struct exception_row faults[] = {
	FAULT_ROW("#DE", FAULT(DE), de, 2, DE),
	ROW("#BR of BOUND", FAULT(BR), br, GUEST_COMPATIBILITY, 3, BR, HARDWARE_EXCEPTION),
	FAULT_ROW("#UD of UD0", FAULT(UD), ud0, 3, UD),
	FAULT_ROW("#UD of UD1", FAULT(UD), ud1, 3, UD),
	FAULT_ROW("#UD of UD2", FAULT(UD), ud2, 2, UD),
	FAULT_ROW("#NM", FAULT(NM), nm, 2, NM, .cr0 = CR0_TS),
	FAULT_ROW("#NP", FAULT(NP, 0x68), np, 2, NP),
	FAULT_ROW("#SS", FAULT(SS, 0), ss, 4, SS),
	FAULT_ROW("#SS of a selector", FAULT(SS, 0x68), ss_selector, 2, SS),
	FAULT_ROW("#GP", FAULT(GP, 0), gp, 3, GP),
	FAULT_ROW("#GP of a selector", FAULT(GP, 0x7c), gp_selector, 2, GP),
	FAULT_ROW("#GP of REP MOVS", FAULT(GP, 0), gp_rep, 2, GP),
	FAULT_ROW("#MF", FAULT(MF), mf, 1, MF),
	ROW("#AC", FAULT(AC, 0), ac, GUEST_64BIT_USER, 3, AC, HARDWARE_EXCEPTION, .cr0 = CR0_AM,
		.rflags = RFLAGS_AC),
	FAULT_ROW("#XM", FAULT(XM), xm, 4, XM, .cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT),
};

static const struct exception_row software[] = {
	ROW("INT1", FAULT(DB), int1, GUEST_64BIT, 1, DB, PRIVILEGED_SOFTWARE_EXCEPTION),
	ROW("INT3", FAULT(BP), bp, GUEST_64BIT, 1, BP, SOFTWARE_EXCEPTION),
	ROW("INT3 at CPL 3", FAULT(BP), bp, GUEST_64BIT_USER, 1, BP, SOFTWARE_EXCEPTION),
	ROW("INTO", FAULT(OF), of, GUEST_COMPATIBILITY, 1, OF, SOFTWARE_EXCEPTION),
};

static void restore_fpu(void)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4();
	uint32_t mxcsr = MXCSR_RESET;

	write_cr0(cr0 & ~(CR0_TS | CR0_EM));
	write_cr4(cr4 | CR4_OSFXSR);
	__asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
	write_cr4(cr4);
	write_cr0(cr0);
}

static outcome run_exception(const struct exception_row *row, uint64_t exception_bitmap)
{
	outcome result;

	guest_reset();
	landing_set_gates();
	field_write(VMCS_EXCEPTION_BITMAP, exception_bitmap);
	/* A data segment that is not present. */
	guest_gdt[0x68 / 8] =
		guest_gdt[GUEST_SELECTOR_DATA / 8] & ~(FIELD_PUT(1, ACCESS_RIGHTS_P) << 40);
	guest_set_mode(row->mode, row->code.start, (size_t)(row->code.end - row->code.start));
	field_set(VMCS_GUEST_CR0, row->cr0);
	field_set(VMCS_GUEST_CR4, row->cr4);
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	guest_gpr[RDI] = vmx_address(guest_page[0]) + 1;
	result = guest_run(NULL);
	restore_fpu();
	return result;
}

static outcome check_information(const struct exception_row *row)
{
	uint64_t wanted = FIELD_PUT(row->vector, INTERRUPTION_VECTOR) |
			  FIELD_PUT(row->type, INTERRUPTION_TYPE) | INTERRUPTION_VALID;

	if (VECTORS_WITH_ERROR_CODE & BIT(row->vector))
		wanted |= INTERRUPTION_HAS_ERROR;
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION), wanted);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), vmx_address(row->code.end) - BEHIND - row->bytes);
	return OK;
}

SWEEP(exception, exits, SECTION,
	"a fault whose bit alone is 1 in the exception bitmap exits, with RIP at the instruction",
	faults, .covers = COVERS)
{
	const struct exception_row *row = TEST_ROW(struct exception_row);
	outcome result = run_exception(row, BIT(row->vector));
	outcome check = result == row->row.expected ? check_information(row) : OK;

	return check == OK ? result : check;
}

SWEEP(exception, resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"a fault's exit saves RFLAGS.RF as its delivery would push it: 1", faults,
	.covers = COVERS " field:GUEST_RFLAGS")
{
	const struct exception_row *row = TEST_ROW(struct exception_row);
	outcome result = run_exception(row, BIT(row->vector));

	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
	return result;
}

SWEEP(exception, software_exits, SECTION,
	"INT1, INT3 and INTO exit by the exception bitmap, with their own types, and with their "
	"length",
	software, .covers = COVERS " field:EXIT_INSTRUCTION_LENGTH")
{
	const struct exception_row *row = TEST_ROW(struct exception_row);
	outcome result = run_exception(row, BIT(row->vector));
	outcome check = result == row->row.expected ? check_information(row) : OK;

	if (check == OK)
		CHECK_EQUAL(field_read(VMCS_EXIT_INSTRUCTION_LENGTH), row->bytes);
	return check == OK ? result : check;
}

SWEEP(exception, software_resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an exit of INT1, INT3 and INTO saves RFLAGS.RF = 0", software,
	.covers = COVERS " field:GUEST_RFLAGS")
{
	const struct exception_row *row = TEST_ROW(struct exception_row);
	outcome result = run_exception(row, BIT(row->vector));

	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, 0);
	return result;
}

static outcome run_delivered(const struct exception_row *row)
{
	outcome result = run_exception(row, ~BIT(row->vector) & UINT32_MAX);

	CHECK_EQUAL(result, EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(landing_vector(), row->vector);
	return row->row.expected;
}

SWEEP(exception, delivered, "SDM Exception Bitmap",
	"a fault whose bit alone is 0 is delivered by the guest's IDT", faults, .covers = COVERS)
{
	return run_delivered(TEST_ROW(struct exception_row));
}

SWEEP(exception, software_delivered, "SDM Exception Bitmap",
	"INT1, INT3 and INTO are delivered by the guest's IDT where their bit is 0", software,
	.covers = COVERS)
{
	return run_delivered(TEST_ROW(struct exception_row));
}

/* IRET with RFLAGS.NT = 1 returns to the task that the TSS links to: here to none. */
static outcome run_invalid_tss(uint64_t exception_bitmap)
{
	field_write(VMCS_EXCEPTION_BITMAP, exception_bitmap);
	landing_set_gates32();
	guest_set_mode(GUEST_PAGED32, exception_ts, (size_t)(exception_ts_end - exception_ts));
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_NT);
	return guest_run(NULL);
}

TEST(exception, invalid_tss, SECTION, "#TS exits where its bit is 1", FAULT(TS, 0),
	VALUES({ VMCS_EXIT_INTERRUPTION_INFORMATION,
		       INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR |
			       FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE) |
			       VECTOR_TS },
		{ VMCS_EXIT_QUALIFICATION, 0 }),
	.covers = COVERS)
{
	return run_invalid_tss(BIT(VECTOR_TS));
}

TEST(exception, invalid_tss_delivered, "SDM Exception Bitmap",
	"#TS is delivered where its bit is 0", EXIT(EXIT_REASON_VMCALL), .covers = COVERS)
{
	outcome result = run_invalid_tss(~BIT(VECTOR_TS) & UINT32_MAX);

	CHECK_EQUAL(landing_vector(), VECTOR_TS);
	return result;
}

/* INT n is no exception, whatever its vector. */
TEST(exception, software_interrupts, "SDM Exception Bitmap",
	"the exception bitmap does not apply to INT n: all 256 are delivered", OK,
	.covers = "field:EXCEPTION_BITMAP insn:INT")
{
	unsigned int vector;

	landing_set_gates();
	for (vector = 0; vector < 256; vector++) {
		uint8_t code[] = { 0xcd, (uint8_t)vector };

		exit_set_bytes(code, sizeof(code));
		CHECK_EQUAL(guest_run(NULL), EXIT(EXIT_REASON_VMCALL));
		CHECK_EQUAL(landing_vector(), vector);
	}
	return OK;
}
