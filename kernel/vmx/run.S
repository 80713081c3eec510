/* The world switch between the hypervisor and a guest: general-purpose registers, which VM entry
   and VM exit leave to software. Everything else is switched by the CPU as the VMCS says. */

#include "kernel/vmx/vmx.h"

/* VMCS_HOST_RSP and the other encodings, for the assembler. */
#define FIELD(name, encoding, width, area, citation) .set VMCS_##name, encoding
#include "spec/vmx_fields.def"
#undef FIELD

/* Offsets in struct vcpu: enum gpr. */
#define GPR_RAX (0 * 8)
#define GPR_RCX (1 * 8)
#define GPR_RDX (2 * 8)
#define GPR_RBX (3 * 8)
#define GPR_RBP (5 * 8)
#define GPR_RSI (6 * 8)
#define GPR_RDI (7 * 8)
#define GPR_R(n) ((n) * 8)

	.text
/* int vmx_run(struct vcpu *vcpu, struct vmx_vcpu *vmx): the way in ("VM Entries",
   "VMLAUNCH/VMRESUME"). Pushes what vmx_run_end pops: RBP, RBX, R12 to R15, and vcpu. Lets HOST_RSP
   be RSP as it then is: VM exit goes on at vmx_exit with it; vmx->host_rsp remembers what the field
   holds. Loads the guest's 15 general-purpose registers from vcpu->gpr, for VM entry leaves them to
   software ("Loading Guest State"), and enters: VMLAUNCH while vmx->launched is 0, else VMRESUME.
   Only where that instruction fails, the next one is executed: then on to vmx_run_end with 1 in
   EAX. */
	.globl vmx_run
vmx_run:
	pushq %rbp			/* what a C function must preserve */
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	pushq %rdi			/* vcpu, for vmx_exit */

	/* VM exit will load RSP from HOST_RSP: let that be here. The stack is mostly as deep as last
	   time, so that there is nothing to write. */
	cmpq %rsp, VMX_VCPU_HOST_RSP(%rsi)
	je 1f
	movq %rsp, VMX_VCPU_HOST_RSP(%rsi)
	movl $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax

	/* ZF := this VMCS was never launched. Loads do not change the flags. */
1:	cmpq $0, VMX_VCPU_LAUNCHED(%rsi)
	movq GPR_RAX(%rdi), %rax
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
	jz 2f
	vmresume
	jmp 3f
2:	vmlaunch

	/* Only a VMLAUNCH or VMRESUME that failed goes on here. */
3:	movl $1, %eax
	jmp vmx_run_end

/* HOST_RIP: where the CPU goes on when the guest has exited ("VM Exits"). RSP is what HOST_RSP says
   and points at the vcpu that vmx_run pushed; all other general-purpose registers are still the
   guest's. Stores those 15 in vcpu->gpr, and goes on to vmx_run_end, right below, with 0 in EAX and
   RSP as it came. */
	.globl vmx_exit
vmx_exit:
	pushq %rdi
	movq 8(%rsp), %rdi		/* vcpu */
	movq %rax, GPR_RAX(%rdi)
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
	popq GPR_RDI(%rdi)		/* the guest's RDI, pushed first of all */
	xorl %eax, %eax

/* Both ways back to the caller of vmx_run: EAX is its result, RSP points at the vcpu that was pushed
   last. */
	.globl vmx_run_end
vmx_run_end:
	addq $8, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.section .note.GNU-stack, "", @progbits
