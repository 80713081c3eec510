/* The world switch between the hypervisor and a guest. VMRUN and #VMEXIT switch what a CPU needs
   at once; VMLOAD and VMSAVE the segments and MSRs that are left; general-purpose registers are
   ours. */

#include "kernel/svm/svm.h"

/* Offsets in struct vcpu: enum gpr. The guest's RSP is in the VMCB. */
#define GPR_RAX (0 * 8)
#define GPR_RCX (1 * 8)
#define GPR_RDX (2 * 8)
#define GPR_RBX (3 * 8)
#define GPR_RBP (5 * 8)
#define GPR_RSI (6 * 8)
#define GPR_RDI (7 * 8)
#define GPR_R(n) ((n) * 8)

	.text
/* void svm_run(struct vcpu *vcpu, struct svm_vcpu *svm, struct exit *exit): there and back ("VMRUN
   Instruction", "#VMEXIT"). Interrupts are off before and after. The VMCB is the first page of svm;
   its RAX and RSP are the guest's, VMRUN and #VMEXIT exchange them with ours. Loads the 14 other
   general-purpose registers from vcpu->gpr, and RAX through the VMCB; what of the segments and
   system-call MSRs VMRUN leaves alone goes by VMLOAD and VMSAVE ("VMSAVE and VMLOAD Instructions"),
   on the way back from the VMCB that SVM_VCPU_HOST points at. GIF is 0 from before VMLOAD until
   after the second VMLOAD ("Global Interrupt Flag, STGI and CLGI Instructions"), and IF is 1 at
   VMRUN, since with V_INTR_MASKING it decides whether a physical interrupt ends the run. Stores the
   15 registers in vcpu->gpr; and ends in svm_decode(vcpu, svm, exit), as if the caller had called
   it, with what a C function must preserve preserved. */
	.globl svm_run
svm_run:
	pushq %rbp			/* what a C function must preserve */
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdx			/* exit, for svm_decode() */
	pushq %rdi			/* vcpu */

	/* GIF := 0: from here until STGI nothing can interrupt the host, for its FS, GS, TR and
	   system-call MSRs are about to be the guest's. With V_INTR_MASKING, IF at VMRUN decides
	   whether a physical interrupt ends the run: so it is 1, and has no other effect while GIF
	   is 0. */
	clgi
	sti
	movq GPR_RAX(%rdi), %rax	/* the guest's RAX goes through the VMCB */
	movq %rax, SVM_VCPU_RAX(%rsi)
	movq %rsi, %rax			/* the operand of VMLOAD, VMRUN and VMSAVE */
	vmload %rax
	movq GPR_RCX(%rdi), %rcx
	movq GPR_RDX(%rdi), %rdx
	movq GPR_RBX(%rdi), %rbx
	movq GPR_RBP(%rdi), %rbp
	movq GPR_RSI(%rdi), %rsi
	movq GPR_R(8)(%rdi), %r8
	movq GPR_R(9)(%rdi), %r9
	movq GPR_R(10)(%rdi), %r10
	movq GPR_R(11)(%rdi), %r11
	movq GPR_R(12)(%rdi), %r12
	movq GPR_R(13)(%rdi), %r13
	movq GPR_R(14)(%rdi), %r14
	movq GPR_R(15)(%rdi), %r15
	movq GPR_RDI(%rdi), %rdi	/* the last: it was our pointer */
	vmrun %rax

	/* The guest has exited. RAX, RSP and RFLAGS are the host's again, with GIF 0 and IF 1; all
	   other general-purpose registers are still the guest's. */
	vmsave %rax
	xchgq %rdi, (%rsp)		/* vcpu comes, the guest's RDI goes */
	movq %rcx, GPR_RCX(%rdi)
	movq %rdx, GPR_RDX(%rdi)
	movq %rbx, GPR_RBX(%rdi)
	movq %rbp, GPR_RBP(%rdi)
	movq %rsi, GPR_RSI(%rdi)
	movq %r8, GPR_R(8)(%rdi)
	movq %r9, GPR_R(9)(%rdi)
	movq %r10, GPR_R(10)(%rdi)
	movq %r11, GPR_R(11)(%rdi)
	movq %r12, GPR_R(12)(%rdi)
	movq %r13, GPR_R(13)(%rdi)
	movq %r14, GPR_R(14)(%rdi)
	movq %r15, GPR_R(15)(%rdi)
	popq GPR_RDI(%rdi)
	movq %rax, %rsi			/* svm */
	movq SVM_VCPU_RAX(%rsi), %rax
	movq %rax, GPR_RAX(%rdi)
	movq SVM_VCPU_HOST(%rsi), %rax
	vmload %rax
	cli
	stgi				/* a pending NMI is taken here; interrupts wait for IF */

	popq %rdx			/* exit */
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	jmp svm_decode			/* (vcpu, svm, exit) */

	.section .note.GNU-stack, "", @progbits
