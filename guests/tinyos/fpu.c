/* Turns the FPU and SSE on, and says what state programs start with. Who saves it when is
   process.c's. */
#include "guests/tinyos/fpu.h"

#include "runtime/x86.h"

/* All exceptions masked, 64-bit precision, rounding to nearest: as after FNINIT and at reset. */
#define CONTROL_INITIAL 0x037f
#define MXCSR_INITIAL   0x1f80

void fpu_init(void)
{
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

void fpu_reset(struct fpu *fpu)
{
	*fpu = (struct fpu){ .control = CONTROL_INITIAL, .mxcsr = MXCSR_INITIAL };
}
