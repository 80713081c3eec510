/* System calls: how a program's SYSCALL becomes a function call. */
#ifndef TINYOS_SYSCALL_H
#define TINYOS_SYSCALL_H

/* Tells the CPU where SYSCALL leads. */
void syscall_init(void);

#endif
