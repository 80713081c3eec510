/* The machine's serial console: one 16550 at 8 data bits, no parity, 1 stop bit, polled.
   Who may print what, and how guests share it, is left to others. */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H

#include "runtime/compiler.h"

#define CONSOLE_PORT 0x3f8  /* COM1 */
#define CONSOLE_BAUD 115200 /* bits per second */

/* Programs the UART at I/O port `port`. baud: bits per second, a divisor of 115200.
   Returns 0, or -ENODEV when no UART answers there (its scratch register does not hold a value);
   output is then dropped. */
int console_init(uint16_t port, uint32_t baud);

/* The I/O port of the UART in use, or 0 when none answered. */
uint16_t console_uart(void);

/* Writes bytes, "\n" becoming "\r\n"; waits for the transmitter, but never longer than a
   character takes at the lowest speed. Takes no lock: use print() or console_lock(). */
void console_write(const char *text, size_t bytes);

/* Waits until all that was written has left the UART: before the machine is turned off. */
void console_drain(void);

/* The next byte received, or -EAGAIN when there is none. */
int console_getc(void);

/* Held around a run of console_write() calls that belong together. Interrupts may stay on: the
   console is not used by interrupt handlers other than the ones that panic, which break the lock. */
void console_lock(void);
void console_unlock(void);
void console_break_lock(void);

#endif
