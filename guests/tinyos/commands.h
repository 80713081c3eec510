/* The shell's commands. */
#ifndef TINYOS_COMMANDS_H
#define TINYOS_COMMANDS_H

struct command {
	const char *name, *arguments, *help;
	/* Gets what follows the name on the line; returns 0, or non-zero when it failed. */
	int (*run)(const char *arguments);
};

/* All of them; the last has no name. */
extern const struct command command_table[];

int command_bench(const char *arguments); /* bench.c */
int command_poweroff(const char *arguments);

/* Runs a program to its end; its status, or an error, which was printed. */
int command_run(const char *command);

#endif
