/* The little that programs share besides the system calls. */
#include "guests/tinyos/user/user.h"

#include "runtime/console.h"

/* What runtime/print.c prints to. */
void console_write(const char *text, size_t bytes)
{
	write(text, bytes);
}

void console_lock(void)
{
}

void console_unlock(void)
{
}

uint64_t number_argument(int argc, char **argv, int index, uint64_t otherwise, uint64_t max)
{
	uint64_t number;

	if (index >= argc)
		return otherwise;
	if (string_to_u64(argv[index], true, &number) != 0 || number > max) {
		print("%s: \"%s\" is not a number up to %lu\n", argv[0], argv[index], max);
		exit(2);
	}
	return number;
}

int fork_or_exit(void)
{
	int pid = fork();

	if (pid < 0) {
		print("fork failed\n");
		exit(2);
	}
	return pid;
}
