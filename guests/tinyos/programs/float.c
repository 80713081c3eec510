/* float [ROUNDS]: holds numbers in all registers of SSE and the x87 FPU while other processes run,
   looks whether they are still there, and computes with them. To be run as "twice float". */
#include "guests/tinyos/user/user.h"

#define ROUNDS_DEFAULT 50
#define REGISTERS      16
#define SPIN           5000 /* loop turns between two calls of the kernel: the timer may come in */

/* All exceptions masked; rounding to nearest, in the x87 FPU to 64 bits. */
#define MXCSR_INITIAL   0x1f80
#define CONTROL_INITIAL 0x037f

/* What the registers are to hold: differs by process and by register. */
struct registers {
	uint64_t xmm[REGISTERS][2];
	uint64_t x87; /* a whole number, on the FPU's stack */
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
	r->mxcsr = MXCSR_INITIAL | (uint32_t)(seed & 3) << 13; /* rounding control */
	r->control = (uint16_t)(CONTROL_INITIAL | (seed & 3) << 10);
}

#define EACH_REGISTER(instruction)                                                                 \
	".irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n" instruction "\n.endr\n"

/* Loads all registers from in, spins, calls the kernel (SYS_YIELD), and stores them to out. */
static void hold(const struct registers *in, struct registers *out)
{
	const uint32_t mxcsr = MXCSR_INITIAL;
	uint64_t turns = SPIN, number = SYS_YIELD;

	__asm__ volatile(
		"fninit; fildq 256(%0); fldcw 268(%0); ldmxcsr 264(%0)\n" EACH_REGISTER(
			"movdqa \\i * 16(%0), %%xmm\\i") "1: decq %2; jnz 1b; "
							 "syscall\n" EACH_REGISTER("movdqa "
										   "%%xmm\\i, \\i "
										   "* 16(%1)") "stm"
											       "xcs"
											       "r "
											       "264"
											       "(%"
											       "1);"
											       " fn"
											       "stc"
											       "w "
											       "268"
											       "(%"
											       "1);"
											       " fi"
											       "stp"
											       "q "
											       "256"
											       "(%"
											       "1);"
											       " fn"
											       "ini"
											       "t; "
											       "ldm"
											       "xcs"
											       "r "
											       "%4"
		: "+r"(in), "+r"(out), "+r"(turns), "+a"(number)
		: "m"(mxcsr)
		: "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
		"xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

_Static_assert(offsetof(struct registers, x87) == 256, "as in hold()");
_Static_assert(offsetof(struct registers, mxcsr) == 264, "as in hold()");
_Static_assert(offsetof(struct registers, control) == 268, "as in hold()");

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
