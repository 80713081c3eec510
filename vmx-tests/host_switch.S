/* The way into a few bytes of code on the host, and back from them. */
#include "runtime/segments.h"

	.text
/* void host_switch(struct host_registers *registers, void (*entry)(void))
   Loads RFLAGS and the general registers and jumps to entry; what runs there jumps to host_executed. */
	.globl host_switch
host_switch:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rdi, host_switch_registers
	movq %rsi, host_switch_entry
	cmpq $0, 4 * 8(%rdi)		/* RSP 0: ours */
	jne 1f
	movq %rsp, 4 * 8(%rdi)
1:	movq %rsp, host_switch_rsp
	pushq 16 * 8(%rdi)
	popfq				/* nothing below changes flags */
	movq 0 * 8(%rdi), %rax
	movq 1 * 8(%rdi), %rcx
	movq 2 * 8(%rdi), %rdx
	movq 3 * 8(%rdi), %rbx
	movq 4 * 8(%rdi), %rsp
	movq 5 * 8(%rdi), %rbp
	movq 6 * 8(%rdi), %rsi
	movq 8 * 8(%rdi), %r8
	movq 9 * 8(%rdi), %r9
	movq 10 * 8(%rdi), %r10
	movq 11 * 8(%rdi), %r11
	movq 12 * 8(%rdi), %r12
	movq 13 * 8(%rdi), %r13
	movq 14 * 8(%rdi), %r14
	movq 15 * 8(%rdi), %r15
	movq 7 * 8(%rdi), %rdi
	jmp *host_switch_entry

	.globl host_executed
host_executed:
	movq %rsp, host_switch_rsp_after
	movq host_switch_rsp, %rsp
	pushfq
	pushq %rdi
	movq host_switch_registers, %rdi
	movq %rax, 0 * 8(%rdi)
	movq %rcx, 1 * 8(%rdi)
	movq %rdx, 2 * 8(%rdi)
	movq %rbx, 3 * 8(%rdi)
	movq %rbp, 5 * 8(%rdi)
	movq %rsi, 6 * 8(%rdi)
	movq %r8, 8 * 8(%rdi)
	movq %r9, 9 * 8(%rdi)
	movq %r10, 10 * 8(%rdi)
	movq %r11, 11 * 8(%rdi)
	movq %r12, 12 * 8(%rdi)
	movq %r13, 13 * 8(%rdi)
	movq %r14, 14 * 8(%rdi)
	movq %r15, 15 * 8(%rdi)
	popq %rax
	movq %rax, 7 * 8(%rdi)
	popq %rax
	movq %rax, 16 * 8(%rdi)
	movq host_switch_rsp_after, %rax
	movq %rax, 4 * 8(%rdi)
	pushq $2			/* no flag that would trouble C */
	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* Entries for host_switch: on to the code page in another mode. They leave all registers but RSP. */
	.globl host_enter_compatibility
host_enter_compatibility:
	ljmpl *host_far_pointer

	.globl host_enter_user
host_enter_user:			/* host_user_frame holds what IRETQ pops */
	swapgs				/* traps from CPL 3 swap back */
	movq $host_user_frame, %rsp
	iretq

	.section .bss
	.balign 8
host_switch_registers:
	.skip 8
host_switch_entry:
	.skip 8
host_switch_rsp:
	.skip 8
host_switch_rsp_after:
	.skip 8

	.section .note.GNU-stack, "", @progbits
