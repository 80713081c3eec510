/* What a VMCS holds of registers when it is made. Both functions write the current VMCS, whose
   fields are all zero; which field is which register's is the manual's, "Host-State Area" and
   "Guest Register State". */
#ifndef KERNEL_VMX_STATE_H
#define KERNEL_VMX_STATE_H

struct vcpu;

/* Writes the host-state area: what the CPU is to load at a VM exit, which is what it holds now.
   HOST_RIP is vmx_exit; HOST_RSP is left to run.S; selectors that the image does not use (FS, GS)
   are 0, and so are the SYSENTER MSRs. The base of TR stands in no register: it is in the TSS's
   descriptor, 16 bytes long in 64-bit mode ("TSS Descriptor in 64-bit mode"). The values have to
   pass "Checks on Host Control Registers, MSRs, and SSP" and "Checks on Host Segment and
   Descriptor-Table Registers". 0, or -EIO after printing which fields cannot be written. */
int state_write_host(void);

/* Writes the guest-state area with what a CPU holds after reset ("Processor State After Reset";
   spec/reset.h), in the form that "Checks on the Guest State Area" ask for: segments that reset
   leaves usable have access rights, an LDT and a busy TSS among them; RFLAGS has its fixed bit; the
   VMCS link pointer points nowhere. CR0 and CR4 go through vmx_set(), which hides what VMX
   operation itself needs in them. 0, or -EIO as above. */
int state_write_guest(struct vcpu *vcpu);

#endif
