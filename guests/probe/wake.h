/* The interrupt that ends a HLT: the 8254's channel 0, once, through the 8259 pair, which the bare
   machine and a minimal virtual one both have. */
#ifndef PROBE_WAKE_H
#define PROBE_WAKE_H

#include "runtime/compiler.h"

#define WAKE_VECTOR 0x20

/* One interrupt, WAKE_VECTOR, comes some 20 ms from now. */
void wake_arm(void);

/* Instead, one every `count` clocks of the 8254: each has to be ended by an EOI at the first 8259. */
void wake_arm_periodic(uint16_t count);

/* They come no more; one that was delivered is ended. */
void wake_disarm(void);

#endif
