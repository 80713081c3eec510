/* Lines on the text screen. Keys and cursors are left to nobody. */
#include "runtime/screen.h"

#include "runtime/print.h"
#include "runtime/string.h"
#include "spec/bios.h"

#define COLUMNS	 DISPLAY_TEXT_COLUMNS
#define LAST_ROW (DISPLAY_TEXT_ROWS - 1)

static volatile uint16_t (*screen)[COLUMNS]; /* NULL: none */

static uint8_t read_bios_byte(uintptr_t address)
{
	volatile const uint8_t *byte = (volatile const uint8_t *)address;

	__asm__("" : "+r"(byte)); /* page 0 is memory here, not a null pointer */
	return *byte;
}

static void write_row(unsigned int row, uint8_t attribute, const char *text)
{
	unsigned int column;

	for (column = 0; column < COLUMNS; column++)
		screen[row][column] = (uint16_t)(attribute << 8 | (uint8_t)(*text != '\0' ? *text++ : ' '));
}

void screen_init(void)
{
	unsigned int row;

	if (read_bios_byte(BIOS_DISPLAY_MODE) != DISPLAY_MODE_TEXT ||
		read_bios_byte(BIOS_DISPLAY_COLUMNS) != COLUMNS)
		return;
	screen = (volatile uint16_t(*)[COLUMNS])DISPLAY_TEXT;
	for (row = 0; row <= LAST_ROW; row++)
		write_row(row, DISPLAY_GREY, "");
}

static void move_up(void)
{
	unsigned int row, column;

	for (row = 0; row + 1 < LAST_ROW; row++)
		for (column = 0; column < COLUMNS; column++)
			screen[row][column] = screen[row + 1][column];
}

void screen_line(bool bad, const char *format, ...)
{
	char text[COLUMNS + 1];
	va_list args;

	if (screen == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	move_up();
	write_row(LAST_ROW - 1, bad ? DISPLAY_RED : DISPLAY_GREY, text);
}

void screen_status(const char *format, ...)
{
	char text[COLUMNS + 1];
	va_list args;

	if (screen == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	write_row(LAST_ROW, DISPLAY_REVERSE, text);
}
