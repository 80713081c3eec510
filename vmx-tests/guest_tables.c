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

static void fill_directories(uint64_t *directory, uint32_t *directory32)
{
	uint64_t rights = PTE_P | PTE_W | PTE_U | PTE_PS | PTE_A | PTE_D, i;

	for (i = 0; i < ARRAY_SIZE(guest_pd); i++)
		directory[i] = i * PAGE_SIZE_2M | rights;
	for (i = 0; i < ARRAY_SIZE(guest_pd32); i++)
		directory32[i] = (uint32_t)(i * 2 * PAGE_SIZE_2M | rights);
}

/* The directories are copied from good ones: that happens before each test and each row of many
 * sweeps. */
static void reset_page_tables(void)
{
	static uint64_t good_pd[ARRAY_SIZE(guest_pd)];
	static uint32_t good_pd32[ARRAY_SIZE(guest_pd32)];
	uint64_t rights = PTE_P | PTE_W | PTE_U, i;

	if (good_pd[0] == 0)
		fill_directories(good_pd, good_pd32);
	memset(guest_pml4, 0, sizeof(guest_pml4));
	memset(guest_pdpt, 0, sizeof(guest_pdpt));
	guest_pml4[0] = vmx_address(guest_pdpt) | rights;
	for (i = 0; i < 4; i++) {
		guest_pdpt[i] = vmx_address(guest_pd + i * 512) | rights;
		guest_pae_pdpt[i] = vmx_address(guest_pd + i * 512) | PTE_P;
	}
	memcpy(guest_pd, good_pd, sizeof(guest_pd));
	memcpy(guest_pd32, good_pd32, sizeof(guest_pd32));
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
