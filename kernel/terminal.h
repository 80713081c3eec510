/* The one serial line, shared: by whole lines with a name before each (for logs), or one virtual
   machine at a time (for people), with Ctrl-A as the key that speaks to Trapeze itself. */
#ifndef KERNEL_TERMINAL_H
#define KERNEL_TERMINAL_H

#include "runtime/compiler.h"

struct vm;

enum terminal_mode {
	TERMINAL_LINES, /* "[NAME] line" */
	TERMINAL_FOCUS, /* the focused VM's bytes as they come; others' output waits for its turn */
};

void terminal_init(enum terminal_mode mode);

/* A byte that a guest sent. Called on the VM's CPU. */
void terminal_output(struct vm *vm, uint8_t byte);

/* Prints what waits of vm's output, with a final newline in lines mode. */
void terminal_flush(struct vm *vm);

/* Takes what was typed: keys for Trapeze (Ctrl-A and a letter), the monitor's commands, the focused
   VM's input. Called now and then, on CPU 0 only; not for a guest without second-level paging,
   which has the UART itself and would miss what is taken here. */
void terminal_poll(void);

/* True once the user asked to quit. */
bool terminal_quit_wanted(void);

#endif
