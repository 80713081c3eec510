/* All CPUs: starting them, numbering them, giving each its own data. CPU 0 is the one that booted. */
#ifndef RUNTIME_SMP_H
#define RUNTIME_SMP_H

#include "runtime/compiler.h"

#define SMP_MAX_CPUS 64

struct trap_catch;

/* What the runtime keeps per CPU; GS's base points at it while the image itself runs. */
struct smp_cpu {
	struct smp_cpu *self;	  /* at offset 0, for smp_this() */
	unsigned int number;	  /* 0 ... smp_cpus - 1 */
	uint32_t apic_id;
	struct trap_catch *catch; /* the innermost trap_catch() in progress, or NULL */
	uint64_t apic_timer_tsc;  /* TSC when the APIC's timer was started for calibration */
	uint64_t stack_top;
};

extern unsigned int smp_cpus; /* running CPUs; 1 until smp_start() */

/* Starts every other CPU that ACPI lists by INIT-SIPI-SIPI (Intel SDM, "MP Initialization"),
   at most max in all (0: no limit). Each runs main(number) on its own stack with its traps and
   APIC set up, interrupts off, and must not return. Returns when all have arrived; a CPU that does
   not arrive within some 100 ms is reported and left out. Returns the number of running CPUs. */
unsigned int smp_start(unsigned int max, void (*main)(unsigned int number));

/* Starts CPU `number`, which smp_start() has started before, once more from its main function, whatever it
   does now: by INIT, unless that is blocked (Intel SDM, "Restrictions on VMX Operation"). False when it does
   not arrive. */
bool smp_restart(unsigned int number);

/* The CPU with that number. */
struct smp_cpu *smp_cpu(unsigned int number);

static inline struct smp_cpu *smp_this(void)
{
	struct smp_cpu *cpu;

	__asm__("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The boot CPU's part of the set-up; the entry code calls it. */
void smp_init_boot_cpu(void);

#endif
