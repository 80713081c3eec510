/* Unrestricted guests without paging or protection under EPT (Intel SDM, "Unrestricted Guests",
   "EPT Translation Mechanism"): a linear address is then a guest-physical one. */
#define TEST_FOLDER "ept/"
#include "runtime/string.h"
#include "vmx-tests/ept/window.h"
#include "vmx-tests/guest_tables.h"

#define VIOLATION EXIT(EXIT_REASON_EPT_VIOLATION)
#define COVERS    "control:PROC2_UNRESTRICTED_GUEST exit:EPT_VIOLATION"
#define TITLE     "SDM Unrestricted Guests"

#define PLACE UINT64_C(0xc0000000) /* a guest-physical address without memory of its own */
#define IN_1M UINT64_C(0x9f000)    /* the same, for a guest in real mode */

GUEST_CODE32(unpaged_read, "movl (%edi), %eax; vmcall");
GUEST_CODE32(unpaged_write, "movl %esi, (%edi); vmcall");
GUEST_CODE32(unpaged_fetch, "jmp *%edi");
GUEST_CODE32(unpaged_vmcall, "vmcall");
/* DS is set to the paragraph DI; offset SI. */
GUEST_CODE16(real_read, "movw %di, %ds; movw (%si), %ax; vmcall");
GUEST_CODE16(real_write, "movw %di, %ds; movw %ax, (%si); vmcall");
GUEST_CODE16(real_interrupt, "int $0x21; vmcall");
GUEST_CODE16(real_iret, "iret");
GUEST_CODE16(real_vmcall, "vmcall");

struct unpaged_row {
	struct test_row row;
	const uint8_t *code, *end;
	uint64_t qualification;
};

#define CODE_ROW(code) code, code##_end
#define TRANSLATED     (EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL)

static outcome check(uint64_t address, uint64_t qualification)
{
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), address);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS), address);
	CHECK_EQUAL(field_read(VMCS_EXIT_QUALIFICATION) & (BITS(5, 0) | TRANSLATED),
		qualification | TRANSLATED);
	return VIOLATION;
}

static const struct unpaged_row unpaged[] = {
	{ { "read", VIOLATION }, CODE_ROW(unpaged_read), EPT_VIOLATION_READ },
	{ { "write", VIOLATION }, CODE_ROW(unpaged_write), EPT_VIOLATION_WRITE },
	{ { "fetch", VIOLATION }, CODE_ROW(unpaged_fetch), EPT_VIOLATION_FETCH },
};

SWEEP(unpaged, violation, "SDM EPT Translation Mechanism",
	"without paging a linear address is translated by EPT alone; a violation reports it as "
	"linear and as guest-physical",
	unpaged, .needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	const struct unpaged_row *row = TEST_ROW(struct unpaged_row);
	outcome result;

	guest_reset();
	guest_set_mode(GUEST_UNPAGED32, row->code, (size_t)(row->end - row->code));
	*ept_entry(PLACE, 1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = PLACE;
	result = guest_enter();
	return result == VIOLATION ? check(PLACE, row->qualification) : result;
}

TEST(unpaged, remapped, "SDM EPT Translation Mechanism",
	"without paging EPT decides which memory is seen", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_UNPAGED32, CODE(unpaged_read));
	*ept_entry(PLACE, 1) =
		vmx_address(guest_page[1]) | EPT_ALL | FIELD_PUT(MEMORY_TYPE_WB, EPT_MEMORY_TYPE);
	ept_invalidate();
	*(volatile uint64_t *)(void *)guest_page[1] = WINDOW_OTHER;
	guest_gpr[RDI] = PLACE;
	result = guest_enter();
	CHECK_EQUAL(test_observe(guest_gpr[RAX]), (uint32_t)WINDOW_OTHER);
	return result;
}

static const struct unpaged_row real[] = {
	{ { "read", VIOLATION }, CODE_ROW(real_read), EPT_VIOLATION_READ },
	{ { "write", VIOLATION }, CODE_ROW(real_write), EPT_VIOLATION_WRITE },
};

SWEEP(unpaged, real_mode, TITLE,
	"in real mode the linear address, 16 times the segment plus the offset, is guest-physical",
	real, .needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	const struct unpaged_row *row = TEST_ROW(struct unpaged_row);
	outcome result;

	guest_reset();
	guest_set_mode(GUEST_REAL, row->code, (size_t)(row->end - row->code));
	*ept_entry(IN_1M, 1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = IN_1M >> 4;
	guest_gpr[RSI] = 0x124;
	result = guest_enter();
	return result == VIOLATION ? check(IN_1M + 0x124, row->qualification) : result;
}

/* The interrupt vector table is at guest-physical 0: guest_page[0] stands in for it, and
   guest_page[1] for the page with the handler. */
static void map_vectors(const uint8_t *handler, size_t bytes)
{
	uint64_t leaf = EPT_ALL | FIELD_PUT(MEMORY_TYPE_WB, EPT_MEMORY_TYPE);

	*ept_entry(0, 1) = vmx_address(guest_page[0]) | leaf;
	*ept_entry(IN_1M, 1) = vmx_address(guest_page[1]) | leaf;
	ept_invalidate();
	memcpy(guest_page[1], handler, bytes);
	*(volatile uint32_t *)(void *)(guest_page[0] + 4 * 0x21) = (uint32_t)(IN_1M >> 4 << 16);
	field_write(VMCS_GUEST_IDTR_BASE, 0);
	field_write(VMCS_GUEST_IDTR_LIMIT, 0x3ff);
}

TEST(unpaged, real_interrupt, TITLE,
	"in real mode INT goes through the vector table at guest-physical address 0",
	EXIT(EXIT_REASON_VMCALL),
	VALUES({ VMCS_GUEST_CS_SELECTOR, IN_1M >> 4 }, { VMCS_GUEST_RIP, 0 },
		{ VMCS_GUEST_CS_BASE, IN_1M }),
	.needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	guest_set_mode(GUEST_REAL, CODE(real_interrupt));
	map_vectors(CODE(real_vmcall));
	return guest_enter();
}

TEST(unpaged, real_iret, TITLE, "in real mode IRET returns from the handler",
	EXIT(EXIT_REASON_VMCALL), VALUES({ VMCS_GUEST_RIP, 2 }), .needs = NEEDS(&need_unrestricted),
	.covers = COVERS)
{
	guest_set_mode(GUEST_REAL, CODE(real_interrupt));
	map_vectors(CODE(real_iret));
	return guest_enter();
}

TEST(unpaged, real_vectors_missing, TITLE,
	"where EPT does not give the vector table, INT violates EPT in event delivery", VIOLATION,
	.needs = NEEDS(&need_unrestricted),
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_SOFTWARE, INTERRUPTION_TYPE) | 0x21 }),
	.covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_REAL, CODE(real_interrupt));
	map_vectors(CODE(real_vmcall));
	*ept_entry(0, 1) = 0;
	ept_invalidate();
	result = guest_enter();
	return result == VIOLATION ? check(4 * 0x21, EPT_VIOLATION_READ) : result;
}

/* Ways between the modes. CR0.PE is bit 0, PG bit 31. */
GUEST_CODE16(real_to_protected, "movl %cr0, %eax; orb $1, %al; movl %eax, %cr0; vmcall");
GUEST_CODE32(protected_to_real, "movl %cr0, %eax; andb $0xfe, %al; movl %eax, %cr0; vmcall");
GUEST_CODE32(unpaged_to_paged,
	"movl %edi, %cr3; movl %cr0, %eax; btsl $31, %eax; movl %eax, %cr0; vmcall");
GUEST_CODE32(paged_to_real, "movl %cr0, %eax; andl $0x7ffffffe, %eax; movl %eax, %cr0; vmcall");
GUEST_CODE32(paged_to_unpaged, "movl %cr0, %eax; btrl $31, %eax; movl %eax, %cr0; vmcall");

static void load_efer(uint64_t guest)
{
	field_set(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_LOAD_EFER);
	field_set(VMCS_VM_EXIT_CONTROLS, VM_EXIT_SAVE_EFER | VM_EXIT_LOAD_EFER);
	field_write(VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
	field_write(VMCS_GUEST_IA32_EFER, guest);
}

TEST(unpaged, enter_protected_mode, TITLE, "an unrestricted guest can set CR0.PE",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_REAL, CODE(real_to_protected));
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE);
	return result;
}

TEST(unpaged, leave_protected_mode, TITLE, "an unrestricted guest can clear CR0.PE",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_UNPAGED32, CODE(protected_to_real));
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), 0);
	return result;
}

TEST(unpaged, enable_paging, TITLE,
	"an unrestricted guest can set CR0.PG: its tables are read through EPT",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(
		&need_unrestricted, &need_clear_PROC_CR3_LOAD_EXITING, &need_VM_ENTRY_LOAD_EFER),
	.covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_UNPAGED32, CODE(unpaged_to_paged));
	load_efer(0); /* without it, an entry without paging leaves EFER.LME as it was */
	guest_gpr[RDI] = vmx_address(guest_pd32);
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	CHECK_EQUAL(field_read(VMCS_GUEST_CR3), vmx_address(guest_pd32));
	return result;
}

TEST(unpaged, disable_paging, TITLE, "an unrestricted guest can clear CR0.PG",
	EXIT(EXIT_REASON_VMCALL), .needs = NEEDS(&need_unrestricted), .covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_PAGED32, CODE(paged_to_unpaged));
	ept_enable_unrestricted();
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_GUEST_CR0) & (CR0_PE | CR0_PG), CR0_PE);
	return result;
}

struct restricted_row {
	struct test_row row;
	const uint8_t *code, *end;
	bool ept;
};
static const struct restricted_row restricted[] = {
	{ { "CR0.PG", FAULT(GP) }, CODE_ROW(paged_to_unpaged), false },
	{ { "CR0.PG, with EPT", FAULT(GP) }, CODE_ROW(paged_to_unpaged), true },
	{ { "CR0.PG and PE", FAULT(GP) }, CODE_ROW(paged_to_real), false },
	{ { "CR0.PG and PE, with EPT", FAULT(GP) }, CODE_ROW(paged_to_real), true },
};

SWEEP(unpaged, restricted, "SDM Changes to Instruction Behavior in VMX Non-Root Operation",
	"without \"unrestricted guest\", MOV to CR0 that clears a bit fixed to 1 is #GP in the "
	"guest",
	restricted, .needs = NEEDS(&need_ept), .covers = "control:PROC2_UNRESTRICTED_GUEST")
{
	const struct restricted_row *row = TEST_ROW(struct restricted_row);

	guest_reset();
	guest_set_mode(GUEST_PAGED32, row->code, (size_t)(row->end - row->code));
	if (row->ept)
		ept_enable();
	return guest_run(NULL);
}

/* IA-32e mode: PAE is on, LME is set by VM entry with "load IA32_EFER", then paging is turned on.
 */
TEST(unpaged, enter_ia32e_mode, "SDM Saving Guest State: VM-Entry Control IA-32e Mode Guest",
	"when an unrestricted guest activates IA-32e mode, the VM exit sets \"IA-32e mode guest\"",
	EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDS(
		&need_unrestricted, &need_clear_PROC_CR3_LOAD_EXITING, &need_VM_ENTRY_LOAD_EFER),
	.covers = COVERS " control:VM_ENTRY_IA32E_MODE_GUEST cap:VMX_MISC_STORES_LMA")
{
	outcome result;

	guest_set_mode(GUEST_UNPAGED32, CODE(unpaged_to_paged));
	field_write(VMCS_GUEST_CR4, read_cr4() | CR4_PAE);
	load_efer(EFER_LME);
	guest_gpr[RDI] = vmx_address(guest_pml4);
	result = guest_enter();
	CHECK_EQUAL(field_read(VMCS_VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE_GUEST,
		VM_ENTRY_IA32E_MODE_GUEST);
	CHECK_EQUAL(field_read(VMCS_GUEST_IA32_EFER), EFER_LME | EFER_LMA);
	return result;
}
