/* The 256 entry points of the IDT and the way back; what an exception means is trap.c's. */

/* Vectors for which the CPU pushes an error code: 8, 10-14, 17, 21, 29, 30. */
#define HAS_ERROR_CODE(vector) (vector < 32 && ((0x60227d00 >> (vector & 31)) & 1))

	.text
	.globl trap_entries
	.balign 16
trap_entries:
	.set vector, 0
	.rept 256
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	pushq $0
	.endif
	pushq $vector
	jmp trap_common
	.set vector, vector + 1
	.endr

/* The stack holds struct trap_frame from `vector` on. */
trap_common:
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
	testb $3, 18 * 8(%rsp)		/* from user mode GS is the user's */
	jz 1f
	swapgs
1:	cld
	movq %rsp, %rdi
	movq %rsp, %rbp			/* a frame pointer chain through the trap: */
	pushq 17 * 8(%rdi)		/*   return address = the interrupted RIP  */
	pushq 10 * 8(%rdi)		/*   saved RBP      = the interrupted RBP  */
	movq %rsp, %rbp
	movq %rsp, %rbx
	andq $-16, %rsp
	call trap_dispatch
	leaq 16(%rbx), %rsp
	.globl trap_return
trap_return:				/* RSP: a struct trap_frame to resume */
	testb $3, 18 * 8(%rsp)
	jz 2f
	swapgs
2:	popq %r15
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
	addq $16, %rsp
	iretq

/* int trap_catch_call(struct trap_catch *catch, void (*body)(void *), void *arg)
   Saves in *catch what a function may count on, calls body(arg), returns 0; trap_catch_resume()
   makes it return 1 instead. */
	.globl trap_catch_call
trap_catch_call:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	subq $8, %rsp
	movq %rsp, (%rdi)
	movq %rbp, 8(%rdi)
	movq %rdx, %rdi
	call *%rsi
	xorl %eax, %eax
	jmp 3f
	.globl trap_catch_resume
trap_catch_resume:
	movl $1, %eax
3:	leaq -40(%rbp), %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
