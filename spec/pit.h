/* The 8254 interval timer's control words (Intel 8254 data sheet), and a PC's ports for it and for
   system control port B, which gates its channel 2. */
#ifndef SPEC_PIT_H
#define SPEC_PIT_H

#include "runtime/compiler.h"

#define PIT_HZ            1193182 /* clocks of a PC's 8254 per second */
#define PIT_CHANNEL_0     0x40    /* OUT drives IRQ 0 */
#define PIT_CHANNEL_1     0x41
#define PIT_CHANNEL_2     0x42 /* OUT drives the speaker */
#define PIT_CONTROL       0x43
#define PIT_CHANNELS      3
#define PIT_BCD           BIT(0) /* control word */
#define PIT_MODE          BITS(3, 1)
#define PIT_MODE_SHIFT    1
#define PIT_RW            BITS(5, 4)
#define PIT_RW_SHIFT      4
#define PIT_RW_LATCH      0 /* not an access mode: latch the count */
#define PIT_RW_LOW        1
#define PIT_RW_HIGH       2
#define PIT_RW_BOTH       3
#define PIT_SELECT        BITS(7, 6)
#define PIT_SELECT_SHIFT  6
#define PIT_READ_BACK     3      /* in PIT_SELECT: not a channel but the read-back command */
#define PIT_RB_NO_STATUS  BIT(4) /* read-back command */
#define PIT_RB_NO_COUNT   BIT(5)
#define PIT_RB_CHANNEL(n) BIT((n) + 1)
#define PIT_STATUS_OUT    BIT(7) /* status byte; the low 6 bits are the control word's */
#define PIT_STATUS_NULL   BIT(6) /* the count written last is not yet being counted */

/* System control port B */
#define PORT61         0x61
#define PORT61_GATE2   BIT(0)
#define PORT61_SPEAKER BIT(1)
#define PORT61_REFRESH BIT(4) /* toggles with every memory refresh */
#define PORT61_OUT2    BIT(5)

#endif
