/* EPT violations of IRET, which ends the blocking of NMIs (Intel SDM, "Exit Qualification for EPT
   Violations", bit 12, and "Architectural State Before a VM Exit"). */
#define TEST_FOLDER "ept/"
#include "vmx-tests/ept/window.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)

static void guest_nothing(void)
{
}

/* IRET to the next instruction. Blocking by NMI outlives a VM exit ("Updating Non-Register State"):
   the host ends it so, too. */
static void iret_here(void)
{
	__asm__ volatile("movq %%rsp, %%rax; movl %%ss, %%ecx; pushq %%rcx; pushq %%rax; pushfq; "
			 "movl %%cs, %%ecx;"
			 "pushq %%rcx; pushq $1f; iretq; 1:"
			 :
			 :
			 : "rax", "rcx", "memory");
}

struct blocking_row {
	struct test_row row;
	uint64_t pin_controls;
	bool blocked, iret;
	bool unblocking;    /* expected: bit 12 of the qualification */
	bool blocked_after; /* expected */
};

static outcome run(const struct blocking_row *row)
{
	outcome result;

	window_open(1);
	field_clear(VMCS_PIN_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	field_set(VMCS_PIN_CONTROLS, row->pin_controls);
	guest_run(iret_here); /* unblocked, whatever ran before: entry_virtual has CPUs that do not
				 load that */
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, row->blocked ? INTERRUPTIBILITY_NMI : 0);
	*window_entry(1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR;
	result = guest_run(row->iret ? guest_iret : guest_read);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & EPT_VIOLATION_NMI_UNBLOCKING,
		row->unblocking ? EPT_VIOLATION_NMI_UNBLOCKING : 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE),
		row->blocked_after ? INTERRUPTIBILITY_NMI : 0);
	return result;
}

static const struct blocking_row real[] = {
	{ { "IRET, not blocked before", VIOLATION }, 0, false, true, false, false },
	{ { "read, not blocked before", VIOLATION }, 0, false, false, false, false },
	{ { "read, blocked before", VIOLATION }, 0, true, false, false, true },
	{ { "IRET, blocked before", VIOLATION }, 0, true, true, true, false },
};

SWEEP(nmi_unblocking, nmis, "SDM Exit Qualification for EPT Violations",
	"with \"NMI exiting\" 0, bit 12 says that IRET had ended blocking by NMI, which is gone",
	real, .needs = NEEDS(&need_ept), .covers = "exit:EPT_VIOLATION control:PIN_NMI_EXITING")
{
	return run(TEST_ROW(struct blocking_row));
}

#define VIRTUAL (PIN_NMI_EXITING | PIN_VIRTUAL_NMIS)
static const struct blocking_row virtual[] = {
	{ { "IRET, not blocked before", VIOLATION }, VIRTUAL, false, true, false, false },
	{ { "read, not blocked before", VIOLATION }, VIRTUAL, false, false, false, false },
	{ { "read, blocked before", VIOLATION }, VIRTUAL, true, false, false, true },
	{ { "IRET, blocked before", VIOLATION }, VIRTUAL, true, true, true, false },
};

SWEEP(nmi_unblocking, virtual_nmis, "SDM Exit Qualification for EPT Violations",
	"with \"virtual NMIs\" 1, bit 12 says that IRET had ended virtual-NMI blocking, which is "
	"gone",
	virtual, .needs = NEEDS(&need_ept, &need_PIN_VIRTUAL_NMIS),
	.covers = "exit:EPT_VIOLATION control:PIN_VIRTUAL_NMIS")
{
	return run(TEST_ROW(struct blocking_row));
}

TEST(nmi_unblocking, nmi_exiting, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"with \"NMI exiting\" 1 and \"virtual NMIs\" 0, IRET does not change blocking by NMI",
	VIOLATION, .needs = NEEDS(&need_ept),
	VALUES({ VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI }),
	.covers = "exit:EPT_VIOLATION control:PIN_NMI_EXITING")
{
	outcome result;

	window_open(1);
	field_set(VMCS_PIN_CONTROLS, PIN_NMI_EXITING);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	*window_entry(1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = WINDOW_LINEAR;
	result = guest_run(guest_iret);
	iret_here();
	return result;
}

/* Enters with the blocking, exits at once, and enters without. */
static outcome enter_twice(uint64_t pin_controls)
{
	outcome result;
	uint64_t state;

	field_clear(VMCS_PIN_CONTROLS, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS);
	field_set(VMCS_PIN_CONTROLS, pin_controls);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	CHECK_EQUAL(guest_run(guest_nothing), EXIT(EXIT_REASON_VMCALL));
	CHECK_EQUAL(field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE), INTERRUPTIBILITY_NMI);
	field_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
	result = guest_run(guest_nothing);
	state = field_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);
	guest_run(iret_here); /* leaves the CPU unblocked even where the entry did not */
	iret_here();
	CHECK_EQUAL(state, 0);
	return result;
}

TEST(nmi_unblocking, entry, "SDM Interruptibility State",
	"VM entry with bit 3 clear ends blocking by NMI", EXIT(EXIT_REASON_VMCALL),
	.covers = "field:GUEST_INTERRUPTIBILITY_STATE")
{
	return enter_twice(0);
}

TEST(nmi_unblocking, entry_virtual, "SDM Interruptibility State",
	"with \"virtual NMIs\" 1, VM entry with bit 3 clear ends virtual-NMI blocking",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_PIN_VIRTUAL_NMIS),
	.covers = "field:GUEST_INTERRUPTIBILITY_STATE control:PIN_VIRTUAL_NMIS")
{
	return enter_twice(VIRTUAL);
}
