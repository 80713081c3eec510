/* The tests of VM entry's checks (Intel SDM, "Checks on VMX Controls and Host-State Area",
   "Checking and Loading Guest State"): one test per row of spec/vmx_checks.def, each a table of
   states that break the rule, and of states at its inner edge that do not. Running one is
   check.c's. */
#ifndef VMX_TESTS_ENTRY_CHECK_H
#define VMX_TESTS_ENTRY_CHECK_H

#include "spec/vmx_checks.h" /* before harness.h: both know a CHECK */

#include "runtime/harness.h"
#include "vmx-tests/guest.h"
#include "vmx-tests/needs.h"

/* ---- Good states, to be changed ---- */

#define CHECK_STARTS(START)                                                                        \
	START(LONG)              /* 64-bit mode, CPL 0, RFLAGS.IF = 1 */                           \
	START(USER)              /* 64-bit mode, CPL 3 */                                          \
	START(COMPATIBILITY)     /* compatibility mode, CPL 0 */                                   \
	START(PROTECTED)         /* protected mode, 32-bit paging */                               \
	START(PAE)               /* protected mode, PAE paging, PDPTEs in memory */                \
	START(V8086)             /* virtual-8086 mode */                                           \
	START(LONG_EPT)          /* LONG with EPT */                                               \
	START(PAE_EPT)           /* PAE with EPT, PDPTEs in the VMCS */                            \
	START(LONG_UNRESTRICTED) /* LONG, an unrestricted guest */                                 \
	START(UNPAGED)           /* protected mode without paging, an unrestricted guest */        \
	START(REAL)              /* real mode, an unrestricted guest */                            \
	START(TPR)               /* LONG with a TPR shadow; VTPR is 50H */

enum check_start {
#define START(name) CHECK_##name,
	CHECK_STARTS(START)
#undef START
};

/* Writes the state into a fresh VMCS. Its guest exits before its first instruction: the
   VMX-preemption timer is at 0. */
void check_begin(enum check_start start);
const char *check_start_name(enum check_start start);
bool check_start_available(enum check_start start);

/* ---- Changes to them ---- */

enum check_operation { CHECK_NOTHING, CHECK_SET, CHECK_OR, CHECK_CLEAR };

/* Where a change's value comes from; `value` is the number that it takes. */
enum check_source {
	SOURCE_VALUE,
	SOURCE_WIDTH,       /* 1 << (physical-address width + value) */
	SOURCE_BEYOND,      /* all bits from the physical-address width on */
	SOURCE_CANONICAL,   /* an edge of the canonical addresses: enum check_edge */
	SOURCE_MUST_BE_1,   /* the bits that the capability MSR of a control word fixes to 1 */
	SOURCE_MUST_BE_0,   /* ... to 0 */
	SOURCE_MSR,         /* the bits of an MSR */
	SOURCE_NOT_MSR,     /* the bits that are 0 in an MSR */
	SOURCE_PAGE,        /* the address of guest_page[0], plus value */
	SOURCE_SPARE,       /* the address of vmx_spare_region, plus value */
	SOURCE_CURRENT,     /* the address of the current VMCS, plus value */
	SOURCE_AREA_END,    /* (1 << physical-address width) - value */
	SOURCE_CR3_TARGETS, /* the number of CR3-target values that the CPU supports, plus value */
};

enum check_edge { LAST_LOW, FIRST_BETWEEN, LAST_BETWEEN, FIRST_HIGH };

struct check_change {
	uint16_t target; /* enum vmcs_index, or one of the below */
	uint8_t operation, source;
	uint64_t value;
};

/* Words of memory that a check reads. */
enum check_target {
	FIELD_PDPTE0_MEMORY = VMCS_FIELDS, /* the four that CR3 of the PAE state refers to */
	FIELD_PDPTE1_MEMORY,
	FIELD_PDPTE2_MEMORY,
	FIELD_PDPTE3_MEMORY,
	FIELD_SPARE_REVISION, /* the first word of vmx_spare_region */
	FIELD_VTPR,           /* on guest_page[0] */
};

#define FROM(FIELD, operation, source, value)                                                      \
	{                                                                                          \
		FIELD_##FIELD, CHECK_##operation, SOURCE_##source, value                           \
	}
#define SET(FIELD, value)   FROM(FIELD, SET, VALUE, value)
#define OR(FIELD, bits)     FROM(FIELD, OR, VALUE, bits)
#define CLEAR(FIELD, bits)  FROM(FIELD, CLEAR, VALUE, bits)
#define EDGE(FIELD, edge)   FROM(FIELD, SET, CANONICAL, edge)
#define PAGE(FIELD, offset) FROM(FIELD, SET, PAGE, offset)

#define CHECK_CHANGES 9

/* ---- Groups of changes ---- */

/* Primary controls; secondary ones, which count when they are activated. */
#define PROCESSOR(bits) OR(PROC_CONTROLS, bits)
#define ACTIVATE        OR(PROC_CONTROLS, PROC_ACTIVATE_SECONDARY_CONTROLS)
#define SECONDARY(bits) ACTIVATE, OR(PROC2_CONTROLS, bits)
/* VM-entry and VM-exit controls. */
#define ENTRY(bits)     OR(VM_ENTRY_CONTROLS, VM_ENTRY_##bits)
#define EXIT_WITH(bits) OR(VM_EXIT_CONTROLS, VM_EXIT_##bits)
/* An event to be injected, of a type (less INTERRUPTION_) and a vector; with an error code. */
#define EVENT(type, vector)                                                                        \
	SET(ENTRY_INTERRUPTION_INFORMATION,                                                        \
		INTERRUPTION_VALID | FIELD_PUT(INTERRUPTION_##type, INTERRUPTION_TYPE) | (vector))
#define EVENT_ERROR(type, vector)                                                                  \
	SET(ENTRY_INTERRUPTION_INFORMATION,                                                        \
		INTERRUPTION_VALID | INTERRUPTION_HAS_ERROR |                                      \
			FIELD_PUT(INTERRUPTION_##type, INTERRUPTION_TYPE) | (vector))
#define ACTIVITY(state) SET(GUEST_ACTIVITY_STATE, ACTIVITY_##state)
#define BLOCKING(bits)  SET(GUEST_INTERRUPTIBILITY_STATE, bits)

/* The guest runs: its first instruction is VMCALL. Where blocking by STI or MOV SS is the subject,
   the timer's exit is not to decide (window.c has that). */
#define NO_TIMER CLEAR(PIN_CONTROLS, PIN_PREEMPTION_TIMER)

/* A need that only one file's tests have. */
#define LOCAL_NEED(name, reason, condition)                                                        \
	static bool is_##name(void)                                                                \
	{                                                                                          \
		return condition;                                                                  \
	}                                                                                          \
	static const struct test_need need_##name = { reason, is_##name }

/* ---- Rows ---- */

struct check_row {
	struct test_row row; /* named by its changes */
	uint8_t start;
	uint8_t qualification;
	uint16_t also[2]; /* further checks that cannot but break with it, else CHECK_NONE */
	bool among;       /* others may be broken, too: which depends on the CPU */
	bool holds; /* the check holds, and those in `also` are broken: the entry stays refused */
	bool bare;  /* enters without writing HOST_RIP and HOST_RSP first: an entry must not succeed
		     */
	struct check_change change[CHECK_CHANGES];
	struct check_change each; /* made with one bit of its value after the other */
};
#define CHECK_NONE VMX_CHECKS

/* How a state is refused that breaks a rule on the controls, the host state, the guest state. */
#define REFUSED_CONTROL FAIL_VALID(VMX_ERROR_ENTRY_CONTROLS)
#define REFUSED_HOST    FAIL_VALID(VMX_ERROR_ENTRY_HOST_STATE)
#define REFUSED_GUEST   ENTRY_FAIL(EXIT_REASON_ENTRY_FAILURE_GUEST_STATE)

/* The file defines REFUSED as one of them. The last two of a row: see struct check_row. */
#define CHECK_ROW(name, expected, start, qualification, also1, also2, ...)                         \
	{                                                                                          \
		{ name, expected }, CHECK_##start, qualification, { also1, also2 }, __VA_ARGS__    \
	}
/* The state with these changes breaks the rule, and no other. */
#define BREAKS(start, ...)                                                                         \
	CHECK_ROW(#start " " #__VA_ARGS__, REFUSED, start, 0, CHECK_NONE, CHECK_NONE,              \
		.change = { __VA_ARGS__ })
/* ... and necessarily another, or two. */
#define BREAKS2(start, other, ...)                                                                 \
	CHECK_ROW(#start " " #__VA_ARGS__, REFUSED, start, 0, VMX_CHECK_##other, CHECK_NONE,       \
		.change = { __VA_ARGS__ })
#define BREAKS3(start, other, third, ...)                                                          \
	CHECK_ROW(#start " " #__VA_ARGS__, REFUSED, start, 0, VMX_CHECK_##other,                   \
		VMX_CHECK_##third, .change = { __VA_ARGS__ })
/* The exit qualification is not 0. */
#define QUALIFIED(qualification, start, ...)                                                       \
	CHECK_ROW(#start " " #__VA_ARGS__, REFUSED, start, qualification, CHECK_NONE, CHECK_NONE,  \
		.change = { __VA_ARGS__ })
/* Each bit of the value breaks it alone, after the other changes. */
#define EACH(start, each_, ...)                                                                    \
	CHECK_ROW(#start " each of " #each_ " " #__VA_ARGS__, REFUSED, start, 0, CHECK_NONE,       \
		CHECK_NONE, .change = { __VA_ARGS__ }, .each = each_)
#define EACH_QUALIFIED(qualification, start, each_, ...)                                           \
	CHECK_ROW(#start " each of " #each_ " " #__VA_ARGS__, REFUSED, start, qualification,       \
		CHECK_NONE, CHECK_NONE, .change = { __VA_ARGS__ }, .each = each_)
#define EACH2(start, other, each_, ...)                                                            \
	CHECK_ROW(#start " each of " #each_ " " #__VA_ARGS__, REFUSED, start, 0,                   \
		VMX_CHECK_##other, CHECK_NONE, .change = { __VA_ARGS__ }, .each = each_)
/* The same where the bits come from a capability MSR, and may be controls with rules of their own.
 */
#define EACH_AMONG(start, each_, ...)                                                              \
	CHECK_ROW(#start " each of " #each_ " " #__VA_ARGS__, REFUSED, start, 0, CHECK_NONE,       \
		CHECK_NONE, .among = true, .change = { __VA_ARGS__ }, .each = each_)
/* A control is right; the host state is not, which keeps the guest from being entered all the same.
 */
#define HOLDS_REFUSED(start, ...)                                                                  \
	CHECK_ROW(#start " " #__VA_ARGS__ " host CS null", REFUSED_HOST, start, 0,                 \
		VMX_CHECK_host_cs_null, CHECK_NONE, .holds = true,                                 \
		.change = { SET(HOST_CS_SELECTOR, 0), __VA_ARGS__ })
/* No rule is broken: the guest is entered, and exits at once. */
#define HOLDS(start, ...)                                                                          \
	CHECK_ROW(#start " " #__VA_ARGS__, EXIT(EXIT_REASON_PREEMPTION_TIMER_EXPIRED), start, 0,   \
		CHECK_NONE, CHECK_NONE, .change = { __VA_ARGS__ })
/* ... by another exit. */
#define ENTERS(reason, start, ...)                                                                 \
	CHECK_ROW(#start " " #__VA_ARGS__, EXIT(EXIT_REASON_##reason), start, 0, CHECK_NONE,       \
		CHECK_NONE, .change = { __VA_ARGS__ })

/* Runs the current row of the test of the check: returns what happened, a MISMATCH where fields are
   not as they should be afterwards, or where the explainer does not name exactly the checks that
   the row says. */
outcome check_run(const struct check_row *row, enum vmx_check_index check);

/* Why the row cannot be tried on this CPU, whose mistake that need not be; NULL: it can. */
const char *check_untried(const struct check_row *row);

/* Does this CPU get one of the states of the check's tests wrong? They are run when it is asked for
   the first time; the VMCS is another one afterwards. */
bool check_deviates(enum vmx_check_index check);

/* Loads the good host state, by an entry and an exit: for after an exit that loaded another. */
void check_restore_host(void);

/* VMLAUNCH, or VMRESUME after an entry; then mends what an exit may have loaded into MSRs and
   descriptor-table registers. */
outcome check_enter(void);

/* check_rule_<id>: the rule in our words. */
#pragma push_macro("CHECK")
#undef CHECK
#define CHECK(id, section, field, rule)                                                            \
	static const char check_rule_##id[] __attribute__((unused)) = rule;
#include "spec/vmx_checks.def"
#pragma pop_macro("CHECK")

/* CHECK_TEST(id, NEEDS_ALSO(...), rows...): the test of one check; CHECK_TEST_AS(name, ...) another
   one of it, with needs of its own. The file defines TITLE, the section's title, and GROUP. */
#define NEEDS_ALSO(...)  NEEDS(&need_preemption_timer, ##__VA_ARGS__)
#define CHECK_SWEEP(...) SWEEP(__VA_ARGS__) /* expands its arguments first */
#define CHECK_TEST_COVERS(name, id, covers_, needs_, ...)                                          \
	static const struct check_row rows_##name[] = { __VA_ARGS__ };                             \
	CHECK_SWEEP(GROUP, name, TITLE, check_rule_##id, rows_##name, .needs = needs_,             \
		.covers = "check:" #id covers_)                                                    \
	{                                                                                          \
		const char *untried = check_untried(TEST_ROW(struct check_row));                   \
                                                                                                   \
		if (untried != NULL)                                                               \
			return test_not_tried(test, untried);                                      \
		return check_run(TEST_ROW(struct check_row), VMX_CHECK_##id);                      \
	}
#define CHECK_TEST_AS(name, id, needs_, ...) CHECK_TEST_COVERS(name, id, "", needs_, __VA_ARGS__)
#define CHECK_TEST(id, needs_, ...)          CHECK_TEST_AS(id, id, needs_, __VA_ARGS__)

#endif
