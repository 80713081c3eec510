/* tree [DEPTH]: each process forks two children until the tree is DEPTH deep. Every process
   returns, as its exit status, how many processes its part of the tree had. A child is waited for
   before the next is born, so that pids are the same in every run. */
#include "guests/tinyos/user/user.h"

#define CHILDREN      2
#define DEPTH_DEFAULT 3
#define DEPTH_MAX     6 /* 127 processes: the sum fits an exit status */

/* The part of the tree below a process at that depth, which calls this; its size. */
static int grow(unsigned int depth, unsigned int deepest)
{
	int size = 1;

	for (unsigned int i = 0; depth < deepest && i < CHILDREN; i++) {
		int status;
		int pid = fork_or_exit();

		if (pid == 0)
			exit(grow(depth + 1, deepest));
		if (wait(&status) != pid || status > STATUS_EXIT_MASK) {
			print("child %d got lost\n", pid);
			exit(0);
		}
		size += status;
	}
	print("depth %u: %d processes from here\n", depth, size);
	return size;
}

int main(int argc, char **argv)
{
	unsigned int deepest =
		(unsigned int)number_argument(argc, argv, 1, DEPTH_DEFAULT, DEPTH_MAX);
	int expected = (1 << (deepest + 1)) - 1;

	return grow(0, deepest) == expected ? 0 : 1;
}
