/* The legacy modes of the host: descriptor tables and what host_legacy_switch.S is to do. Its VMX
   operation is the suite's: the same regions. */
#include "vmx-tests/host_legacy.h"

#include "runtime/page_alloc.h"
#include "runtime/panic.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "vmx-tests/guest_tables.h"

#define AREA_STACK      2048  /* offset of the stack's top in legacy_area */
#define LOW_REAL_START  0x100 /* as in host_legacy_switch.S */
#define LOW_VECTORS     0x800
#define SELECTOR_TSS32  0x28
#define SELECTOR_CODE16 0x38
#define VMX_FAILED      (-2)
#define BREAKPOINT      0xcc
#define TSS_BUSY        BIT(41)
/* Descriptors without a base ("Segment Descriptors"). */
#define CODE64          DESCRIPTOR_CODE64
#define FLAT(type)      (UINT64_C(0x00cf00000000ffff) | (uint64_t)(type) << 40)
#define BYTES_64K(type) (UINT64_C(0x000000000000ffff) | (uint64_t)(type) << 40)
#define BYTES_4K(type)  (UINT64_C(0x0040000000000fff) | (uint64_t)(type) << 40)
enum { /* present, DPL 0: type, S */
	READ_ONLY = 0x90,
	READ_WRITE = 0x92,
	EXPAND_DOWN = 0x96,
	EXECUTE_ONLY = 0x98,
	EXECUTE_READ = 0x9a,
	TSS32 = 0x89,
	USER = 0x60,
};

struct legacy_table {
	uint16_t limit;
	uint32_t base;
} __packed;

struct legacy_far_pointer {
	uint32_t offset;
	uint16_t selector;
} __packed;

/* host_legacy_switch.S reads and writes these. */
extern struct legacy_table legacy_gdt_pointer, legacy_idt_pointer, legacy_real_idt_pointer;
extern struct descriptor_table legacy_host_gdt, legacy_host_idt;
extern struct legacy_far_pointer legacy_code_pointer;
extern uint32_t legacy_registers[9], legacy_segments[5], legacy_esp, legacy_paging, legacy_vmx,
	legacy_path, legacy_resume, legacy_low_segment, legacy_eip, legacy_cr2;
extern int32_t legacy_vector, legacy_result;
extern uint32_t legacy_error, legacy_result_error;
extern uint64_t legacy_on_pointer, legacy_vmcs_pointer;
extern uint8_t legacy_stack_top[],
	legacy_user_stack_top[]; /* the ends of host_legacy_switch.S's stacks */

struct legacy_table legacy_gdt_pointer, legacy_idt_pointer, legacy_real_idt_pointer;
struct descriptor_table legacy_host_gdt, legacy_host_idt;
struct legacy_far_pointer legacy_code_pointer;
uint32_t legacy_registers[9], legacy_segments[5], legacy_esp, legacy_paging, legacy_vmx,
	legacy_path, legacy_resume, legacy_low_segment, legacy_eip, legacy_cr2;
int32_t legacy_vector, legacy_result;
uint32_t legacy_error, legacy_result_error;
uint64_t legacy_on_pointer, legacy_vmcs_pointer;
uint8_t legacy_area[2 * 4096] __aligned(4096);

void legacy_switch(void);
void legacy_executed(void);
void legacy_path_protected(void);
void legacy_path_user(void);
void legacy_path_v86(void);
void legacy_path_real(void);
extern const uint8_t legacy_real_start[], legacy_real_end[], legacy_real_faults[],
	legacy_fault_entries[];

static uint64_t gdt[14] __aligned(16), idt[32] __aligned(16);
static uint32_t tss[26] __aligned(16);
static uint8_t code_page[4096] __aligned(4096);

static uint32_t address32(const void *pointer)
{
	return (uint32_t)vmx_address(pointer);
}

static uint64_t with_base(uint64_t descriptor, uint32_t base)
{
	return descriptor | (uint64_t)(base & BITS(23, 0)) << 16 | (uint64_t)(base >> 24) << 56;
}

static uint8_t *low_page(void)
{
	static uint8_t *page;

	if (page == NULL)
		page = page_alloc_low();
	if (page == NULL)
		panic("no page below 1 MiB for real mode");
	return page;
}

static void fill_gdt(void)
{
	memset(gdt, 0, sizeof(gdt));
	gdt[1] = CODE64;
	gdt[LEGACY_SELECTOR_DATA / 8] = FLAT(READ_WRITE);
	gdt[3] = FLAT(EXECUTE_READ | USER);
	gdt[4] = FLAT(READ_WRITE | USER);
	gdt[SELECTOR_TSS32 / 8] =
		with_base((uint64_t)TSS32 << 40 | (sizeof(tss) - 1), address32(tss));
	gdt[LEGACY_SELECTOR_CODE / 8] = FLAT(EXECUTE_READ);
	gdt[SELECTOR_CODE16 / 8] = with_base(BYTES_64K(EXECUTE_READ), address32(code_page));
	gdt[LEGACY_SELECTOR_SMALL / 8] = with_base(BYTES_4K(READ_WRITE), address32(legacy_area));
	gdt[LEGACY_SELECTOR_READ_ONLY / 8] = FLAT(READ_ONLY);
	gdt[LEGACY_SELECTOR_EXECUTE_ONLY / 8] = FLAT(EXECUTE_ONLY);
	gdt[LEGACY_SELECTOR_EXPAND_DOWN / 8] =
		with_base(BYTES_4K(EXPAND_DOWN), address32(legacy_area));
	gdt[12] = with_base(BYTES_64K(EXECUTE_READ), address32(low_page()));
	gdt[13] = with_base(BYTES_64K(READ_WRITE), address32(low_page()));
	legacy_gdt_pointer = (struct legacy_table){ sizeof(gdt) - 1, address32(gdt) };
}

/* Interrupt gates to legacy_fault_entries; #BP also from CPL 3. */
static void fill_idt(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(idt); i++) {
		uint64_t entry = address32(legacy_fault_entries + 16 * i);
		uint64_t rights =
			i == VECTOR_BP ? 0xee00 : 0x8e00; /* present, 32-bit interrupt gate */

		idt[i] = (entry & BITS(15, 0)) | LEGACY_SELECTOR_CODE << 16 | rights << 32 |
			 (entry & BITS(31, 16)) << 32;
	}
	legacy_idt_pointer = (struct legacy_table){ sizeof(idt) - 1, address32(idt) };
	memset(tss, 0, sizeof(tss));
	tss[1] = address32(legacy_stack_top); /* ESP0, SS0 */
	tss[2] = LEGACY_SELECTOR_DATA;
}

/* The real-mode parts of the page below 1 MiB; the code is at its start. */
static void fill_low_page(void)
{
	uint8_t *page = low_page();
	uint32_t segment = address32(page) >> 4, i;
	uint32_t *vectors = (uint32_t *)(void *)(page + LOW_VECTORS);
	uint32_t faults = LOW_REAL_START + (uint32_t)(legacy_real_faults - legacy_real_start);

	memcpy(page + LOW_REAL_START, legacy_real_start,
		(size_t)(legacy_real_end - legacy_real_start));
	for (i = 0; i < 32; i++)
		vectors[i] = segment << 16 | (faults + 8 * i);
	legacy_low_segment = segment;
	legacy_real_idt_pointer = (struct legacy_table){ 32 * 4 - 1, address32(vectors) };
}

/* The code, and behind it what brings it back: a far jump at CPL 0, else #BP. */
static void put_code(enum legacy_mode mode, const uint8_t *code, size_t bytes)
{
	uint8_t *page = mode == LEGACY_VIRTUAL_8086 || mode == LEGACY_REAL ? low_page() : code_page;
	struct legacy_far_pointer back = { address32((const void *)(uintptr_t)legacy_executed),
		LEGACY_SELECTOR_CODE };
	uint8_t *at = page + bytes;

	if (bytes > LEGACY_CODE_MAX)
		panic("%zu bytes of code are too many", bytes);
	memcpy(page, code, bytes);
	if (mode != LEGACY_PROTECTED && mode != LEGACY_PROTECTED16 && mode != LEGACY_UNPAGED) {
		*at = BREAKPOINT;
		return;
	}
	if (mode == LEGACY_PROTECTED16)
		*at++ = 0x66; /* operand-size prefix */
	*at++ = 0xea;         /* far jump */
	memcpy(at, &back, sizeof(back));
}

static uint16_t or_default(uint16_t selector, uint16_t otherwise)
{
	return selector ? selector : otherwise;
}

static void put_state(enum legacy_mode mode, const struct legacy_state *state)
{
	uint16_t ss = or_default(state->ss, LEGACY_SELECTOR_DATA);

	memcpy(legacy_registers, state->gpr, sizeof(state->gpr));
	legacy_registers[8] = state->eflags | RFLAGS_FIXED;
	legacy_segments[0] = state->null_ds ? 0 : or_default(state->ds, LEGACY_SELECTOR_DATA);
	legacy_segments[1] = or_default(state->es, LEGACY_SELECTOR_DATA);
	legacy_segments[2] = state->fs;
	legacy_segments[3] = state->gs;
	legacy_segments[4] = ss;
	legacy_esp = ss == LEGACY_SELECTOR_SMALL ? AREA_STACK : address32(legacy_stack_top);
	legacy_code_pointer.offset = mode == LEGACY_PROTECTED16 ? 0 : address32(code_page);
	legacy_code_pointer.selector = mode == LEGACY_PROTECTED16
					       ? SELECTOR_CODE16
					       : or_default(state->cs, LEGACY_SELECTOR_CODE);
	legacy_paging = mode != LEGACY_UNPAGED && mode != LEGACY_REAL;
	legacy_vmx = state->vmx;
	legacy_on_pointer = vmx_address(vmx_on_region);
	legacy_vmcs_pointer = vmx_address(vmx_region);
}

static void (*path_of(enum legacy_mode mode))(void)
{
	switch (mode) {
	case LEGACY_USER:
		return legacy_path_user;
	case LEGACY_VIRTUAL_8086:
		return legacy_path_v86;
	case LEGACY_REAL:
		return legacy_path_real;
	default:
		return legacy_path_protected;
	}
}

/* Down and up again; what the switch does not restore: CR3, the bases of FS and GS, TR. */
static void switch_modes(void)
{
	uint64_t cr3 = read_cr3(), fs = rdmsr(MSR_IA32_FS_BASE), gs = rdmsr(MSR_IA32_GS_BASE);
	uint64_t *host_tss;

	legacy_host_gdt = read_gdtr();
	legacy_host_idt = read_idtr();
	legacy_switch();
	wrmsr(MSR_IA32_FS_BASE, fs);
	wrmsr(MSR_IA32_GS_BASE, gs);
	write_cr3(cr3);
	host_tss = (uint64_t *)(uintptr_t)(legacy_host_gdt.base + SELECTOR_TSS);
	*host_tss &= ~TSS_BUSY;
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS) : "memory");
}

outcome legacy_execute(enum legacy_mode mode, const uint8_t *code, size_t bytes,
	struct legacy_state *state, struct trap_info *fault)
{
	if (vmx_is_on()) {
		vmclear(vmx_address(vmx_region));
		vmxoff();
	}
	guest_tables_reset();
	fill_gdt();
	fill_idt();
	fill_low_page();
	put_code(mode, code, bytes);
	put_state(mode, state);
	legacy_path = (uint32_t)(uintptr_t)path_of(mode);
	switch_modes();
	if (legacy_result == VMX_FAILED)
		panic("VMXON or VMPTRLD failed in protected mode");
	memcpy(state->gpr, legacy_registers, sizeof(state->gpr));
	state->eflags = legacy_registers[8];
	if (fault != NULL)
		*fault = (struct trap_info){ legacy_result, legacy_result_error, legacy_cr2,
			legacy_eip };
	if (legacy_result == TRAP_NONE ||
		(legacy_result == VECTOR_BP && path_of(mode) != legacy_path_protected))
		return OK;
	return outcome_fault(legacy_result, legacy_result_error);
}

void legacy_set_host(void)
{
	const struct {
		uint32_t field;
		uint64_t value;
	} values[] = {
		{ VMCS_HOST_CR0, read_cr0() },
		{ VMCS_HOST_CR3, vmx_address(guest_pd32) },
		{ VMCS_HOST_CR4, (read_cr4() & ~CR4_PAE) | CR4_PSE },
		{ VMCS_HOST_CS_SELECTOR, LEGACY_SELECTOR_CODE },
		{ VMCS_HOST_SS_SELECTOR, LEGACY_SELECTOR_DATA },
		{ VMCS_HOST_DS_SELECTOR, LEGACY_SELECTOR_DATA },
		{ VMCS_HOST_ES_SELECTOR, LEGACY_SELECTOR_DATA },
		{ VMCS_HOST_FS_SELECTOR, 0 },
		{ VMCS_HOST_GS_SELECTOR, 0 },
		{ VMCS_HOST_TR_SELECTOR, SELECTOR_TSS32 },
		{ VMCS_HOST_FS_BASE, 0 },
		{ VMCS_HOST_GS_BASE, 0 },
		{ VMCS_HOST_TR_BASE, vmx_address(tss) },
		{ VMCS_HOST_GDTR_BASE, vmx_address(gdt) },
		{ VMCS_HOST_IDTR_BASE, vmx_address(idt) },
		{ VMCS_HOST_RSP, vmx_address(legacy_stack_top) },
		{ VMCS_HOST_RIP, (uintptr_t)legacy_executed },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(values); i++)
		field_write(values[i].field, values[i].value);
	field_clear(VMCS_VM_EXIT_CONTROLS, VM_EXIT_HOST_ADDRESS_SPACE_SIZE);
}
