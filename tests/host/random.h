/* A small random number generator whose numbers are the same on every run and host (xorshift64*).
 */
#ifndef TESTS_HOST_RANDOM_H
#define TESTS_HOST_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 0x5eed;

static inline void random_seed(uint64_t seed)
{
	random_state = seed ? seed : 1;
}

static inline uint64_t random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 ... limit - 1 */
static inline uint64_t random_below(uint64_t limit)
{
	return random_u64() % limit;
}

#endif
