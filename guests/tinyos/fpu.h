/* The registers of the x87 FPU and of SSE, which belong to the programs alone: the kernel is
   compiled without them. AVX is left off (CR4.OSXSAVE is 0). */
#ifndef TINYOS_FPU_H
#define TINYOS_FPU_H

#include "runtime/compiler.h"

/* Intel SDM, "FXSAVE Area". */
struct fpu {
	uint16_t control, status;
	uint8_t tag, reserved;
	uint16_t opcode;
	uint64_t instruction, operand;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t registers[480];
} __aligned(16);

/* Turns both on. */
void fpu_init(void);

/* The state that every program starts with. */
void fpu_reset(struct fpu *fpu);

static inline void fpu_save(struct fpu *fpu)
{
	__asm__ volatile("fxsave64 %0" : "=m"(*fpu));
}

static inline void fpu_load(const struct fpu *fpu)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(*fpu));
}

#endif
