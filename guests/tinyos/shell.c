/* Reads commands and calls them. What each does is commands.c's. */
#include "guests/tinyos/shell.h"

#include "runtime/boot.h"
#include "runtime/string.h"

#include "guests/tinyos/commands.h"
#include "guests/tinyos/process.h"
#include "guests/tinyos/serial.h"
#include "guests/tinyos/terminal.h"

#define PROMPT "tinyos> "

static bool in_script, failed;

static char *skip_spaces(char *text)
{
	while (*text == ' ' || *text == '\n')
		text++;
	return text;
}

/* Cuts spaces off the end of text. */
static void trim_end(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\n'))
		text[--length] = '\0';
}

/* Runs one command, a name and what follows it. 0, or non-zero when it failed. */
static int run_command(char *text)
{
	size_t length = strcspn(text, " ");
	char *rest = skip_spaces(text + length);

	for (const struct command *command = command_table; command->name != NULL; command++)
		if (strlen(command->name) == length && memcmp(command->name, text, length) == 0)
			return command->run(rest);
	serial_print("tinyos: no command \"%.*s\"; try help\n", (int)MIN(length, 40), text);
	return 1;
}

/* Runs the commands of line, separated by ';'. */
static void run_line(char *line)
{
	char *next;

	for (; line != NULL; line = next) {
		next = strchr(line, ';');
		if (next != NULL)
			*next++ = '\0';
		line = skip_spaces(line);
		trim_end(line);
		if (*line == '\0')
			continue;
		if (in_script) /* as if it had been typed */
			serial_print("%s%.200s\n", PROMPT, line);
		if (run_command(line) != 0)
			failed = true;
	}
}

int shell_status(void)
{
	return in_script && failed ? 1 : 0;
}

void shell_main(void)
{
	static char line[BOOT_CMDLINE_MAX];
	int length;

	if (boot_word(boot.cmdline, "script", line, sizeof(line)) == 0) {
		in_script = true;
		terminal_close();
		run_line(line);
	}
	while ((length = terminal_read_line(PROMPT, line, COMMAND_MAX)) != 0)
		if (length > 0)
			run_line(line);
	command_poweroff("");
}
