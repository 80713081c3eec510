/* echo [WORD...]: prints its arguments. */
#include "guests/tinyos/user/user.h"

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		print("%s%s", i > 1 ? " " : "", argv[i]);
	print("\n");
	return 0;
}
