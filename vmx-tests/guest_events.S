/* Interrupt handlers for the 64-bit guest that count and return: 256 of each form, 16 bytes apart. */

	.text
	.globl guest_event_entries, guest_event_entries_error
	.balign 16
guest_event_entries:
	.set vector, 0
	.rept 256
	.balign 16
	pushq $0
	pushq $vector
	jmp note_event
	.set vector, vector + 1
	.endr

	.balign 16
guest_event_entries_error:
	.set vector, 0
	.rept 256
	.balign 16
	pushq $vector
	jmp note_event
	.set vector, vector + 1
	.endr

/* On the stack: vector, error code, then what the CPU pushed. */
note_event:
	pushq %rax
	incq guest_events
	movq 8(%rsp), %rax
	movq %rax, guest_event_vector
	movq 16(%rsp), %rax
	movq %rax, guest_event_error
	popq %rax
	addq $16, %rsp
	iretq

	.section .note.GNU-stack, "", @progbits
