/* From 64-bit mode to legacy modes and back (Intel SDM, "Switching Out of IA-32e Mode Operation"). Where to and
   with what is in host_legacy.c's variables, which lie below 4 GiB like all of the image. */
#include "runtime/segments.h"

#define CODE64	0x08
#define DATA	0x10
#define USER_CODE 0x1b
#define USER_DATA 0x23
#define TSS	0x28
#define CODE32	0x30
#define LOW_CODE16 0x60
#define LOW_DATA16 0x68

#define CR0_PE	1
#define CR0_PG	0x80000000
#define CR4_PSE 0x10
#define CR4_PAE 0x20
#define MSR_EFER 0xc0000080
#define EFER_LME 0x100
#define EFER_LMA 0x400
#define EFLAGS_V86 0x23002		/* VM, IOPL 3, bit 1 */

/* Flat segments and the stack; changes EAX. */
	.macro LOAD_FLAT
	movl $DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $legacy_stack_top, %esp
	.endm

	.text
/* void legacy_switch(void): saves what a function must keep, and comes back when the code has ended. */
	.globl legacy_switch
legacy_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, saved_rsp
	movl $SELECTOR_DATA, %eax	/* 64-bit mode did not look at it */
	movl %eax, %ds
	ljmpl *to_compatibility

	.code32
in_compatibility:
	movl %cr0, %eax
	movl %eax, saved_cr0
	andl $~CR0_PG, %eax
	movl %eax, %cr0			/* LMA becomes 0 */
	movl $MSR_EFER, %ecx
	rdmsr
	movl %eax, saved_efer
	andl $~(EFER_LME | EFER_LMA), %eax
	wrmsr
	movl %cr4, %eax
	movl %eax, saved_cr4
	andl $~CR4_PAE, %eax
	orl $CR4_PSE, %eax
	movl %eax, %cr4
	movl $guest_pd32, %eax
	movl %eax, %cr3
	lgdt legacy_gdt_pointer
	lidt legacy_idt_pointer
	cmpl $0, legacy_paging
	je 1f
	movl saved_cr0, %eax
	movl %eax, %cr0
1:	ljmp $CODE32, $2f
2:	LOAD_FLAT
	movl $TSS, %eax
	ltr %ax
	cmpl $0, legacy_vmx
	je 3f
	movl $legacy_vmx_failed, legacy_resume
	vmxon legacy_on_pointer
	jbe legacy_vmx_failed
	vmptrld legacy_vmcs_pointer
	jbe legacy_vmx_failed
3:	movl $legacy_finish, legacy_resume
	jmp *legacy_path

/* Protected mode at CPL 0. */
	.globl legacy_path_protected
legacy_path_protected:
	movl legacy_segments + 12, %eax
	movl %eax, %gs
	movl legacy_segments + 8, %eax
	movl %eax, %fs
	movl legacy_segments + 4, %eax
	movl %eax, %es
	movl legacy_segments + 16, %eax
	movl legacy_esp, %ebx		/* within that segment */
	movl %eax, %ss
	movl %ebx, %esp
	pushl legacy_registers + 32
	popfl
	movl legacy_segments + 0, %eax
	movl %eax, %ds			/* from here on only CS reads */
	movl %cs:legacy_registers + 4, %ecx
	movl %cs:legacy_registers + 8, %edx
	movl %cs:legacy_registers + 12, %ebx
	movl %cs:legacy_registers + 20, %ebp
	movl %cs:legacy_registers + 24, %esi
	movl %cs:legacy_registers + 28, %edi
	movl %cs:legacy_registers + 0, %eax
	ljmp *%cs:legacy_code_pointer

/* The code at CPL 0 jumps here when it has ended. */
	.globl legacy_executed
legacy_executed:
	pushfl
	pushal
	movl $DATA, %eax
	movl %eax, %ds
	popl legacy_registers + 28
	popl legacy_registers + 24
	popl legacy_registers + 20
	popl legacy_registers + 16
	popl legacy_registers + 12
	popl legacy_registers + 8
	popl legacy_registers + 4
	popl legacy_registers + 0
	popl legacy_registers + 32
	LOAD_FLAT
	movl $-1, legacy_vector
	jmp legacy_finish

/* CPL 3: all is flat. */
	.globl legacy_path_user
legacy_path_user:
	movl legacy_registers + 4, %ecx
	movl legacy_registers + 12, %ebx
	movl legacy_registers + 28, %edi
	movl $USER_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	pushl %eax
	pushl $legacy_user_stack_top
	pushl $2
	pushl $USER_CODE
	pushl %cs:legacy_code_pointer
	movl %cs:legacy_registers + 0, %eax
	iretl

/* Virtual-8086 mode: the code is at offset 0 of the page below 1 MiB. */
	.globl legacy_path_v86
legacy_path_v86:
	movl legacy_registers + 4, %ecx
	movl legacy_registers + 12, %ebx
	movl legacy_registers + 28, %edi
	movl legacy_low_segment, %eax
	pushl %eax			/* GS FS DS ES SS ESP */
	pushl %eax
	pushl %eax
	pushl %eax
	pushl %eax
	pushl $0xf00
	pushl $EFLAGS_V86
	pushl %eax
	pushl $0
	movl legacy_registers + 0, %eax
	iretl

/* Real mode: by the copy of real_start in that page. */
	.globl legacy_path_real
legacy_path_real:
	movl legacy_registers + 4, %ecx
	movl legacy_registers + 12, %ebx
	movl legacy_registers + 28, %edi
	movl legacy_low_segment, %edx
	lidt legacy_real_idt_pointer
	movl $LOW_DATA16, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl $0xf00, %esp
	ljmp $LOW_CODE16, $LEGACY_REAL_START

	.code16
	.set LEGACY_REAL_START, 0x100	/* where the copy is in the page */
	.globl legacy_real_start, legacy_real_end, legacy_real_faults
legacy_real_start:			/* EDX: the page's segment */
	movl %cr0, %eax
	andl $~CR0_PE, %eax
	movl %eax, %cr0
	pushw %dx			/* CS is reloaded as a real-mode segment */
	pushw $(LEGACY_REAL_START + real_mode - legacy_real_start)
	lretw
real_mode:
	movw %dx, %ss
	movw %dx, %ds
	movw %dx, %es
	pushw $0			/* on to the code */
	retw
	.balign 8
legacy_real_faults:			/* where the interrupt vectors point, 8 bytes each */
	.set vector, 0
	.rept 32
	.balign 8
	pushw $vector
	jmp real_fault
	.set vector, vector + 1
	.endr
real_fault:
	popw %cx
	movzwl %cx, %ecx
	movl %cr0, %eax
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $CODE32, $real_returned
legacy_real_end:

	.code32
real_returned:
	LOAD_FLAT
	movl %ecx, legacy_vector
	movl $0, legacy_error
	lidt legacy_idt_pointer
	jmp legacy_finish

/* Exceptions: the 32-bit IDT's entries. */
#define HAS_ERROR_CODE(vector) (vector < 32 && ((0x60227d00 >> (vector & 31)) & 1))
	.globl legacy_fault_entries
	.balign 16
legacy_fault_entries:
	.set vector, 0
	.rept 32
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	pushl $0
	.endif
	pushl $vector
	jmp legacy_fault
	.set vector, vector + 1
	.endr
legacy_fault:
	popl %ecx
	popl %edx
	popl %ebx
	LOAD_FLAT
	movl %ecx, legacy_vector
	movl %edx, legacy_error
	movl %ebx, legacy_eip
	movl %cr2, %eax
	movl %eax, legacy_cr2
	jmp *legacy_resume

legacy_vmx_failed:
	movl $-2, legacy_vector
legacy_finish:				/* VMCLEAR and VMXOFF, wherever that is possible; a fault leaves the result alone */
	movl legacy_vector, %eax
	movl %eax, legacy_result
	movl $leave_legacy, legacy_resume
	movl legacy_error, %eax
	movl %eax, legacy_result_error
	vmclear legacy_vmcs_pointer
	vmxoff
leave_legacy:
	movl saved_cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl saved_cr4, %eax
	movl %eax, %cr4
	movl $guest_pml4, %eax
	movl %eax, %cr3
	movl $MSR_EFER, %ecx
	rdmsr
	movl saved_efer, %eax
	andl $~EFER_LMA, %eax
	wrmsr
	movl saved_cr0, %eax
	movl %eax, %cr0			/* LMA becomes 1 */
	ljmp $CODE64, $in_64bit

	.code64
in_64bit:
	movq saved_rsp, %rsp
	lgdt legacy_host_gdt
	lidt legacy_host_idt
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.data
	.balign 8
to_compatibility:
	.long in_compatibility
	.word SELECTOR_CODE32

	.bss
	.balign 8
saved_rsp:
	.skip 8
saved_cr0:
	.skip 4
saved_cr4:
	.skip 4
saved_efer:
	.skip 4

	.balign 16
	.skip 4096
	.globl legacy_stack_top
legacy_stack_top:
	.skip 4096
	.globl legacy_user_stack_top
legacy_user_stack_top:

	.section .note.GNU-stack, "", @progbits
