/* What C cannot say: the switch from one thread's stack to another's, and the way into the kernel
   and back by SYSCALL and SYSRET. Traps and interrupts come in through runtime/trap_entry.S. */

#include "runtime/segments.h"

#define RPL_USER 3

	.text

/* void switch_stacks(uint64_t *save_rsp, uint64_t load_rsp): what a function may count on is kept
   on the stack. */
	.globl switch_stacks
switch_stacks:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* A kernel thread's first instructions; its main function is on the stack. */
	.globl thread_start
thread_start:
	popq %rax
	addq $8, %rsp
	sti
	call *%rax
	cli
	call thread_exit

/* SYSCALL leads here with interrupts off, the user's stack, RIP in RCX and RFLAGS in R11. The
   registers go onto the thread's stack as a struct trap_frame. */
	.globl syscall_entry
syscall_entry:
	swapgs
	movq %rsp, user_rsp(%rip)
	movq syscall_stack(%rip), %rsp
	pushq $(SELECTOR_USER_DATA | RPL_USER)
	pushq user_rsp(%rip)
	pushq %r11
	pushq $(SELECTOR_USER_CODE64 | RPL_USER)
	pushq %rcx
	pushq $0			/* error code */
	pushq $0			/* vector */
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	xorl %ebp, %ebp			/* where backtraces end */
	call syscall_dispatch
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp			/* vector and error code */
	popq %rcx			/* RIP */
	addq $8, %rsp			/* CS */
	popq %r11			/* RFLAGS */
	popq %rsp
	swapgs
	sysretq

	.bss
	.balign 8
	.globl syscall_stack
syscall_stack:				/* the top of the running process's stack in the kernel */
	.skip 8
user_rsp:				/* only between two instructions, with interrupts off */
	.skip 8

	.section .note.GNU-stack, "", @progbits
