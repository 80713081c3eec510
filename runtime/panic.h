/* The end of a run that cannot go on because an invariant of ours is broken. Errors that a
   caller can handle are returned instead. */
#ifndef RUNTIME_PANIC_H
#define RUNTIME_PANIC_H

#include "runtime/compiler.h"

struct trap_frame;

/* Prints the message and a backtrace, calls the hook, stops the other CPUs and ends the image. */
void panic(const char *format, ...) __printf(1, 2) __noreturn;

/* The same for an unexpected exception, with all registers of the frame. */
void panic_trap(const struct trap_frame *frame) __noreturn;

/* Called once by panic() before it ends, e.g. to dump the ring of last VM exits. */
extern void (*panic_hook)(void);

/* Prints "backtrace: 0xADDRESS 0xADDRESS ...", innermost first, following the frame pointers from
   rbp; tools/run.py adds the functions' names. rip 0 leaves the first address out. */
void backtrace_print(uint64_t rip, uint64_t rbp);

#define assert(condition)                                                                          \
	do {                                                                                       \
		if (unlikely(!(condition)))                                                        \
			panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition);      \
	} while (0)

#endif
