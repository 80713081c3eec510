/* Fixed values for what a boot loader, a BIOS or a monitor leaves as it likes. */
#include "guests/probe/context.h"

#include "guests/probe/engine.h"
#include "guests/probe/segments.h"
#include "guests/probe/wake.h"
#include "runtime/apic.h"
#include "runtime/segments.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

/* Entry points of system calls lie in the code page, where the terminator waits. */
#define AT_CODE(offset) ((uintptr_t)engine_code + (offset))
#define STAR_VALUE                                                                                 \
	(AT_CODE(0xb80) | (uint64_t)SELECTOR_CODE64 << 32 |                                        \
		(uint64_t)(SELECTOR_USER_CODE32 | 3) << 48)

#define MOVED_TSS   0x70
#define MOVED_LDT   0x80
#define TYPE_BUSY   BIT(41)
#define LDT_PRESENT UINT64_C(0x820000000000)

static uint64_t root[512] __aligned(4096);
static uint64_t own_gdt[SELECTOR_PROBE_END / 8] __aligned(16);
static uint64_t moved_gdt[(MOVED_LDT + 16) / 8] __aligned(16);

/* CR3 can be seen by the code under test, so the first table has an address of its own. */
static void move_root(void)
{
	memcpy(root, (const void *)(uintptr_t)(read_cr3() & PTE_ADDR), sizeof(root));
	write_cr3((uintptr_t)root);
}

/* The runtime's segments, which stay loaded, and those of segments.h. */
static void extend_gdt(void)
{
	struct descriptor_table old = read_gdtr();
	uint64_t gate = AT_CODE(0x800);

	memcpy(own_gdt, (const void *)(uintptr_t)old.base, old.limit + 1U);
	own_gdt[SELECTOR_CONFORMING64 / 8] = DESCRIPTOR_CONFORMING64;
	own_gdt[SELECTOR_CONFORMING32 / 8] = DESCRIPTOR_CONFORMING32;
	own_gdt[SELECTOR_CALL_GATE / 8] = DESCRIPTOR_CALL_GATE | SELECTOR_CODE64 << 16 |
					  (gate & BITS(15, 0)) | (gate & BITS(31, 16)) << 32;
	own_gdt[SELECTOR_CALL_GATE / 8 + 1] = gate >> 32;
	write_gdtr((struct descriptor_table){ sizeof(own_gdt) - 1, (uintptr_t)own_gdt });
	trap_set_stack((uintptr_t)engine_stack + ENGINE_STACK_BYTES / 2);
}

static void write_debug_registers(void)
{
	write_dr7(DR7_RESET);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(DR6_RESET);
}

static void write_system_call_msrs(void)
{
	wrmsr(MSR_IA32_STAR, STAR_VALUE);
	wrmsr(MSR_IA32_LSTAR, AT_CODE(0xa00));
	wrmsr(MSR_IA32_CSTAR, AT_CODE(0xb00));
	wrmsr(MSR_IA32_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_AC | RFLAGS_NT);
	wrmsr(MSR_IA32_SYSENTER_CS, SELECTOR_CODE64);
	wrmsr(MSR_IA32_SYSENTER_ESP, (uintptr_t)engine_stack + ENGINE_STACK_BYTES / 2);
	wrmsr(MSR_IA32_SYSENTER_EIP, AT_CODE(0xc00));
	wrmsr(MSR_IA32_KERNEL_GS_BASE, UINT64_C(0x123456789000));
	wrmsr(MSR_IA32_FS_BASE, (uintptr_t)engine_data);
}

void context_init(void)
{
	apic_pass_pic();
	wake_disarm();
	write_cr4(CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT);
	write_cr0(CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_PE);
	wrmsr(MSR_IA32_EFER, EFER_NXE | EFER_LMA | EFER_LME | EFER_SCE);
	/* QEMU 7.2's TCG, under KVM, dies of the write when an interrupt of the firmware's is
	 * pending. */
	if (read_cr8() != 0)
		write_cr8(0);
	move_root();
	context_init_tables();
}

void context_init_tables(void)
{
	extend_gdt();
	write_debug_registers();
	write_system_call_msrs();
	__asm__ volatile("lldt %w0" : : "r"(0));
}

static void move_gdt(void)
{
	struct descriptor_table old = read_gdtr();
	const uint64_t *entries = (const uint64_t *)(uintptr_t)old.base;
	uint64_t ldt = (uintptr_t)moved_gdt;

	memcpy(moved_gdt, entries, old.limit + 1U);
	moved_gdt[MOVED_TSS / 8] = entries[SELECTOR_TSS / 8] & ~TYPE_BUSY;
	moved_gdt[MOVED_TSS / 8 + 1] = entries[SELECTOR_TSS / 8 + 1];
	moved_gdt[MOVED_LDT / 8] =
		LDT_PRESENT | 15 | (ldt & BITS(23, 0)) << 16 | (ldt & BITS(31, 24)) << 32;
	write_gdtr((struct descriptor_table){ sizeof(moved_gdt) - 1, (uintptr_t)moved_gdt });
	__asm__ volatile("ltr %w0; lldt %w1" : : "r"(MOVED_TSS), "r"(MOVED_LDT));
}

void context_move(void)
{
	move_gdt();
	engine_move_idt();
	write_cr0(read_cr0() & ~CR0_MP);
}
