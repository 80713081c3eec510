/* What the guest does to the address in RDI: one access each, with nothing else near it that could fault. */

	.text
	.globl guest_read, guest_write, guest_fetch, guest_read_twice, guest_write_read, guest_exchange
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

guest_write_read:
	movq %rsi, (%rdi)
	movq (%rdi), %rax
	ret

guest_exchange:
	xchgq %rsi, (%rdi)
	ret

	.section .note.GNU-stack, "", @progbits
