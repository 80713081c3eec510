/* Marks and compares a virtual machine's own state. Who looks, and when, is told by sweep.c and
   witness.c. */
#include "guests/probe/observe.h"

#include "guests/probe/record.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"
#include "spec/fpu.h"
#include "spec/pic.h"
#include "spec/pit.h"
#include "spec/uart.h"

#define PART_BYTES 4096

static uint8_t memory[OBSERVE_PARTS * PART_BYTES] __aligned(4096);
static uint8_t fpu[FXSAVE_BYTES] __aligned(16);

static void mark_fpu(uint8_t mark)
{
	unsigned int i;

	__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
	for (i = FXSAVE_XMM; i < FXSAVE_XMM_END; i++)
		fpu[i] = (uint8_t)(mark - i);
	__asm__ volatile("fxrstor64 (%0)" : : "r"(fpu) : "memory");
}

/* Addresses within `memory`: canonical, and of no use to anyone else. */
static void mark_registers(uint8_t mark)
{
	static const uint32_t msrs[] = { MSR_IA32_LSTAR, MSR_IA32_CSTAR, MSR_IA32_KERNEL_GS_BASE,
		MSR_IA32_FS_BASE, MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP };
	uint64_t base = (uintptr_t)memory + mark * UINT64_C(16);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i], base + i);
	wrmsr(MSR_IA32_FMASK, mark);
	wrmsr(MSR_IA32_STAR, (uint64_t)mark << 35);
	if (cpuid(CPUID_EXT_FEATURES, 0).edx & CPUID_EXT_EDX_RDTSCP)
		wrmsr(MSR_IA32_TSC_AUX, mark);
	write_dr0(base + 8);
	write_dr1(base + 9);
	write_dr2(base + 10);
	write_dr3(base + 11);
	write_cr2(base + 12);
	write_cr8(mark & BITS(3, 0));
}

static uint64_t digest_fpu(void)
{
	__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
	return record_digest(RECORD_DIGEST, fpu + FXSAVE_XMM, FXSAVE_XMM_END - FXSAVE_XMM);
}

static uint64_t digest_devices(void)
{
	uint8_t seen[] = { in8(PIC_MASTER_DATA), in8(PIC_SLAVE_DATA), in8(PIC_MASTER_ELCR),
		in8(UART_COM1 + UART_SCR), in8(UART_COM1 + UART_IER), in8(UART_COM1 + UART_LCR),
		in8(PORT61) & (PORT61_GATE2 | PORT61_SPEAKER) };

	return record_digest(RECORD_DIGEST, seen, sizeof(seen));
}

static uint64_t digest_part(unsigned int part)
{
	return record_digest(RECORD_DIGEST, memory + part * PART_BYTES, PART_BYTES);
}

void observe_start(struct observation *observation, uint8_t mark)
{
	unsigned int i;

	for (i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(mark + i * 13);
	mark_fpu(mark);
	mark_registers(mark);
	out8(PIC_MASTER_DATA, mark | BIT(0));
	out8(UART_COM1 + UART_SCR, mark);
	machine_read(&observation->machine);
	for (i = 0; i < OBSERVE_PARTS; i++)
		observation->memory[i] = digest_part(i);
	observation->fpu = digest_fpu();
	observation->cr2 = read_cr2();
	observation->devices = digest_devices();
	observation->next = 0;
}

const char *observe_compare(struct observation *before, bool all)
{
	unsigned int part = before->next++ % OBSERVE_PARTS, i;
	struct machine now;

	if (all && read_cr2() != before->cr2)
		return "cr2";
	machine_read(&now);
	for (i = 0; i < MACHINE_COUNT; i++)
		if (now.value[i] != before->machine.value[i])
			return machine_names[i];
	if (digest_part(part) != before->memory[part])
		return "memory";
	if (digest_fpu() != before->fpu)
		return "fpu";
	return all && digest_devices() != before->devices ? "devices" : NULL;
}
