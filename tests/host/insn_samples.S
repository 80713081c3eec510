/* Instructions for test_insn.c, in each mode: the assembler says how long each one is.
   SAMPLE is one instruction; its start, end and mode go into a table. */
	.macro SAMPLE text:vararg
1:	\text
2:
	.pushsection .data.samples, "aw"
	.quad 1b, 2b - 1b, sample_mode
	.popsection
	.endm

	.pushsection .data.samples, "aw"
	.globl insn_samples
	.balign 8
insn_samples:
	.popsection

	/* The same in all modes. */
	.macro COMMON_SAMPLES
	.irp op, add, or, adc, sbb, and, sub, xor, cmp
	SAMPLE \op %al, %cl
	SAMPLE \op $0x12, %al
	SAMPLE \op $0x1234, %ax
	SAMPLE \op $0x12345678, %eax
	SAMPLE \op %cx, 0x12(%ebx)
	SAMPLE \op 0x12345678(%ebx,%ecx,4), %edx
	SAMPLE \op $0x12, %cl
	SAMPLE \op $0x1234, %cx
	SAMPLE \op $0x12345678, %ecx
	SAMPLE \op $0x12, %ecx
	.endr
	.irp op, addl, orl, adcl, sbbl, andl, subl, xorl, cmpl
	SAMPLE \op $0x12, (%ebx)
	.endr
	.irp op, notb, negb, incb, decb, mulb, divb, shlb, sarb, rolb
	SAMPLE \op (%ebx)
	.endr
	.irp op, notl, negl, incl, decl, mull, divl, shll, sarl, roll, notw, incw
	SAMPLE \op 0x12(%ebp)
	.endr
	.irp op, cpuid, hlt, rdmsr, wrmsr, rdtsc, rdtscp, rdpmc, invd, wbinvd, clts, rsm, vmcall, vmmcall, \
		vmlaunch, vmresume, vmxoff, xgetbv, xsetbv, monitor, mwait, pause, nop, cli, sti, cld, std, \
		clc, stc, cmc, iretl, ud2, leave, ret, lretl, int3, int1, clgi, stgi, cwtl, cltd, emms, \
		lahf, sahf, xlat, fwait, fninit, vmfunc, lfence, mfence, sfence, getsec, vmsave, vmload, vmrun
	SAMPLE \op
	.endr
	SAMPLE int $0x80
	SAMPLE inb $0x60, %al
	SAMPLE inl $0x60, %eax
	SAMPLE outb %al, $0x60
	SAMPLE outw %ax, $0x60
	SAMPLE inb %dx, %al
	SAMPLE inw %dx, %ax
	SAMPLE inl %dx, %eax
	SAMPLE outb %al, %dx
	SAMPLE outl %eax, %dx
	SAMPLE rep insb
	SAMPLE rep insl
	SAMPLE rep outsw
	SAMPLE rep movsb
	SAMPLE rep movsl
	SAMPLE rep stosw
	SAMPLE lodsb
	SAMPLE repne scasb
	SAMPLE repe cmpsl
	SAMPLE lgdt (%ebx)
	SAMPLE lidt 0x1234(%ebx)
	SAMPLE sgdt (%ebx,%ecx)
	SAMPLE sidt (%ebx)
	SAMPLE lmsw %ax
	SAMPLE lmsw (%ebx)
	SAMPLE smsw %ecx
	SAMPLE invlpg 0x1000(%ebx)
	SAMPLE str %ax
	SAMPLE sldt %ax
	SAMPLE ltr %ax
	SAMPLE lldt (%ebx)
	SAMPLE verr %ax
	SAMPLE lar %cx, %edx
	SAMPLE movb %al, (%ebx)
	SAMPLE movl %eax, (%esp)
	SAMPLE movl %eax, 0x12(%esp)
	SAMPLE movl %eax, 0x1234(%ebp,%ecx,8)
	SAMPLE movl %eax, 0x12345678(,%ecx,8)
	SAMPLE movb $0x12, (%ebx)
	SAMPLE movw $0x1234, (%ebx)
	SAMPLE movl $0x12345678, 0x12(%ebx)
	SAMPLE movb $0x12, %bh
	SAMPLE movw $0x1234, %si
	SAMPLE movl $0x12345678, %esi
	SAMPLE movl %fs:(%ebx), %eax
	SAMPLE movl %es:0x12(%ebx), %eax
	SAMPLE movzbl (%ebx), %eax
	SAMPLE movzwl 0x12(%ebx), %eax
	SAMPLE movsbw (%ebx), %ax
	SAMPLE movswl (%ebx), %eax
	SAMPLE mov %ds, %eax
	SAMPLE mov %eax, %es
	SAMPLE mov %es, (%ebx)
	SAMPLE lea 0x12(%ebx,%ecx,2), %edx
	SAMPLE xchg %eax, (%ebx)
	SAMPLE xchg %al, %cl
	SAMPLE lock cmpxchgl %ecx, (%ebx)
	SAMPLE lock xaddl %ecx, (%ebx)
	SAMPLE lock cmpxchg8b (%ebx)
	SAMPLE lock incl (%ebx)
	SAMPLE test $0x12, %cl
	SAMPLE testb $0x12, (%ebx)
	SAMPLE testw $0x1234, (%ebx)
	SAMPLE testl $0x12345678, (%ebx)
	SAMPLE test %eax, (%ebx)
	SAMPLE test $0x12, %al
	SAMPLE test $0x12345678, %eax
	SAMPLE btl $5, (%ebx)
	SAMPLE btsl %ecx, (%ebx)
	SAMPLE btrw %cx, (%ebx)
	SAMPLE btcl $31, (%ebx)
	SAMPLE bsf (%ebx), %eax
	SAMPLE bswap %edx
	SAMPLE popcnt (%ebx), %eax
	SAMPLE shld $5, %eax, (%ebx)
	SAMPLE shrd %cl, %eax, (%ebx)
	SAMPLE shll $5, (%ebx)
	SAMPLE shll %cl, %eax
	SAMPLE imul $0x12, (%ebx), %eax
	SAMPLE imul $0x12345678, (%ebx), %eax
	SAMPLE imulw $0x1234, (%ebx), %ax
	SAMPLE imul (%ebx), %eax
	SAMPLE cmove (%ebx), %eax
	SAMPLE sete (%ebx)
	SAMPLE jmp . + 0x12
	SAMPLE je . + 0x12
	SAMPLE loop . + 0x12
	SAMPLE jmp *(%ebx)
	SAMPLE push $0x12
	SAMPLE enter $0x1234, $0x5
	SAMPLE ret $0x1234
	SAMPLE lretl $0x1234
	SAMPLE fldl (%ebx)
	SAMPLE fadd %st(1), %st
	SAMPLE fxsave (%ebx)
	SAMPLE xsave 0x12(%ebx)
	SAMPLE ldmxcsr (%ebx)
	SAMPLE movaps (%ebx), %xmm1
	SAMPLE movdqu %xmm1, 0x12(%ebx)
	SAMPLE addsd (%ebx), %xmm1
	SAMPLE pshufd $0x12, %xmm1, %xmm2
	SAMPLE pshufb %xmm1, %xmm2
	SAMPLE palignr $0x12, %xmm1, %xmm2
	SAMPLE movd %xmm1, %eax
	SAMPLE movnti %eax, (%ebx)
	SAMPLE prefetcht0 (%ebx)
	SAMPLE rdrand %eax
	SAMPLE crc32b (%ebx), %eax
	SAMPLE vmptrld (%ebx)
	SAMPLE vmclear (%ebx)
	SAMPLE vmxon (%ebx)
	SAMPLE vmptrst (%ebx)
	.endm

	.text

	.code64
sample_mode = 64
	COMMON_SAMPLES
	SAMPLE mov %cr0, %rax
	SAMPLE mov %rcx, %cr3
	SAMPLE mov %r9, %cr8
	SAMPLE mov %cr4, %r15
	SAMPLE mov %rax, %dr7
	SAMPLE mov %dr6, %r8
	SAMPLE movabs $0x123456789abcdef0, %rax
	SAMPLE movabs $0x123456789abcdef0, %r9
	SAMPLE movabs %al, 0x123456789abcdef0
	SAMPLE movabs 0x123456789abcdef0, %rax
	SAMPLE mov %rax, 0x12345678(%rip)
	SAMPLE mov 0x12345678, %eax
	SAMPLE mov (%r12), %eax
	SAMPLE mov (%r13), %eax
	SAMPLE mov 0x12(%r12,%r13,8), %r14
	SAMPLE mov %gs:0, %rax
	SAMPLE movb $1, 0x12345678(%rip)
	SAMPLE movq $0x12345678, (%r11)
	SAMPLE movslq (%rbx), %rax
	SAMPLE addq $0x12345678, %rcx
	SAMPLE addq $0x12, (%rbx)
	SAMPLE testq $0x12345678, (%rbx)
	SAMPLE push %r12
	SAMPLE pushq $0x12345678
	SAMPLE pushw $0x1234
	SAMPLE pop %rax
	SAMPLE popq (%rbx)
	SAMPLE call . + 0x12345
	SAMPLE call *%rax
	SAMPLE jne . + 0x12345
	SAMPLE iretq
	SAMPLE lretq
	SAMPLE sysretq
	SAMPLE syscall
	SAMPLE swapgs
	SAMPLE vmread %rax, (%rbx)
	SAMPLE vmwrite %r9, %r10
	SAMPLE invept (%rbx), %rax
	SAMPLE invvpid 0x12(%r9), %r10
	SAMPLE rep stosq
	SAMPLE rep movsq
	SAMPLE cmpxchg16b (%rbx)
	SAMPLE xadd %r8b, (%rbx)
	SAMPLE wrfsbase %rax
	SAMPLE nopw 0x12345678(%rax,%rax,1)
	SAMPLE addr32 mov (%ebx), %al

	.code32
sample_mode = 32
	COMMON_SAMPLES
	SAMPLE mov %cr0, %eax
	SAMPLE mov %ecx, %cr3
	SAMPLE mov %eax, %dr7
	SAMPLE mov 0x12345678, %eax
	SAMPLE mov %ax, 0x12345678
	SAMPLE mov 0x12345678, %ebx
	SAMPLE addr16 mov 0x12(%bx,%si), %eax
	SAMPLE addr16 mov 0x1234, %ebx
	SAMPLE push %es
	SAMPLE pop %ss
	SAMPLE pusha
	SAMPLE popa
	SAMPLE inc %eax
	SAMPLE dec %edi
	SAMPLE daa
	SAMPLE aam $10
	SAMPLE into
	SAMPLE push $0x12345678
	SAMPLE pushw $0x1234
	SAMPLE call . + 0x12345
	SAMPLE lcall $0x1234, $0x12345678
	SAMPLE ljmp $0x1234, $0x12345678
	SAMPLE les (%ebx), %eax
	SAMPLE bound %eax, (%ebx)
	SAMPLE vmread %eax, (%ebx)
	SAMPLE sysenter
	SAMPLE arpl %ax, (%ebx)

	.code16
sample_mode = 16
	COMMON_SAMPLES
	SAMPLE mov %cr0, %eax
	SAMPLE mov (%bx,%si), %ax
	SAMPLE mov 0x12(%bp), %ax
	SAMPLE mov 0x1234(%di), %ax
	SAMPLE mov (%bp), %cl
	SAMPLE mov 0x1234, %bx
	SAMPLE mov 0x1234, %ax
	SAMPLE movl $0x12345678, (%bx)
	SAMPLE ljmp $0x1234, $0x5678
	SAMPLE ljmpl $0x1234, $0x12345678
	SAMPLE call . + 0x1234
	SAMPLE pushl $0x12345678
	SAMPLE lgdtl 0x1234
	.code64

	.pushsection .data.samples, "aw"
	.globl insn_samples_end
insn_samples_end:
	.popsection
	.section .note.GNU-stack, "", @progbits
