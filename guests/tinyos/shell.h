/* The shell: commands from the command line's word script="..." or from the serial line. */
#ifndef TINYOS_SHELL_H
#define TINYOS_SHELL_H

/* Runs commands until there are no more, then ends the image. */
void shell_main(void);

/* What the image is to end with: 1 when a command of the script failed, else 0. */
int shell_status(void);

#endif
