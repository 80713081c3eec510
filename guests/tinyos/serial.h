/* The serial line, driven by interrupts: what is written goes into a ring that the transmitter
   empties, what arrives into another. Before serial_init() and in a panic the runtime's polled
   console serves. */
#ifndef TINYOS_SERIAL_H
#define TINYOS_SERIAL_H

#include "runtime/compiler.h"

/* Takes the console's UART over. */
void serial_init(void);

/* Writes bytes (at most 512) without others' between them, "\n" becoming "\r\n". The thread waits
   while the ring is too full. */
void serial_write(const char *text, size_t bytes);

/* As print(), through the ring; at most 255 characters. */
void serial_print(const char *format, ...) __printf(1, 2);

/* Called at each tick of the timer: makes up for an interrupt that was lost or never came. */
void serial_tick(void);

/* Waits for the next byte that arrives, and returns it; -EAGAIN when the process that asks was
   killed meanwhile. */
int serial_read(void);

/* Sends all that is in the ring, polling, with interrupts off: before the runtime's console is
   used again. */
void serial_flush(void);

/* An I/O port of the UART's that holds what is written to it, for measurements. */
uint16_t serial_scratch_port(void);

#endif
