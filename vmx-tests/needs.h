/* What tests need of the CPU, each with the words for its SKIP. */
#ifndef VMX_TESTS_NEEDS_H
#define VMX_TESTS_NEEDS_H

#include "runtime/harness.h"

#define NEED(name, reason)         extern const struct test_need need_##name;
#define CAP_NEED(name, bit, words) extern const struct test_need need_##name, need_no_##name;
#include "vmx-tests/needs.def"
#include "vmx-tests/needs_ept.def"
#undef CAP_NEED
#undef NEED

/* need_<WORD>_<NAME>: the control may be 1, e.g. need_PROC2_RDSEED_EXITING;
   need_clear_<WORD>_<NAME>: it may be 0. */
#define CONTROL(word, bit, name, citation)                                                         \
	extern const struct test_need need_##word##_##name, need_clear_##word##_##name;
#include "spec/vmx_controls.def"
#undef CONTROL

#endif
