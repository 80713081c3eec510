/* Checks on the VM-exit controls and the areas of MSRs (Intel SDM, "VM-Exit Control Fields",
   "VM-Entry Control Fields"). The event to be injected is check_event.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#define GROUP   check_exit
#define TITLE   "SDM VM-Exit Control Fields"
#define REFUSED REFUSED_CONTROL

CHECK_TEST(exit_allowed0, NEEDS_ALSO(),
	EACH_AMONG(LONG, FROM(VM_EXIT_CONTROLS, CLEAR, MUST_BE_1, CONTROL_WORD_VM_EXIT)))
CHECK_TEST(exit_allowed1, NEEDS_ALSO(),
	EACH_AMONG(LONG, FROM(VM_EXIT_CONTROLS, OR, MUST_BE_0, CONTROL_WORD_VM_EXIT)))
CHECK_TEST(exit2_allowed1, NEEDS_ALSO(&need_VM_EXIT_ACTIVATE_SECONDARY_CONTROLS),
	EACH_AMONG(LONG, FROM(VM_EXIT2_CONTROLS, OR, MUST_BE_0, CONTROL_WORD_VM_EXIT2),
		EXIT_WITH(ACTIVATE_SECONDARY_CONTROLS)),
	HOLDS(LONG, FROM(VM_EXIT2_CONTROLS, OR, MUST_BE_0, CONTROL_WORD_VM_EXIT2)))
CHECK_TEST(save_preemption_timer, NEEDS_ALSO(&need_VM_EXIT_SAVE_PREEMPTION_TIMER),
	BREAKS(LONG, EXIT_WITH(SAVE_PREEMPTION_TIMER), CLEAR(PIN_CONTROLS, PIN_PREEMPTION_TIMER)),
	HOLDS(LONG, EXIT_WITH(SAVE_PREEMPTION_TIMER)))

/* An area is looked at when its count is not 0. What lies there is read after the checks
   (msr_load.c): areas that end where the physical addresses end are not entered, for no memory is
   there. */
#define AREA_ALIGNED(NAME)                                                                         \
	EACH(LONG, OR(NAME##_ADDRESS, BITS(3, 0)), SET(NAME##_COUNT, 1), PAGE(NAME##_ADDRESS, 0)), \
		HOLDS(LONG, SET(NAME##_ADDRESS, BITS(3, 0)), SET(NAME##_COUNT, 0))
#define AREA_WIDTH(NAME, end)                                                                      \
	EACH2(LONG, end, FROM(NAME##_ADDRESS, OR, BEYOND, 0), SET(NAME##_COUNT, 1),                \
		PAGE(NAME##_ADDRESS, 0)),                                                          \
		HOLDS(LONG, FROM(NAME##_ADDRESS, SET, BEYOND, 0), SET(NAME##_COUNT, 0))
#define AREA_END(NAME)                                                                             \
	BREAKS(LONG, SET(NAME##_COUNT, 2), FROM(NAME##_ADDRESS, SET, AREA_END, 16)),               \
		BREAKS(LONG, SET(NAME##_COUNT, 17), FROM(NAME##_ADDRESS, SET, AREA_END, 256)),     \
		HOLDS_REFUSED(                                                                     \
			LONG, SET(NAME##_COUNT, 2), FROM(NAME##_ADDRESS, SET, AREA_END, 32)),      \
		HOLDS_REFUSED(                                                                     \
			LONG, SET(NAME##_COUNT, 16), FROM(NAME##_ADDRESS, SET, AREA_END, 256)),    \
		HOLDS(LONG, SET(NAME##_COUNT, 0), FROM(NAME##_ADDRESS, SET, AREA_END, 16))
/* The area's size takes more than 32 bits. */
#define LARGE UINT64_C(0x10000000)
#define AREA_END_LARGE(NAME)                                                                       \
	HOLDS_REFUSED(LONG, SET(NAME##_COUNT, LARGE), SET(NAME##_ADDRESS, 0)),                     \
		HOLDS_REFUSED(LONG, SET(NAME##_COUNT, LARGE),                                      \
			FROM(NAME##_ADDRESS, SET, AREA_END, 16 * LARGE))

CHECK_TEST(exit_msr_store_aligned, NEEDS_ALSO(), AREA_ALIGNED(EXIT_MSR_STORE))
CHECK_TEST(exit_msr_store_width, NEEDS_ALSO(), AREA_WIDTH(EXIT_MSR_STORE, exit_msr_store_end))
CHECK_TEST(exit_msr_store_end, NEEDS_ALSO(), AREA_END(EXIT_MSR_STORE))
CHECK_TEST_AS(
	exit_msr_store_end_large, exit_msr_store_end, NEEDS_ALSO(), AREA_END_LARGE(EXIT_MSR_STORE))
CHECK_TEST(exit_msr_load_aligned, NEEDS_ALSO(), AREA_ALIGNED(EXIT_MSR_LOAD))
CHECK_TEST(exit_msr_load_width, NEEDS_ALSO(), AREA_WIDTH(EXIT_MSR_LOAD, exit_msr_load_end))
CHECK_TEST(exit_msr_load_end, NEEDS_ALSO(), AREA_END(EXIT_MSR_LOAD))
CHECK_TEST_AS(
	exit_msr_load_end_large, exit_msr_load_end, NEEDS_ALSO(), AREA_END_LARGE(EXIT_MSR_LOAD))

#undef TITLE
#define TITLE "SDM VM-Entry Control Fields"

CHECK_TEST(entry_msr_load_aligned, NEEDS_ALSO(), AREA_ALIGNED(ENTRY_MSR_LOAD))
CHECK_TEST(entry_msr_load_width, NEEDS_ALSO(), AREA_WIDTH(ENTRY_MSR_LOAD, entry_msr_load_end))
CHECK_TEST(entry_msr_load_end, NEEDS_ALSO(), AREA_END(ENTRY_MSR_LOAD))
CHECK_TEST(entry_allowed0, NEEDS_ALSO(),
	EACH_AMONG(LONG, FROM(VM_ENTRY_CONTROLS, CLEAR, MUST_BE_1, CONTROL_WORD_VM_ENTRY)))
CHECK_TEST(entry_allowed1, NEEDS_ALSO(),
	EACH_AMONG(LONG, FROM(VM_ENTRY_CONTROLS, OR, MUST_BE_0, CONTROL_WORD_VM_ENTRY)))

/* ---- SMM: the suite runs outside it. Entry to SMM asks for blocking by SMI, which must be 0
 * outside. ---- */

CHECK_TEST_COVERS(entry_to_smm_outside, entry_to_smm_outside, " control:VM_ENTRY_ENTRY_TO_SMM",
	NEEDS_ALSO(&need_VM_ENTRY_ENTRY_TO_SMM),
	BREAKS2(LONG, guest_smi_entry, ENTRY(ENTRY_TO_SMM)),
	BREAKS2(LONG, guest_smi_outside, ENTRY(ENTRY_TO_SMM), BLOCKING(INTERRUPTIBILITY_SMI)))
CHECK_TEST_COVERS(deactivate_outside, deactivate_outside,
	" control:VM_ENTRY_DEACTIVATE_DUAL_MONITOR",
	NEEDS_ALSO(&need_VM_ENTRY_DEACTIVATE_DUAL_MONITOR),
	BREAKS(LONG, ENTRY(DEACTIVATE_DUAL_MONITOR)))
CHECK_TEST(entry_to_smm_or_deactivate,
	NEEDS_ALSO(&need_VM_ENTRY_ENTRY_TO_SMM, &need_VM_ENTRY_DEACTIVATE_DUAL_MONITOR),
	CHECK_ROW("LONG both", REFUSED, LONG, 0, CHECK_NONE, CHECK_NONE, .among = true,
		.change = { OR(VM_ENTRY_CONTROLS,
			VM_ENTRY_ENTRY_TO_SMM | VM_ENTRY_DEACTIVATE_DUAL_MONITOR) }))

/* Nothing here turns Intel PT's tracing on: with it off the load is allowed. */
CHECK_TEST(load_rtit_while_tracing, NEEDS_ALSO(&need_VM_ENTRY_LOAD_RTIT_CTL),
	HOLDS(LONG, ENTRY(LOAD_RTIT_CTL)))
