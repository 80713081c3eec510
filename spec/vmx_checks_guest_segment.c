/* The predicates of "Checks on Guest Segment Registers", one function per row of
   spec/vmx_checks.def: what holds for every segment is written once and made into one function per
   segment. Descriptor-table registers: vmx_checks_guest.c. */
#include "spec/vmx_predicates.h"

/* A segment register's four fields. */
struct segment {
	uint64_t selector, base, limit, access;
};

static struct segment read_segment(const struct vmx_state *state, enum vmcs_index selector,
	enum vmcs_index base, enum vmcs_index limit, enum vmcs_index access)
{
	return (struct segment){ state->field[selector], state->field[base], state->field[limit],
		state->field[access] };
}

#define SEGMENT(SEG)                                                                               \
	read_segment(state, FIELD_GUEST_##SEG##_SELECTOR, FIELD_GUEST_##SEG##_BASE,                \
		FIELD_GUEST_##SEG##_LIMIT, FIELD_GUEST_##SEG##_ACCESS_RIGHTS)

/* check_guest_<seg>_<rule>(): `holds` of the segment, which it may call `s`. */
#define RULE(seg, SEG, rule, holds)                                                                \
	bool check_guest_##seg##_##rule(const struct vmx_state *state)                             \
	{                                                                                          \
		const struct segment s = SEGMENT(SEG);                                             \
		return (holds);                                                                    \
	}

#define SELECTOR_RPL BITS(1, 0)
#define SELECTOR_TI  BIT(2)
#define TYPE_CODE    BIT(3)
#define TYPE_READ    BIT(1) /* of a code segment */
#define TYPE_ACCESS  BIT(0)

static bool is_usable(struct segment s)
{
	return !(s.access & ACCESS_RIGHTS_UNUSABLE);
}

static uint64_t type(struct segment s)
{
	return FIELD_GET(s.access, ACCESS_RIGHTS_TYPE);
}

static uint64_t dpl(struct segment s)
{
	return FIELD_GET(s.access, ACCESS_RIGHTS_DPL);
}

static uint64_t rpl(struct segment s)
{
	return s.selector & SELECTOR_RPL;
}

/* Some of the rules are about guests that cannot be in real-address mode. */
static bool is_restricted(const struct vmx_state *state)
{
	return !is_v8086(state) && !PROC2(UNRESTRICTED_GUEST);
}

/* ---- Selectors ---- */

RULE(tr, TR, ti, !(s.selector & SELECTOR_TI))
RULE(ldtr, LDTR, ti, implies(is_usable(s), !(s.selector & SELECTOR_TI)))
RULE(ss, SS, rpl, implies(is_restricted(state), rpl(s) == rpl(SEGMENT(CS))))

/* ---- Virtual-8086 mode: base, limit and access rights are those of 16-bit segments ---- */

#define V8086_LIMIT  UINT64_C(0xffff)
#define V8086_ACCESS UINT64_C(0xf3)
#define RULES_V8086(seg, SEG)                                                                      \
	RULE(seg, SEG, base_v8086, implies(is_v8086(state), s.base == s.selector << 4))            \
	RULE(seg, SEG, limit_v8086, implies(is_v8086(state), s.limit == V8086_LIMIT))              \
	RULE(seg, SEG, access_v8086, implies(is_v8086(state), s.access == V8086_ACCESS))
RULES_V8086(cs, CS)
RULES_V8086(ss, SS)
RULES_V8086(ds, DS)
RULES_V8086(es, ES)
RULES_V8086(fs, FS)
RULES_V8086(gs, GS)

/* ---- Bases ---- */

/* Bits 63:32; a CPU without Intel 64 architecture has none. */
static bool is_32bit(const struct vmx_state *state, uint64_t base)
{
	return !state->cpu.intel64 || base >> 32 == 0;
}

RULE(tr, TR, base, is_canonical_base(state, s.base))
RULE(fs, FS, base, is_canonical_base(state, s.base))
RULE(gs, GS, base, is_canonical_base(state, s.base))
RULE(ldtr, LDTR, base, implies(is_usable(s), is_canonical_base(state, s.base)))
RULE(cs, CS, base, is_32bit(state, s.base))
RULE(ss, SS, base, implies(is_usable(s), is_32bit(state, s.base)))
RULE(ds, DS, base, implies(is_usable(s), is_32bit(state, s.base)))
RULE(es, ES, base, implies(is_usable(s), is_32bit(state, s.base)))

/* ---- Access rights: what all six share ("the register is CS or is usable") ---- */

/* G is 0 if one of the limit's low bits is 0, and 1 if one of its high bits is 1. */
static bool allows_g_clear(struct segment s)
{
	return implies(s.access & ACCESS_RIGHTS_G, (~s.limit & BITS(11, 0)) == 0);
}

static bool allows_g_set(struct segment s)
{
	return implies(s.limit & BITS(31, 20), s.access & ACCESS_RIGHTS_G);
}

#define RULES_RESERVED(seg, SEG, checked)                                                          \
	RULE(seg, SEG, p, implies(checked, s.access &ACCESS_RIGHTS_P))                             \
	RULE(seg, SEG, reserved_low, implies(checked, (s.access & BITS(11, 8)) == 0))              \
	RULE(seg, SEG, g_clear, implies(checked, allows_g_clear(s)))                               \
	RULE(seg, SEG, g_set, implies(checked, allows_g_set(s)))                                   \
	RULE(seg, SEG, reserved_high, implies(checked, (s.access & BITS(31, 17)) == 0))

#define RULES_CODE_OR_DATA(seg, SEG, checked)                                                      \
	RULE(seg, SEG, s, implies(checked, s.access &ACCESS_RIGHTS_S))                             \
	RULES_RESERVED(seg, SEG, checked)
RULES_CODE_OR_DATA(cs, CS, !is_v8086(state))
RULES_CODE_OR_DATA(ss, SS, !is_v8086(state) && is_usable(s))
RULES_CODE_OR_DATA(ds, DS, !is_v8086(state) && is_usable(s))
RULES_CODE_OR_DATA(es, ES, !is_v8086(state) && is_usable(s))
RULES_CODE_OR_DATA(fs, FS, !is_v8086(state) && is_usable(s))
RULES_CODE_OR_DATA(gs, GS, !is_v8086(state) && is_usable(s))

/* ---- CS ---- */

static bool is_accessed_code(struct segment s)
{
	return (type(s) & (TYPE_CODE | TYPE_ACCESS)) == (TYPE_CODE | TYPE_ACCESS);
}

/* Type 3, accessed read/write data, expand-up: what CS has in real-address mode. */
static bool is_plain_data(struct segment s)
{
	return type(s) == 3;
}

static bool is_type(struct segment s, uint64_t a, uint64_t b)
{
	return type(s) == a || type(s) == b;
}

RULE(cs, CS, type_restricted, implies(is_restricted(state), is_accessed_code(s)))
RULE(cs, CS, type_unrestricted,
	implies(!is_v8086(state) && PROC2(UNRESTRICTED_GUEST),
		is_accessed_code(s) || is_plain_data(s)))
RULE(cs, CS, dpl_data, implies(!is_v8086(state) && is_plain_data(s), dpl(s) == 0))
RULE(cs, CS, dpl_nonconforming,
	implies(!is_v8086(state) && is_type(s, 9, 11), dpl(s) == dpl(SEGMENT(SS))))
RULE(cs, CS, dpl_conforming,
	implies(!is_v8086(state) && is_type(s, 13, 15), dpl(s) <= dpl(SEGMENT(SS))))
RULE(cs, CS, db,
	implies(!is_v8086(state) && is_ia32e(state) && (s.access & ACCESS_RIGHTS_L),
		!(s.access & ACCESS_RIGHTS_DB)))

/* ---- SS; its DPL is the guest's privilege level, usable or not ---- */

RULE(ss, SS, type, implies(!is_v8086(state) && is_usable(s), is_type(s, 3, 7)))
RULE(ss, SS, dpl_rpl, implies(is_restricted(state), dpl(s) == rpl(s)))
RULE(ss, SS, dpl_cs_data, implies(!is_v8086(state) && is_plain_data(SEGMENT(CS)), dpl(s) == 0))
RULE(ss, SS, dpl_real, implies(!is_v8086(state) && !is_protected(state), dpl(s) == 0))

/* ---- DS, ES, FS, GS ---- */

#define TYPE_LAST_NONCONFORMING 11 /* data and non-conforming code */
#define RULES_DATA(seg, SEG)                                                                       \
	RULE(seg, SEG, accessed, implies(!is_v8086(state) && is_usable(s), type(s) & TYPE_ACCESS)) \
	RULE(seg, SEG, readable,                                                                   \
		implies(!is_v8086(state) && is_usable(s) && (type(s) & TYPE_CODE),                 \
			type(s) & TYPE_READ))                                                      \
	RULE(seg, SEG, dpl,                                                                        \
		implies(is_restricted(state) && is_usable(s) &&                                    \
				type(s) <= TYPE_LAST_NONCONFORMING,                                \
			dpl(s) >= rpl(s)))
RULES_DATA(ds, DS)
RULES_DATA(es, ES)
RULES_DATA(fs, FS)
RULES_DATA(gs, GS)

/* ---- TR and LDTR ---- */

#define TYPE_LDT         2
#define TYPE_TSS_16_BUSY 3
#define TYPE_TSS_BUSY    11 /* 32-bit, or 64-bit in IA-32e mode */

RULE(tr, TR, type, implies(!is_ia32e(state), is_type(s, TYPE_TSS_16_BUSY, TYPE_TSS_BUSY)))
RULE(tr, TR, type_ia32e, implies(is_ia32e(state), type(s) == TYPE_TSS_BUSY))
RULE(tr, TR, s, !(s.access & ACCESS_RIGHTS_S))
RULES_RESERVED(tr, TR, true)
RULE(tr, TR, usable, is_usable(s))

RULE(ldtr, LDTR, type, implies(is_usable(s), type(s) == TYPE_LDT))
RULE(ldtr, LDTR, s, implies(is_usable(s), !(s.access & ACCESS_RIGHTS_S)))
RULES_RESERVED(ldtr, LDTR, is_usable(s))
