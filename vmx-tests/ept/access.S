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

	.section .note.GNU-stack, "", @progbits
