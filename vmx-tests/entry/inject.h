/* Injecting one event into a guest whose IDT has one gate, for the event's vector. The guest's own
   code is UD2, the handler is VMCALL: what exits tells which of them ran. */
#ifndef VMX_TESTS_ENTRY_INJECT_H
#define VMX_TESTS_ENTRY_INJECT_H

#include "runtime/harness.h"
#include "vmx-tests/guest.h"

struct inject_event {
	uint8_t type; /* enum interruption_type */
	uint8_t vector;
	bool has_error;
	uint32_t error, length; /* length: of software events */
};

/* The VM-entry interruption-information field for it. */
uint64_t inject_information(const struct inject_event *event);

/* A guest in the mode, RFLAGS.IF = 1, its IDT empty but for a gate (real mode: a vector) to the
   handler; the event is in the VM-entry fields. */
void inject_prepare(enum guest_mode mode, const struct inject_event *event);

/* Makes the gate of inject_prepare() one that software interrupts of CPL 3 may use. */
void inject_allow_user(enum guest_mode mode, const struct inject_event *event);

/* Enters it: EXIT(VMCALL) when the handler ran, after checking that it was reached with the right
   frame on its stack and the right flags. Others as guest_run(). */
outcome inject_run(enum guest_mode mode, const struct inject_event *event);

#endif
