/* The person at the other end of the serial line: lines with echo and editing, and Ctrl-C. */
#ifndef TINYOS_TERMINAL_H
#define TINYOS_TERMINAL_H

#include "runtime/compiler.h"

/* There is nobody: reading finds the end of input. */
void terminal_close(void);

/* Reads a line into line of `size` bytes, with its "\n" and a final NUL; prompt is written first,
   and again where the line starts anew. Returns its length, 0 at the end of input (Ctrl-D), or
   -EAGAIN after Ctrl-C. */
int terminal_read_line(const char *prompt, char *line, size_t size);

/* For programs: the next bytes of a line, at most `bytes`. As above. */
int terminal_read(char *buffer, size_t bytes);

/* The serial driver asks at each byte that arrives, in its interrupt: true when the byte was a
   Ctrl-C that ended the running processes, and nobody is to read it. */
bool terminal_interrupt(uint8_t byte);

#endif
