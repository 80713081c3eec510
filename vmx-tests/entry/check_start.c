/* The good states that the tests of VM entry's checks change. */
#include "vmx-tests/entry/check.h"

#include "vmx-tests/entry/state.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest_tables.h"

#define LDT_SELECTOR 0x38 /* an entry of the GDT that nothing else uses */
#define LDT_LIMIT    0x27
#define LDT_RIGHTS   (2 | ACCESS_RIGHTS_P)
#define VTPR_OFFSET  0x80 /* "Virtual APIC State" */
#define VTPR         0x50

GUEST_CODE64(check_vmcall, "vmcall; 1: jmp 1b");

static const struct start {
	const char *name;
	enum guest_mode mode;
	bool ept, unrestricted;
} starts[] = {
	[CHECK_LONG] = { "LONG", GUEST_64BIT, false, false },
	[CHECK_USER] = { "USER", GUEST_64BIT_USER, false, false },
	[CHECK_COMPATIBILITY] = { "COMPATIBILITY", GUEST_COMPATIBILITY, false, false },
	[CHECK_PROTECTED] = { "PROTECTED", GUEST_PAGED32, false, false },
	[CHECK_PAE] = { "PAE", GUEST_PAE, false, false },
	[CHECK_V8086] = { "V8086", GUEST_VIRTUAL_8086, false, false },
	[CHECK_LONG_EPT] = { "LONG_EPT", GUEST_64BIT, true, false },
	[CHECK_PAE_EPT] = { "PAE_EPT", GUEST_PAE, true, false },
	[CHECK_LONG_UNRESTRICTED] = { "LONG_UNRESTRICTED", GUEST_64BIT, true, true },
	[CHECK_UNPAGED] = { "UNPAGED", GUEST_UNPAGED32, true, true },
	[CHECK_REAL] = { "REAL", GUEST_REAL, true, true },
	[CHECK_TPR] = { "TPR", GUEST_64BIT, false, false },
};

const char *check_start_name(enum check_start start)
{
	return starts[start].name;
}

bool check_start_available(enum check_start start)
{
	if (start == CHECK_TPR)
		return vmx_may_set(CONTROL_WORD_PROC, PROC_TPR_SHADOW);
	return (!starts[start].unrestricted || unrestricted_guest_available()) &&
	       (!starts[start].ept || ept_available());
}

/* "Guest Page-Directory-Pointer-Table Entries": with EPT they are fields. */
static void write_pdptes(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		field_write(VMCS_GUEST_PDPTE0 + 2 * i, guest_pae_pdpt[i]);
}

static void write_tpr_shadow(void)
{
	guest_page[0][VTPR_OFFSET] = VTPR;
	field_set(VMCS_PROC_CONTROLS, PROC_TPR_SHADOW);
	field_write(VMCS_VIRTUAL_APIC_ADDRESS, vmx_address(guest_page[0]));
}

#define PAT_RESET UINT64_C(0x0007040600070406) /* "Programming the PAT" */

/* What the loads of MSRs at entry and exit would take, were they asked for. */
static void write_msrs(void)
{
	bool long_mode = field_read(VMCS_VM_ENTRY_CONTROLS) & VM_ENTRY_IA32E_MODE_GUEST;

	if (state_has_field(FIELD_GUEST_IA32_EFER))
		field_write(VMCS_GUEST_IA32_EFER, long_mode ? EFER_LME | EFER_LMA : 0);
	if (state_has_field(FIELD_HOST_IA32_EFER))
		field_write(VMCS_HOST_IA32_EFER, rdmsr(MSR_IA32_EFER));
	if (state_has_field(FIELD_GUEST_IA32_PAT))
		field_write(VMCS_GUEST_IA32_PAT, PAT_RESET);
	if (state_has_field(FIELD_HOST_IA32_PAT))
		field_write(VMCS_HOST_IA32_PAT, PAT_RESET);
}

void check_begin(enum check_start number)
{
	const struct start *start = &starts[number];

	guest_reset();
	guest_set_mode(start->mode, CODE(check_vmcall));
	if (start->ept && start->mode != GUEST_UNPAGED32 && start->mode != GUEST_REAL)
		ept_enable();
	if (start->unrestricted)
		proc2_set(PROC2_UNRESTRICTED_GUEST);
	if (number == CHECK_PAE_EPT)
		write_pdptes();
	if (number == CHECK_TPR)
		write_tpr_shadow();
	write_msrs();
	field_set(VMCS_GUEST_RFLAGS, RFLAGS_IF);
	field_write(VMCS_GUEST_LDTR_SELECTOR, LDT_SELECTOR);
	field_write(VMCS_GUEST_LDTR_LIMIT, LDT_LIMIT);
	field_write(VMCS_GUEST_LDTR_ACCESS_RIGHTS, LDT_RIGHTS);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
}
