/* Checks on the event to be injected (Intel SDM, "VM-Entry Control Fields"). Injecting those that
   pass is inject.c's; what the guest's state has to do with it, check_activity.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#define GROUP   check_event
#define TITLE   "SDM VM-Entry Control Fields"
#define REFUSED REFUSED_CONTROL

LOCAL_NEED(error_code_rules,
	"the CPU injects exceptions with and without error code (IA32_VMX_BASIC bit 56)",
	!(vmx_capability(MSR_IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE));
LOCAL_NEED(any_error_code, "error codes must be those of the exception (IA32_VMX_BASIC bit 56)",
	vmx_capability(MSR_IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE);
LOCAL_NEED(length_0, "software events need a length (IA32_VMX_MISC bit 30)",
	vmx_capability(MSR_IA32_VMX_MISC) & VMX_MISC_INJECT_LENGTH_0);
LOCAL_NEED(no_length_0, "the CPU injects software events of length 0 (IA32_VMX_MISC bit 30)",
	!(vmx_capability(MSR_IA32_VMX_MISC) & VMX_MISC_INJECT_LENGTH_0));
LOCAL_NEED(no_mtf, "the CPU has the monitor trap flag (control PROC_MONITOR_TRAP_FLAG)",
	!vmx_may_set(CONTROL_WORD_PROC, PROC_MONITOR_TRAP_FLAG));
LOCAL_NEED(no_nested, "the CPU has nested exceptions (IA32_VMX_BASIC bit 58)",
	!(vmx_capability(MSR_IA32_VMX_BASIC) & VMX_BASIC_NESTED_EXCEPTION));

#define RESERVED_TYPE 1
#define TYPED(type, bits)                                                                          \
	SET(ENTRY_INTERRUPTION_INFORMATION,                                                        \
		INTERRUPTION_VALID | FIELD_PUT(type, INTERRUPTION_TYPE) | (bits))

/* The guest's IDT is empty: an event that is delivered meets a gate that is not there, and exits by
 * #GP. */
#define DELIVERS(start, ...) ENTERS(EXCEPTION_OR_NMI, start, __VA_ARGS__)
#define LENGTH(bytes)        SET(ENTRY_INSTRUCTION_LENGTH, bytes)

/* ---- Type and vector ---- */

CHECK_TEST(event_type, NEEDS_ALSO(), BREAKS(LONG, TYPED(RESERVED_TYPE, 0)),
	BREAKS(LONG, TYPED(RESERVED_TYPE, 32)),
	HOLDS(LONG, SET(ENTRY_INTERRUPTION_INFORMATION, BITS(30, 0))))
/* "Other event" on a CPU that cannot have it. A guest state that is bad, too, keeps a CPU that does
   not look from injecting what it does not know. */
CHECK_TEST_AS(event_type_other, event_type, NEEDS_ALSO(&need_no_mtf),
	BREAKS2(LONG, guest_rflags_fixed, EVENT(OTHER, 0), CLEAR(GUEST_RFLAGS, RFLAGS_FIXED)))
CHECK_TEST(event_nmi_vector, NEEDS_ALSO(), BREAKS(LONG, EVENT(NMI, 0)), BREAKS(LONG, EVENT(NMI, 1)),
	BREAKS(LONG, EVENT(NMI, 3)), BREAKS(LONG, EVENT(NMI, 255)),
	DELIVERS(LONG, EVENT(NMI, VECTOR_NMI)))
CHECK_TEST(event_exception_vector, NEEDS_ALSO(), BREAKS(LONG, EVENT(HARDWARE_EXCEPTION, 32)),
	BREAKS(LONG, EVENT(HARDWARE_EXCEPTION, 64)), BREAKS(LONG, EVENT(HARDWARE_EXCEPTION, 128)),
	BREAKS(LONG, EVENT(HARDWARE_EXCEPTION, 255)), DELIVERS(LONG, EVENT(HARDWARE_EXCEPTION, 31)))
CHECK_TEST(event_other_vector, NEEDS_ALSO(&need_PROC_MONITOR_TRAP_FLAG),
	BREAKS(LONG, EVENT(OTHER, 1)), BREAKS(LONG, EVENT(OTHER, 128)),
	BREAKS(LONG, EVENT(OTHER, 255)))

/* ---- Error codes ---- */

CHECK_TEST(event_error_code_type, NEEDS_ALSO(), BREAKS(LONG, EVENT_ERROR(EXTERNAL, 48)),
	BREAKS(LONG, EVENT_ERROR(NMI, VECTOR_NMI)),
	BREAKS(LONG, EVENT_ERROR(SOFTWARE, VECTOR_GP), LENGTH(2)),
	BREAKS(LONG, EVENT_ERROR(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), LENGTH(1)),
	BREAKS(LONG, EVENT_ERROR(SOFTWARE_EXCEPTION, VECTOR_BP), LENGTH(1)))
CHECK_TEST_AS(event_error_code_type_other, event_error_code_type,
	NEEDS_ALSO(&need_PROC_MONITOR_TRAP_FLAG), BREAKS(LONG, EVENT_ERROR(OTHER, 0)))
CHECK_TEST(event_error_code_real, NEEDS_ALSO(&need_unrestricted),
	BREAKS(REAL, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_GP)),
	BREAKS(REAL, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_DF)),
	DELIVERS(UNPAGED, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_GP)),
	HOLDS(REAL, EVENT(HARDWARE_EXCEPTION, VECTOR_GP), SET(GUEST_IDTR_BASE, 0),
		SET(GUEST_IDTR_LIMIT, UINT16_MAX)))

#define WITHOUT(vector)                                                                            \
	BREAKS(LONG, EVENT_ERROR(HARDWARE_EXCEPTION, vector)),                                     \
		DELIVERS(LONG, EVENT(HARDWARE_EXCEPTION, vector))
#define WITH(vector)                                                                               \
	BREAKS(LONG, EVENT(HARDWARE_EXCEPTION, vector)),                                           \
		DELIVERS(LONG, EVENT_ERROR(HARDWARE_EXCEPTION, vector))
CHECK_TEST(event_error_code_unexpected, NEEDS_ALSO(&need_error_code_rules), WITHOUT(0), WITHOUT(1),
	WITHOUT(3), WITHOUT(4), WITHOUT(5), WITHOUT(6), WITHOUT(7), WITHOUT(9), WITHOUT(15),
	WITHOUT(16), WITHOUT(18), WITHOUT(19), WITHOUT(20), WITHOUT(22), WITHOUT(23), WITHOUT(24),
	WITHOUT(25), WITHOUT(26), WITHOUT(27), WITHOUT(28), WITHOUT(29), WITHOUT(30), WITHOUT(31))
CHECK_TEST(event_error_code_missing, NEEDS_ALSO(&need_error_code_rules), WITH(8), WITH(10),
	WITH(11), WITH(12), WITH(13), WITH(14), WITH(17))
CHECK_TEST_AS(event_error_code_any, event_error_code_missing, NEEDS_ALSO(&need_any_error_code),
	DELIVERS(LONG, EVENT(HARDWARE_EXCEPTION, 13)),
	DELIVERS(LONG, EVENT_ERROR(HARDWARE_EXCEPTION, 6)))

CHECK_TEST(event_error_code_high, NEEDS_ALSO(),
	EACH(LONG, OR(ENTRY_EXCEPTION_ERROR_CODE, BITS(31, 16)),
		EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_GP)),
	DELIVERS(LONG, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_GP),
		SET(ENTRY_EXCEPTION_ERROR_CODE, BITS(15, 0))),
	DELIVERS(LONG, EVENT(HARDWARE_EXCEPTION, VECTOR_UD),
		SET(ENTRY_EXCEPTION_ERROR_CODE, UINT32_MAX)))

/* ---- Reserved bits ---- */

CHECK_TEST(event_reserved, NEEDS_ALSO(),
	EACH(LONG, OR(ENTRY_INTERRUPTION_INFORMATION, BIT(12) | BITS(30, 14)),
		EVENT(HARDWARE_EXCEPTION, VECTOR_UD)),
	EACH(LONG, OR(ENTRY_INTERRUPTION_INFORMATION, BIT(12) | BITS(30, 14)),
		EVENT(NMI, VECTOR_NMI)))
CHECK_TEST_AS(event_reserved_nested, event_reserved, NEEDS_ALSO(&need_no_nested),
	BREAKS(LONG, TYPED(INTERRUPTION_HARDWARE_EXCEPTION, VECTOR_UD | INTERRUPTION_NESTED)))

/* ---- Instruction length of software events ---- */

#define TOO_LONG(type, vector)                                                                     \
	BREAKS(LONG, EVENT(type, vector), LENGTH(16)),                                             \
		BREAKS(LONG, EVENT(type, vector), LENGTH(UINT32_MAX)),                             \
		DELIVERS(LONG, EVENT(type, vector), LENGTH(1)),                                    \
		DELIVERS(LONG, EVENT(type, vector), LENGTH(15))
CHECK_TEST(event_length, NEEDS_ALSO(), TOO_LONG(SOFTWARE, 48),
	TOO_LONG(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), TOO_LONG(SOFTWARE_EXCEPTION, VECTOR_BP),
	DELIVERS(LONG, EVENT(HARDWARE_EXCEPTION, VECTOR_UD), LENGTH(16)))
CHECK_TEST(event_length_zero, NEEDS_ALSO(&need_no_length_0),
	BREAKS(LONG, EVENT(SOFTWARE, 48), LENGTH(0)),
	BREAKS(LONG, EVENT(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), LENGTH(0)),
	BREAKS(LONG, EVENT(SOFTWARE_EXCEPTION, VECTOR_BP), LENGTH(0)))
CHECK_TEST_AS(event_length_zero_allowed, event_length_zero, NEEDS_ALSO(&need_length_0),
	DELIVERS(LONG, EVENT(SOFTWARE, 48), LENGTH(0)),
	DELIVERS(LONG, EVENT(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), LENGTH(0)),
	DELIVERS(LONG, EVENT(SOFTWARE_EXCEPTION, VECTOR_BP), LENGTH(0)))
