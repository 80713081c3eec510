/* Virtualization exceptions: which EPT violations become #VE, and what the guest is told (Intel
   SDM, "Virtualization Exceptions"). */
#define TEST_FOLDER "ept/"
#include "runtime/string.h"
#include "vmx-tests/ept/window.h"

#define VIOLATION   EXIT(EXIT_REASON_EPT_VIOLATION)
#define COVERS      "control:PROC2_EPT_VIOLATION_VE field:VE_INFORMATION_ADDRESS"
#define NEEDED      NEEDS(&need_ept, &need_PROC2_EPT_VIOLATION_VE)
#define CONVERTIBLE "SDM Convertible EPT Violations"
#define CONDITIONS  "SDM Virtualization-Exception Information"

void guest_vmcall(void);

static struct ve_information *information(void)
{
	return (struct ve_information *)(void *)guest_page[2];
}

/* The window's page is not present; #VE exits, since all exceptions do. */
static void open(void)
{
	window_open(1);
	*window_entry(1) = 0;
	memset(guest_page[2], 0, PAGE_SIZE);
	proc2_set(PROC2_EPT_VIOLATION_VE);
	field_write(VMCS_VE_INFORMATION_ADDRESS, vmx_address(guest_page[2]));
	field_write(VMCS_EXCEPTION_BITMAP, UINT32_MAX);
}

static outcome run(enum access access)
{
	ept_invalidate();
	return window_enter(access, 0);
}

TEST(ve, exception_bitmap, "SDM Delivery of Virtualization Exceptions",
	"#VE exits as bit 20 of the exception bitmap says", FAULT(VE), .needs = NEEDED,
	.covers = COVERS " exit:EXCEPTION_OR_NMI field:EXCEPTION_BITMAP",
	VALUES({ VMCS_EXIT_INTERRUPTION_INFORMATION,
		       INTERRUPTION_VALID | VECTOR_VE |
			       FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE) },
		{ VMCS_IDT_VECTORING_INFORMATION, 0 }))
{
	outcome result;

	open();
	result = run(ACCESS_READ);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_read);
	return result;
}

TEST(ve, delivered, "SDM Delivery of Virtualization Exceptions",
	"#VE is delivered through the guest's IDT, without an error code", EXIT(EXIT_REASON_VMCALL),
	.needs = NEEDED, .covers = COVERS " field:EXCEPTION_BITMAP")
{
	uint64_t rsp;
	outcome result;

	open();
	field_clear(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	guest_set_gate(VECTOR_VE, guest_vmcall);
	result = run(ACCESS_READ);
	rsp = field_read(VMCS_GUEST_RSP);
	CHECK_EQUAL(field_read(VMCS_GUEST_RIP), (uintptr_t)guest_vmcall);
	CHECK_EQUAL(test_observe(((const uint64_t *)(uintptr_t)rsp)[0]),
		(uintptr_t)guest_read); /* RIP, CS, RFLAGS */
	CHECK_EQUAL(test_observe(((const uint64_t *)(uintptr_t)rsp)[1]), GUEST_SELECTOR_CODE64);
	CHECK_EQUAL(test_observe(((const uint64_t *)(uintptr_t)rsp)[2]) & RFLAGS_RF, RFLAGS_RF);
	return result;
}

TEST(ve, not_enabled, CONVERTIBLE, "with \"EPT-violation #VE\" 0, EPT violations exit", VIOLATION,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	open();
	field_clear(VMCS_PROC2_CONTROLS, PROC2_EPT_VIOLATION_VE);
	result = run(ACCESS_READ);
	CHECK_EQUAL(test_observe(information()->busy), 0);
	return result;
}

struct access_row {
	struct test_row row;
	enum access access;
	uint64_t rights, qualification;
};

#define TRANSLATED (EPT_VIOLATION_LINEAR_VALID | EPT_VIOLATION_FINAL)
static const struct access_row accesses[] = {
	{ { "read, not present", FAULT(VE) }, ACCESS_READ, 0, EPT_VIOLATION_READ | TRANSLATED },
	{ { "write, not present", FAULT(VE) }, ACCESS_WRITE, 0, EPT_VIOLATION_WRITE | TRANSLATED },
	{ { "fetch, not present", FAULT(VE) }, ACCESS_FETCH, 0, EPT_VIOLATION_FETCH | TRANSLATED },
	{ { "write, R-X", FAULT(VE) }, ACCESS_WRITE, EPT_READ | EPT_EXECUTE,
		EPT_VIOLATION_WRITE | EPT_VIOLATION_READABLE | EPT_VIOLATION_EXECUTABLE |
			TRANSLATED },
	{ { "fetch, RW-", FAULT(VE) }, ACCESS_FETCH, EPT_READ | EPT_WRITE,
		EPT_VIOLATION_FETCH | EPT_VIOLATION_READABLE | EPT_VIOLATION_WRITABLE |
			TRANSLATED },
};

SWEEP(ve, information, CONDITIONS,
	"the information area receives the exit reason, the qualification and both addresses, and "
	"FFFFFFFFH",
	accesses, .needs = NEEDED, .covers = COVERS)
{
	const struct access_row *row = TEST_ROW(struct access_row);
	outcome result;

	open();
	if (row->rights)
		*window_entry(1) = vmx_address(guest_page[0]) |
				   FIELD_PUT(MEMORY_TYPE_WB, EPT_MEMORY_TYPE) | row->rights;
	result = run(row->access);
	CHECK_EQUAL(test_observe(information()->reason), EXIT_REASON_EPT_VIOLATION);
	CHECK_EQUAL(test_observe(information()->busy), VE_BUSY);
	CHECK_EQUAL(
		test_observe(information()->qualification) & (BITS(5, 0) | BITS(8, 7) | BIT(12)),
		row->qualification);
	CHECK_EQUAL(test_observe(information()->linear_address), WINDOW_LINEAR);
	CHECK_EQUAL(test_observe(information()->physical_address), window_gpa());
	return result;
}

TEST(ve, eptp_index, CONDITIONS, "the information area receives the EPTP-index field of the VMCS",
	FAULT(VE), .needs = NEEDED, .covers = COVERS " field:EPTP_INDEX")
{
	outcome result;

	open();
	field_write(VMCS_EPTP_INDEX, 0xabcd);
	result = run(ACCESS_READ);
	CHECK_EQUAL(test_observe(information()->eptp_index), 0xabcd);
	return result;
}

struct busy_row {
	struct test_row row;
	uint32_t busy;
};
static const struct busy_row busy[] = { { { "FFFFFFFFH", VIOLATION }, UINT32_MAX },
	{ { "1", VIOLATION }, 1 }, { { "100H", VIOLATION }, 0x100 },
	{ { "10000H", VIOLATION }, 0x10000 },
	{ { "80000000H", VIOLATION }, UINT32_C(0x80000000) } };

SWEEP(ve, busy, CONDITIONS,
	"while the 32 bits at offset 4 of the area are not 0, EPT violations exit and the area is "
	"left alone",
	busy, .needs = NEEDED, .covers = COVERS)
{
	const struct busy_row *row = TEST_ROW(struct busy_row);
	outcome result;

	open();
	information()->busy = row->busy;
	result = run(ACCESS_READ);
	CHECK_EQUAL(test_observe(information()->busy), row->busy);
	CHECK_EQUAL(test_observe(information()->reason), 0);
	CHECK_EQUAL(field_read(VMCS_GUEST_PHYSICAL_ADDRESS), window_gpa());
	return result;
}

/* Suppression. */
struct suppress_row {
	struct test_row row;
	unsigned int page, level; /* whose entry has bit 63 */
	uint64_t rights;
	bool suppress;
};

static const struct suppress_row suppress[] = {
	{ { "PTE not present, bit clear", FAULT(VE) }, 1, 1, 0, false },
	{ { "PTE not present, bit set", VIOLATION }, 1, 1, 0, true },
	{ { "PDE not present, bit clear", FAULT(VE) }, 1, 2, 0, false },
	{ { "PDE not present, bit set", VIOLATION }, 1, 2, 0, true },
	{ { "PDPTE not present, bit clear", FAULT(VE) }, 1, 3, 0, false },
	{ { "PDPTE not present, bit set", VIOLATION }, 1, 3, 0, true },
	{ { "PTE R-X, bit clear", FAULT(VE) }, 1, 1, EPT_READ | EPT_EXECUTE, false },
	{ { "PTE R-X, bit set", VIOLATION }, 1, 1, EPT_READ | EPT_EXECUTE, true },
	{ { "2-MByte page R-X, bit clear", FAULT(VE) }, 2, 2, EPT_READ | EPT_EXECUTE, false },
	{ { "2-MByte page R-X, bit set", VIOLATION }, 2, 2, EPT_READ | EPT_EXECUTE, true },
	{ { "PDE R-X that references a table, bit set", FAULT(VE) }, 1, 2, EPT_READ | EPT_EXECUTE,
		true },
	{ { "PDPTE R-X that references a directory, bit set", FAULT(VE) }, 1, 3,
		EPT_READ | EPT_EXECUTE, true },
};

SWEEP(ve, suppress, CONVERTIBLE,
	"bit 63 of the entry that is not present, or else of the one that maps the page, "
	"suppresses #VE; elsewhere it is ignored",
	suppress, .needs = NEEDED, .covers = COVERS)
{
	const struct suppress_row *row = TEST_ROW(struct suppress_row);
	uint64_t *entry;

	open();
	window_open(row->page);
	entry = window_entry(row->level);
	*entry = (*entry & ~EPT_ALL) | row->rights | (row->suppress ? EPT_SUPPRESS_VE : 0);
	return run(ACCESS_WRITE);
}

TEST(ve, misconfiguration, CONVERTIBLE, "an EPT misconfiguration is never converted",
	EXIT(EXIT_REASON_EPT_MISCONFIGURATION), .needs = NEEDED,
	.covers = COVERS " exit:EPT_MISCONFIGURATION")
{
	open();
	window_open(1);
	*window_entry(1) |= EPT_MEMORY_TYPE;
	return run(ACCESS_READ);
}

TEST(ve, guest_structure, CONVERTIBLE,
	"a violation by the walk of the guest's tables is converted, too", FAULT(VE),
	.needs = NEEDED, .covers = COVERS)
{
	uint64_t gpa = vmx_address(window_guest_entry(1));
	outcome result;

	open();
	*ept_entry(gpa, 1) = 0;
	result = run(ACCESS_READ);
	CHECK_EQUAL(test_observe(information()->physical_address), gpa);
	CHECK_EQUAL(test_observe(information()->linear_address), WINDOW_LINEAR);
	CHECK_EQUAL(test_observe(information()->qualification) & BITS(8, 7),
		EPT_VIOLATION_LINEAR_VALID);
	return result;
}

TEST(ve, event_delivery, CONDITIONS, "a violation while an event is delivered exits", VIOLATION,
	.needs = NEEDED, .covers = COVERS)
{
	outcome result;

	open();
	field_write(VMCS_GUEST_IDTR_BASE, WINDOW_LINEAR);
	ept_invalidate();
	result = guest_run(guest_software_interrupt);
	CHECK_EQUAL(test_observe(information()->busy), 0);
	return result;
}

TEST(ve, nested, CONDITIONS, "a violation while #VE is delivered exits and saves #VE as the event",
	VIOLATION, .needs = NEEDED,
	VALUES({ VMCS_IDT_VECTORING_INFORMATION,
		INTERRUPTION_VALID | VECTOR_VE |
			FIELD_PUT(INTERRUPTION_HARDWARE_EXCEPTION, INTERRUPTION_TYPE) }),
	.covers = COVERS " field:IDT_VECTORING_INFORMATION")
{
	outcome result;

	open();
	field_clear(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	field_write(VMCS_GUEST_IDTR_BASE, WINDOW_LINEAR);
	result = run(ACCESS_READ);
	CHECK_EQUAL(test_observe(information()->busy), VE_BUSY);
	CHECK_EQUAL(field_read(VMCS_GUEST_LINEAR_ADDRESS) & ~BITS(3, 0),
		WINDOW_LINEAR + 16 * VECTOR_VE);
	return result;
}

GUEST_CODE16(ve_real_read, "movw %di, %ds; movw (%si), %ax; vmcall");

TEST(ve, real_mode, CONDITIONS, "with CR0.PE = 0, EPT violations exit", VIOLATION,
	.needs = NEEDS(&need_ept, &need_PROC2_EPT_VIOLATION_VE, &need_unrestricted),
	.covers = COVERS)
{
	outcome result;

	guest_set_mode(GUEST_REAL, CODE(ve_real_read));
	memset(guest_page[2], 0, PAGE_SIZE);
	proc2_set(PROC2_EPT_VIOLATION_VE);
	field_write(VMCS_VE_INFORMATION_ADDRESS, vmx_address(guest_page[2]));
	*ept_entry(0x9f000, 1) = 0;
	ept_invalidate();
	guest_gpr[RDI] = 0x9f00;
	result = guest_enter();
	CHECK_EQUAL(test_observe(information()->busy), 0);
	return result;
}

/* A second violation after the guest has cleared the busy word is #VE again. */
TEST(ve, again, CONDITIONS,
	"once the 32 bits at offset 4 are 0 again, violations are converted again", FAULT(VE),
	.needs = NEEDED, .covers = COVERS)
{
	open();
	CHECK_EQUAL(run(ACCESS_READ), FAULT(VE));
	CHECK_EQUAL(run(ACCESS_READ), VIOLATION);
	information()->busy = 0;
	return run(ACCESS_READ);
}
