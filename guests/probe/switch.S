/* The way into code under test by IRETQ and out of it by any exception or interrupt. Nothing here uses GS, a
   stack that the code could have spoilt, or memory through a segment. */

#include "runtime/segments.h"

/* Offsets in struct engine_registers and struct engine_result. */
#define GPR(n)	      ((n) * 8)
#define RIP	      128
#define RFLAGS	      136
#define CS	      144
#define SS	      146
#define DS	      148
#define ES	      150
#define FS	      152
#define GS	      154
#define RESULT_VECTOR 160
#define RESULT_ERROR  168

#define HAS_ERROR_CODE(vector) (vector < 32 && ((0x60227d00 >> (vector & 31)) & 1))

/* void engine_switch(const struct engine_registers *before) */
	.text
	.globl engine_switch
engine_switch:
	pushfq
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, host_rsp

	movzwl SS(%rdi), %eax		/* the frame that IRETQ takes */
	pushq %rax
	pushq GPR(4)(%rdi)
	pushq RFLAGS(%rdi)
	movzwl CS(%rdi), %eax
	pushq %rax
	pushq RIP(%rdi)

	movw DS(%rdi), %ds		/* FS and GS are the caller's business: loading them */
	movw ES(%rdi), %es		/*   would change their bases */
	movq GPR(0)(%rdi), %rax
	movq GPR(1)(%rdi), %rcx
	movq GPR(2)(%rdi), %rdx
	movq GPR(3)(%rdi), %rbx
	movq GPR(5)(%rdi), %rbp
	movq GPR(6)(%rdi), %rsi
	movq GPR(8)(%rdi), %r8
	movq GPR(9)(%rdi), %r9
	movq GPR(10)(%rdi), %r10
	movq GPR(11)(%rdi), %r11
	movq GPR(12)(%rdi), %r12
	movq GPR(13)(%rdi), %r13
	movq GPR(14)(%rdi), %r14
	movq GPR(15)(%rdi), %r15
	movq GPR(7)(%rdi), %rdi
	iretq

/* One entry per vector, 16 bytes apart, all on one stack of their own (an interrupt stack table entry). */
	.globl engine_entries
	.balign 16
engine_entries:
	.set vector, 0
	.rept 256
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	pushq $0
	.endif
	pushq $vector
	jmp capture
	.set vector, vector + 1
	.endr

/* On the stack: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
capture:
	movq %rax, engine_captured + GPR(0)
	movq %rcx, engine_captured + GPR(1)
	movq %rdx, engine_captured + GPR(2)
	movq %rbx, engine_captured + GPR(3)
	movq %rbp, engine_captured + GPR(5)
	movq %rsi, engine_captured + GPR(6)
	movq %rdi, engine_captured + GPR(7)
	movq %r8, engine_captured + GPR(8)
	movq %r9, engine_captured + GPR(9)
	movq %r10, engine_captured + GPR(10)
	movq %r11, engine_captured + GPR(11)
	movq %r12, engine_captured + GPR(12)
	movq %r13, engine_captured + GPR(13)
	movq %r14, engine_captured + GPR(14)
	movq %r15, engine_captured + GPR(15)
	movw %ds, engine_captured + DS
	movw %es, engine_captured + ES
	movw %fs, engine_captured + FS
	movw %gs, engine_captured + GS
	popq engine_captured + RESULT_VECTOR
	popq engine_captured + RESULT_ERROR
	popq engine_captured + RIP
	popq %rax
	movw %ax, engine_captured + CS
	popq engine_captured + RFLAGS
	popq engine_captured + GPR(4)
	popq %rax
	movw %ax, engine_captured + SS

	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movq host_rsp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	popfq
	ret

	.section .bss
	.balign 16
	.globl engine_captured
engine_captured:
	.skip 256
host_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
