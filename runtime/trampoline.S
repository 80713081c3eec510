/* Where the other CPUs start: in real mode, on a page below 1 MiB that smp.c copies this code to.
   It fetches its stack and its C function from the words at its end. */

#include "runtime/segments.h"

#define CR0_PE 1

	.section .rodata
	.globl trampoline_start, trampoline_end, trampoline_stack, trampoline_main
	.balign 16
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax			/* CS = page number << 8: the page's segment */
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx			/* the page's physical address */
	lgdtl boot_gdt_copy - trampoline_start
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* caches on: CD and NW are set after INIT */
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $trampoline32

	.balign 8
boot_gdt_copy:
	.skip 6				/* limit and base of the boot GDT */
	.balign 8
trampoline_stack:
	.quad 0
trampoline_main:
	.quad 0
trampoline_end:
	.globl trampoline_gdt
	.set trampoline_gdt, boot_gdt_copy

/* EBX: the trampoline's page. */
	.text
	.code32
trampoline32:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl (trampoline_stack - trampoline_start)(%ebx), %esp
	call enter_long_mode
	ljmp $SELECTOR_CODE64, $trampoline64

	.code64
trampoline64:
	movl %ebx, %ebx
	movq (trampoline_stack - trampoline_start)(%rbx), %rsp
	xorl %ebp, %ebp
	call *(trampoline_main - trampoline_start)(%rbx)
	ud2

	.section .note.GNU-stack, "", @progbits
