/* Where events land in the guest when they do not exit: each gate of its IDT leads to a VMCALL of
 * its own. */
#ifndef VMX_TESTS_EXIT_LANDING_H
#define VMX_TESTS_EXIT_LANDING_H

#include "vmx-tests/exit/exit.h"

/* Sets up all 256 gates of the IDT for IA-32e mode; software may use them at CPL 3. */
void landing_set_gates(void);

/* The same as 32-bit interrupt gates, for guests outside IA-32e mode. */
void landing_set_gates32(void);

/* After the guest exited: the vector at whose gate it executed VMCALL, or -1. */
int landing_vector(void);

#endif
