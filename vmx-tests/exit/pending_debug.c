/* Pending debug exceptions as exits save them (Intel SDM, "Saving Non-Register State"). Those that
   VM entry loads are entry/'s, the monitor trap flag's mtf.c's. */
#define TEST_FOLDER "exit/"
#include "vmx-tests/exit/exit.h"

#define SECTION      "SDM Saving Non-Register State"
#define COVERS       "field:GUEST_PENDING_DEBUG_EXCEPTIONS field:GUEST_INTERRUPTIBILITY_STATE"
#define DR7_G0_ANY_4 (BIT(1) | BITS(19, 18) | BITS(17, 16))

/* A MOV or POP to SS delays debug traps until after the next instruction, which is the VMCALL. */
GUEST64(pending_debug_mov_ss, "movl %eax, %ss");
GUEST64(pending_debug_mov_ss_memory, "movw (%rdi), %ss");
GUEST64(pending_debug_nop, "nop");

struct pending_row {
	struct test_row row;
	struct guest_code code;
	uint64_t rflags, dr7;
	uint64_t pending, interruptibility;
};

#define ROW(name, code, rflags, dr7, pending, interruptibility)                                    \
	{                                                                                          \
		{ name, EXIT(EXIT_REASON_VMCALL) }, CODE_OF(pending_debug_##code), rflags, dr7,    \
			pending, interruptibility                                                  \
	}

static const struct pending_row rows[] = {
	ROW("nothing", nop, 0, 0, 0, 0),
	ROW("MOV to SS", mov_ss, 0, 0, 0, INTERRUPTIBILITY_MOV_SS),
	ROW("MOV to SS, single step", mov_ss, RFLAGS_TF, 0, DEBUG_EXCEPTION_BS,
		INTERRUPTIBILITY_MOV_SS),
	ROW("MOV to SS, data breakpoint", mov_ss_memory, 0, DR7_G0_ANY_4,
		BIT(0) | DEBUG_EXCEPTION_ENABLED, INTERRUPTIBILITY_MOV_SS),
	ROW("MOV to SS, both", mov_ss_memory, RFLAGS_TF, DR7_G0_ANY_4,
		BIT(0) | DEBUG_EXCEPTION_ENABLED | DEBUG_EXCEPTION_BS, INTERRUPTIBILITY_MOV_SS),
};

static outcome run_pending(const struct pending_row *row)
{
	outcome result;

	guest_set_mode(GUEST_64BIT, row->code.start, (size_t)(row->code.end - row->code.start));
	*(uint32_t *)(void *)guest_page[0] = GUEST_SELECTOR_DATA;
	guest_gpr[RAX] = GUEST_SELECTOR_DATA;
	guest_gpr[RDI] = vmx_address(guest_page[0]);
	field_set(VMCS_GUEST_RFLAGS, row->rflags);
	field_set(VMCS_GUEST_DR7, row->dr7);
	exit_control(CONTROL_WORD_VM_ENTRY, VM_ENTRY_LOAD_DEBUG_CONTROLS, true);
	write_dr0(vmx_address(guest_page[0]));
	result = guest_run(NULL);
	write_dr0(0);
	return result;
}

SWEEP(pending_debug, mov_ss, SECTION,
	"an exit under blocking by MOV SS saves the debug exceptions that it holds back", rows,
	.covers = COVERS)
{
	const struct pending_row *row = TEST_ROW(struct pending_row);
	outcome result;

	guest_reset();
	result = run_pending(row);
	if (result != row->row.expected)
		return result;
	CHECK_EQUAL(field_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS), row->pending);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE), row->interruptibility);
	return result;
}

TEST(pending_debug, cleared, SECTION,
	"an exit without such blocking saves 0, whatever the field held", FAULT(DB),
	VALUES({ VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0 }), .covers = COVERS)
{
	field_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, DEBUG_EXCEPTION_BS);
	return run_pending(&(struct pending_row)ROW("", nop, RFLAGS_TF, 0, 0, 0));
}
