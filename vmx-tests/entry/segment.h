/* The words of the tests of checks on segment registers, for those of a segment SEG (CS, DS, TR,
 * ...). */
#ifndef VMX_TESTS_ENTRY_SEGMENT_H
#define VMX_TESTS_ENTRY_SEGMENT_H

#include "vmx-tests/entry/check.h"

#define MORE(SEG, bits)   OR(GUEST_##SEG##_ACCESS_RIGHTS, bits)
#define LESS(SEG, bits)   CLEAR(GUEST_##SEG##_ACCESS_RIGHTS, bits)
#define TYPE(SEG, type)   LESS(SEG, ACCESS_RIGHTS_TYPE), MORE(SEG, type)
#define DPL(SEG, level)   LESS(SEG, ACCESS_RIGHTS_DPL), MORE(SEG, FIELD_PUT(level, ACCESS_RIGHTS_DPL))
#define RPL(SEG, level)   CLEAR(GUEST_##SEG##_SELECTOR, BITS(1, 0)), OR(GUEST_##SEG##_SELECTOR, level)
#define LIMIT(SEG, limit) SET(GUEST_##SEG##_LIMIT, limit)

/* Of all segments in virtual-8086 mode: accessed read/write data, DPL 3, present. */
#define V8086_RIGHTS (3 | ACCESS_RIGHTS_S | ACCESS_RIGHTS_DPL | ACCESS_RIGHTS_P)

#define DATA_SEGMENTS(MACRO) MACRO(ds, DS) MACRO(es, ES) MACRO(fs, FS) MACRO(gs, GS)
#define SIX_SEGMENTS(MACRO)  MACRO(cs, CS) MACRO(ss, SS) DATA_SEGMENTS(MACRO)

/* G is 0 if a bit of 11:0 of the limit is 0, and 1 if one of 31:20 is 1; one of 19:12 asks for
 * nothing. */
#define GRANULARITY_TESTS(seg, SEG)                                                                \
	CHECK_TEST(guest_##seg##_g_clear, NEEDS_ALSO(),                                            \
		EACH(LONG, CLEAR(GUEST_##SEG##_LIMIT, BITS(11, 0)), LIMIT(SEG, UINT32_MAX),        \
			MORE(SEG, ACCESS_RIGHTS_G)),                                               \
		BREAKS(LONG, LIMIT(SEG, 0), MORE(SEG, ACCESS_RIGHTS_G)),                           \
		HOLDS(LONG, LIMIT(SEG, 0xfff), MORE(SEG, ACCESS_RIGHTS_G)),                        \
		HOLDS(LONG, LIMIT(SEG, 0xffffe), LESS(SEG, ACCESS_RIGHTS_G)))                      \
	CHECK_TEST(guest_##seg##_g_set, NEEDS_ALSO(),                                              \
		EACH(LONG, OR(GUEST_##SEG##_LIMIT, BITS(31, 20)), LIMIT(SEG, 0xfff),               \
			LESS(SEG, ACCESS_RIGHTS_G)),                                               \
		BREAKS(LONG, LIMIT(SEG, UINT32_MAX), LESS(SEG, ACCESS_RIGHTS_G)),                  \
		HOLDS(LONG, LIMIT(SEG, 0xfffff), LESS(SEG, ACCESS_RIGHTS_G)),                      \
		HOLDS(LONG, LIMIT(SEG, 0x100fff), MORE(SEG, ACCESS_RIGHTS_G)))

#endif
