/* What tests of instructions need beyond vmx-tests/needs.h: capabilities that must be absent. */
#ifndef VMX_TESTS_INSN_NEEDS_H
#define VMX_TESTS_INSN_NEEDS_H

#include "vmx-tests/needs.h"

extern const struct test_need need_no_vmcs_shadowing, need_invept_instruction,
	need_invvpid_instruction, need_no_invept_instruction, need_no_invvpid_instruction,
	need_writable_exit_fields, need_no_writable_exit_fields;

#endif
