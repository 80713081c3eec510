/* The devices' interrupt lines, through the pair of 8259s that every PC has or imitates. What an
   interrupt means is its driver's business. */
#ifndef TINYOS_INTERRUPT_H
#define TINYOS_INTERRUPT_H

#include "runtime/compiler.h"

#define INTERRUPT_TIMER   0
#define INTERRUPT_SERIAL2 3 /* COM2 and COM4 */
#define INTERRUPT_SERIAL1 4 /* COM1 and COM3 */

/* Gives the lines vectors of their own, all masked. */
void interrupt_init(void);

/* Calls handler() at each interrupt of that line, 0-7, with interrupts off, when the line has been
   acknowledged already. */
void interrupt_enable(unsigned int line, void (*handler)(void));

#endif
