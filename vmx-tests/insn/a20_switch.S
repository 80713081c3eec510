/* What runs with address bit 20 masked: copied to where that bit is 0, with tables and a stack of its own
   around it (insn/a20.c). */

#define SYSTEM_CONTROL 0x92		/* port; bit 1: A20 */
#define A20	2
#define SAMPLE	0x8000			/* offsets in the block */
#define SAMPLE_ODD 0x108000
#define REGION	0x8010
#define STACK	0x8000
#define VMXON_STEP 1
#define VMXOFF_STEP 2
#define NO_FAULT -1

	.text
/* void a20_switch(uint8_t *block, uint64_t step, uint64_t result[4]): CR3, GDT and IDT are the block's already. result: samples
   before and after, flags, vector. */
	.globl a20_switch
a20_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rdx, %r15
	movq %rdi, %rbx
	movq %rsp, %rbp
	leaq STACK(%rbx), %rsp
	leaq 0x4000(%rbx), %rax
	jmp *%rax

/* Its copy is at offset 0x4000 of the block. RBX: the block, RSI: the step. */
	.globl a20_start, a20_fault, a20_end
a20_start:
	inb $SYSTEM_CONTROL, %al
	andb $~A20, %al
	outb %al, $SYSTEM_CONTROL
	movq SAMPLE_ODD(%rbx), %r12
	movq $NO_FAULT, %r14
	xorl %eax, %eax			/* clears the flags */
	cmpq $VMXON_STEP, %rsi
	je 1f
	cmpq $VMXOFF_STEP, %rsi
	jne 3f
	vmxoff
	jmp 2f
1:	vmxon REGION(%rbx)
2:	pushfq
	popq %rdx
	jmp 4f
3:	xorl %edx, %edx
4:	movq SAMPLE_ODD(%rbx), %r13
	inb $SYSTEM_CONTROL, %al
	orb $A20, %al
	outb %al, $SYSTEM_CONTROL
	movabsq $a20_returned, %rax
	jmp *%rax
	.balign 32
a20_fault:				/* the IDT's entries, 32 bytes apart */
	.set vector, 0
	.rept 32
	.balign 32
	movq $vector, %r14
	leaq STACK(%rbx), %rsp
	jmp 3b
	.set vector, vector + 1
	.endr
a20_end:

a20_returned:
	movq %rbp, %rsp
	movq %r12, 0(%r15)
	movq %r13, 8(%r15)
	movq %rdx, 16(%r15)
	movq %r14, 24(%r15)
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
