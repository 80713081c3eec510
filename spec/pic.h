/* The 8259A interrupt controller's command words (Intel 8259A data sheet), and the ports of the two
   that a PC has, the second on input 2 of the first. */
#ifndef SPEC_PIC_H
#define SPEC_PIC_H

#include "runtime/compiler.h"

#define PIC_MASTER_COMMAND 0x20
#define PIC_MASTER_DATA    0x21
#define PIC_SLAVE_COMMAND  0xa0
#define PIC_SLAVE_DATA     0xa1
#define PIC_MASTER_ELCR    0x4d0 /* edge/level control registers, one bit per input */
#define PIC_SLAVE_ELCR     0x4d1
#define PIC_CASCADE        2 /* the master's input that the slave drives */
#define PIC_SPURIOUS       7 /* the input a chip names when none is left to name */

#define PIC_ICW1        BIT(4) /* in a command byte: this is ICW1 */
#define PIC_ICW1_IC4    BIT(0) /* an ICW4 follows */
#define PIC_ICW1_SNGL   BIT(1) /* no other chip: no ICW3 */
#define PIC_ICW1_LTIM   BIT(3) /* all inputs level-triggered */
#define PIC_ICW2_BASE   0xf8   /* vector of input 0 */
#define PIC_ICW4_UPM    BIT(0) /* 8086 mode */
#define PIC_ICW4_AEOI   BIT(1) /* the acknowledge is the end of the interrupt */
#define PIC_ICW4_SFNM   BIT(4) /* special fully nested mode */
#define PIC_OCW3        BIT(3) /* in a command byte without PIC_ICW1: this is OCW3, else OCW2 */
#define PIC_OCW2_LEVEL  0x07   /* the input that a specific command is about */
#define PIC_OCW2_EOI    BIT(5)
#define PIC_OCW2_SL     BIT(6) /* specific: PIC_OCW2_LEVEL counts */
#define PIC_OCW2_R      BIT(7) /* rotate priorities */
#define PIC_OCW3_RIS    BIT(0) /* with RR: 1 the ISR is read, 0 the IRR */
#define PIC_OCW3_RR     BIT(1)
#define PIC_OCW3_POLL   BIT(2)
#define PIC_OCW3_SMM    BIT(5) /* with ESMM: 1 sets special mask mode, 0 clears it */
#define PIC_OCW3_ESMM   BIT(6)
#define PIC_POLL_ACTIVE BIT(7) /* in the poll byte: an interrupt was pending */

#endif
