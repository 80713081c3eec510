/* The gates that lead to VMCALLs. What is delivered is the tests' business. */
#include "vmx-tests/exit/landing.h"

#define VECTORS 256
#define STEP    8 /* bytes between two landings */
/* Byte 5 of a gate: present, DPL 3, 64-bit or 32-bit interrupt gate ("IDT Descriptors"). */
#define GATE_RIGHTS (UINT64_C(0xee) << 40)

extern const uint8_t landings[];
__asm__(".pushsection .rodata; .balign 8; landings: .rept 256; .balign 8; vmcall; 1: jmp 1b; "
	".endr; .popsection");

static uint64_t low_half(unsigned int vector, uint64_t selector)
{
	uint64_t address = vmx_address(landings) + vector * STEP;

	return (address & BITS(15, 0)) | selector << 16 | GATE_RIGHTS |
	       (address & BITS(31, 16)) << 32;
}

void landing_set_gates(void)
{
	unsigned int vector;

	for (vector = 0; vector < VECTORS; vector++) {
		guest_idt[2 * vector] = low_half(vector, GUEST_SELECTOR_CODE64);
		guest_idt[2 * vector + 1] = vmx_address(landings) >> 32;
	}
}

void landing_set_gates32(void)
{
	unsigned int vector;

	for (vector = 0; vector < VECTORS; vector++)
		guest_idt[vector] = low_half(vector, GUEST_SELECTOR_CODE32);
}

int landing_vector(void)
{
	uint64_t offset = field_read(VMCS_GUEST_RIP) - vmx_address(landings);

	if (offset >= VECTORS * STEP || offset % STEP != 0)
		return -1;
	return (int)(offset / STEP);
}
