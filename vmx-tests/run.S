/* The suite's own world switch, apart from the hypervisor's: it must not share its mistakes. */

	.text
/* uint64_t guest_switch(uint64_t launch, uint64_t host_rsp, uint64_t host_rip)
   host_rsp, host_rip: the encodings of those two VMCS fields. Loads guest_gpr, enters by VMLAUNCH (launch != 0) or VMRESUME. Returns 0 after an exit, with the
   guest's registers in guest_gpr; or RFLAGS when the instruction failed (never 0: bit 1 is fixed). */
	.globl guest_switch
guest_switch:
	pushq %rbp
	movq %rsp, %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushfq
	vmwrite %rsp, %rsi
	jbe 1f
	leaq guest_exited(%rip), %rcx
	vmwrite %rcx, %rdx
	jbe 1f
	testq %rdi, %rdi		/* ZF: VMRESUME; no instruction below changes it */
	movq guest_gpr + 0 * 8, %rax
	movq guest_gpr + 1 * 8, %rcx
	movq guest_gpr + 2 * 8, %rdx
	movq guest_gpr + 3 * 8, %rbx
	movq guest_gpr + 5 * 8, %rbp
	movq guest_gpr + 6 * 8, %rsi
	movq guest_gpr + 7 * 8, %rdi
	movq guest_gpr + 8 * 8, %r8
	movq guest_gpr + 9 * 8, %r9
	movq guest_gpr + 10 * 8, %r10
	movq guest_gpr + 11 * 8, %r11
	movq guest_gpr + 12 * 8, %r12
	movq guest_gpr + 13 * 8, %r13
	movq guest_gpr + 14 * 8, %r14
	movq guest_gpr + 15 * 8, %r15
	jz 2f
	vmlaunch
	jmp 1f
2:	vmresume
1:	pushfq				/* the instruction failed: its flags are the answer */
	popq %rax
	jmp 3f

guest_exited:
	movq %rax, guest_gpr + 0 * 8
	movq %rcx, guest_gpr + 1 * 8
	movq %rdx, guest_gpr + 2 * 8
	movq %rbx, guest_gpr + 3 * 8
	movq %rbp, guest_gpr + 5 * 8
	movq %rsi, guest_gpr + 6 * 8
	movq %rdi, guest_gpr + 7 * 8
	movq %r8, guest_gpr + 8 * 8
	movq %r9, guest_gpr + 9 * 8
	movq %r10, guest_gpr + 10 * 8
	movq %r11, guest_gpr + 11 * 8
	movq %r12, guest_gpr + 12 * 8
	movq %r13, guest_gpr + 13 * 8
	movq %r14, guest_gpr + 14 * 8
	movq %r15, guest_gpr + 15 * 8
	xorl %eax, %eax
3:	popfq				/* an exit leaves RFLAGS at its fixed bit */
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

/* Where the default guest starts: the address of its function is on top of its stack. */
	.globl guest_start
guest_start:
	popq %rax
	xorl %ebp, %ebp
	call *%rax
1:	vmcall
	jmp 1b

	.globl guest_gpr
	.section .bss
	.balign 8
guest_gpr:
	.skip 16 * 8

	.section .note.GNU-stack, "", @progbits
