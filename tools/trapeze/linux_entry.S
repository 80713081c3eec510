/* Enters a Linux kernel that lies in memory unpacked: from the 32-bit entry of Linux's boot protocol
   (ESI: the boot parameters, paging off) to the kernel's own 64-bit one, which wants the first 4 GiB
   mapped to themselves. linux_image.py gives LOAD, ENTRY, ZEROS and ZERO_WORDS. */

#define CR0_PG_PE	0x80000001
#define CR4_PAE		0x20
#define MSR_EFER	0xc0000080
#define EFER_LME	0x100
#define PRESENT_WRITE	3
#define LARGE		0x80

#define PAGE(n)		(LOAD + 0x1000 * (n))
#define PML4		PAGE(1)
#define PDPT		PAGE(2)
#define DIRECTORIES	PAGE(3)	/* four, up to PAGE(7) */

	.code32
	.globl _start
_start:
	cli
	movl	$ZEROS, %edi
	movl	$ZERO_WORDS, %ecx
	xorl	%eax, %eax
	rep stosl

	movl	$(PDPT + PRESENT_WRITE), PML4
	movl	$(DIRECTORIES + PRESENT_WRITE), %eax
	movl	$PDPT, %edi
1:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x1000, %eax
	cmpl	$(PDPT + 4 * 8), %edi
	jb	1b
	movl	$(LARGE + PRESENT_WRITE), %eax
	movl	$DIRECTORIES, %edi
2:	movl	%eax, (%edi)
	addl	$8, %edi
	addl	$0x200000, %eax
	jnc	2b

	movl	$CR4_PAE, %eax
	movl	%eax, %cr4
	movl	$PML4, %eax
	movl	%eax, %cr3
	movl	$MSR_EFER, %ecx
	rdmsr
	orl	$EFER_LME, %eax
	wrmsr
	lgdt	gdtr + LOAD
	movl	$CR0_PG_PE, %eax
	movl	%eax, %cr0
	ljmpl	$0x10, $(long_mode + LOAD)

	.code64
long_mode:
	movl	$0x18, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	movl	%esi, %esi
	movl	$ENTRY, %eax
	jmp	*%rax

	.balign 8
gdt:	.quad	0, 0
	.quad	0x00af9a000000ffff	/* 0x10: 64-bit code */
	.quad	0x00cf92000000ffff	/* 0x18: data */
gdtr:	.word	gdtr - gdt - 1
	.long	gdt + LOAD
