/* Line editing on the serial line. Bytes come and go through serial.c. */
#include "guests/tinyos/terminal.h"

#include "runtime/errno.h"
#include "runtime/string.h"

#include "guests/tinyos/process.h"
#include "guests/tinyos/serial.h"

#define CTRL(letter) ((letter)&0x1f)
#define DELETE       0x7f

static bool closed;

/* What programs have not yet read of a line. */
static char pending[COMMAND_MAX];
static size_t pending_start, pending_end;

void terminal_close(void)
{
	closed = true;
}

bool terminal_interrupt(uint8_t byte)
{
	if (byte != CTRL('C') || !process_running())
		return false;
	process_kill_all();
	return true;
}

static void erase(size_t characters)
{
	while (characters-- > 0)
		serial_write("\b \b", 3);
}

int terminal_read_line(const char *prompt, char *line, size_t size)
{
	size_t length = 0;

	if (closed)
		return 0;
	serial_print("%s", prompt);
	for (;;) {
		int byte = serial_read();
		char c = (char)byte;

		if (byte == CTRL('C') || byte < 0) {
			serial_print("^C\n");
			return -EAGAIN;
		} else if (byte == CTRL('D') && length == 0) {
			serial_print("\n");
			return 0;
		} else if (c == '\r' || c == '\n') {
			serial_print("\n");
			line[length++] = '\n';
			line[length] = '\0';
			return (int)length;
		} else if ((c == '\b' || c == DELETE) && length > 0) {
			erase(1);
			length--;
		} else if (byte == CTRL('U')) {
			erase(length);
			length = 0;
		} else if (byte >= ' ' && byte < DELETE && length + 2 < size) {
			serial_write(&c, 1);
			line[length++] = c;
		}
	}
}

int terminal_read(char *buffer, size_t bytes)
{
	if (pending_start == pending_end) {
		int length = terminal_read_line("", pending, sizeof(pending));

		if (length <= 0)
			return length;
		pending_start = 0;
		pending_end = (size_t)length;
	}
	bytes = MIN(bytes, pending_end - pending_start);
	memcpy(buffer, pending + pending_start, bytes);
	pending_start += bytes;
	return (int)bytes;
}
