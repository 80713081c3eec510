/* A world switch that notes what an exit loaded into the host before anything else can change it. */

#define SNAPSHOT_RFLAGS	 0
#define SNAPSHOT_RSP	 8
#define SNAPSHOT_CR0	 16
#define SNAPSHOT_CR3	 24
#define SNAPSHOT_CR4	 32
#define SNAPSHOT_DR7	 40
#define SNAPSHOT_ES	 48
#define SNAPSHOT_CS	 56
#define SNAPSHOT_SS	 64
#define SNAPSHOT_DS	 72
#define SNAPSHOT_FS	 80
#define SNAPSHOT_GS	 88
#define SNAPSHOT_TR	 96
#define SNAPSHOT_LDTR	 104
#define SNAPSHOT_GDTR	 112
#define SNAPSHOT_IDTR	 128

	.text
/* uint64_t host_observe_switch(uint64_t host_rsp, uint64_t host_rip, struct host_snapshot *)
   The encodings of those two fields. VMLAUNCH; returns 0 after an exit, or RFLAGS when the instruction failed. What the
   exit changed of the host stays changed, but for DS, ES and SS. */
	.globl host_observe_switch
host_observe_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushfq
	movq %rdx, snapshot(%rip)
	vmwrite %rsp, %rdi
	leaq exited(%rip), %rax
	vmwrite %rax, %rsi
	movq %rsp, wanted_rsp(%rip)
	vmlaunch
	pushfq
	popq %rax
	jmp 1f

exited:
	movq snapshot(%rip), %rdx	/* MOV changes no flag */
	movq %rsp, SNAPSHOT_RSP(%rdx)
	movq wanted_rsp(%rip), %rsp	/* in case RSP is wrong */
	pushfq
	popq SNAPSHOT_RFLAGS(%rdx)
	movq wanted_rsp(%rip), %rax
	subq %rax, SNAPSHOT_RSP(%rdx)	/* 0: as it should be */
	movq %cr0, %rax
	movq %rax, SNAPSHOT_CR0(%rdx)
	movq %cr3, %rax
	movq %rax, SNAPSHOT_CR3(%rdx)
	movq %cr4, %rax
	movq %rax, SNAPSHOT_CR4(%rdx)
	movq %dr7, %rax
	movq %rax, SNAPSHOT_DR7(%rdx)
	movl %es, %eax
	movq %rax, SNAPSHOT_ES(%rdx)
	movl %cs, %eax
	movq %rax, SNAPSHOT_CS(%rdx)
	movl %ss, %eax
	movq %rax, SNAPSHOT_SS(%rdx)
	movl %ds, %eax
	movq %rax, SNAPSHOT_DS(%rdx)
	movl %fs, %eax
	movq %rax, SNAPSHOT_FS(%rdx)
	movl %gs, %eax
	movq %rax, SNAPSHOT_GS(%rdx)
	xorl %eax, %eax
	strw %ax
	movq %rax, SNAPSHOT_TR(%rdx)
	sldtw %ax
	movq %rax, SNAPSHOT_LDTR(%rdx)
	sgdt SNAPSHOT_GDTR(%rdx)
	sidt SNAPSHOT_IDTR(%rdx)
	movl $0x10, %eax		/* SELECTOR_DATA */
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
1:	popfq
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .bss
	.balign 8
snapshot:
	.skip 8
wanted_rsp:
	.skip 8

	.section .note.GNU-stack, "", @progbits
