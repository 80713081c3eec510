/* cat: prints what it reads from the console, line by line, until Ctrl-D. */
#include "guests/tinyos/user/user.h"

int main(int argc, char **argv)
{
	char buffer[64];
	int bytes;

	while ((bytes = read(buffer, sizeof(buffer))) > 0)
		write(buffer, (size_t)bytes);
	return bytes == 0 ? 0 : 1;
}
