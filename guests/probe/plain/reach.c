/* The attempts: the hypervisor's own image, and a device of the machine's. Sweeps over everything,
   for a guest that is shut in, are ../sweep.c's. */
#include "guests/probe/plain/reach.h"

#include "runtime/compiler.h"
#include "runtime/print.h"
#include "spec/apic.h"
#include "spec/multiboot.h"

#define IMAGE        UINT64_C(0x100000) /* where a boot loader puts a hypervisor */
#define HEADER_WORDS 2048               /* in which its Multiboot header must be */
#define NOBODY       UINT32_MAX
#define PATTERN      UINT32_C(0x5ca1ab1e)

static volatile uint32_t *find_header(void)
{
	volatile uint32_t *word = (volatile uint32_t *)IMAGE;
	unsigned int i;

	for (i = 0; i < HEADER_WORDS; i++)
		if (word[i] == MULTIBOOT1_HEADER_MAGIC)
			return word + i;
	return NULL;
}

/* Reads the hypervisor's code; the value is its header's magic number. */
static uint32_t read_hypervisor(void)
{
	volatile uint32_t *header = find_header();

	return header == NULL ? NOBODY : *header;
}

/* Writes where nobody looks any more once the hypervisor is loaded; the value is what was written. */
static uint32_t write_hypervisor(void)
{
	volatile uint32_t *header = find_header();
	uint32_t before, now;

	if (header == NULL)
		return NOBODY;
	before = *header;
	*header = PATTERN;
	now = *header;
	*header = before;
	return now;
}

/* The value is the local APIC's spurious-interrupt vector register. */
static uint32_t read_device(void)
{
	return *(volatile uint32_t *)(APIC_BASE_RESET + APIC_REG_SVR);
}

void reach_run(void)
{
	print("^ read_hypervisor %x\n", read_hypervisor());
	print("^ write_hypervisor %x\n", write_hypervisor());
	print("^ read_device %x\n", read_device());
}
