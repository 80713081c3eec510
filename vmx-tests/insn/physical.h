/* Bad physical addresses as rows of sweeps: the low 12 bits one by one, and bits from the CPU's
   physical-address width up. */
#ifndef VMX_TESTS_INSN_PHYSICAL_H
#define VMX_TESTS_INSN_PHYSICAL_H

#include "runtime/harness.h"

struct address_row {
	struct test_row row;
	uint64_t bits;
};

/* Addresses that are not 4-KByte aligned, each with the same outcome. */
#define UNALIGNED_ROWS(expected)                                                                   \
	{                                                                                          \
		{ { "bit 0", expected }, BIT(0) }, { { "bit 1", expected }, BIT(1) },              \
			{ { "bit 2", expected }, BIT(2) }, { { "bit 3", expected }, BIT(3) },      \
			{ { "bit 4", expected }, BIT(4) }, { { "bit 5", expected }, BIT(5) },      \
			{ { "bit 6", expected }, BIT(6) }, { { "bit 7", expected }, BIT(7) },      \
			{ { "bit 8", expected }, BIT(8) }, { { "bit 9", expected }, BIT(9) },      \
			{ { "bit 10", expected }, BIT(10) }, { { "bit 11", expected }, BIT(11) },  \
			{ { "bits 11:0", expected }, BITS(11, 0) },                                \
	}

/* Bits beyond the physical-address width; `above` counts from it, PHYSICAL_LAST is bit 63. */
struct physical_row {
	struct test_row row;
	unsigned int above;
};
#define PHYSICAL_LAST UINT32_MAX
#define PHYSICAL_ROWS(expected)                                                                    \
	{                                                                                          \
		{ { "the first bit beyond", expected }, 0 }, { { "the second", expected }, 1 },    \
			{ { "the third", expected }, 2 }, { { "the fourth", expected }, 3 },       \
			{ { "the eighth", expected }, 7 }, { { "the twelfth", expected }, 11 },    \
			{ { "the sixteenth", expected }, 15 },                                     \
			{ { "bit 63", expected }, PHYSICAL_LAST },                                 \
	}

/* The current row's address bit, or 0 when there is no bit that high. */
uint64_t physical_bit(void);

/* The width of the addresses of VMX structures: CPUID's physical-address width (36 where it gives
   none), or 32 where IA32_VMX_BASIC says so. */
unsigned int physical_width(void);

#endif
