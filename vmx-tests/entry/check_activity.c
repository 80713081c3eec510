/* Checks on the guest's activity state and the events that it allows (Intel SDM, "Checks on Guest
   Non-Register State"). How the states behave once entered is activity.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#define GROUP   check_activity
#define TITLE   "SDM Checks on Guest Non-Register State"
#define REFUSED REFUSED_GUEST

#define HALTED    ACTIVITY(HLT)
#define SHUT_DOWN ACTIVITY(SHUTDOWN)
#define WAITING   ACTIVITY(WAIT_FOR_SIPI)
#define LENGTH(n) SET(ENTRY_INSTRUCTION_LENGTH, n)
#define STI       INTERRUPTIBILITY_STI
#define MOV_SS    INTERRUPTIBILITY_MOV_SS

static bool supports(uint64_t state)
{
	return vmx_capability(MSR_IA32_VMX_MISC) & state;
}

LOCAL_NEED(not_all, "the CPU has all activity states (IA32_VMX_MISC bits 8:6)",
	!supports(VMX_MISC_ACTIVITY_HLT) || !supports(VMX_MISC_ACTIVITY_SHUTDOWN) ||
		!supports(VMX_MISC_ACTIVITY_WAIT_FOR_SIPI));

CHECK_TEST(guest_activity_known, NEEDS_ALSO(), BREAKS(LONG, SET(GUEST_ACTIVITY_STATE, 4)),
	EACH(LONG, OR(GUEST_ACTIVITY_STATE, BITS(31, 2))),
	BREAKS(REAL, SET(GUEST_ACTIVITY_STATE, 4)), HOLDS(LONG, SET(GUEST_ACTIVITY_STATE, 0)))
/* An event that the state does not allow keeps the entry from succeeding: waiting for a SIPI that
 * nobody sends has no end. */
CHECK_TEST(guest_activity_supported, NEEDS_ALSO(&need_not_all),
	CHECK_ROW("LONG WAITING", REFUSED, LONG, 0, CHECK_NONE, CHECK_NONE, .among = true,
		.change = { WAITING, EVENT(HARDWARE_EXCEPTION, VECTOR_UD) }))
CHECK_TEST_AS(guest_activity_supported_hlt, guest_activity_supported,
	NEEDS_ALSO(&need_activity_hlt), HOLDS(LONG, HALTED))
CHECK_TEST_AS(guest_activity_supported_shutdown, guest_activity_supported,
	NEEDS_ALSO(&need_activity_shutdown), HOLDS(LONG, SHUT_DOWN))
CHECK_TEST(guest_activity_hlt_dpl, NEEDS_ALSO(&need_activity_hlt), BREAKS(USER, HALTED),
	BREAKS(V8086, HALTED),
	BREAKS(UNPAGED, HALTED, OR(GUEST_SS_ACCESS_RIGHTS, FIELD_PUT(1, ACCESS_RIGHTS_DPL)),
		OR(GUEST_CS_ACCESS_RIGHTS, FIELD_PUT(1, ACCESS_RIGHTS_DPL))),
	HOLDS(LONG, HALTED), HOLDS(REAL, HALTED))
CHECK_TEST_AS(guest_activity_shutdown_dpl, guest_activity_hlt_dpl,
	NEEDS_ALSO(&need_activity_shutdown), HOLDS(USER, SHUT_DOWN))
CHECK_TEST(guest_activity_blocking,
	NEEDS_ALSO(&need_activity_hlt, &need_activity_shutdown, &need_activity_wait_for_sipi),
	BREAKS(LONG, HALTED, BLOCKING(STI)), BREAKS(LONG, HALTED, BLOCKING(MOV_SS)),
	BREAKS(LONG, SHUT_DOWN, BLOCKING(STI)), BREAKS(LONG, SHUT_DOWN, BLOCKING(MOV_SS)),
	BREAKS(LONG, WAITING, BLOCKING(STI)), BREAKS(LONG, WAITING, BLOCKING(MOV_SS)),
	HOLDS(LONG, HALTED, BLOCKING(INTERRUPTIBILITY_NMI)),
	HOLDS(LONG, SHUT_DOWN, BLOCKING(INTERRUPTIBILITY_NMI)))

/* ---- Events ---- */

#define DELIVERS(...) ENTERS(EXCEPTION_OR_NMI, LONG, __VA_ARGS__)

CHECK_TEST(guest_activity_hlt_event, NEEDS_ALSO(&need_activity_hlt),
	BREAKS(LONG, HALTED, EVENT(HARDWARE_EXCEPTION, VECTOR_DE)),
	BREAKS(LONG, HALTED, EVENT(HARDWARE_EXCEPTION, VECTOR_UD)),
	BREAKS(LONG, HALTED, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_PF)),
	BREAKS(LONG, HALTED, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_DF)),
	BREAKS(LONG, HALTED, EVENT(HARDWARE_EXCEPTION, VECTOR_XM)),
	BREAKS(LONG, HALTED, EVENT(SOFTWARE, 48), LENGTH(2)),
	BREAKS(LONG, HALTED, EVENT(PRIVILEGED_SOFTWARE_EXCEPTION, VECTOR_DB), LENGTH(1)),
	BREAKS(LONG, HALTED, EVENT(SOFTWARE_EXCEPTION, VECTOR_BP), LENGTH(1)))
CHECK_TEST_AS(guest_activity_hlt_event_allowed, guest_activity_hlt_event,
	NEEDS_ALSO(&need_activity_hlt), DELIVERS(HALTED, EVENT(EXTERNAL, 48)),
	DELIVERS(HALTED, EVENT(NMI, VECTOR_NMI)),
	DELIVERS(HALTED, EVENT(HARDWARE_EXCEPTION, VECTOR_DB)),
	DELIVERS(HALTED, EVENT(HARDWARE_EXCEPTION, VECTOR_MC)))
CHECK_TEST(guest_activity_shutdown_event, NEEDS_ALSO(&need_activity_shutdown),
	BREAKS(LONG, SHUT_DOWN, EVENT(EXTERNAL, 48)),
	BREAKS(LONG, SHUT_DOWN, EVENT(HARDWARE_EXCEPTION, VECTOR_DB)),
	BREAKS(LONG, SHUT_DOWN, EVENT(HARDWARE_EXCEPTION, VECTOR_UD)),
	BREAKS(LONG, SHUT_DOWN, EVENT_ERROR(HARDWARE_EXCEPTION, VECTOR_DF)),
	BREAKS(LONG, SHUT_DOWN, EVENT(SOFTWARE, 48), LENGTH(2)),
	BREAKS(LONG, SHUT_DOWN, EVENT(SOFTWARE_EXCEPTION, VECTOR_BP), LENGTH(1)))
CHECK_TEST_AS(guest_activity_shutdown_event_allowed, guest_activity_shutdown_event,
	NEEDS_ALSO(&need_activity_shutdown), DELIVERS(SHUT_DOWN, EVENT(NMI, VECTOR_NMI)),
	DELIVERS(SHUT_DOWN, EVENT(HARDWARE_EXCEPTION, VECTOR_MC)))
CHECK_TEST(guest_activity_sipi_event, NEEDS_ALSO(&need_activity_wait_for_sipi),
	BREAKS(LONG, WAITING, EVENT(EXTERNAL, 48)), BREAKS(LONG, WAITING, EVENT(NMI, VECTOR_NMI)),
	BREAKS(LONG, WAITING, EVENT(HARDWARE_EXCEPTION, VECTOR_MC)),
	BREAKS(LONG, WAITING, EVENT(HARDWARE_EXCEPTION, VECTOR_DB)),
	BREAKS(LONG, WAITING, EVENT(SOFTWARE, 48), LENGTH(2)))
/* "Entry to SMM" is itself an error outside SMM, which comes first. */
CHECK_TEST(guest_activity_sipi_smm,
	NEEDS_ALSO(&need_activity_wait_for_sipi, &need_VM_ENTRY_ENTRY_TO_SMM),
	CHECK_ROW("LONG WAITING, ENTRY(ENTRY_TO_SMM)", REFUSED_CONTROL, LONG, 0,
		VMX_CHECK_entry_to_smm_outside, VMX_CHECK_guest_smi_entry,
		.change = { WAITING, ENTRY(ENTRY_TO_SMM) }))
