/* memtest [BYTES]: fills fresh memory with a pattern that differs in each word, reads it back, and
   gives the memory back. */
#include "guests/tinyos/user/user.h"

#define BYTES_DEFAULT (UINT64_C(4) << 20)
#define BYTES_MAX     (UINT64_C(512) << 20)
#define MULTIPLIER    UINT64_C(0x9e3779b97f4a7c15) /* odd, so that all products differ */

int main(int argc, char **argv)
{
	uint64_t bytes = number_argument(argc, argv, 1, BYTES_DEFAULT, BYTES_MAX) & ~UINT64_C(7);
	uint64_t words = bytes / sizeof(uint64_t), sum = 0, wrong = 0, dirty = 0;
	uint64_t *memory = sbrk((int64_t)bytes);

	if (memory == NULL) {
		print("no memory for %lu bytes\n", bytes);
		return 1;
	}
	for (uint64_t i = 0; i < words; i++) {
		dirty |= memory[i]; /* another's secrets would show here */
		memory[i] = i * MULTIPLIER;
	}
	for (uint64_t i = 0; i < words; i++) {
		wrong += memory[i] != i * MULTIPLIER;
		sum += memory[i];
	}
	print("%lu bytes written and read back, %lu words wrong, checksum %#018lx\n", bytes, wrong,
		sum);
	if (dirty != 0)
		print("fresh memory was not zero\n");
	if (sbrk(-(int64_t)bytes) == NULL)
		print("cannot give the memory back\n");
	return wrong == 0 && dirty == 0 ? 0 : 1;
}
