/* VM entry's checks as data: the rules of spec/vmx_checks.def with their predicates, and how an
   entry ends that breaks one. What the rules look at is gathered by spec/vmx_state.h; what to
   print of a broken one is left to the caller. */
#ifndef SPEC_VMX_CHECKS_H
#define SPEC_VMX_CHECKS_H

#include "spec/vmx_state.h"

/* A group fails as one: the controls and the host state are checked first, in any order, then the
   guest state ("Checks on VMX Controls and Host-State Area", "Checking and Loading Guest State").
 */
enum vmx_check_group {
	VMX_CHECK_CONTROL, /* VMfailValid, error VMX_ERROR_ENTRY_CONTROLS */
	VMX_CHECK_HOST,    /* VMfailValid, error VMX_ERROR_ENTRY_HOST_STATE */
	VMX_CHECK_GUEST,   /* VM exit, reason EXIT_REASON_ENTRY_FAILURE_GUEST_STATE */
};
#define VMX_CHECK_ALL (BIT(VMX_CHECK_CONTROL) | BIT(VMX_CHECK_HOST) | BIT(VMX_CHECK_GUEST))

/* VMX_SECTION_<NAME>: the manual's lists of checks. */
enum vmx_check_section {
#define SECTION(name, group, title) VMX_SECTION_##name,
#include "spec/vmx_checks.def"
	VMX_SECTIONS
};

/* VMX_CHECK_<id>: the rows. */
enum vmx_check_index {
#define CHECK(id, section, field, rule) VMX_CHECK_##id,
#include "spec/vmx_checks.def"
	VMX_CHECKS
};

enum vmx_verdict { VMX_BROKEN, VMX_HOLDS, VMX_UNKNOWN };

struct vmx_check {
	const char *id;
	const char *rule; /* what must hold, of the field unless it says otherwise */
	uint16_t field;   /* enum vmcs_index: where the fault most likely lies */
	uint8_t section;  /* enum vmx_check_section */
	bool optional;    /* the manual lets a CPU check it or not */
	/* One of the two. */
	bool (*holds)(const struct vmx_state *state);
	enum vmx_verdict (*judge)(const struct vmx_state *state);
};

/* In the manual's order. */
extern const struct vmx_check vmx_checks[VMX_CHECKS];

/* The title of a row's section, and its group. */
const char *vmx_check_title(const struct vmx_check *check);
enum vmx_check_group vmx_check_group(const struct vmx_check *check);

/* Whether the state satisfies the row. */
enum vmx_verdict vmx_check_judge(const struct vmx_check *check, const struct vmx_state *state);

/* The VM-instruction error that a broken row of the group gives, or 0 for GUEST: there the entry
   ends in a VM exit with EXIT_REASON_ENTRY_FAILURE_GUEST_STATE. */
uint32_t vmx_check_error(enum vmx_check_group group);

/* That exit's qualification for a broken row of the group GUEST. Manual: "VM-Entry Failures During
   or After Loading Guest State". */
uint64_t vmx_check_qualification(const struct vmx_check *check);

/* Who wants to hear of broken and unknown rows embeds this in a structure of its own. */
struct vmx_check_listener {
	void (*hear)(struct vmx_check_listener *listener, const struct vmx_check *check,
		enum vmx_verdict verdict, const struct vmx_state *state);
};

/* Judges every row of the groups in the mask (BIT(VMX_CHECK_...)), in the manual's order, and tells
   the listener (may be NULL) of those that are broken or unknown.
   Returns the number of broken rows, the optional ones not counted. */
unsigned int vmx_checks_run(
	const struct vmx_state *state, uint64_t groups, struct vmx_check_listener *listener);

#endif
