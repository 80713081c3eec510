/* What a PC's BIOS leaves in memory (IBM Personal System/2 BIOS Interface Technical Reference, "Data
   Areas") and where a text screen is. */
#ifndef SPEC_BIOS_H
#define SPEC_BIOS_H

#define BIOS_DISPLAY_MODE    0x449 /* byte: the current mode */
#define BIOS_DISPLAY_COLUMNS 0x44a /* word */

#define DISPLAY_MODE_TEXT    3 /* 80 x 25, 16 colours */
#define DISPLAY_TEXT	     0xb8000 /* a character and an attribute for each place */
#define DISPLAY_TEXT_COLUMNS 80
#define DISPLAY_TEXT_ROWS    25
#define DISPLAY_GREY	     0x07 /* attributes: grey on black, the reverse, red */
#define DISPLAY_REVERSE	     0x70
#define DISPLAY_RED	     0x0c

#endif
