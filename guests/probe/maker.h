/* Puts one instruction of a random program together, from a generator of random numbers: the parts
   of the encoding ("Instruction Format"). */
#ifndef PROBE_MAKER_H
#define PROBE_MAKER_H

#include "runtime/compiler.h"
#include "runtime/string.h"

struct maker {
	uint64_t random; /* state of the generator */
	bool is_64bit, is_user;
	bool plain;    /* nothing for which a monitor must answer, or inject an exception */
	uint8_t bytes; /* of the instruction, so far */
	uint8_t *code;
};

/* Encodings of registers */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };

#define NO_PORT 0x2f0 /* where no device is */

/* Appends constant bytes. */
#define PUT(m, ...)                                                                                \
	do {                                                                                       \
		static const uint8_t bytes_[] = { __VA_ARGS__ };                                   \
		memcpy((m)->code + (m)->bytes, bytes_, sizeof(bytes_));                            \
		(m)->bytes = (uint8_t)((m)->bytes + sizeof(bytes_));                               \
	} while (0)

/* The next random number (xorshift64*); never 0. */
uint64_t maker_next(struct maker *m);

/* A random number below limit. */
unsigned int maker_below(struct maker *m, unsigned int limit);

/* A random number, with edges more often than chance would have it. */
uint32_t maker_constant(struct maker *m);

/* A random register that is no pointer: RAX, RCX, RDX, RBX. */
uint8_t maker_gpr(struct maker *m);

/* A random address in the data. */
uint32_t maker_data_address(struct maker *m);

/* Appends the low bytes of value: at most 8. */
void maker_put(struct maker *m, uint64_t value, unsigned int bytes);

/* An operand-size prefix or REX.W, or neither. REX may also name R8-R11 (bits R and B). */
void maker_put_size(struct maker *m);

/* ModRM for two registers. */
void maker_put_registers(struct maker *m, uint8_t reg, uint8_t rm);

/* ModRM and displacement for data near RDI or RSI, which point into the data. */
void maker_put_memory(struct maker *m, uint8_t reg);

/* mov $value, %r32 */
void maker_put_load(struct maker *m, uint8_t reg, uint32_t value);

/* program_system.c: an instruction that reads the machine or that a monitor may make exit. */
void maker_put_system(struct maker *m);

#endif
