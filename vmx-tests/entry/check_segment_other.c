/* Checks on the guest's data segments, TR and LDTR, and on the bases of all (Intel SDM, "Checks on
   Guest Segment Registers"). CS, SS and what all segments share are check_segment.c's. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"
#include "vmx-tests/entry/segment.h"

#define GROUP   check_segment_other
#define TITLE   "SDM Checks on Guest Segment Registers"
#define REFUSED REFUSED_GUEST

/* ---- Bases ---- */

#define CANONICAL_BASE(SEG)                                                                        \
	BREAKS(LONG, EDGE(GUEST_##SEG##_BASE, FIRST_BETWEEN)),                                     \
		BREAKS(LONG, EDGE(GUEST_##SEG##_BASE, LAST_BETWEEN)),                              \
		BREAKS(LONG, SET(GUEST_##SEG##_BASE, BIT(63))),                                    \
		BREAKS(PROTECTED, EDGE(GUEST_##SEG##_BASE, FIRST_BETWEEN)),                        \
		HOLDS(LONG, EDGE(GUEST_##SEG##_BASE, LAST_LOW)),                                   \
		HOLDS(LONG, EDGE(GUEST_##SEG##_BASE, FIRST_HIGH))
CHECK_TEST(guest_tr_base, NEEDS_ALSO(), CANONICAL_BASE(TR))
CHECK_TEST(guest_fs_base, NEEDS_ALSO(), CANONICAL_BASE(FS),
	BREAKS(LONG, EDGE(GUEST_FS_BASE, FIRST_BETWEEN), MORE(FS, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_gs_base, NEEDS_ALSO(), CANONICAL_BASE(GS),
	BREAKS(LONG, EDGE(GUEST_GS_BASE, FIRST_BETWEEN), MORE(GS, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_base, NEEDS_ALSO(), CANONICAL_BASE(LDTR),
	HOLDS(LONG, EDGE(GUEST_LDTR_BASE, FIRST_BETWEEN), MORE(LDTR, ACCESS_RIGHTS_UNUSABLE)))

#define LOW_BASE(SEG)                                                                              \
	EACH(LONG, OR(GUEST_##SEG##_BASE, BITS(63, 32))),                                          \
		EACH(PROTECTED, OR(GUEST_##SEG##_BASE, BITS(63, 32))),                             \
		HOLDS(LONG, SET(GUEST_##SEG##_BASE, UINT32_MAX)),                                  \
		HOLDS(PROTECTED, SET(GUEST_##SEG##_BASE, UINT32_MAX))
#define LOW_BASE_UNUSABLE(SEG)                                                                     \
	HOLDS(LONG, SET(GUEST_##SEG##_BASE, BIT(32)), MORE(SEG, ACCESS_RIGHTS_UNUSABLE))
CHECK_TEST(guest_cs_base, NEEDS_ALSO(), LOW_BASE(CS))
CHECK_TEST(guest_ss_base, NEEDS_ALSO(), LOW_BASE(SS), LOW_BASE_UNUSABLE(SS))
CHECK_TEST(guest_ds_base, NEEDS_ALSO(), LOW_BASE(DS), LOW_BASE_UNUSABLE(DS))
CHECK_TEST(guest_es_base, NEEDS_ALSO(), LOW_BASE(ES), LOW_BASE_UNUSABLE(ES))

/* ---- DS, ES, FS, GS ---- */

#define DATA_TESTS(seg, SEG)                                                                       \
	CHECK_TEST(guest_##seg##_accessed, NEEDS_ALSO(), BREAKS(LONG, TYPE(SEG, 0)),               \
		BREAKS(LONG, TYPE(SEG, 2)), BREAKS(LONG, TYPE(SEG, 4)),                            \
		BREAKS(LONG, TYPE(SEG, 6)), BREAKS(LONG, TYPE(SEG, 10)),                           \
		BREAKS(LONG, TYPE(SEG, 14)), BREAKS(REAL, TYPE(SEG, 2)),                           \
		BREAKS2(LONG, guest_##seg##_readable, TYPE(SEG, 8)), HOLDS(LONG, TYPE(SEG, 1)),    \
		HOLDS(LONG, TYPE(SEG, 3)), HOLDS(LONG, TYPE(SEG, 5)), HOLDS(LONG, TYPE(SEG, 7)))   \
	CHECK_TEST(guest_##seg##_readable, NEEDS_ALSO(), BREAKS(LONG, TYPE(SEG, 9)),               \
		BREAKS(LONG, TYPE(SEG, 13)), BREAKS2(LONG, guest_##seg##_accessed, TYPE(SEG, 12)), \
		HOLDS(LONG, TYPE(SEG, 11)), HOLDS(LONG, TYPE(SEG, 15)))                            \
	CHECK_TEST(guest_##seg##_dpl, NEEDS_ALSO(), BREAKS(LONG, RPL(SEG, 1)),                     \
		BREAKS(LONG, RPL(SEG, 3), DPL(SEG, 2)), BREAKS(LONG, RPL(SEG, 3), TYPE(SEG, 11)),  \
		BREAKS(LONG, RPL(SEG, 2), DPL(SEG, 1), TYPE(SEG, 1)),                              \
		HOLDS(LONG, RPL(SEG, 3), TYPE(SEG, 15)), HOLDS(LONG, RPL(SEG, 3), DPL(SEG, 3)),    \
		HOLDS(LONG, RPL(SEG, 1), DPL(SEG, 3)),                                             \
		HOLDS(LONG, RPL(SEG, 3), MORE(SEG, ACCESS_RIGHTS_UNUSABLE)),                       \
		HOLDS(UNPAGED, RPL(SEG, 3)))
DATA_SEGMENTS(DATA_TESTS)

/* ---- TR: a busy TSS, a 16-bit one outside IA-32e mode only ---- */

CHECK_TEST(guest_tr_ti, NEEDS_ALSO(), BREAKS(LONG, OR(GUEST_TR_SELECTOR, BIT(2))),
	BREAKS(REAL, OR(GUEST_TR_SELECTOR, BIT(2))),
	HOLDS(LONG, SET(GUEST_TR_SELECTOR, BITS(15, 3) | BITS(1, 0))),
	HOLDS(LONG, SET(GUEST_TR_SELECTOR, 0)))
CHECK_TEST(guest_tr_type, NEEDS_ALSO(), BREAKS(PROTECTED, TYPE(TR, 0)),
	BREAKS(PROTECTED, TYPE(TR, 1)), BREAKS(PROTECTED, TYPE(TR, 2)),
	BREAKS(PROTECTED, TYPE(TR, 7)), BREAKS(PROTECTED, TYPE(TR, 9)),
	BREAKS(PROTECTED, TYPE(TR, 10)), BREAKS(PROTECTED, TYPE(TR, 15)),
	BREAKS(V8086, TYPE(TR, 9)), BREAKS(REAL, TYPE(TR, 9)), HOLDS(PROTECTED, TYPE(TR, 3)),
	HOLDS(PROTECTED, TYPE(TR, 11)), HOLDS(REAL, TYPE(TR, 3)))
CHECK_TEST(guest_tr_type_ia32e, NEEDS_ALSO(), BREAKS(LONG, TYPE(TR, 3)), BREAKS(LONG, TYPE(TR, 9)),
	BREAKS(LONG, TYPE(TR, 10)), BREAKS(LONG, TYPE(TR, 15)), BREAKS(COMPATIBILITY, TYPE(TR, 3)),
	HOLDS(LONG, TYPE(TR, 11)), HOLDS(COMPATIBILITY, TYPE(TR, 11)))
CHECK_TEST(guest_tr_s, NEEDS_ALSO(), BREAKS(LONG, MORE(TR, ACCESS_RIGHTS_S)),
	BREAKS(PROTECTED, MORE(TR, ACCESS_RIGHTS_S)))
CHECK_TEST(guest_tr_p, NEEDS_ALSO(), BREAKS(LONG, LESS(TR, ACCESS_RIGHTS_P)),
	BREAKS(PROTECTED, LESS(TR, ACCESS_RIGHTS_P)))
CHECK_TEST(guest_tr_reserved_low, NEEDS_ALSO(), EACH(LONG, OR(GUEST_TR_ACCESS_RIGHTS, BITS(11, 8))))
CHECK_TEST(
	guest_tr_reserved_high, NEEDS_ALSO(), EACH(LONG, OR(GUEST_TR_ACCESS_RIGHTS, BITS(31, 17))))
CHECK_TEST(guest_tr_usable, NEEDS_ALSO(), BREAKS(LONG, MORE(TR, ACCESS_RIGHTS_UNUSABLE)),
	BREAKS(REAL, MORE(TR, ACCESS_RIGHTS_UNUSABLE)))
GRANULARITY_TESTS(tr, TR)

/* ---- LDTR: an LDT, if usable ---- */

CHECK_TEST(guest_ldtr_ti, NEEDS_ALSO(), BREAKS(LONG, OR(GUEST_LDTR_SELECTOR, BIT(2))),
	HOLDS(LONG, SET(GUEST_LDTR_SELECTOR, BITS(15, 3) | BITS(1, 0))),
	HOLDS(LONG, OR(GUEST_LDTR_SELECTOR, BIT(2)), MORE(LDTR, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_type, NEEDS_ALSO(), BREAKS(LONG, TYPE(LDTR, 0)), BREAKS(LONG, TYPE(LDTR, 1)),
	BREAKS(LONG, TYPE(LDTR, 3)), BREAKS(LONG, TYPE(LDTR, 6)), BREAKS(LONG, TYPE(LDTR, 10)),
	BREAKS(LONG, TYPE(LDTR, 11)), BREAKS(PROTECTED, TYPE(LDTR, 11)), HOLDS(LONG, TYPE(LDTR, 2)),
	HOLDS(LONG, TYPE(LDTR, 0), MORE(LDTR, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_s, NEEDS_ALSO(), BREAKS(LONG, MORE(LDTR, ACCESS_RIGHTS_S)),
	HOLDS(LONG, MORE(LDTR, ACCESS_RIGHTS_S | ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_p, NEEDS_ALSO(), BREAKS(LONG, LESS(LDTR, ACCESS_RIGHTS_P)),
	HOLDS(LONG, LESS(LDTR, ACCESS_RIGHTS_P), MORE(LDTR, ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_reserved_low, NEEDS_ALSO(),
	EACH(LONG, OR(GUEST_LDTR_ACCESS_RIGHTS, BITS(11, 8))),
	HOLDS(LONG, MORE(LDTR, BITS(11, 8) | ACCESS_RIGHTS_UNUSABLE)))
CHECK_TEST(guest_ldtr_reserved_high, NEEDS_ALSO(),
	EACH(LONG, OR(GUEST_LDTR_ACCESS_RIGHTS, BITS(31, 17))),
	HOLDS(LONG, MORE(LDTR, BITS(31, 17) | ACCESS_RIGHTS_UNUSABLE)))
GRANULARITY_TESTS(ldtr, LDTR)
