/* Formatted printing to memory and to the console. The formats are those of C's printf without
   floating point: %d %i %u %x %X %p %s %c %% with flags 0 - # and space, width, precision,
   and the lengths hh h l ll z. */
#ifndef RUNTIME_PRINT_H
#define RUNTIME_PRINT_H

#include <stdarg.h>

#include "runtime/compiler.h"

/* As ISO C's snprintf and vsnprintf: at most size bytes including the final NUL are written;
   returns the length the whole text has. */
int snprintf(char *dst, size_t size, const char *format, ...) __printf(3, 4);
int vsnprintf(char *dst, size_t size, const char *format, va_list args) __printf(3, 0);

/* Prints to the console, whole: lines of two CPUs never mix within one call.
   Text beyond 1023 bytes is cut and marked "...". */
void print(const char *format, ...) __printf(1, 2);
void vprint(const char *format, va_list args) __printf(1, 0);

#endif
