/* float [ROUNDS]: holds numbers in all registers of SSE and the x87 FPU while other processes run,
   looks whether they are still there, and computes with them. To be run as "twice float". */
#include "guests/tinyos/user/user.h"
#include "guests/tinyos/user/fpu_hold.h"

#define ROUNDS_DEFAULT 50
#define SPIN           5000 /* loop turns between two calls of the kernel: the timer may come in */

/* All exceptions masked, rounding to nearest, in the x87 FPU to 64 bits. */
#define MXCSR_INITIAL   0x1f80
#define CONTROL_INITIAL 0x037f

/* What the registers are to hold differs by process, by round and by register. */
static void fill(struct fpu_registers *r, uint64_t seed)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(r->xmm); i++) {
		r->xmm[i][0] = seed << 32 | i;
		r->xmm[i][1] = ~(seed << 32 | i);
	}
	r->x87 = seed * 1000003;
	r->mxcsr = MXCSR_INITIAL | (uint32_t)(seed & 3) << 13; /* rounding control */
	r->control = CONTROL_INITIAL | (uint32_t)(seed & 3) << 10;
}

/* The square root of x by Newton's method, in millionths. */
static uint64_t square_root(double x)
{
	double root = x;

	for (unsigned int i = 0; i < 40; i++) {
		root = (root + x / root) / 2;
		yield(); /* with root in a register */
	}
	return (uint64_t)(root * 1000000);
}

int main(int argc, char **argv)
{
	uint64_t rounds = number_argument(argc, argv, 1, ROUNDS_DEFAULT, UINT32_MAX);
	static struct fpu_registers before, after;
	uint64_t lost = 0, root;

	for (uint64_t i = 0; i < rounds; i++) {
		fill(&before, (uint64_t)getpid() + i);
		fpu_hold(&before, &after, SPIN);
		lost += memcmp(&before, &after, sizeof(after)) != 0;
	}
	root = square_root(getpid());
	print("registers held %lu times, %lu times lost\n", rounds, lost);
	print("the square root of %d is %lu.%06lu\n", getpid(), root / 1000000, root % 1000000);
	return lost != 0;
}
