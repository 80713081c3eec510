/* The few calls a guest can make to Trapeze, by VMCALL on Intel's CPUs and VMMCALL on AMD's:
   EAX holds the number, EBX and ECX the arguments; the result is in EAX, 0 or a negative error. */
#ifndef RUNTIME_HYPERCALL_H
#define RUNTIME_HYPERCALL_H

#include "runtime/compiler.h"

/* EBX, ECX, EDX of CPUID leaf 0x40000000 under Trapeze. */
#define HYPERVISOR_SIGNATURE "Trapeze VMM"

enum hypercall {
	HYPERCALL_NOP = 0,      /* does nothing: what a call costs */
	HYPERCALL_POWEROFF = 1, /* ends the virtual machine; EBX: status, 0 for success */
	HYPERCALL_YIELD = 2,    /* gives the rest of the time slice away */

	/* For a guest that tests its hypervisor; CANARIES and ASK only with canaries=on. */
	HYPERCALL_EXITS = 3, /* exits that this VM's own instructions have made, the low 31 bits */
	HYPERCALL_CANARIES = 4, /* 0, or -EFAULT: something that is the hypervisor's has changed */
	HYPERCALL_TELL = 5,     /* EBX: a number below 2^31 that other VMs may ask for */
	HYPERCALL_ASK = 6, /* EBX: a VM's number; what it told last, or -ENOENT: it has ended */
};

/* True when CPUID names Trapeze as the hypervisor. */
bool hypercall_available(void);

/* Makes the call. Only at CPL 0 and where hypercall_available(). */
int hypercall(enum hypercall number, uint32_t ebx, uint32_t ecx);

#endif
