/* See fpu_hold.h. The kernel keeps all registers but RAX, RCX and R11 over a call. */

#define XMM	0 /* offsets in struct fpu_registers */
#define X87	256
#define MXCSR	264
#define CONTROL	268

#define YIELD	10 /* SYS_YIELD */

	.text
	.globl fpu_hold
fpu_hold:				/* RDI: in, RSI: out, RDX: turns */
	stmxcsr -4(%rsp)
	fninit
	fildq X87(%rdi)
	fldcw CONTROL(%rdi)
	ldmxcsr MXCSR(%rdi)
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqa XMM + \i * 16(%rdi), %xmm\i
	.endr
1:	decq %rdx
	jnz 1b
	movl $YIELD, %eax
	syscall
	.irp i, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movdqa %xmm\i, XMM + \i * 16(%rsi)
	.endr
	stmxcsr MXCSR(%rsi)
	fnstcw CONTROL(%rsi)
	fistpq X87(%rsi)
	fninit
	ldmxcsr -4(%rsp)
	ret

	.section .note.GNU-stack, "", @progbits
