/* All registers of SSE and the x87 FPU at once, out of the compiler's sight. What they are held for
   is the caller's. */
#ifndef TINYOS_FPU_HOLD_H
#define TINYOS_FPU_HOLD_H

#include "runtime/compiler.h"

/* fpu_hold.S knows the offsets. */
struct fpu_registers {
	uint64_t xmm[16][2];
	uint64_t x87; /* a whole number, on the FPU's stack */
	uint32_t mxcsr;
	uint32_t control; /* 16 bits */
} __aligned(16);

/* Loads the registers from in, turns in a loop `turns` times, calls the kernel (SYS_YIELD), and
   stores them to out. The x87 FPU is as FNINIT leaves it then, and MXCSR as it was before. */
void fpu_hold(const struct fpu_registers *in, struct fpu_registers *out, uint64_t turns);

#endif
