/* The good VMCS and the ways into the guest. Guests in other modes are guest_mode.c's. */
#include "vmx-tests/guest.h"

#include "runtime/panic.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "vmx-tests/ept.h"
#include "vmx-tests/guest_tables.h"

#define WATCHDOG_TICKS 20000000 /* TSC ticks that a guest may run */

uint64_t guest_switch(uint64_t launch, uint64_t host_rsp, uint64_t host_rip);
void guest_start(void);

uint8_t guest_stack[GUEST_STACK_BYTES] __aligned(16);
uint8_t guest_page[3][4096] __aligned(4096);
static bool launched;

struct field_value {
	uint32_t field;
	uint64_t value;
};

static void write_fields(const struct field_value *values, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		field_write(values[i].field, values[i].value);
}

/* Every field that can be written starts at 0. Which of them this CPU has is tried once. */
static void write_zeroes(void)
{
	static uint32_t encodings[VMCS_FIELDS];
	static unsigned int count;
	unsigned int i;

	if (count > 0) {
		for (i = 0; i < count; i++)
			field_poke(encodings[i], 0);
		return;
	}
	for (i = 0; i < VMCS_FIELDS; i++)
		if (vmcs_fields[i].area != AREA_READONLY &&
			vmwrite(vmcs_fields[i].encoding, 0) == OK)
			encodings[count++] = vmcs_fields[i].encoding;
}

static uint64_t must_be_1(enum vmx_control_word word)
{
	return vmx_control_capability(word) & CAPABILITY_MUST_BE_1;
}

static void write_controls(void)
{
	const struct field_value controls[] = {
		{ VMCS_PIN_CONTROLS, must_be_1(CONTROL_WORD_PIN) },
		{ VMCS_PROC_CONTROLS, must_be_1(CONTROL_WORD_PROC) },
		{ VMCS_VM_EXIT_CONTROLS,
			must_be_1(CONTROL_WORD_VM_EXIT) | VM_EXIT_HOST_ADDRESS_SPACE_SIZE },
		{ VMCS_VM_ENTRY_CONTROLS,
			must_be_1(CONTROL_WORD_VM_ENTRY) | VM_ENTRY_IA32E_MODE_GUEST },
		{ VMCS_EXCEPTION_BITMAP, UINT32_MAX },
	};

	write_fields(controls, ARRAY_SIZE(controls));
	guest_set_watchdog(WATCHDOG_TICKS);
}

void guest_set_watchdog(uint64_t ticks)
{
	uint64_t shift = FIELD_GET(rdmsr(MSR_IA32_VMX_MISC), VMX_MISC_PREEMPTION_TIMER_SHIFT);

	if (!vmx_may_set(CONTROL_WORD_PIN, PIN_PREEMPTION_TIMER))
		return;
	field_set(VMCS_PIN_CONTROLS, PIN_PREEMPTION_TIMER);
	field_write(VMCS_PREEMPTION_TIMER_VALUE, ticks >> shift);
}

void guest_set_host(void)
{
	struct descriptor_table gdtr = read_gdtr(), idtr = read_idtr();
	const uint64_t *tss = (const uint64_t *)(uintptr_t)(gdtr.base + SELECTOR_TSS);
	uint64_t tr_base =
		(tss[0] >> 16 & BITS(23, 0)) | (tss[0] >> 32 & BITS(31, 24)) | tss[1] << 32;
	const struct field_value host[] = {
		{ VMCS_HOST_CR0, read_cr0() },
		{ VMCS_HOST_CR3, read_cr3() },
		{ VMCS_HOST_CR4, read_cr4() },
		{ VMCS_HOST_CS_SELECTOR, SELECTOR_CODE64 },
		{ VMCS_HOST_SS_SELECTOR, SELECTOR_DATA },
		{ VMCS_HOST_DS_SELECTOR, SELECTOR_DATA },
		{ VMCS_HOST_ES_SELECTOR, SELECTOR_DATA },
		{ VMCS_HOST_TR_SELECTOR, SELECTOR_TSS },
		{ VMCS_HOST_FS_BASE, rdmsr(MSR_IA32_FS_BASE) },
		{ VMCS_HOST_GS_BASE, rdmsr(MSR_IA32_GS_BASE) },
		{ VMCS_HOST_TR_BASE, tr_base },
		{ VMCS_HOST_GDTR_BASE, gdtr.base },
		{ VMCS_HOST_IDTR_BASE, idtr.base },
	};

	write_fields(host, ARRAY_SIZE(host));
}

static void write_guest(void)
{
	static const struct field_value guest[] = {
		{ VMCS_GUEST_CS_SELECTOR, GUEST_SELECTOR_CODE64 },
		{ VMCS_GUEST_CS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_CS_ACCESS_RIGHTS, GUEST_RIGHTS_CODE64 },
		{ VMCS_GUEST_SS_SELECTOR, GUEST_SELECTOR_DATA },
		{ VMCS_GUEST_SS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_SS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA },
		{ VMCS_GUEST_DS_SELECTOR, GUEST_SELECTOR_DATA },
		{ VMCS_GUEST_DS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_DS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA },
		{ VMCS_GUEST_ES_SELECTOR, GUEST_SELECTOR_DATA },
		{ VMCS_GUEST_ES_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_ES_ACCESS_RIGHTS, GUEST_RIGHTS_DATA },
		{ VMCS_GUEST_FS_SELECTOR, GUEST_SELECTOR_DATA },
		{ VMCS_GUEST_FS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_FS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA },
		{ VMCS_GUEST_GS_SELECTOR, GUEST_SELECTOR_DATA },
		{ VMCS_GUEST_GS_LIMIT, UINT32_MAX },
		{ VMCS_GUEST_GS_ACCESS_RIGHTS, GUEST_RIGHTS_DATA },
		{ VMCS_GUEST_LDTR_ACCESS_RIGHTS, ACCESS_RIGHTS_UNUSABLE },
		{ VMCS_GUEST_TR_SELECTOR, GUEST_SELECTOR_TSS },
		{ VMCS_GUEST_TR_LIMIT, GUEST_TSS_LIMIT },
		{ VMCS_GUEST_TR_ACCESS_RIGHTS, GUEST_RIGHTS_TSS },
		{ VMCS_GUEST_GDTR_LIMIT, sizeof(guest_gdt) - 1 },
		{ VMCS_GUEST_IDTR_LIMIT, sizeof(guest_idt) - 1 },
		{ VMCS_GUEST_DR7, DR7_RESET },
		{ VMCS_GUEST_RFLAGS, RFLAGS_FIXED },
		{ VMCS_VMCS_LINK_POINTER, VMCS_NO_POINTER },
	};
	const struct field_value addresses[] = {
		{ VMCS_GUEST_CR0, read_cr0() },
		{ VMCS_GUEST_CR3, vmx_address(guest_pml4) },
		{ VMCS_GUEST_CR4, read_cr4() },
		{ VMCS_GUEST_TR_BASE, vmx_address(&guest_tss) },
		{ VMCS_GUEST_GDTR_BASE, vmx_address(guest_gdt) },
		{ VMCS_GUEST_IDTR_BASE, vmx_address(guest_idt) },
	};

	write_fields(guest, ARRAY_SIZE(guest));
	write_fields(addresses, ARRAY_SIZE(addresses));
}

/* An exit leaves NMIs blocked where the guest's were; IRET unblocks them. (Its selectors are not
   those that an exit may have loaded.) */
static void unblock_nmis(void)
{
	__asm__ volatile("movq %%rsp, %%rax; pushq %0; pushq %%rax; pushfq; pushq %1; "
			 "leaq 1f(%%rip), %%rax; pushq %%rax; iretq; 1:"
			 :
			 : "i"(SELECTOR_DATA), "i"(SELECTOR_CODE64)
			 : "rax", "memory", "cc");
}

void guest_reset(void)
{
	unblock_nmis();
	if (vmclear(vmx_address(vmx_region)) != OK || vmptrld(vmx_address(vmx_region)) != OK)
		panic("the suite's VMCS cannot be made current");
	vmclear(vmx_address(vmx_spare_region));
	vmx_spare_region->revision = vmx_revision(); /* a shadow VMCS no longer */
	launched = false;
	write_zeroes();
	write_controls();
	guest_set_host();
	write_guest();
	guest_tables_reset();
	ept_reset();
	memset(guest_gpr, 0, 16 * sizeof(uint64_t));
	memset(guest_page, 0, sizeof(guest_page));
	guest_events = guest_event_vector = guest_event_error = 0;
}

void guest_set_code(void (*code)(void))
{
	uint64_t *top = (uint64_t *)(void *)(guest_stack + sizeof(guest_stack)) - 2;

	*top = (uintptr_t)code;
	field_write(VMCS_GUEST_RIP, (uintptr_t)guest_start);
	field_write(VMCS_GUEST_RSP, vmx_address(top));
}

/* A failed entry leaves the launch state alone; so does an exit before the guest ran. */
static outcome enter(bool launch)
{
	uint64_t flags = guest_switch(launch, VMCS_HOST_RSP, VMCS_HOST_RIP), reason;

	if (flags != 0)
		return vmx_outcome(flags);
	vmx_flags = 0;
	reason = field_read(VMCS_EXIT_REASON);
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		return ENTRY_FAIL(reason & EXIT_REASON_BASIC);
	launched = true;
	return EXIT(reason & EXIT_REASON_BASIC);
}

outcome guest_enter_unobserved(void)
{
	uint64_t flags = guest_switch(!launched, VMCS_HOST_RSP, VMCS_HOST_RIP), reason;

	if (flags != 0)
		return vmx_outcome(flags);
	reason = field_peek(VMCS_EXIT_REASON);
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		return ENTRY_FAIL(reason & EXIT_REASON_BASIC);
	launched = true;
	return EXIT(reason & EXIT_REASON_BASIC);
}

outcome guest_launch(void)
{
	return enter(true);
}

outcome guest_resume(void)
{
	return enter(false);
}

outcome guest_enter(void)
{
	return enter(!launched);
}

outcome guest_run(void (*code)(void))
{
	outcome result;
	uint64_t information;

	if (code != NULL)
		guest_set_code(code);
	result = guest_enter();
	if (result != EXIT(EXIT_REASON_EXCEPTION_OR_NMI))
		return result;
	information = field_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
	return outcome_fault((int)FIELD_GET(information, INTERRUPTION_VECTOR),
		information & INTERRUPTION_HAS_ERROR
			? (uint32_t)field_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE)
			: 0);
}

void guest_skip(void)
{
	field_write(VMCS_GUEST_RIP,
		field_read(VMCS_GUEST_RIP) + field_read(VMCS_EXIT_INSTRUCTION_LENGTH));
}
