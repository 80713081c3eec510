/* The encoding's parts that all kinds of instructions share. Which instructions there are is
   program.c's and program_system.c's. */
#include "guests/probe/maker.h"

#include "guests/probe/engine.h"

uint64_t maker_next(struct maker *m)
{
	m->random ^= m->random >> 12;
	m->random ^= m->random << 25;
	m->random ^= m->random >> 27;
	return m->random * UINT64_C(0x2545f4914f6cdd1d);
}

unsigned int maker_below(struct maker *m, unsigned int limit)
{
	return (unsigned int)((maker_next(m) >> 33) % limit);
}

void maker_put(struct maker *m, uint64_t value, unsigned int bytes)
{
	memcpy(m->code + m->bytes, &value, bytes);
	m->bytes = (uint8_t)(m->bytes + bytes);
}

uint32_t maker_constant(struct maker *m)
{
	static const uint32_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff };

	return maker_below(m, 3) == 0 ? edges[maker_below(m, ARRAY_SIZE(edges))]
				      : (uint32_t)maker_next(m);
}

uint8_t maker_gpr(struct maker *m)
{
	return (uint8_t)maker_below(m, 4);
}

void maker_put_size(struct maker *m)
{
	unsigned int choice = maker_below(m, 4);

	if (choice == 0)
		maker_put(m, 0x66, 1);
	if (m->is_64bit && choice >= 2)
		maker_put(m,
			0x40 | (choice == 2 ? 8 : 0) | (maker_below(m, 2) << 2) | maker_below(m, 2),
			1);
}

void maker_put_registers(struct maker *m, uint8_t reg, uint8_t rm)
{
	maker_put(m, 0xc0 | reg << 3 | rm, 1);
}

void maker_put_memory(struct maker *m, uint8_t reg)
{
	maker_put(m, 0x40 | reg << 3 | (maker_below(m, 2) ? RDI : RSI), 1);
	maker_put(m, maker_below(m, 120), 1);
}

void maker_put_load(struct maker *m, uint8_t reg, uint32_t value)
{
	maker_put(m, 0xb8 | reg, 1);
	maker_put(m, value, 4);
}

uint32_t maker_data_address(struct maker *m)
{
	return (uint32_t)(uintptr_t)engine_data + 2048 + maker_below(m, 2048);
}
