/* For each control of the manual's table, what a test of its 1-setting and of its 0-setting needs.
   Other needs are needs.c's. */
#include "vmx-tests/needs.h"
#include "vmx-tests/vmx.h"

#define CONTROL(word, bit, name, citation)                                                         \
	static bool may_set_##word##_##name(void)                                                  \
	{                                                                                          \
		return vmx_may_set(CONTROL_WORD_##word, BIT(bit));                                 \
	}                                                                                          \
	static bool may_clear_##word##_##name(void)                                                \
	{                                                                                          \
		return vmx_may_clear(CONTROL_WORD_##word, BIT(bit));                               \
	}                                                                                          \
	const struct test_need need_##word##_##name = { "control " #word "_" #name                 \
							" may not be 1 (bit " #bit                 \
							" of its capability MSR's high half)",     \
		may_set_##word##_##name };                                                         \
	const struct test_need need_clear_##word##_##name = { "control " #word "_" #name           \
							      " may not be 0 (bit " #bit           \
							      " of its capability MSR)",           \
		may_clear_##word##_##name };
#include "spec/vmx_controls.def"
#undef CONTROL
