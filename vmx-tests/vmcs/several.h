/* Several VMCSs at once, each in the suite's good state. */
#ifndef VMX_TESTS_VMCS_SEVERAL_H
#define VMX_TESTS_VMCS_SEVERAL_H

#include "vmx-tests/guest.h"

#define SEVERAL 8

/* Clears and fills all of them; the last one is current. */
void several_prepare(void);

/* Makes number `index` current (panics if that fails); its region. */
void several_load(unsigned int index);
struct vmcs_region *several_region(unsigned int index);

#endif
