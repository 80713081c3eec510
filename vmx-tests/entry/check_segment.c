/* Checks on the guest's CS and SS, and what all six segments share (Intel SDM, "Checks on Guest
   Segment Registers"). What is particular to data segments, TR and LDTR is check_segment_other.c's.
 */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"
#include "vmx-tests/entry/segment.h"

#define GROUP   check_segment
#define TITLE   "SDM Checks on Guest Segment Registers"
#define REFUSED REFUSED_GUEST

/* ---- Virtual-8086 mode: base, limit and access rights ---- */

#define V8086_TESTS(seg, SEG)                                                                      \
	CHECK_TEST(guest_##seg##_base_v8086, NEEDS_ALSO(),                                         \
		BREAKS(V8086, SET(GUEST_##SEG##_SELECTOR, 0x1234),                                 \
			SET(GUEST_##SEG##_BASE, 0x12350)),                                         \
		BREAKS(V8086, SET(GUEST_##SEG##_SELECTOR, 0x1234),                                 \
			SET(GUEST_##SEG##_BASE, 0x12341)),                                         \
		BREAKS(V8086, SET(GUEST_##SEG##_SELECTOR, 0x1234), SET(GUEST_##SEG##_BASE, 0)),    \
		HOLDS(V8086, SET(GUEST_##SEG##_SELECTOR, 0x1234),                                  \
			SET(GUEST_##SEG##_BASE, 0x12340)),                                         \
		HOLDS(V8086, SET(GUEST_##SEG##_SELECTOR, 0xffff),                                  \
			SET(GUEST_##SEG##_BASE, 0xffff0)))                                         \
	CHECK_TEST(guest_##seg##_limit_v8086, NEEDS_ALSO(),                                        \
		BREAKS(V8086, SET(GUEST_##SEG##_LIMIT, 0xfffe)),                                   \
		BREAKS(V8086, SET(GUEST_##SEG##_LIMIT, 0x10000)),                                  \
		BREAKS(V8086, SET(GUEST_##SEG##_LIMIT, 0)),                                        \
		BREAKS(V8086, SET(GUEST_##SEG##_LIMIT, UINT32_MAX)),                               \
		HOLDS(V8086, SET(GUEST_##SEG##_LIMIT, 0xffff)))                                    \
	CHECK_TEST(guest_##seg##_access_v8086, NEEDS_ALSO(),                                       \
		EACH(V8086, OR(GUEST_##SEG##_ACCESS_RIGHTS, BITS(31, 8) | BITS(3, 2))),            \
		EACH(V8086, CLEAR(GUEST_##SEG##_ACCESS_RIGHTS, V8086_RIGHTS)),                     \
		HOLDS(V8086, SET(GUEST_##SEG##_ACCESS_RIGHTS, V8086_RIGHTS)))
SIX_SEGMENTS(V8086_TESTS)

/* ---- What all six share ---- */

#define SHARED_TESTS(seg, SEG)                                                                     \
	CHECK_TEST(guest_##seg##_s, NEEDS_ALSO(), BREAKS(LONG, LESS(SEG, ACCESS_RIGHTS_S)),        \
		BREAKS(PROTECTED, LESS(SEG, ACCESS_RIGHTS_S)),                                     \
		BREAKS(REAL, LESS(SEG, ACCESS_RIGHTS_S)))                                          \
	CHECK_TEST(guest_##seg##_p, NEEDS_ALSO(), BREAKS(LONG, LESS(SEG, ACCESS_RIGHTS_P)),        \
		BREAKS(PROTECTED, LESS(SEG, ACCESS_RIGHTS_P)),                                     \
		BREAKS(REAL, LESS(SEG, ACCESS_RIGHTS_P)))                                          \
	CHECK_TEST(guest_##seg##_reserved_low, NEEDS_ALSO(),                                       \
		EACH(LONG, OR(GUEST_##SEG##_ACCESS_RIGHTS, BITS(11, 8))),                          \
		EACH(PROTECTED, OR(GUEST_##SEG##_ACCESS_RIGHTS, BITS(11, 8))),                     \
		HOLDS(LONG, OR(GUEST_##SEG##_ACCESS_RIGHTS, ACCESS_RIGHTS_AVL)))                   \
	CHECK_TEST(guest_##seg##_reserved_high, NEEDS_ALSO(),                                      \
		EACH(LONG, OR(GUEST_##SEG##_ACCESS_RIGHTS, BITS(31, 17))),                         \
		EACH(REAL, OR(GUEST_##SEG##_ACCESS_RIGHTS, BITS(31, 17))))                         \
	GRANULARITY_TESTS(seg, SEG)
SIX_SEGMENTS(SHARED_TESTS)

/* ---- Unusable: only CS is checked then ---- */

#define UNUSABLE_ROW(SEG)                                                                          \
	HOLDS(LONG,                                                                                \
		SET(GUEST_##SEG##_ACCESS_RIGHTS,                                                   \
			ACCESS_RIGHTS_UNUSABLE | BITS(31, 17) | BITS(11, 7)),                      \
		SET(GUEST_##SEG##_LIMIT, 1))
CHECK_TEST_AS(unusable, guest_ds_s, NEEDS_ALSO(), UNUSABLE_ROW(DS), UNUSABLE_ROW(ES),
	UNUSABLE_ROW(FS), UNUSABLE_ROW(GS), UNUSABLE_ROW(SS),
	HOLDS(LONG, SET(GUEST_DS_ACCESS_RIGHTS, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST_AS(unusable_cs, guest_cs_s, NEEDS_ALSO(),
	BREAKS(LONG, OR(GUEST_CS_ACCESS_RIGHTS, ACCESS_RIGHTS_UNUSABLE), LESS(CS, ACCESS_RIGHTS_S)))

/* ---- CS: type, privilege level, size ---- */

CHECK_TEST(guest_cs_type_restricted, NEEDS_ALSO(), BREAKS(LONG, TYPE(CS, 0)),
	BREAKS2(LONG, guest_cs_type_restricted, TYPE(CS, 3)), BREAKS(LONG, TYPE(CS, 8)),
	BREAKS(LONG, TYPE(CS, 10)), BREAKS(LONG, TYPE(CS, 12)), BREAKS(LONG, TYPE(CS, 14)),
	BREAKS(LONG, TYPE(CS, 1)), BREAKS(LONG, TYPE(CS, 7)), BREAKS(PROTECTED, TYPE(CS, 3)),
	HOLDS(LONG, TYPE(CS, 9)), HOLDS(LONG, TYPE(CS, 11)), HOLDS(LONG, TYPE(CS, 13)),
	HOLDS(LONG, TYPE(CS, 15)))
CHECK_TEST(guest_cs_type_unrestricted, NEEDS_ALSO(&need_unrestricted), BREAKS(UNPAGED, TYPE(CS, 0)),
	BREAKS(UNPAGED, TYPE(CS, 1)), BREAKS(UNPAGED, TYPE(CS, 2)), BREAKS(UNPAGED, TYPE(CS, 4)),
	BREAKS(UNPAGED, TYPE(CS, 5)), BREAKS(UNPAGED, TYPE(CS, 6)), BREAKS(UNPAGED, TYPE(CS, 7)),
	BREAKS(UNPAGED, TYPE(CS, 8)), BREAKS(UNPAGED, TYPE(CS, 10)), BREAKS(UNPAGED, TYPE(CS, 12)),
	BREAKS(UNPAGED, TYPE(CS, 14)), BREAKS(REAL, TYPE(CS, 1)),
	BREAKS(LONG_UNRESTRICTED, TYPE(CS, 10)), HOLDS(UNPAGED, TYPE(CS, 3)),
	HOLDS(UNPAGED, TYPE(CS, 9)), HOLDS(UNPAGED, TYPE(CS, 11)), HOLDS(UNPAGED, TYPE(CS, 13)),
	HOLDS(UNPAGED, TYPE(CS, 15)), HOLDS(REAL, TYPE(CS, 3)), HOLDS(REAL, TYPE(CS, 11)))
CHECK_TEST(guest_cs_dpl_data, NEEDS_ALSO(&need_unrestricted),
	BREAKS(UNPAGED, TYPE(CS, 3), DPL(CS, 1)), BREAKS(UNPAGED, TYPE(CS, 3), DPL(CS, 3)),
	BREAKS(REAL, TYPE(CS, 3), DPL(CS, 3)), HOLDS(UNPAGED, TYPE(CS, 3), DPL(CS, 0)))
CHECK_TEST(guest_cs_dpl_nonconforming, NEEDS_ALSO(), BREAKS(LONG, TYPE(CS, 9), DPL(CS, 1)),
	BREAKS(LONG, TYPE(CS, 11), DPL(CS, 3)), BREAKS(USER, TYPE(CS, 11), DPL(CS, 0)),
	BREAKS(USER, TYPE(CS, 11), DPL(CS, 2)), HOLDS(USER, TYPE(CS, 11), DPL(CS, 3)),
	HOLDS(USER, TYPE(CS, 9), DPL(CS, 3)))
/* An unrestricted guest's RPLs are free, so that a CPU which takes CS.RPL for SS.DPL shows. */
CHECK_TEST_AS(guest_cs_dpl_nonconforming_rpl, guest_cs_dpl_nonconforming,
	NEEDS_ALSO(&need_unrestricted), BREAKS(UNPAGED, RPL(CS, 3), DPL(CS, 3)),
	HOLDS(UNPAGED, RPL(CS, 3), DPL(CS, 0)), HOLDS(UNPAGED, RPL(CS, 0), DPL(CS, 3), DPL(SS, 3)))
CHECK_TEST(guest_cs_dpl_conforming, NEEDS_ALSO(), BREAKS(LONG, TYPE(CS, 13), DPL(CS, 1)),
	BREAKS(LONG, TYPE(CS, 15), DPL(CS, 3)), HOLDS(USER, TYPE(CS, 15), DPL(CS, 0)),
	HOLDS(USER, TYPE(CS, 13), DPL(CS, 2)), HOLDS(USER, TYPE(CS, 15), DPL(CS, 3)))
CHECK_TEST_AS(guest_cs_dpl_conforming_rpl, guest_cs_dpl_conforming, NEEDS_ALSO(&need_unrestricted),
	BREAKS(UNPAGED, TYPE(CS, 15), RPL(CS, 3), DPL(CS, 3)),
	HOLDS(UNPAGED, TYPE(CS, 15), RPL(CS, 0), DPL(CS, 3), DPL(SS, 3)))
CHECK_TEST(guest_cs_db, NEEDS_ALSO(), BREAKS(LONG, MORE(CS, ACCESS_RIGHTS_DB)),
	BREAKS(USER, MORE(CS, ACCESS_RIGHTS_DB)), HOLDS(COMPATIBILITY),
	HOLDS(COMPATIBILITY, LESS(CS, ACCESS_RIGHTS_DB)),
	HOLDS(PROTECTED, MORE(CS, ACCESS_RIGHTS_DB | ACCESS_RIGHTS_L)))

/* ---- SS ---- */

CHECK_TEST(guest_ss_rpl, NEEDS_ALSO(), BREAKS(LONG, RPL(CS, 3)),
	BREAKS2(LONG, guest_ss_dpl_rpl, RPL(SS, 1)),
	BREAKS2(PROTECTED, guest_ss_dpl_rpl, RPL(SS, 3)), HOLDS(USER), HOLDS(UNPAGED, RPL(SS, 3)),
	HOLDS(REAL, RPL(SS, 1)))
CHECK_TEST(guest_ss_type, NEEDS_ALSO(), BREAKS(LONG, TYPE(SS, 0)), BREAKS(LONG, TYPE(SS, 1)),
	BREAKS(LONG, TYPE(SS, 2)), BREAKS(LONG, TYPE(SS, 4)), BREAKS(LONG, TYPE(SS, 5)),
	BREAKS(LONG, TYPE(SS, 6)), BREAKS(LONG, TYPE(SS, 8)), BREAKS(LONG, TYPE(SS, 9)),
	BREAKS(LONG, TYPE(SS, 10)), BREAKS(LONG, TYPE(SS, 11)), BREAKS(LONG, TYPE(SS, 12)),
	BREAKS(LONG, TYPE(SS, 13)), BREAKS(LONG, TYPE(SS, 14)), BREAKS(LONG, TYPE(SS, 15)),
	HOLDS(LONG, TYPE(SS, 3)), HOLDS(LONG, TYPE(SS, 7)), HOLDS(REAL, TYPE(SS, 7)),
	HOLDS(LONG, TYPE(SS, 0), MORE(SS, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ss_dpl_rpl, NEEDS_ALSO(), BREAKS(LONG, DPL(SS, 3), DPL(CS, 3)),
	BREAKS(LONG, DPL(SS, 1), DPL(CS, 1)),
	BREAKS(LONG, DPL(SS, 3), DPL(CS, 3), MORE(SS, ACCESS_RIGHTS_UNUSABLE)),
	BREAKS(USER, DPL(SS, 2), DPL(CS, 2)), BREAKS(USER, DPL(SS, 0), DPL(CS, 0)), HOLDS(USER),
	HOLDS(UNPAGED, DPL(SS, 3), DPL(CS, 3), RPL(CS, 3)))
CHECK_TEST(guest_ss_dpl_cs_data, NEEDS_ALSO(&need_unrestricted),
	BREAKS(UNPAGED, TYPE(CS, 3), DPL(SS, 3)), BREAKS(UNPAGED, TYPE(CS, 3), DPL(SS, 1)),
	HOLDS(UNPAGED, TYPE(CS, 3)))
CHECK_TEST(guest_ss_dpl_real, NEEDS_ALSO(&need_unrestricted),
	BREAKS(REAL, DPL(SS, 3), TYPE(CS, 11), DPL(CS, 3)),
	BREAKS(REAL, DPL(SS, 1), TYPE(CS, 11), DPL(CS, 1)),
	BREAKS2(REAL, guest_ss_dpl_cs_data, DPL(SS, 3), TYPE(CS, 3)),
	HOLDS(UNPAGED, DPL(SS, 3), TYPE(CS, 11), DPL(CS, 3), RPL(CS, 3)))
