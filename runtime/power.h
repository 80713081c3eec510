/* How an image ends. The verdict is always a last line on the console, which tools/run.py reads;
   then the platform is left in the way the command line's word `end=` names. */
#ifndef RUNTIME_POWER_H
#define RUNTIME_POWER_H

#include "runtime/compiler.h"

/* Ends the image with the console line "*** END passed" (status 0) or "*** END failed: STATUS".
   end=qemu    writes QEMU's isa-debug-exit port: exit status 33 for passed, 35 for failed
   end=bochs   stops in Bochs' debugger, which is told to quit
   end=trapeze powers the virtual machine off by Trapeze's hypercall; the default when CPUID
	       names Trapeze as the hypervisor
   end=vmcall, end=vmmcall  the same by that instruction, without asking CPUID anything
   end=halt    stops all CPUs; the default elsewhere, so that real hardware keeps its screen. */
void power_end(int status) __noreturn;

/* The same after a panic: the line is "*** END panic". */
void power_end_panic(void) __noreturn;

#endif
