/* The text screen that a BIOS leaves: a few lines for the person in front of a real machine. The log is the
   serial console's; where there is no text screen nothing happens. */
#ifndef RUNTIME_SCREEN_H
#define RUNTIME_SCREEN_H

#include "runtime/compiler.h"

/* Looks for the screen. Reads the BIOS' data in page 0, so it comes before that page is unmapped. */
void screen_init(void);

/* A line at the end of the text, which moves up; red when it is `bad`. At most 80 characters are shown. */
void screen_line(bool bad, const char *format, ...) __printf(2, 3);

/* What stands in the last row. */
void screen_status(const char *format, ...) __printf(1, 2);

#endif
