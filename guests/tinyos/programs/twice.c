/* twice COMMAND: runs a command in two processes at once, e.g. "twice float". */
#include "guests/tinyos/user/user.h"

static void join(char *command, size_t size, int argc, char **argv)
{
	int length = 0;

	command[0] = '\0';
	for (int i = 1; i < argc && (size_t)length < size; i++)
		length += snprintf(command + length, size - (size_t)length, "%s ", argv[i]);
}

int main(int argc, char **argv)
{
	char command[COMMAND_MAX];
	int status, failed = 0;

	join(command, sizeof(command), argc, argv);
	for (int i = 0; i < 2; i++) {
		if (fork_or_exit() == 0) {
			print("cannot run \"%s\": error %d\n", command, -exec(command));
			exit(1);
		}
	}
	while (wait(&status) > 0)
		failed |= status;
	return failed != 0;
}
