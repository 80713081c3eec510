/* The first instructions of every image: from the boot loader's 32-bit protected mode to 64-bit C.
   What follows on the boot CPU is start.c's; the other CPUs come in through trampoline.S. */

#include "runtime/segments.h"
#include "spec/multiboot.h"

#define MSR_EFER    0xc0000080
#define EFER_LME    (1 << 8)
#define CR4_PAE	    (1 << 5)
#define CR0_PG	    (1 << 31)
#define PAGE_TABLE  3	 /* present, writable */
#define PAGE_2M	    0x83 /* present, writable, 2 MiB */
#define STACK_SIZE  32768

	.section .multiboot, "a"
	.balign 8
multiboot2_header:
	.long MULTIBOOT2_HEADER_MAGIC, MULTIBOOT2_ARCH_I386, multiboot2_end - multiboot2_header
	.long -(MULTIBOOT2_HEADER_MAGIC + MULTIBOOT2_ARCH_I386 + (multiboot2_end - multiboot2_header))
	.short MULTIBOOT2_HEADER_END, 0
	.long 8
multiboot2_end:
	.balign 4
	.long MULTIBOOT1_HEADER_MAGIC
	.long MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO
	.long -(MULTIBOOT1_HEADER_MAGIC + (MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO))

/* EAX: the loader's magic, EBX: its information; paging off, flat 32-bit segments. */
	.section .text.entry, "ax"
	.code32
	.globl entry32
entry32:
	cld
	movl $stack_end, %esp
	movl %eax, %edi			/* the two arguments of start() */
	movl %ebx, %esi
	rdtsc
	movl %eax, entry_tsc
	movl %edx, entry_tsc + 4

	movl $0x80000000, %eax		/* is there a 64-bit mode? */
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	btl $29, %edx
	jnc no_long_mode

	/* The first 4 GiB, virtual = physical, in 2 MiB pages. */
	movl $(boot_pdpt + PAGE_TABLE), boot_pml4
	movl $(boot_pd + PAGE_TABLE), %eax
	xorl %ecx, %ecx
1:	movl %eax, boot_pdpt(, %ecx, 8)
	addl $4096, %eax
	incl %ecx
	cmpl $4, %ecx
	jb 1b
	movl $PAGE_2M, %eax
	xorl %ecx, %ecx
2:	movl %eax, boot_pd(, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jb 2b

	lgdt boot_gdt_pointer
	call enter_long_mode
	ljmp $SELECTOR_CODE64, $entry64

/* Turns on 64-bit paging with boot_pml4, still in a 32-bit segment. Changes EAX, ECX, EDX. */
	.globl enter_long_mode
enter_long_mode:
	movl %cr4, %eax
	orl $CR4_PAE, %eax
	movl %eax, %cr4
	movl $boot_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	movl %cr0, %eax
	orl $CR0_PG, %eax
	movl %eax, %cr0
	ret

no_long_mode:
	movl $no_long_mode_text, %esi
3:	lodsb
	testb %al, %al
	jz 4f
	movw $0x3f8, %dx
	outb %al, %dx
	jmp 3b
4:	hlt
	jmp 4b

	.code64
/* Where a loader enters that is in 64-bit mode already, on identity page tables, with EAX and EBX
   as above (Trapeze with stage2=off); the note tells it this address. */
entry64_direct:
	cld
	movl %eax, %edi
	movl %ebx, %esi
	movl $stack_end, %esp
	rdtsc
	movl %eax, entry_tsc
	movl %edx, entry_tsc + 4
	lgdt boot_gdt_pointer64
	pushq $SELECTOR_CODE64
	pushq $entry64
	lretq

entry64:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	movl $stack_end, %esp
	xorl %ebp, %ebp			/* where backtraces end */
	movl %edi, %edi			/* 32-bit values in 64-bit registers */
	movl %esi, %esi
	call start
	ud2

	.section .note.trapeze, "a", @note
	.balign 4
	.long 8, 8, 1			/* name and descriptor in bytes, type 1: entry in 64-bit mode */
	.asciz "Trapeze"
	.quad entry64_direct

	.section .rodata
no_long_mode_text:
	.asciz "\r\n*** PANIC: this CPU has no 64-bit mode\r\n*** END panic\r\n"

	.section .data
	.globl boot_gdt_pointer
	.balign 8
boot_gdt:
	.quad 0
	.quad DESCRIPTOR_CODE64
	.quad DESCRIPTOR_DATA
	.quad 0, 0, 0, 0, 0
	.quad DESCRIPTOR_CODE32
boot_gdt_end:
boot_gdt_pointer:
	.short boot_gdt_end - boot_gdt - 1
	.long boot_gdt
boot_gdt_pointer64:
	.short boot_gdt_end - boot_gdt - 1
	.quad boot_gdt
	.globl entry_tsc
	.balign 8
entry_tsc:
	.quad 0

	.section .bss
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
stack:
	.skip STACK_SIZE
stack_end:
	.globl stack_end

	.section .note.GNU-stack, "", @progbits
