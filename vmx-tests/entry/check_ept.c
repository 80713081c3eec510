/* Checks on the EPT pointer and the addresses of structures that go with EPT (Intel SDM,
   "VM-Execution Control Fields", "Extended-Page-Table Pointer (EPTP)"). How EPT translates is
   ept/'s. */
#define TEST_FOLDER "entry/"
#include "vmx-tests/entry/check.h"

#define GROUP   check_ept
#define TITLE   "SDM VM-Execution Control Fields"
#define REFUSED REFUSED_CONTROL

static bool has_capability(uint64_t bits)
{
	return vmx_capability(MSR_IA32_VMX_EPT_VPID_CAP) & bits;
}

LOCAL_NEED(no_eptp_uc, "the CPU takes uncacheable EPT structures (IA32_VMX_EPT_VPID_CAP bit 8)",
	!has_capability(VMX_EPT_VPID_CAP_EPTP_UC));
LOCAL_NEED(eptp_uc, "no uncacheable EPT structures (IA32_VMX_EPT_VPID_CAP bit 8)",
	has_capability(VMX_EPT_VPID_CAP_EPTP_UC));
LOCAL_NEED(no_walk_5, "the CPU has EPT walks of 5 levels (IA32_VMX_EPT_VPID_CAP bit 7)",
	!has_capability(VMX_EPT_VPID_CAP_WALK_5));
LOCAL_NEED(no_dirty, "the CPU has accessed and dirty flags for EPT (IA32_VMX_EPT_VPID_CAP bit 21)",
	!has_capability(VMX_EPT_VPID_CAP_ACCESSED_DIRTY));
LOCAL_NEED(no_shadow_stack,
	"the CPU has supervisor shadow-stack control (IA32_VMX_EPT_VPID_CAP bit 23)",
	!has_capability(VMX_EPT_VPID_CAP_SHADOW_STACK));

/* ---- The pointer ---- */

#define TYPE(type) CLEAR(EPTP, EPTP_MEMORY_TYPE), OR(EPTP, FIELD_PUT(type, EPTP_MEMORY_TYPE))
#define WALK(levels)                                                                               \
	CLEAR(EPTP, EPTP_WALK_LENGTH), OR(EPTP, FIELD_PUT((levels)-1, EPTP_WALK_LENGTH))

CHECK_TEST(eptp_memory_type, NEEDS_ALSO(&need_ept), BREAKS(LONG_EPT, TYPE(1)),
	BREAKS(LONG_EPT, TYPE(2)), BREAKS(LONG_EPT, TYPE(3)), BREAKS(LONG_EPT, TYPE(4)),
	BREAKS(LONG_EPT, TYPE(5)), BREAKS(LONG_EPT, TYPE(7)), HOLDS(LONG_EPT, TYPE(MEMORY_TYPE_WB)),
	HOLDS(LONG, SET(EPTP, 1)))
CHECK_TEST_AS(eptp_memory_type_uc, eptp_memory_type, NEEDS_ALSO(&need_ept, &need_eptp_uc),
	HOLDS(LONG_EPT, TYPE(MEMORY_TYPE_UC)))
CHECK_TEST_AS(eptp_memory_type_no_uc, eptp_memory_type, NEEDS_ALSO(&need_ept, &need_no_eptp_uc),
	BREAKS(LONG_EPT, TYPE(MEMORY_TYPE_UC)))
CHECK_TEST(eptp_walk_length, NEEDS_ALSO(&need_ept), BREAKS(LONG_EPT, WALK(1)),
	BREAKS(LONG_EPT, WALK(2)), BREAKS(LONG_EPT, WALK(3)), BREAKS(LONG_EPT, WALK(6)),
	BREAKS(LONG_EPT, WALK(7)), BREAKS(LONG_EPT, WALK(8)), HOLDS(LONG_EPT, WALK(4)))
CHECK_TEST_AS(eptp_walk_length_5, eptp_walk_length, NEEDS_ALSO(&need_ept, &need_no_walk_5),
	BREAKS(LONG_EPT, WALK(5)))
CHECK_TEST(eptp_accessed_dirty, NEEDS_ALSO(&need_ept, &need_no_dirty),
	BREAKS(LONG_EPT, OR(EPTP, EPTP_ACCESSED_DIRTY)))
CHECK_TEST_AS(eptp_accessed_dirty_supported, eptp_accessed_dirty,
	NEEDS_ALSO(&need_ept, &need_ept_dirty), HOLDS(LONG_EPT, OR(EPTP, EPTP_ACCESSED_DIRTY)),
	HOLDS(LONG_EPT, CLEAR(EPTP, EPTP_ACCESSED_DIRTY)))
CHECK_TEST(eptp_shadow_stack, NEEDS_ALSO(&need_ept, &need_no_shadow_stack),
	BREAKS(LONG_EPT, OR(EPTP, EPTP_SHADOW_STACK)))
CHECK_TEST(eptp_reserved, NEEDS_ALSO(&need_ept), EACH(LONG_EPT, OR(EPTP, BITS(11, 8))),
	HOLDS(LONG, SET(EPTP, BITS(11, 8))))
CHECK_TEST(eptp_width, NEEDS_ALSO(&need_ept), EACH(LONG_EPT, FROM(EPTP, OR, BEYOND, 0)),
	HOLDS(LONG, FROM(EPTP, SET, BEYOND, 0)))

/* ---- Addresses ---- */

#define STRUCTURE_ALIGNED(FIELD, ...)                                                              \
	EACH(LONG_EPT, OR(FIELD, BITS(11, 0)), __VA_ARGS__, PAGE(FIELD, 0)),                       \
		HOLDS(LONG_EPT, __VA_ARGS__, PAGE(FIELD, 0)), HOLDS(LONG_EPT, SET(FIELD, 1))
#define STRUCTURE_WIDTH(FIELD, ...)                                                                \
	EACH(LONG_EPT, FROM(FIELD, OR, BEYOND, 0), __VA_ARGS__, PAGE(FIELD, 0)),                   \
		HOLDS(LONG_EPT, __VA_ARGS__, FROM(FIELD, SET, WIDTH, -1)),                         \
		HOLDS(LONG_EPT, FROM(FIELD, SET, BEYOND, 0))
#define SWITCHING                                                                                  \
	SECONDARY(PROC2_ENABLE_VM_FUNCTIONS), SET(VM_FUNCTION_CONTROLS, VMX_VMFUNC_EPTP_SWITCHING)
#define PML SECONDARY(PROC2_ENABLE_PML), OR(EPTP, EPTP_ACCESSED_DIRTY)

CHECK_TEST(pml_aligned, NEEDS_ALSO(&need_PROC2_ENABLE_PML, &need_ept_dirty),
	STRUCTURE_ALIGNED(PML_ADDRESS, PML))
CHECK_TEST(pml_width, NEEDS_ALSO(&need_PROC2_ENABLE_PML, &need_ept_dirty),
	STRUCTURE_WIDTH(PML_ADDRESS, PML))
CHECK_TEST(spptp_aligned, NEEDS_ALSO(&need_PROC2_SUB_PAGE_WRITE_PERMISSIONS),
	STRUCTURE_ALIGNED(SPPTP, SECONDARY(PROC2_SUB_PAGE_WRITE_PERMISSIONS)))
CHECK_TEST(spptp_width, NEEDS_ALSO(&need_PROC2_SUB_PAGE_WRITE_PERMISSIONS),
	STRUCTURE_WIDTH(SPPTP, SECONDARY(PROC2_SUB_PAGE_WRITE_PERMISSIONS)))
CHECK_TEST(eptp_list_aligned, NEEDS_ALSO(&need_eptp_switching),
	STRUCTURE_ALIGNED(EPTP_LIST_ADDRESS, SWITCHING))
CHECK_TEST(eptp_list_width, NEEDS_ALSO(&need_eptp_switching),
	STRUCTURE_WIDTH(EPTP_LIST_ADDRESS, SWITCHING))
CHECK_TEST(ve_information_aligned, NEEDS_ALSO(&need_PROC2_EPT_VIOLATION_VE),
	STRUCTURE_ALIGNED(VE_INFORMATION_ADDRESS, SECONDARY(PROC2_EPT_VIOLATION_VE)))
CHECK_TEST(ve_information_width, NEEDS_ALSO(&need_PROC2_EPT_VIOLATION_VE),
	STRUCTURE_WIDTH(VE_INFORMATION_ADDRESS, SECONDARY(PROC2_EPT_VIOLATION_VE)))

/* ---- The pointer of hypervisor-managed linear-address translation ---- */

#define HLAT PROCESSOR(PROC_ACTIVATE_TERTIARY_CONTROLS), SET(PROC3_CONTROLS, PROC3_ENABLE_HLAT)

CHECK_TEST(hlatp_reserved, NEEDS_ALSO(&need_PROC3_ENABLE_HLAT),
	EACH(LONG_EPT, OR(HLATP, BITS(2, 0) | BITS(11, 5)), HLAT, PAGE(HLATP, 0)),
	HOLDS(LONG_EPT, HLAT, PAGE(HLATP, BITS(4, 3))))
CHECK_TEST(hlatp_width, NEEDS_ALSO(&need_PROC3_ENABLE_HLAT),
	EACH(LONG_EPT, FROM(HLATP, OR, BEYOND, 0), HLAT, PAGE(HLATP, 0)))
