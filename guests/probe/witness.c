/* Rounds of comparing memory, registers, clock and devices with what they were. Who asks the
   witness is sweep.c's. */
#include "guests/probe/witness.h"

#include "guests/probe/machine.h"
#include "guests/probe/record.h"
#include "runtime/hypercall.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/fpu.h"
#include "spec/pic.h"
#include "spec/pit.h"
#include "spec/uart.h"

#define OBSERVED     0 /* the number of the virtual machine it is the witness of */
#define MEMORY_BYTES 65536
#define PART_BYTES   4096 /* that a round looks at */
#define PATTERN      0xa7
#define PIC_MASK     0xe5
#define SCRATCH      0x3c
#define MAX_GAP      BIT(40) /* TSC ticks between two rounds: some minutes */

/* What must stay: digests, but for the machine's state, of which the name is told. */
struct observation {
	struct machine machine;
	uint64_t memory[MEMORY_BYTES / PART_BYTES], fpu, devices;
};

static uint8_t memory[MEMORY_BYTES] __aligned(4096);
static uint8_t fpu[FXSAVE_BYTES] __aligned(16);

/* Values of its own in what two virtual machines could come to share. */
static void prepare(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(memory); i++)
		memory[i] = (uint8_t)(PATTERN + i * 13);
	__asm__ volatile("fxsave64 (%0)" : : "r"(fpu) : "memory");
	for (i = FXSAVE_XMM; i < FXSAVE_XMM_END; i++)
		fpu[i] = (uint8_t)(PATTERN - i);
	__asm__ volatile("fxrstor64 (%0)" : : "r"(fpu) : "memory");
	out8(PIC_MASTER_DATA, PIC_MASK);
	out8(UART_COM1 + UART_SCR, SCRATCH);
	write_dr0((uintptr_t)memory);
	write_dr1(~(uintptr_t)memory & BITS(46, 0));
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

static void observe(struct observation *all)
{
	unsigned int i;

	machine_read(&all->machine);
	for (i = 0; i < ARRAY_SIZE(all->memory); i++)
		all->memory[i] = digest_part(i);
	all->fpu = digest_fpu();
	all->devices = digest_devices();
}

/* The name of what changed, or NULL. */
static const char *compare(const struct observation *before, unsigned int round)
{
	unsigned int part = round % ARRAY_SIZE(before->memory), i;
	struct machine machine;

	machine_read(&machine);
	for (i = 0; i < MACHINE_COUNT; i++)
		if (machine.value[i] != before->machine.value[i])
			return machine_names[i];
	if (digest_part(part) != before->memory[part])
		return "memory";
	if (digest_fpu() != before->fpu)
		return "fpu";
	return digest_devices() != before->devices ? "devices" : NULL;
}

bool witness_run(void)
{
	static struct observation before;
	uint64_t tsc, last = rdtsc();
	const char *changed = NULL;
	unsigned int round;

	prepare();
	observe(&before);
	for (round = 1; hypercall(HYPERCALL_ASK, OBSERVED, 0) >= 0; round++) {
		tsc = rdtsc();
		if (changed == NULL) {
			changed = tsc - last >= MAX_GAP ? "clock" : compare(&before, round);
			if (changed != NULL)
				print("probe: witness: %s changed in round %u\n", changed, round);
		}
		last = tsc;
		hypercall(HYPERCALL_TELL, changed != NULL ? WITNESS_CHANGED : round, 0);
		hypercall(HYPERCALL_YIELD, 0, 0);
	}
	print("probe: witness: %u rounds, %s\n", round, changed != NULL ? "changed" : "unchanged");
	return changed == NULL;
}
