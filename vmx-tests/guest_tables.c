/* The guest's tables in their good state. */
#include "vmx-tests/guest_tables.h"

#include "runtime/segments.h"
#include "runtime/string.h"
#include "vmx-tests/guest.h"

#define DESCRIPTOR_CODE16 0x00009a000000ffff
#define DESCRIPTOR_DATA16 0x000092000000ffff
#define DESCRIPTOR_TSS    (UINT64_C(0x89) << 40) /* present, available */
#define GATE_PRESENT      (UINT64_C(0x8e) << 40) /* present, interrupt gate, DPL 0 */
#define TSS_RSP0          4                      /* byte offset in a 64-bit TSS */

uint64_t guest_gdt[16] __aligned(16);
uint64_t guest_idt[512] __aligned(16);
struct guest_tss guest_tss __aligned(16), guest_tss2 __aligned(16);
uint64_t guest_pml4[512] __aligned(4096), guest_pdpt[512] __aligned(4096);
uint64_t guest_pd[4 * 512] __aligned(4096), guest_pae_pdpt[4] __aligned(32);
uint32_t guest_pd32[1024] __aligned(4096);
volatile uint64_t guest_events, guest_event_vector, guest_event_error;

void guest_event_entries(void); /* guest_events.S */
void guest_event_entries_error(void);

static uint64_t tss_descriptor(const struct guest_tss *tss)
{
	uint64_t base = vmx_address(tss);

	return DESCRIPTOR_TSS | GUEST_TSS_LIMIT | (base & BITS(23, 0)) << 16 |
	       (base & BITS(31, 24)) << 32;
}

static void reset_gdt(void)
{
	memset(guest_gdt, 0, sizeof(guest_gdt));
	guest_gdt[GUEST_SELECTOR_CODE64 / 8] = DESCRIPTOR_CODE64;
	guest_gdt[GUEST_SELECTOR_DATA / 8] = DESCRIPTOR_DATA;
	guest_gdt[GUEST_SELECTOR_USER_CODE32 / 8] = DESCRIPTOR_USER_CODE32;
	guest_gdt[GUEST_SELECTOR_USER_DATA / 8] = DESCRIPTOR_USER_DATA;
	guest_gdt[GUEST_SELECTOR_USER_CODE64 / 8] = DESCRIPTOR_USER_CODE64;
	guest_gdt[GUEST_SELECTOR_TSS / 8] = tss_descriptor(&guest_tss);
	guest_gdt[GUEST_SELECTOR_CODE32 / 8] = DESCRIPTOR_CODE32;
	guest_gdt[GUEST_SELECTOR_CODE16 / 8] = DESCRIPTOR_CODE16;
	guest_gdt[GUEST_SELECTOR_DATA16 / 8] = DESCRIPTOR_DATA16;
	guest_gdt[GUEST_SELECTOR_TSS2 / 8] = tss_descriptor(&guest_tss2);
}

static void reset_tss(void)
{
	uint64_t rsp0 = vmx_address(guest_stack + GUEST_STACK_BYTES / 2);

	memset(&guest_tss, 0, sizeof(guest_tss));
	memset(&guest_tss2, 0, sizeof(guest_tss2));
	memcpy(guest_tss.bytes + TSS_RSP0, &rsp0, sizeof(rsp0));
}

static void reset_page_tables(void)
{
	uint64_t rights = PTE_P | PTE_W | PTE_U, i;

	guest_pml4[0] = vmx_address(guest_pdpt) | rights;
	for (i = 0; i < 4; i++) {
		guest_pdpt[i] = vmx_address(guest_pd + i * 512) | rights;
		guest_pae_pdpt[i] = vmx_address(guest_pd + i * 512) | PTE_P;
	}
	for (i = 0; i < 4 * 512; i++)
		guest_pd[i] = i * PAGE_SIZE_2M | rights | PTE_PS | PTE_A | PTE_D;
	for (i = 0; i < 1024; i++)
		guest_pd32[i] = (uint32_t)(i * 2 * PAGE_SIZE_2M | rights | PTE_PS | PTE_A | PTE_D);
}

void guest_tables_reset(void)
{
	reset_gdt();
	reset_tss();
	memset(guest_idt, 0, sizeof(guest_idt));
	reset_page_tables();
}

void guest_set_gate(uint8_t vector, void (*entry)(void))
{
	uint64_t address = (uintptr_t)entry;

	guest_idt[vector * 2] = (address & BITS(15, 0)) | GUEST_SELECTOR_CODE64 << 16 |
				GATE_PRESENT | (address & BITS(31, 16)) << 32;
	guest_idt[vector * 2 + 1] = address >> 32;
}

void guest_set_counting_gate(uint8_t vector, bool has_error)
{
	uint64_t base =
		has_error ? (uintptr_t)guest_event_entries_error : (uintptr_t)guest_event_entries;

	guest_set_gate(vector, (void (*)(void))(uintptr_t)(base + vector * UINT64_C(16)));
}
