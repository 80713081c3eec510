/* Trapeze's own prompt: a few commands that look at the virtual machines and end them. */
#ifndef KERNEL_MONITOR_H
#define KERNEL_MONITOR_H

#include "runtime/compiler.h"

void monitor_prompt(void);

/* A key typed at the prompt; a command runs at the end of its line. Returns true for `quit`. */
bool monitor_key(char key);

#endif
