/* What tests need of the CPU, each with the words for its SKIP. */
#ifndef VMX_TESTS_NEEDS_H
#define VMX_TESTS_NEEDS_H

#include "runtime/harness.h"

#define NEED(name, reason) extern const struct test_need need_##name;
#include "vmx-tests/needs.def"
#undef NEED

#endif
