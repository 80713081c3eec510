/* What the guest does to the address in RDI: one access each, with nothing else near it that could fault. */

	.text
	.globl guest_read, guest_write, guest_fetch, guest_read_twice, guest_write_read, guest_exchange, guest_read_write
	.globl guest_iret, guest_load_segment, guest_push, guest_software_interrupt, guest_store_string
guest_read:
	movq (%rdi), %rax
	ret

guest_write:
	movq %rsi, (%rdi)
	ret

guest_fetch:				/* the RET there comes back to our caller */
	jmp *%rdi

guest_read_twice:
	movq (%rdi), %rax
	vmcall
	movq (%rdi), %rax
	ret

guest_read_write:
	movq (%rdi), %rax
	movq %rsi, (%rdi)
	ret

guest_write_read:
	movq %rsi, (%rdi)
	movq (%rdi), %rax
	ret

guest_exchange:
	xchgq %rsi, (%rdi)
	ret

guest_iret:				/* the frame is in memory that EPT does not give */
	movq %rdi, %rsp
	iretq

guest_load_segment:			/* RCX: the selector */
	movl %ecx, %es
	ret

guest_push:
	movq %rsp, %rdx
	leaq 8(%rdi), %rsp
	pushq %rsi
	movq %rdx, %rsp
	ret

guest_software_interrupt:
	int $0x40
	ret

guest_store_string:			/* RCX quadwords of RSI */
	movq %rsi, %rax
	cld
	rep stosq
	ret

/* VMFUNC with EAX 0 and ECX as given: reads before it to R10, after it to R11. */
	.globl guest_switch_eptp, guest_switch_eptp_vmfunc, guest_vmcall
guest_switch_eptp:
	movq (%rdi), %r10
	xorl %eax, %eax
guest_switch_eptp_vmfunc:
	vmfunc
	movq (%rdi), %r11
	ret

guest_vmcall:
	vmcall
	ret

/* First a write to the page behind the window's, then what is tested. */
	.globl guest_write_two, guest_write_two_second, guest_write_interrupt, guest_write_interrupt_int
guest_write_two:
	movq %rsi, 0x1000(%rdi)
guest_write_two_second:
	movq %rsi, (%rdi)
	ret

guest_write_interrupt:			/* INT 40H, whose frame is pushed to the window */
	movq %rsi, 0x1000(%rdi)
	leaq 0x1000(%rdi), %rsp
guest_write_interrupt_int:
	int $0x40
	ret

/* Reads to R10, writes RDX to the entry at RSI, calls the routine in R8, reads to R11, VMCALL, reads to R12. */
	.globl guest_remap, guest_invlpg, guest_load_cr3, guest_toggle_pge, guest_invpcid, guest_no_invalidation
guest_remap:
	movq (%rdi), %r10
	movq %rdx, (%rsi)
	call *%r8
	movq (%rdi), %r11
	vmcall
	movq (%rdi), %r12
	ret

guest_no_invalidation:
	ret

guest_invlpg:
	invlpg (%rdi)
	ret

guest_load_cr3:
	movq %cr3, %rax
	movq %rax, %cr3
	ret

guest_toggle_pge:			/* CR4.PGE is bit 7 */
	movq %cr4, %rax
	xorb $0x80, %al
	movq %rax, %cr4
	xorb $0x80, %al
	movq %rax, %cr4
	ret

guest_invpcid:				/* the type is in R9; the descriptor, at RBX, names PCID 0 and RDI */
	invpcid (%rbx), %r9
	ret

	.section .note.GNU-stack, "", @progbits
