/* A program's first instructions: argc and argv are in RDI and RSI already. */
	.text
	.globl start
start:
	xorl %ebp, %ebp			/* where backtraces end */
	call main
	movl %eax, %edi
	xorl %eax, %eax			/* SYS_EXIT */
	syscall

	.section .note.GNU-stack, "", @progbits
