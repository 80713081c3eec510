/* Calls into the student's world switch that survive its mistakes, and a place where a VM exit can end
   without it. */

#define STORE(number, register) movq register, lab_landed+8*number

	.bss
	.balign 8
	.globl lab_landed, lab_landed_rsp
lab_landed:
	.skip 16*8
lab_landed_rsp:
	.skip 8
stack:
	.skip 8

	.text
/* int lab_call(void *function, a, b, c, uint64_t *changed) */
	.globl lab_call
lab_call:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %r8
	movq %rsp, stack
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq $0x1111, %rbx
	movq $0x2222, %rbp
	movq $0x3333, %r12
	movq $0x4444, %r13
	movq $0x5555, %r14
	movq $0x6666, %r15
	call *%rax
	movq stack, %rsp		/* whatever became of it */
	pushfq
	popq %rcx
	shrq $3, %rcx			/* RFLAGS.IF is bit 9 */
	andl $0x40, %ecx
	cli
	.macro check register, number, bit
	cmpq $\number, \register
	je 1f
	orl $\bit, %ecx
1:
	.endm
	check %rbx, 0x1111, 1
	check %rbp, 0x2222, 2
	check %r12, 0x3333, 4
	check %r13, 0x4444, 8
	check %r14, 0x5555, 16
	check %r15, 0x6666, 32
	popq %r8
	movq %rcx, (%r8)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* int lab_enter(void *vmx_run, struct vcpu *vcpu, void *vmx) */
	.globl lab_enter
lab_enter:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, stack
	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	call *%rax
2:	movq stack, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.globl lab_landing
lab_landing:
	STORE(0, %rax)
	STORE(1, %rcx)
	STORE(2, %rdx)
	STORE(3, %rbx)
	STORE(5, %rbp)
	STORE(6, %rsi)
	STORE(7, %rdi)
	STORE(8, %r8)
	STORE(9, %r9)
	STORE(10, %r10)
	STORE(11, %r11)
	STORE(12, %r12)
	STORE(13, %r13)
	STORE(14, %r14)
	STORE(15, %r15)
	movq %rsp, lab_landed_rsp
	movl $-1, %eax
	jmp 2b

	.section .note.GNU-stack, "", @progbits
