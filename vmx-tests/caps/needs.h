/* What tests of capabilities need beyond vmx-tests/needs.h. */
#ifndef VMX_TESTS_CAPS_NEEDS_H
#define VMX_TESTS_CAPS_NEEDS_H

#include "vmx-tests/needs.h"

extern const struct test_need need_true_controls, need_ept_vpid_msr, need_vmfunc_msr,
	need_no_wait_for_sipi;

#endif
