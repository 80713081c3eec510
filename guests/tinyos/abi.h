/* What tinyos and its programs agree on: the system calls, their numbers and what statuses mean.
   How a call is made is user/user.h's, how it is answered syscall.c's. */
#ifndef TINYOS_ABI_H
#define TINYOS_ABI_H

#include "runtime/compiler.h"

/* SYSCALL with the number in RAX and up to three arguments in RDI, RSI, RDX. RAX returns the
   result, or an error number negated; RCX and R11 are lost, as the instruction has it. */
enum syscall {
	SYS_EXIT,   /* (status): ends the process; status is cut to 8 bits */
	SYS_WRITE,  /* (text, bytes): to the console; returns bytes */
	SYS_READ,   /* (buffer, bytes): from the console, a line at most; 0 at the end of input */
	SYS_FORK,   /* (): the child's pid, 0 in the child */
	SYS_EXEC,   /* (command): becomes the program that the first word of command names */
	SYS_WAIT,   /* (int *status): the pid of a child that ended; -ENOENT without children */
	SYS_KILL,   /* (pid) */
	SYS_GETPID, /* () */
	SYS_SBRK,   /* (bytes): moves the end of the heap by signed bytes; returns where it was */
	SYS_SLEEP,  /* (milliseconds) */
	SYS_YIELD,  /* (): lets the next process run */
	SYSCALLS
};

/* Where a program may have memory; it is linked to start at USER_BASE. */
#define USER_BASE       BIT(46)
#define USER_END        (USER_BASE + PAGE_SIZE_1G)
#define USER_STACK_SIZE (16 * PAGE_SIZE) /* the stack ends at USER_END */

#define COMMAND_MAX 128 /* bytes of a program's name and arguments, with the final NUL */
#define WORDS_MAX   16  /* of them */

/* A process's status as its parent gets it: what it passed to exit, 0-255, or why it was killed. */
#define STATUS_EXIT_MASK 0xff
#define STATUS_EXCEPTION 0x100 /* + the exception's vector */
#define STATUS_KILLED    0x200 /* by kill or Ctrl-C */

#endif
