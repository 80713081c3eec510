/* count [LAP]: two processes count, and a third does nothing for ever without once calling the
   kernel. That the two come to their ends shows that the timer takes the CPU from the third. */
#include "guests/tinyos/user/user.h"

#define LAPS        3
#define LAP_DEFAULT 50000

static void count(uint64_t lap)
{
	volatile uint64_t number = 0; /* counted in memory, as written */

	for (unsigned int i = 1; i <= LAPS; i++) {
		while (number < i * lap)
			number++;
		print("counted to %lu\n", number);
	}
	exit(0);
}

int main(int argc, char **argv)
{
	uint64_t lap = number_argument(argc, argv, 1, LAP_DEFAULT, UINT32_MAX);
	int spinner, status, failed = 0;

	spinner = fork_or_exit();
	while (spinner == 0)
		__asm__ volatile("");
	for (int i = 0; i < 2; i++)
		if (fork_or_exit() == 0)
			count(lap);
	for (int i = 0; i < 2; i++) {
		wait(&status);
		failed |= status;
	}
	kill(spinner);
	if (wait(&status) != spinner || status != STATUS_KILLED)
		failed = 1;
	print("both counted while a third held the CPU: %s\n", failed ? "no" : "yes");
	return failed != 0;
}
