/* The programs that tinyos carries in its own image, each an ELF file, and how one gets into an
   address space. What then runs there is process.h's. */
#ifndef TINYOS_PROGRAM_H
#define TINYOS_PROGRAM_H

#include "guests/tinyos/vm.h"

struct trap_frame;

struct program {
	const char *name;
	const uint8_t *file, *file_end;
};

/* All of them; the last has no name. */
extern const struct program program_table[];

/* Loads the program that command's first word names into vm, an empty address space, gives it
   command's words as arguments, and sets frame to the registers it starts with.
   Returns 0, -ENOENT (no such program), -E2BIG (too many words, too long), -ENOEXEC or -ENOMEM. */
int program_load(struct vm *vm, const char *command, struct trap_frame *frame);

#endif
