/* float [ROUNDS]: holds numbers in all the registers of SSE and the x87 FPU while other processes run, and
   looks whether they are still there; then computes with them. To be run as "twice float". */
#include "guests/tinyos/user/user.h"

#define ROUNDS_DEFAULT 50
#define REGISTERS      16
#define SPIN	       5000 /* loop turns between two calls of the kernel: the timer may come in */

/* What the registers are to hold: differs by process and by register. */
struct registers {
	uint64_t xmm[REGISTERS][2];
	uint64_t x87;	   /* a whole number, on the FPU's stack */
	uint32_t mxcsr;
	uint16_t control;
} __aligned(16);

static void fill(struct registers *r, uint64_t seed)
{
	for (unsigned int i = 0; i < REGISTERS; i++) {
		r->xmm[i][0] = seed << 32 | i;
		r->xmm[i][1] = ~(seed << 32 | i);
	}
	r->x87 = seed * 1000003;
	r->mxcsr = 0x1f80 | (uint32_t)(seed & 3) << 13; /* rounding control */
	r->control = (uint16_t)(0x037f | (seed & 3) << 10);
}

#define LOAD(n)	 "movdqa " #n "*16(%0), %%xmm" #n "\n\t"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%1)\n\t"
#define ALL(x)	 x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)

/* Loads all registers from in, spins, calls the kernel (SYS_YIELD), and stores them to out. */
static void hold(const struct registers *in, struct registers *out)
{
	uint64_t turns = SPIN, number = SYS_YIELD;

	__asm__ volatile("fninit\n\t"
			 "fldcw 268(%0)\n\t"
			 "fildq 256(%0)\n\t"
			 "ldmxcsr 264(%0)\n\t"
			 ALL(LOAD)
			 "1: decq %2\n\t"
			 "jnz 1b\n\t"
			 "syscall\n\t"
			 ALL(STORE)
			 "stmxcsr 264(%1)\n\t"
			 "fistpq 256(%1)\n\t"
			 "fnstcw 268(%1)\n\t"
			 "fninit\n\t"
			 "ldmxcsr %4"
			 : "+r"(in), "+r"(out), "+r"(turns), "+a"(number)
			 : "m"(*&(const uint32_t){ 0x1f80 })
			 : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			 "xmm15");
}

_Static_assert(offsetof(struct registers, x87) == 256 && offsetof(struct registers, mxcsr) == 264 &&
	offsetof(struct registers, control) == 268, "as in hold()");

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
	static struct registers before, after;
	uint64_t lost = 0, root;

	for (uint64_t i = 0; i < rounds; i++) {
		fill(&before, (uint64_t)getpid() + i);
		hold(&before, &after);
		lost += memcmp(&before, &after, offsetof(struct registers, control) + 2) != 0;
	}
	root = square_root(getpid());
	print("registers held %lu times, %lu times lost\n", rounds, lost);
	print("the square root of %d is %lu.%06lu\n", getpid(), root / 1000000, root % 1000000);
	return lost != 0;
}
