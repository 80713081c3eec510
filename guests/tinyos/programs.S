/* The programs, as the files that programs.mk makes of programs/NAME.c. */

	.macro program name
	.pushsection .rodata.program_files, "a"
	.balign 8
file_\name:
	.incbin "\name"
file_end_\name:
name_\name:
	.asciz "\name"
	.popsection
	.quad name_\name, file_\name, file_end_\name
	.endm

	.section .rodata
	.balign 8
	.globl program_table
program_table:
	program bench
	program cat
	program count
	program crash
	program echo
	program float
	program memtest
	program sieve
	program tree
	program twice
	.quad 0, 0, 0

	.section .note.GNU-stack, "", @progbits
