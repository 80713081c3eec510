/* The way from 32-bit protected mode into code under test in real mode, and out of it by any exception or
   interrupt. legacy.c copies it to LEGACY_LOW + LEGACY_REAL, where it runs; `AT` is where a label is then. */

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
#define CR0_BEFORE    184
#define CR0_AFTER     192
#define GDTR_AFTER    208
#define IDTR_AFTER    214

#define AT(label)  (label - legacy_real + LEGACY_REAL)
#define BEFORE(at) %cs:(AT(before) + at)
#define AFTER(at)  %cs:(AT(after) + at)
#define CR0_PE	   1
#define WORDS	   (224 / 4) /* of what is copied in and out */

	.text
	.code32
/* Jumped to with EDI at struct engine_registers. */
	.globl legacy_enter_real
legacy_enter_real:
	movl %edi, %esi
	movl $(LEGACY_LOW + AT(before)), %edi
	movl $(160 / 4), %ecx
	cld
	rep movsl
	movl $SELECTOR_LEGACY_DATA16, %eax
	movl %eax, %ss
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	ljmp $SELECTOR_LEGACY_CODE16, $AT(enter)

/* Back in protected mode. */
legacy_return:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl $(LEGACY_LOW + AT(after)), %esi
	movl $legacy_captured, %edi
	movl $WORDS, %ecx
	cld
	rep movsl
	jmp legacy_leave

	.code16
	.globl legacy_real, legacy_real_end, legacy_real_stubs
legacy_real:
enter:	movl %cr0, %eax
	andl $~CR0_PE, %eax
	movl %eax, %cr0
	ljmpw $LEGACY_SEGMENT, $AT(1f)
1:	movl %eax, AFTER(CR0_BEFORE)
	xorw %ax, %ax
	movw %ax, %fs
	movw %ax, %gs
	movw %cs, %ax
	movw %ax, %ss
	movw $(AT(enter_stack_end)), %sp
	lidtl %cs:AT(ivt_pointer)
	movw BEFORE(DS), %ds
	movw BEFORE(ES), %es
	movw BEFORE(RIP), %ax
	movw %ax, %cs:AT(far_pointer16)
	movw BEFORE(CS), %ax
	movw %ax, %cs:AT(far_pointer16) + 2
	movl BEFORE(GPR(1)), %ecx
	movl BEFORE(GPR(2)), %edx
	movl BEFORE(GPR(3)), %ebx
	movl BEFORE(GPR(5)), %ebp
	movl BEFORE(GPR(6)), %esi
	movl BEFORE(GPR(7)), %edi
	pushl BEFORE(RFLAGS)
	movl BEFORE(GPR(0)), %eax
	popfl
	movw BEFORE(SS), %ss
	movl BEFORE(GPR(4)), %esp
	ljmpw *%cs:AT(far_pointer16)

/* One entry per vector, 6 bytes apart. */
legacy_real_stubs:
	.set vector, 0
	.rept 256
	.byte 0x68			/* pushw $vector */
	.word vector
	.byte 0xe9			/* jmp capture */
	.word capture - (. + 2)
	.set vector, vector + 1
	.endr

/* On the stack: vector, IP, CS, FLAGS. The upper half of EFLAGS is still there. */
capture:
	movl %eax, AFTER(GPR(0))
	movl %ecx, AFTER(GPR(1))
	movl %edx, AFTER(GPR(2))
	movl %ebx, AFTER(GPR(3))
	movl %ebp, AFTER(GPR(5))
	movl %esi, AFTER(GPR(6))
	movl %edi, AFTER(GPR(7))
	movw %ds, AFTER(DS)
	movw %es, AFTER(ES)
	movw %fs, AFTER(FS)
	movw %gs, AFTER(GS)
	movw %ss, AFTER(SS)
	popw AFTER(RESULT_VECTOR)
	popw AFTER(RIP)
	popw AFTER(CS)
	pushfl
	popl AFTER(RFLAGS)
	popw AFTER(RFLAGS)
	movl %esp, AFTER(GPR(4))
	movl %cr0, %eax
	movl %eax, AFTER(CR0_AFTER)
	sgdtl AFTER(GDTR_AFTER)
	sidtl AFTER(IDTR_AFTER)
	lgdtl %cs:AT(gdt_pointer)
	orl $CR0_PE, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $legacy_return

	.globl legacy_real_idtr, legacy_real_gdtr
	.balign 8
legacy_real_idtr:
ivt_pointer:
	.word 256 * 4 - 1
	.long LEGACY_LOW + LEGACY_IVT
	.balign 8
legacy_real_gdtr:
gdt_pointer:
	.word 0
	.long 0
far_pointer16:
	.skip 4
	.balign 8
before:	.skip 160
after:	.skip 224
	.skip 64
enter_stack_end:
legacy_real_end:

	.section .note.GNU-stack, "", @progbits
