/* Starts the other CPUs and numbers all of them (Intel SDM, "MP Initialization Protocol Requirements
   and Restrictions"; AMD APM, "Multiple-Processor Initialization"). What they do is the image's. */
#include "runtime/smp.h"

#include "runtime/acpi.h"
#include "runtime/apic.h"
#include "runtime/clock.h"
#include "runtime/page_alloc.h"
#include "runtime/paging.h"
#include "runtime/panic.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/apic.h"

#define STACK_ORDER 3 /* 32 KiB */

extern char trampoline_start[], trampoline_end[], trampoline_gdt[];
extern uint64_t trampoline_stack[], trampoline_main[];
extern struct descriptor_table boot_gdt_pointer;
extern char stack_end[];

unsigned int smp_cpus = 1;
static struct smp_cpu boot_cpu;
static struct smp_cpu *cpus[SMP_MAX_CPUS] = { &boot_cpu };
static void (*smp_main)(unsigned int number);
static uint8_t *trampoline; /* the page below 1 MiB that a CPU starts in */
static struct smp_cpu *starting; /* the CPU being started */
static unsigned int arrived;

struct smp_cpu *smp_cpu(unsigned int number)
{
	return cpus[number];
}

static void set_this(struct smp_cpu *cpu)
{
	wrmsr(MSR_IA32_GS_BASE, (uintptr_t)cpu);
	wrmsr(MSR_IA32_KERNEL_GS_BASE, 0);
}

void smp_init_boot_cpu(void)
{
	boot_cpu.self = &boot_cpu;
	boot_cpu.stack_top = (uintptr_t)stack_end;
	set_this(&boot_cpu);
}

/* The first C function of a started CPU, on the boot page tables and its own stack. */
static void __noreturn cpu_main(void)
{
	struct smp_cpu *cpu = starting;

	paging_load();
	set_this(cpu);
	trap_init_cpu();
	apic_init_cpu();
	__atomic_store_n(&arrived, cpu->number, __ATOMIC_RELEASE);
	smp_main(cpu->number);
	panic("CPU %u returned from its main function", cpu->number);
}

static struct smp_cpu *new_cpu(unsigned int number, uint32_t apic_id)
{
	uint8_t *stack = page_alloc_zeroed(STACK_ORDER);
	struct smp_cpu *cpu = (struct smp_cpu *)stack; /* at the stack's far end */

	if (stack == NULL)
		return NULL;
	cpu->self = cpu;
	cpu->number = number;
	cpu->apic_id = apic_id;
	cpu->stack_top = (uintptr_t)stack + (PAGE_SIZE << STACK_ORDER);
	return cpu;
}

static void *in_copy(uint8_t *page, const void *symbol)
{
	return page + ((const char *)symbol - trampoline_start);
}

static void fill_trampoline(uint8_t *page)
{
	uint64_t entry = (uintptr_t)cpu_main;

	memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	memcpy(in_copy(page, trampoline_gdt), &boot_gdt_pointer, 6);
	memcpy(in_copy(page, trampoline_stack), &starting->stack_top, sizeof(uint64_t));
	memcpy(in_copy(page, trampoline_main), &entry, sizeof(uint64_t));
}

static bool has_arrived(unsigned int number)
{
	return __atomic_load_n(&arrived, __ATOMIC_ACQUIRE) == number;
}

/* Spins until CPU `number` has arrived or a time in 1/1000000 s has passed. */
static bool wait_for(unsigned int number, uint64_t microseconds)
{
	uint64_t start = rdtsc(), ticks = clock_scale(microseconds, clock_tsc_hz(), 1000000);

	while (!has_arrived(number) && rdtsc() - start < ticks)
		cpu_pause();
	return has_arrived(number);
}

/* INIT, 10 ms, STARTUP, and a second STARTUP for CPUs that missed the first. */
static bool start_cpu(struct smp_cpu *cpu, uint8_t *page)
{
	uint32_t startup = APIC_ICR_STARTUP | APIC_ICR_ASSERT | (uint32_t)((uintptr_t)page >> 12);

	starting = cpu;
	fill_trampoline(page);
	apic_send(cpu->apic_id, APIC_ICR_INIT | APIC_ICR_ASSERT);
	wait_for(cpu->number, 10000);
	apic_send(cpu->apic_id, startup);
	if (wait_for(cpu->number, 10000))
		return true;
	apic_send(cpu->apic_id, startup);
	return wait_for(cpu->number, 100000);
}

unsigned int smp_start(unsigned int max, void (*main)(unsigned int number))
{
	unsigned int i, limit = max == 0 ? SMP_MAX_CPUS : MIN(max, SMP_MAX_CPUS);

	smp_main = main;
	for (i = 0; i < acpi.cpus && smp_cpus < limit; i++) {
		struct smp_cpu *cpu;

		if (acpi.apic_id[i] == boot_cpu.apic_id)
			continue;
		if (trampoline == NULL)
			trampoline = page_alloc_low();
		cpu = new_cpu(smp_cpus, acpi.apic_id[i]);
		if (trampoline == NULL || cpu == NULL ||
			paging_map((uintptr_t)trampoline, PAGE_SIZE, PAGING_WRITE)) {
			print("smp: no memory to start the CPU with APIC id %u\n", acpi.apic_id[i]);
			break;
		}
		cpus[smp_cpus] = cpu;
		if (start_cpu(cpu, trampoline))
			smp_cpus++;
		else
			print("smp: the CPU with APIC id %u did not start\n", acpi.apic_id[i]);
	}
	return smp_cpus;
}

bool smp_restart(unsigned int number)
{
	struct smp_cpu *cpu = cpus[number];

	cpu->catch = NULL;
	__atomic_store_n(&arrived, 0, __ATOMIC_RELEASE);
	return start_cpu(cpu, trampoline);
}
