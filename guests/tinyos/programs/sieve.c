/* sieve [LIMIT]: counts the primes below LIMIT by the sieve of Eratosthenes. */
#include "guests/tinyos/user/user.h"

#define LIMIT_DEFAULT 100000
#define LIMIT_MAX     100000000

int main(int argc, char **argv)
{
	uint64_t limit = number_argument(argc, argv, 1, LIMIT_DEFAULT, LIMIT_MAX);
	uint8_t *composite = sbrk((int64_t)limit); /* zeroes */
	unsigned int primes = 0;

	if (composite == NULL) {
		print("no memory for numbers below %lu\n", limit);
		return 1;
	}
	for (uint64_t n = 2; n < limit; n++) {
		if (composite[n])
			continue;
		primes++;
		for (uint64_t multiple = n * n; multiple < limit; multiple += n)
			composite[multiple] = 1;
	}
	print("%u primes below %lu\n", primes, limit);
	return 0;
}
