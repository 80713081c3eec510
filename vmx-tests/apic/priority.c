/* APIC-access exits among other events, and accesses that do not come from a linear address
   directly (Intel SDM, "Priority of APIC-Access VM Exits", "Guest-Physical Accesses to the
   APIC-Access Page"). */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "runtime/string.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/ept/window.h"

#define ACCESS     EXIT(EXIT_REASON_APIC_ACCESS)
#define COVERS     "exit:APIC_ACCESS control:PROC2_VIRTUALIZE_APIC_ACCESSES field:EXIT_QUALIFICATION"
#define PRIORITY   "SDM Priority of APIC-Access VM Exits"
#define PHYSICAL   "SDM Guest-Physical Accesses to the APIC-Access Page"
#define NEEDED     NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES)
#define NEEDED_EPT NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES, &need_ept)
#define OFFSET     0x300

/* The APIC-access page is the window's page. */
static void open(bool ept)
{
	apic_use_tpr_shadow();
	if (ept)
		window_open(1);
	else
		window_open_guest();
	proc2_set(PROC2_VIRTUALIZE_APIC_ACCESSES);
	field_write(VMCS_APIC_ACCESS_ADDRESS, vmx_address(guest_page[0]));
	if (ept)
		ept_invalidate();
}

static outcome check_linear(outcome result, uint64_t type)
{
	if (result == ACCESS)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION),
			FIELD_PUT(type, APIC_ACCESS_TYPE) | OFFSET);
	return result;
}

TEST(priority, page_fault_first, PRIORITY, "an access that would be a page fault is", FAULT(PF, 0),
	.needs = NEEDED, .covers = COVERS)
{
	open(false);
	*window_guest_entry(1) &= ~(uint64_t)PTE_P;
	return window_enter(ACCESS_READ, OFFSET);
}

TEST(priority, violation_first, PRIORITY, "an access that would violate EPT does",
	EXIT(EXIT_REASON_EPT_VIOLATION), .needs = NEEDED_EPT, .covers = COVERS)
{
	open(true);
	*window_entry(1) &= ~(uint64_t)EPT_WRITE;
	ept_invalidate();
	return window_enter(ACCESS_WRITE, OFFSET);
}

TEST(priority, accessed_flag, PRIORITY, "the accessed flags are set before the exit", ACCESS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	open(false);
	*window_guest_entry(1) &= ~(uint64_t)(PTE_A | PTE_D);
	result = check_linear(window_enter(ACCESS_READ, OFFSET), APIC_ACCESS_LINEAR_READ);
	CHECK_EQUAL(test_observe(*window_guest_entry(1)) & (PTE_A | PTE_D), PTE_A);
	return result;
}

TEST(priority, dirty_flag, PRIORITY, "a write's dirty flag is set before the exit", ACCESS,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	open(false);
	*window_guest_entry(1) &= ~(uint64_t)(PTE_A | PTE_D);
	result = check_linear(window_enter(ACCESS_WRITE, OFFSET), APIC_ACCESS_LINEAR_WRITE);
	CHECK_EQUAL(test_observe(*window_guest_entry(1)) & (PTE_A | PTE_D), PTE_A | PTE_D);
	return result;
}

TEST(priority, ept_flags, PRIORITY, "EPT's accessed and dirty flags are set before the exit",
	ACCESS,
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES, &need_ept,
		&need_ept_accessed_dirty),
	.covers = COVERS)
{
	outcome result;

	open(true);
	field_set(VMCS_EPTP, EPTP_ACCESSED_DIRTY);
	ept_invalidate();
	result = check_linear(window_enter(ACCESS_WRITE, OFFSET), APIC_ACCESS_LINEAR_WRITE);
	CHECK_EQUAL(test_observe(*window_entry(1)) & (EPT_ACCESSED | EPT_DIRTY),
		EPT_ACCESSED | EPT_DIRTY);
	return result;
}

TEST(priority, at_instruction, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an APIC-access exit is at the instruction that accesses", ACCESS, .needs = NEEDED,
	.covers = COVERS " field:GUEST_RIP")
{
	outcome result;

	open(false);
	result = window_enter(ACCESS_WRITE, OFFSET);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_write);
	CHECK_EQUAL(field_read(VMCS_IDT_VECTORING_INFORMATION) & INTERRUPTION_VALID, 0);
	CHECK_EQUAL(test_observe(*(uint64_t *)(void *)(guest_page[0] + OFFSET)), WINDOW_WORD);
	return result;
}

TEST(priority, resume_flag, "SDM Saving RIP, RSP, RFLAGS, and SSP",
	"an APIC-access exit saves RFLAGS.RF as 1", ACCESS, .needs = NEEDED,
	.covers = COVERS " field:GUEST_RFLAGS")
{
	outcome result;

	open(false);
	result = window_enter(ACCESS_WRITE, OFFSET);
	CHECK_EQUAL(field_read(VMCS_GUEST_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
	return result;
}

/* The guest's page table for the window becomes the APIC-access page: its use is a guest-physical
 * access. */
static void open_structure(void)
{
	open(true);
	field_write(VMCS_APIC_ACCESS_ADDRESS,
		ALIGN_DOWN(vmx_address(window_guest_entry(1)), PAGE_SIZE));
	ept_entry(vmx_address(window_guest_entry(1)), 1); /* a 4-KByte page, as the manual asks */
	ept_invalidate();
}

TEST(priority, guest_structure, PHYSICAL,
	"reading a guest paging structure on the page exits with type 15", ACCESS,
	.needs = NEEDED_EPT, .covers = COVERS)
{
	outcome result;

	open_structure();
	result = window_enter(ACCESS_READ, OFFSET);
	if (result == ACCESS)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & ~APIC_ACCESS_OFFSET,
			FIELD_PUT(APIC_ACCESS_PHYSICAL_INSTRUCTION, APIC_ACCESS_TYPE));
	return result;
}

TEST(priority, guest_structure_delivery, PHYSICAL,
	"reading a guest paging structure on the page while an event is delivered exits with type "
	"10",
	ACCESS, .needs = NEEDED_EPT,
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) |
			WINDOW_INTERRUPT }),
	.covers = COVERS)
{
	outcome result;

	open_structure();
	field_write(VMCS_GUEST_IDTR_BASE, WINDOW_LINEAR);
	result = guest_run(guest_software_interrupt);
	if (result == ACCESS)
		CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & ~APIC_ACCESS_OFFSET,
			FIELD_PUT(APIC_ACCESS_PHYSICAL_DELIVERY, APIC_ACCESS_TYPE));
	return result;
}

TEST(priority, guest_structure_violation_first, PHYSICAL,
	"a guest-physical access that would violate EPT does", EXIT(EXIT_REASON_EPT_VIOLATION),
	.needs = NEEDED_EPT, .covers = COVERS)
{
	open_structure();
	*ept_entry(vmx_address(window_guest_entry(1)), 1) &= ~EPT_ALL;
	ept_invalidate();
	return window_enter(ACCESS_READ, OFFSET);
}
