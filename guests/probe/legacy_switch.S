/* From 64-bit mode to 32-bit protected mode without paging, into code under test at either CPL or in
   virtual-8086 mode, out of it by any exception or interrupt, and back. All of this lies where virtual
   addresses are physical ones. Real mode is legacy_real.S's. */

#include "guests/probe/legacy_low.h"
#include "runtime/segments.h"

/* Offsets in struct engine_registers and struct legacy_captured. */
#define GPR(n)	      ((n) * 8)
#define RIP	      128
#define RFLAGS	      136
#define CS	      144
#define SS	      146
#define DS	      148
#define ES	      150
#define FS	      152
#define GS	      154
#define RESULT_VECTOR 160
#define RESULT_ERROR  168
#define CR0_BEFORE    184
#define CR0_AFTER     192
#define CR4_AFTER     200
#define GDTR_AFTER    208
#define IDTR_AFTER    214
#define LDTR_AFTER    220
#define TR_AFTER      222

#define HAS_ERROR_CODE(vector) (vector < 32 && ((0x60227d00 >> (vector & 31)) & 1))
#define MSR_EFER  0xc0000080
#define EFER_LME  (1 << 8)
#define CR4_PAE	  (1 << 5)
#define CR0_PE	  1
#define CR0_PG	  (1 << 31)
#define EFLAGS_VM (1 << 17)
#define IVT_ENTRY (LEGACY_REDIRECTED * 4)

/* void legacy_switch(const struct engine_registers *before) */
	.text
	.globl legacy_switch
legacy_switch:
	pushfq
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, host_rsp
	lgdt legacy_pointer64
	pushq $SELECTOR_CODE32
	pushq $1f
	lretq

	.code32
1:	movl %cr0, %eax
	andl $~CR0_PG, %eax
	movl %eax, %cr0
	movl %eax, legacy_captured + CR0_BEFORE
	movl $MSR_EFER, %ecx
	rdmsr
	andl $~EFER_LME, %eax
	wrmsr
	lidt legacy_idtr
	movl $SELECTOR_TSS, %eax
	ltr %ax

	cmpb $0, legacy_is_real
	jnz legacy_enter_real
	testl $EFLAGS_VM, RFLAGS(%edi)
	jnz enter_v8086
	movw DS(%edi), %ds
	movw ES(%edi), %es
	testb $3, CS(%edi)
	jnz enter_user

/* Nothing is pushed on the stack of the code under test. */
	movl RIP(%edi), %eax
	movl %eax, far_pointer
	movw CS(%edi), %ax
	movw %ax, far_pointer + 4
	movl GPR(1)(%edi), %ecx
	movl GPR(2)(%edi), %edx
	movl GPR(3)(%edi), %ebx
	movl GPR(5)(%edi), %ebp
	movl GPR(6)(%edi), %esi
	pushl RFLAGS(%edi)
	movl GPR(0)(%edi), %eax
	popfl
	movl GPR(4)(%edi), %esp
	movl GPR(7)(%edi), %edi
	ljmp *%cs:far_pointer

enter_v8086:
	pushl IVT_ENTRY			/* an interrupt that may be redirected to the 8086 program */
	popl ivt_entry
	movl $(LEGACY_SEGMENT << 16 | LEGACY_LANDING), IVT_ENTRY
	pushl $0			/* GS */
	pushl $0			/* FS */
	movzwl DS(%edi), %eax
	pushl %eax
	movzwl ES(%edi), %eax
	pushl %eax
enter_user:
	movzwl SS(%edi), %eax
	pushl %eax
	pushl GPR(4)(%edi)
	pushl RFLAGS(%edi)
	movzwl CS(%edi), %eax
	pushl %eax
	pushl RIP(%edi)
	movl GPR(0)(%edi), %eax
	movl GPR(1)(%edi), %ecx
	movl GPR(2)(%edi), %edx
	movl GPR(3)(%edi), %ebx
	movl GPR(5)(%edi), %ebp
	movl GPR(6)(%edi), %esi
	movl GPR(7)(%edi), %edi
	iretl

	.globl legacy_entries
	.balign 16
legacy_entries:
	.set vector, 0
	.rept 256
	.balign 16
	.if !HAS_ERROR_CODE(vector)
	pushl $0
	.endif
	pushl $vector
	jmp legacy_capture
	.set vector, vector + 1
	.endr

/* On the stack: vector, error code, EIP, CS, EFLAGS and, from CPL 3, ESP, SS; from virtual-8086 mode also ES,
   DS, FS, GS. DS may be unusable: SS is not. */
legacy_capture:
	movl %eax, %ss:legacy_captured + GPR(0)
	movl %ecx, %ss:legacy_captured + GPR(1)
	movl %edx, %ss:legacy_captured + GPR(2)
	movl %ebx, %ss:legacy_captured + GPR(3)
	movl %ebp, %ss:legacy_captured + GPR(5)
	movl %esi, %ss:legacy_captured + GPR(6)
	movl %edi, %ss:legacy_captured + GPR(7)
	movw %ds, %ss:legacy_captured + DS
	movw %es, %ss:legacy_captured + ES
	movw %fs, %ss:legacy_captured + FS
	movw %gs, %ss:legacy_captured + GS
	popl %ss:legacy_captured + RESULT_VECTOR
	popl %ss:legacy_captured + RESULT_ERROR
	popl %ss:legacy_captured + RIP
	popl %eax
	movw %ax, %ss:legacy_captured + CS
	popl %ss:legacy_captured + RFLAGS
	testl $EFLAGS_VM, %ss:legacy_captured + RFLAGS
	jnz 6f
	testb $3, %al
	jz 4f
	popl %ss:legacy_captured + GPR(4)
	popl %eax
	movw %ax, %ss:legacy_captured + SS
	jmp 5f
6:	popl %ss:legacy_captured + GPR(4)
	popl %eax
	movw %ax, %ss:legacy_captured + SS
	popl %eax
	movw %ax, %ss:legacy_captured + ES
	popl %eax
	movw %ax, %ss:legacy_captured + DS
	popl %eax
	movw %ax, %ss:legacy_captured + FS
	popl %eax
	movw %ax, %ss:legacy_captured + GS
	jmp 5f
4:	movl %esp, %ss:legacy_captured + GPR(4)
	movw %ss, %ss:legacy_captured + SS
5:	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl host_rsp, %esp
	cmpl $0, ivt_entry
	jz 7f
	movl ivt_entry, %eax
	movl %eax, IVT_ENTRY
	movl $0, ivt_entry
7:	movl %cr0, %eax
	movl %eax, legacy_captured + CR0_AFTER
	sgdt legacy_captured + GDTR_AFTER
	sidt legacy_captured + IDTR_AFTER

/* Here real mode comes back too, with flat segments loaded. */
	.globl legacy_leave
legacy_leave:
	movl host_rsp, %esp
	movl %cr0, %eax
	movl %cr4, %edx
	movl %edx, legacy_captured + CR4_AFTER
	sldt legacy_captured + LDTR_AFTER
	str legacy_captured + TR_AFTER

	movl %eax, %ebx
	orl $CR4_PAE, %edx
	movl %edx, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $EFER_LME, %eax
	wrmsr
	orl $(CR0_PG | CR0_PE), %ebx
	movl %ebx, %cr0
	ljmp $SELECTOR_CODE64, $legacy_back

	.code64
legacy_back:
	movq host_rsp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	popfq
	ret

	.section .data
	.globl legacy_is_real
legacy_is_real:
	.byte 0
	.balign 8
	.globl legacy_pointer64
legacy_pointer64:
	.short 0
	.quad 0

	.section .bss
	.balign 8
host_rsp:
	.skip 8
far_pointer:
	.skip 8
ivt_entry:				/* what stood there; 0: nothing was replaced */
	.skip 8

	.section .note.GNU-stack, "", @progbits
