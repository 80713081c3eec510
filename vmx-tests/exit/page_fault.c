/* Page faults: bit 14 of the exception bitmap together with the error-code mask and match, the
   error codes, and the qualification (Intel SDM, "Exception Bitmap", "Information for VM Exits Due
   to Vectored Events"). */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/landing.h"
#include "vmx-tests/guest_tables.h"

#define COVERS                                                                                     \
	"exit:EXCEPTION_OR_NMI field:EXCEPTION_BITMAP field:PAGE_FAULT_ERROR_CODE_MASK "           \
	"field:PAGE_FAULT_ERROR_CODE_MATCH field:EXIT_INTERRUPTION_ERROR_CODE "                    \
	"field:EXIT_QUALIFICATION"
#define WINDOW_PAGE  1023 /* the 2 MiB page whose entry the tests change: the last below 2 GiB */
#define WINDOW       (WINDOW_PAGE * PAGE_SIZE_2M)
#define OFFSET       0x12345
#define PTE_RESERVED BIT(13) /* of a 2 MiB page's entry */

GUEST64(page_fault_read, "movq (%rdi), %rax");
GUEST64(page_fault_write, "movq %rax, (%rdi)");
GUEST64(page_fault_fetch, "jmp *%rdi");

struct fault_row {
	struct test_row row;
	struct guest_code code;
	enum guest_mode mode;
	uint64_t entry; /* of the page */
};

#define ROW(code, mode, error, entry)                                                              \
	{                                                                                          \
		{ #error, FAULT(PF, error) }, CODE_OF(page_fault_##code), mode, entry              \
	}
#define PRESENT (PTE_P | PTE_PS)

static const struct fault_row kinds[] = {
	ROW(read, GUEST_64BIT, 0, 0),
	ROW(write, GUEST_64BIT, PF_WRITE, 0),
	ROW(read, GUEST_64BIT_USER, PF_USER, 0),
	ROW(write, GUEST_64BIT_USER, PF_USER | PF_WRITE, 0),
	ROW(write, GUEST_64BIT, PF_PRESENT | PF_WRITE, PRESENT),
	ROW(read, GUEST_64BIT_USER, PF_PRESENT | PF_USER, PRESENT | PTE_W),
	ROW(write, GUEST_64BIT_USER, PF_PRESENT | PF_USER | PF_WRITE, PRESENT | PTE_U),
	ROW(read, GUEST_64BIT, PF_PRESENT | PF_RSVD, PRESENT | PTE_RESERVED),
	ROW(write, GUEST_64BIT, PF_PRESENT | PF_RSVD | PF_WRITE, PRESENT | PTE_W | PTE_RESERVED),
	ROW(read, GUEST_64BIT_USER, PF_PRESENT | PF_RSVD | PF_USER, PRESENT | PTE_U | PTE_RESERVED),
	ROW(fetch, GUEST_64BIT, PF_FETCH, 0),
	ROW(fetch, GUEST_64BIT_USER, PF_FETCH | PF_USER, 0),
	ROW(fetch, GUEST_64BIT, PF_FETCH | PF_PRESENT, PRESENT | PTE_NX),
	ROW(fetch, GUEST_64BIT_USER, PF_FETCH | PF_PRESENT | PF_USER, PRESENT | PTE_U | PTE_NX),
};

static outcome run_fault(const struct fault_row *row)
{
	guest_pd[WINDOW_PAGE] = row->entry;
	field_set(VMCS_GUEST_CR0, CR0_WP);
	guest_gpr[RDI] = WINDOW + OFFSET;
	return exit_run_mode(row->mode, row->code);
}

SWEEP(page_fault, exits, "SDM Information for VM Exits Due to Vectored Events",
	"a page fault's exit reports its error code, the linear address as qualification, and "
	"leaves CR2 alone",
	kinds, .covers = COVERS " field:EXIT_INTERRUPTION_INFORMATION")
{
	outcome result;

	guest_reset();
	write_cr2(0x5678);
	result = run_fault(TEST_ROW(struct fault_row));
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION), WINDOW + OFFSET);
	CHECK_EQUAL(field_read(VMCS_EXIT_INTERRUPTION_INFORMATION),
		INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR | VECTOR_PF |
			FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE));
	CHECK_EQUAL(test_observe(read_cr2()), 0x5678);
	return result;
}

/* All masks that select at most two bits, and all of them; all matches of one or no bit and the
 * error code itself. */
static outcome check_mask_and_match(const struct fault_row *row, uint32_t mask, uint32_t match)
{
	uint32_t error = (uint32_t)(row->row.expected & UINT32_MAX), bit;

	for (bit = 0; bit < 2; bit++) {
		bool equal = (error & mask) == match, exits = equal == (bit == 1);

		field_write(VMCS_EXCEPTION_BITMAP, bit ? UINT32_MAX : UINT32_MAX & ~BIT(VECTOR_PF));
		field_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, mask);
		field_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, match);
		CHECK_EQUAL(run_fault(row), exits ? row->row.expected : EXIT(EXIT_REASON_VMCALL));
	}
	return OK;
}

SWEEP(page_fault, mask_and_match, "SDM Exception Bitmap",
	"a page fault exits when bit 14 is 1 and the masked error code equals the match, or "
	"neither",
	kinds, .covers = COVERS)
{
	const struct fault_row *row = TEST_ROW(struct fault_row);
	uint32_t error = (uint32_t)(row->row.expected & UINT32_MAX), i;
	uint32_t masks[] = { 0, PF_PRESENT, PF_WRITE, PF_USER, PF_RSVD, PF_FETCH, UINT32_MAX };
	outcome check;

	guest_reset();
	landing_set_gates();
	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		check = check_mask_and_match(row, masks[i], 0);
		if (check == OK)
			check = check_mask_and_match(row, masks[i], error & masks[i]);
		if (check == OK)
			check = check_mask_and_match(row, masks[i], masks[i]);
		if (check != OK)
			return check;
	}
	return row->row.expected;
}

TEST(page_fault, delivered, "SDM Exception Bitmap",
	"a page fault that does not exit loads CR2 and pushes its error code",
	EXIT(EXIT_REASON_VMCALL), .covers = COVERS)
{
	const struct fault_row *row = &kinds[3];
	outcome result;

	landing_set_gates();
	field_write(VMCS_EXCEPTION_BITMAP, 0);
	write_cr2(0);
	result = run_fault(row);
	CHECK_EQUAL(test_observe(read_cr2()), WINDOW + OFFSET);
	CHECK_EQUAL(landing_vector(), VECTOR_PF);
	CHECK_EQUAL(test_observe(*(uint64_t *)(uintptr_t)field_read(VMCS_GUEST_RSP)),
		PF_USER | PF_WRITE);
	return result;
}

TEST(page_fault, untouched_by_vmentry, "SDM Exception Bitmap",
	"mask and match apply to no other exception", FAULT(GP), .covers = COVERS)
{
	field_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 1); /* never equal under mask 0 */
	guest_gpr[RDI] = BIT(62);
	return exit_run((struct guest_code)CODE_OF(page_fault_read));
}
