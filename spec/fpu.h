/* The FPU's save areas and reset values (Intel SDM volume 1, "FXSAVE Area", "XCR0", "Processor State
   Following Power-up, Reset, or INIT"). */
#ifndef SPEC_FPU_H
#define SPEC_FPU_H

#include "runtime/compiler.h"

#define FXSAVE_BYTES 512
#define FXSAVE_FCW   0  /* offset in bytes */
#define FXSAVE_MXCSR 24
#define FXSAVE_XMM     160 /* to here are the x87's registers */
#define FXSAVE_XMM_END 416

#define FCW_RESET    0x037f /* as FINIT sets it */
#define MXCSR_RESET  0x1f80

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)

#endif
