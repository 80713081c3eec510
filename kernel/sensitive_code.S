/* The instructions of the experiment in sensitive.c, each with what a program can see of it: the
   result goes where RDI points. They lie on pages of their own, which CPL 3 may execute too. */
#include "runtime/segments.h"

#define MSR(name, number, title) .set MSR_##name, number
#include "spec/msr.def"
#undef MSR

#define RFLAGS_IF      0x200 /* for the assembler: as in spec/cpu.h */
#define RFLAGS_IOPL_IF 0x3200

	.macro SNIPPET name
	.globl sensitive_\name
sensitive_\name:
	.endm

	.macro RESULT		/* RAX, and back */
	movq %rax, (%rdi)
	int3
	.endm

	.text
	.balign 4096
	.globl sensitive_code
sensitive_code:
SNIPPET sgdt
	sgdt 16(%rdi)
	movq 18(%rdi), %rax	/* the base */
	RESULT
SNIPPET sidt
	sidt 16(%rdi)
	movq 18(%rdi), %rax
	RESULT
SNIPPET sldt
	sldt %eax
	RESULT
SNIPPET smsw
	smsw %eax
	RESULT
SNIPPET pushf
	pushfq
	popq %rax
	andl $RFLAGS_IOPL_IF, %eax
	RESULT
SNIPPET popf
	pushfq
	orl $RFLAGS_IF, (%rsp)
	popfq
	pushfq
	popq %rax
	andl $RFLAGS_IF, %eax
	RESULT
SNIPPET lar
	xorl %eax, %eax
	movl $SELECTOR_DATA, %ecx
	lar %ecx, %eax
	RESULT
SNIPPET lsl
	xorl %eax, %eax
	movl $SELECTOR_DATA, %ecx
	lsl %ecx, %eax
	RESULT
SNIPPET verr
	xorl %eax, %eax
	movl $SELECTOR_DATA, %ecx
	verr %cx
	setz %al
	RESULT
SNIPPET verw
	xorl %eax, %eax
	movl $SELECTOR_DATA, %ecx
	verw %cx
	setz %al
	RESULT
SNIPPET pop
	pushq $SELECTOR_DATA
	popq %fs
	movl %fs, %eax
	RESULT
SNIPPET push
	pushq %fs
	popq %rax
	RESULT
SNIPPET call
	movl $1f, 16(%rdi)
	movw %cs, 20(%rdi)
	lcall *16(%rdi)
1:	movl 4(%rsp), %eax	/* the CS that it pushed */
	RESULT
SNIPPET jmp
	movl $1f, 16(%rdi)
	movw %cs, 20(%rdi)
	ljmp *16(%rdi)
1:	movl %cs, %eax
	RESULT
SNIPPET int
	xorl %eax, %eax
	int $0x80
	incl %eax
	RESULT
SNIPPET ret
	movl %cs, %eax
	pushq %rax
	pushq $1f
	lretq
1:	movl %cs, %eax
	RESULT
SNIPPET str
	str %eax
	RESULT
SNIPPET mov
	movl %cs, %eax
	RESULT

/* Privileged ones. */
SNIPPET cli
	cli
	xorl %eax, %eax
	RESULT
SNIPPET mov_cr0
	movq %cr0, %rax
	RESULT
SNIPPET lgdt
	xorl %eax, %eax
	lgdt 32(%rdi)		/* the GDT that is in use */
	RESULT
SNIPPET rdmsr
	movl $MSR_IA32_EFER, %ecx
	rdmsr
	RESULT
	.balign 4096
	.globl sensitive_code_end
sensitive_code_end:

/* void sensitive_enter_user(const struct iret_frame *frame, void *data): IRETQ to CPL 3; the way back
   is an exception. */
	.globl sensitive_enter_user
sensitive_enter_user:
	movq %rdi, %rsp
	movq %rsi, %rdi
	swapgs				/* traps from CPL 3 swap back */
	iretq

	.section .note.GNU-stack, "", @progbits
