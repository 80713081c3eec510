/* What programs are written with: the system calls as functions, and print() of runtime/print.h on
   the console. What the calls mean is declared in abi.h. */
#ifndef TINYOS_USER_H
#define TINYOS_USER_H

#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/string.h"

#include "guests/tinyos/abi.h"

int main(int argc, char **argv);

static inline int64_t syscall(enum syscall number, uint64_t a, uint64_t b, uint64_t c)
{
	int64_t result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return result;
}

static inline void __noreturn exit(int status)
{
	for (;;)
		syscall(SYS_EXIT, (uint64_t)status, 0, 0);
}

static inline int write(const char *text, size_t bytes)
{
	return (int)syscall(SYS_WRITE, (uintptr_t)text, bytes, 0);
}

static inline int read(char *buffer, size_t bytes)
{
	return (int)syscall(SYS_READ, (uintptr_t)buffer, bytes, 0);
}

static inline int fork(void)
{
	return (int)syscall(SYS_FORK, 0, 0, 0);
}

static inline int exec(const char *command)
{
	return (int)syscall(SYS_EXEC, (uintptr_t)command, 0, 0);
}

static inline int wait(int *status)
{
	return (int)syscall(SYS_WAIT, (uintptr_t)status, 0, 0);
}

static inline int kill(int pid)
{
	return (int)syscall(SYS_KILL, (uint64_t)pid, 0, 0);
}

static inline int getpid(void)
{
	return (int)syscall(SYS_GETPID, 0, 0, 0);
}

/* The heap's old end, or NULL when there is not that much memory. */
static inline void *sbrk(int64_t bytes)
{
	int64_t end = syscall(SYS_SBRK, (uint64_t)bytes, 0, 0);

	return end < 0 ? NULL : (void *)end;
}

static inline void sleep(uint64_t milliseconds)
{
	syscall(SYS_SLEEP, milliseconds, 0, 0);
}

static inline void yield(void)
{
	syscall(SYS_YIELD, 0, 0, 0);
}

/* The number that argv[index] is, or otherwise when there is no such argument; ends the program
   when it is not a number of at most `max`. */
uint64_t number_argument(int argc, char **argv, int index, uint64_t otherwise, uint64_t max);

/* fork(), but ends the program with a message when there cannot be another process. */
int fork_or_exit(void);

#endif
