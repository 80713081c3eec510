/* The guest in modes other than 64-bit mode at CPL 0: registers and segments of each, as a table.
 */
#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/guest_tables.h"

#define DPL_3     FIELD_PUT(3, ACCESS_RIGHTS_DPL)
#define LOW_STACK 0xff0 /* offset of the stack's top in the page below 1 MiB */
#define V86_DATA  (GUEST_RIGHTS_DATA16 | DPL_3)
#define FLAT      UINT32_MAX
#define REAL      UINT64_C(0xffff)

enum place { HERE, LOW }; /* the code where it is, or in the page below 1 MiB */
enum paging { PAGING_LONG, PAGING_PAE, PAGING_32, PAGING_NONE };

static const struct mode {
	const char *name;
	enum place place;
	enum paging paging;
	bool protected;      /* CR0.PE */
	uint16_t code, data; /* selectors; 0 in LOW modes: the page's segment */
	uint32_t code_rights, data_rights;
	uint64_t limit, rflags;
} modes[GUEST_MODES] = {
	[GUEST_64BIT] = { "64-bit mode", HERE, PAGING_LONG, true, GUEST_SELECTOR_CODE64,
		GUEST_SELECTOR_DATA, GUEST_RIGHTS_CODE64, GUEST_RIGHTS_DATA, FLAT, 0 },
	[GUEST_64BIT_USER] = { "64-bit mode at CPL 3", HERE, PAGING_LONG, true,
		GUEST_SELECTOR_USER_CODE64, GUEST_SELECTOR_USER_DATA, GUEST_RIGHTS_CODE64 | DPL_3,
		GUEST_RIGHTS_DATA | DPL_3, FLAT, 0 },
	[GUEST_COMPATIBILITY] = { "compatibility mode", HERE, PAGING_LONG, true,
		GUEST_SELECTOR_CODE32, GUEST_SELECTOR_DATA, GUEST_RIGHTS_CODE32, GUEST_RIGHTS_DATA,
		FLAT, 0 },
	[GUEST_COMPATIBILITY_USER] = { "compatibility mode at CPL 3", HERE, PAGING_LONG, true,
		GUEST_SELECTOR_USER_CODE32, GUEST_SELECTOR_USER_DATA, GUEST_RIGHTS_CODE32 | DPL_3,
		GUEST_RIGHTS_DATA | DPL_3, FLAT, 0 },
	[GUEST_PAE] = { "PAE paging", HERE, PAGING_PAE, true, GUEST_SELECTOR_CODE32,
		GUEST_SELECTOR_DATA, GUEST_RIGHTS_CODE32, GUEST_RIGHTS_DATA, FLAT, 0 },
	[GUEST_PAGED32] = { "32-bit paging", HERE, PAGING_32, true, GUEST_SELECTOR_CODE32,
		GUEST_SELECTOR_DATA, GUEST_RIGHTS_CODE32, GUEST_RIGHTS_DATA, FLAT, 0 },
	[GUEST_PROTECTED16] = { "16-bit protected mode", LOW, PAGING_32, true,
		GUEST_SELECTOR_CODE16, GUEST_SELECTOR_DATA16, GUEST_RIGHTS_CODE,
		GUEST_RIGHTS_DATA16, REAL, 0 },
	[GUEST_VIRTUAL_8086] = { "virtual-8086 mode", LOW, PAGING_32, true, 0, 0, V86_DATA,
		V86_DATA, REAL, RFLAGS_VM | RFLAGS_IOPL },
	[GUEST_UNPAGED32] = { "protected mode without paging", HERE, PAGING_NONE, true,
		GUEST_SELECTOR_CODE32, GUEST_SELECTOR_DATA, GUEST_RIGHTS_CODE32, GUEST_RIGHTS_DATA,
		FLAT, 0 },
	[GUEST_REAL] = { "real mode", LOW, PAGING_NONE, false, 0, 0, GUEST_RIGHTS_CODE,
		GUEST_RIGHTS_DATA16, REAL, 0 },
};

const char *guest_mode_name(enum guest_mode mode)
{
	return modes[mode].name;
}

bool guest_mode_available(enum guest_mode mode)
{
	return modes[mode].paging != PAGING_NONE || unrestricted_guest_available();
}

/* The page below 1 MiB that real-mode and 16-bit code runs in. */
static uint8_t *low_page(void)
{
	static uint8_t *page;

	if (page == NULL)
		page = page_alloc_low();
	if (page == NULL)
		panic("no page below 1 MiB for the guest's 16-bit code");
	return page;
}

/* A segment's four fields stand 2 apart in each area, in the order ES CS SS DS FS GS. */
static void write_segment(
	unsigned int segment, uint64_t selector, uint64_t base, uint64_t limit, uint64_t rights)
{
	field_write(VMCS_GUEST_ES_SELECTOR + 2 * segment, selector);
	field_write(VMCS_GUEST_ES_BASE + 2 * segment, base);
	field_write(VMCS_GUEST_ES_LIMIT + 2 * segment, limit);
	field_write(VMCS_GUEST_ES_ACCESS_RIGHTS + 2 * segment, rights);
}

static void write_segments(const struct mode *mode, uint64_t base)
{
	unsigned int i;

	for (i = 0; i < 6; i++) {
		bool code = i == 1;
		uint64_t selector = code ? mode->code : mode->data;

		write_segment(i, selector ? selector : base >> 4, base, mode->limit,
			code ? mode->code_rights : mode->data_rights);
	}
}

static void write_paging(const struct mode *mode)
{
	uint64_t cr0 = read_cr0(), cr4 = read_cr4() & ~(CR4_PCIDE | CR4_PAE);

	if (mode->paging == PAGING_LONG)
		return;
	field_clear(VMCS_VM_ENTRY_CONTROLS, VM_ENTRY_IA32E_MODE_GUEST);
	if (mode->paging == PAGING_PAE)
		cr4 |= CR4_PAE;
	else
		cr4 |= CR4_PSE;
	field_write(VMCS_GUEST_CR4, cr4);
	field_write(VMCS_GUEST_CR3,
		mode->paging == PAGING_PAE ? vmx_address(guest_pae_pdpt) : vmx_address(guest_pd32));
	if (mode->paging != PAGING_NONE)
		return;
	ept_enable_unrestricted();
	field_write(VMCS_GUEST_CR0, cr0 & ~(CR0_PG | (mode->protected ? 0 : CR0_PE)));
}

void guest_set_mode(enum guest_mode number, const void *code, size_t bytes)
{
	const struct mode *mode = &modes[number];
	uint64_t rip = vmx_address(code), rsp = vmx_address(guest_stack + sizeof(guest_stack)),
		 base = 0;

	if (mode->place == LOW) {
		base = vmx_address(low_page());
		memcpy(low_page(), code, MIN(bytes, LOW_STACK - 256));
		rip = 0;
		rsp = LOW_STACK;
	}
	write_paging(mode);
	write_segments(mode, base);
	field_write(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | mode->rflags);
	field_write(VMCS_GUEST_RIP, rip);
	field_write(VMCS_GUEST_RSP, rsp);
}
