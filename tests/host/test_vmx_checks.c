/* VM entry's checks against states made up from the manual: good ones that break no rule, and for
   every rule states that break it alone, or with those that cannot be told apart from it. The
   states are in vmx_checks_*.def; a rule without one fails the test.

   Links: spec/vmx_checks*.c spec/vmx_state.c spec/vmx_names.c
*/
#include "spec/vmx_checks.h"

#include "tests/host/tap.h"

/* ---- Changes to a state, and the cases made of them ---- */

enum operation { OP_SET = 1, OP_OR, OP_CLEAR };

struct change {
	uint16_t offset; /* in struct vmx_state */
	uint8_t size;    /* bytes */
	uint8_t operation;
	uint64_t value;
};

#define CHANGE(member, operation, value)                                                           \
	{                                                                                          \
		offsetof(struct vmx_state, member), sizeof(((struct vmx_state *)NULL)->member),    \
			operation, value                                                           \
	}
#define SET(FIELD, value)   CHANGE(field[FIELD_##FIELD], OP_SET, value)
#define OR(FIELD, bits)     CHANGE(field[FIELD_##FIELD], OP_OR, bits)
#define CLEAR(FIELD, bits)  CHANGE(field[FIELD_##FIELD], OP_CLEAR, bits)
#define REQUIRE(msr, bits)  CHANGE(capability[(msr)-MSR_IA32_VMX_BASIC], OP_OR, bits)
#define FORBID(msr, bits)   CHANGE(capability[(msr)-MSR_IA32_VMX_BASIC], OP_CLEAR, bits)
#define FACT(member, value) CHANGE(cpu.member, OP_SET, value)
#define WORD(word, number)  CHANGE(word.known, OP_SET, true), CHANGE(word.value, OP_SET, number)
#define FORGET(word)        CHANGE(word.known, OP_SET, false)

#define CHANGES_MAX 12
#define NONE        VMX_CHECKS

struct test_case {
	unsigned int line;
	const struct vmx_state *base;
	enum vmx_check_index expected[2];
	enum vmx_verdict verdict;
	struct change change[CHANGES_MAX];
	struct change each; /* not size 0: made with one bit of its value after the other */
};

#define CASE(base, a, b, verdict, ...)                                                             \
	{ __LINE__, &base, { a, b }, verdict, { __VA_ARGS__ }, { 0 } },
#define HOLDS(base, ...)      CASE(base, NONE, NONE, VMX_HOLDS, ##__VA_ARGS__)
#define BREAKS(base, id, ...) CASE(base, VMX_CHECK_##id, NONE, VMX_BROKEN, ##__VA_ARGS__)
#define BREAKS2(base, id, id2, ...)                                                                \
	CASE(base, VMX_CHECK_##id, VMX_CHECK_##id2, VMX_BROKEN, ##__VA_ARGS__)
#define UNKNOWN(base, id, ...) CASE(base, VMX_CHECK_##id, NONE, VMX_UNKNOWN, ##__VA_ARGS__)
#define UNKNOWN2(base, id, id2, ...)                                                               \
	CASE(base, VMX_CHECK_##id, VMX_CHECK_##id2, VMX_UNKNOWN, ##__VA_ARGS__)
#define EACH_BIT(base, id, FIELD, bits, ...)                                                       \
	{ __LINE__, &base, { VMX_CHECK_##id, NONE }, VMX_BROKEN, { __VA_ARGS__ }, OR(FIELD, bits) },
#define EACH_BIT_CLEARED(base, id, FIELD, bits, ...)                                               \
	{ __LINE__, &base, { VMX_CHECK_##id, NONE }, VMX_BROKEN, { __VA_ARGS__ },                  \
		CLEAR(FIELD, bits) },

static void apply(struct vmx_state *state, struct change change)
{
	uint8_t *place = (uint8_t *)state + change.offset;
	uint64_t value = 0;

	memcpy(&value, place, change.size);
	if (change.operation == OP_SET)
		value = change.value;
	else if (change.operation == OP_OR)
		value |= change.value;
	else
		value &= ~change.value;
	memcpy(place, &value, change.size);
}

/* ---- A CPU that has everything, and good states on it ---- */

#define CAPABILITY_OF(msr) [MSR_IA32_VMX_##msr - MSR_IA32_VMX_BASIC]

/* 64-bit host and guest, with every control that does not exclude another, all in use. */
static struct vmx_state RICH = {
	.cpu = {
		.physical_width = 39,
		.linear_width = 48,
		.intel64 = true,
		.ia32e = true,
		.sgx = true,
		.rtm = true,
		.bus_lock_detection = true,
		.debugctl = 0xffc7,
		.efer = 0xd01,
		.perf_global_ctrl = 0x000100070000000f,
		.bndcfgs = 0xfffffffffffff003,
		.rtit_ctl = 0x2c0d,
		.lbr_ctl = 0x7f000f,
		.s_cet = 0xfffffffffffffc3f,
		.current_vmcs = 0x5000,
	},
	.link_revision = { true, 0x81234567 },
	.capability = {
		CAPABILITY_OF(BASIC) = 0x0080000001234567,
		CAPABILITY_OF(PINBASED_CTLS) = 0x000000ff00000016,
		CAPABILITY_OF(PROCBASED_CTLS) = 0xfffbfffe0401e172,
		CAPABILITY_OF(EXIT_CTLS) = 0xffffffff00036dff,
		CAPABILITY_OF(ENTRY_CTLS) = 0x03ffffff000011ff,
		CAPABILITY_OF(MISC) = 0x00000000400401c0,
		CAPABILITY_OF(CR0_FIXED0) = 0x80000021,
		CAPABILITY_OF(CR0_FIXED1) = 0xffffffff,
		CAPABILITY_OF(CR4_FIXED0) = 0x00002000,
		CAPABILITY_OF(CR4_FIXED1) = 0x0fff7fff,
		CAPABILITY_OF(PROCBASED_CTLS2) = 0xdfffffff00000000,
		CAPABILITY_OF(EPT_VPID_CAP) = 0x0000000000a04140,
		CAPABILITY_OF(TRUE_PINBASED_CTLS) = 0x000000ff00000016,
		CAPABILITY_OF(TRUE_PROCBASED_CTLS) = 0xfffbfffe04006172,
		CAPABILITY_OF(TRUE_EXIT_CTLS) = 0xffffffff00036dfb,
		CAPABILITY_OF(TRUE_ENTRY_CTLS) = 0x03ffffff000011fb,
		CAPABILITY_OF(VMFUNC) = 0x1,
		CAPABILITY_OF(PROCBASED_CTLS3) = 0x1ff,
		CAPABILITY_OF(EXIT_CTLS2) = 0xf,
	},
	.field = {
		[FIELD_PIN_CONTROLS] = 0xff,
		[FIELD_PROC_CONTROLS] = 0x9663e172,
		[FIELD_PROC2_CONTROLS] = 0x03e66323,
		[FIELD_PROC3_CONTROLS] = 0x1e,
		[FIELD_VM_EXIT_CONTROLS] = 0xb26bffff,
		[FIELD_VM_EXIT2_CONTROLS] = 0xf,
		[FIELD_VM_ENTRY_CONTROLS] = 0x007df3ff,
		[FIELD_CR3_TARGET_COUNT] = 2,
		[FIELD_IO_BITMAP_A] = 0x10000,
		[FIELD_IO_BITMAP_B] = 0x11000,
		[FIELD_MSR_BITMAP] = 0x12000,
		[FIELD_VIRTUAL_APIC_ADDRESS] = 0x13000,
		[FIELD_APIC_ACCESS_ADDRESS] = 0x14000,
		[FIELD_POSTED_INTERRUPT_NOTIFICATION_VECTOR] = 0xf2,
		[FIELD_POSTED_INTERRUPT_DESCRIPTOR_ADDRESS] = 0x15040,
		[FIELD_VPID] = 1,
		[FIELD_EPTP] = 0x1601e,
		[FIELD_PML_ADDRESS] = 0x17000,
		[FIELD_SPPTP] = 0x18000,
		[FIELD_VM_FUNCTION_CONTROLS] = 1,
		[FIELD_EPTP_LIST_ADDRESS] = 0x19000,
		[FIELD_VMREAD_BITMAP_ADDRESS] = 0x1a000,
		[FIELD_VMWRITE_BITMAP_ADDRESS] = 0x1b000,
		[FIELD_VE_INFORMATION_ADDRESS] = 0x1c000,
		[FIELD_TSC_MULTIPLIER] = 0x1000000000000,
		[FIELD_HLATP] = 0x1d000,
		[FIELD_PID_POINTER_TABLE_ADDRESS] = 0x1e008,
		[FIELD_LAST_PID_POINTER_INDEX] = 1,
		[FIELD_LOW_PASID_DIRECTORY_ADDRESS] = 0x1f000,
		[FIELD_HIGH_PASID_DIRECTORY_ADDRESS] = 0x20000,
		[FIELD_EXIT_MSR_STORE_COUNT] = 2,
		[FIELD_EXIT_MSR_STORE_ADDRESS] = 0x21010,
		[FIELD_EXIT_MSR_LOAD_COUNT] = 2,
		[FIELD_EXIT_MSR_LOAD_ADDRESS] = 0x22010,
		[FIELD_ENTRY_MSR_LOAD_COUNT] = 2,
		[FIELD_ENTRY_MSR_LOAD_ADDRESS] = 0x23010,

		[FIELD_HOST_CR0] = 0x80010021,
		[FIELD_HOST_CR3] = 0x30000,
		[FIELD_HOST_CR4] = 0x2020,
		[FIELD_HOST_RIP] = 0x100000,
		[FIELD_HOST_RSP] = 0x31000,
		[FIELD_HOST_CS_SELECTOR] = 0x08,
		[FIELD_HOST_SS_SELECTOR] = 0x10,
		[FIELD_HOST_TR_SELECTOR] = 0x18,
		[FIELD_HOST_IA32_EFER] = 0xd01,
		[FIELD_HOST_IA32_PAT] = 0x0007040600070406,
		[FIELD_HOST_SSP] = 0x32000,

		[FIELD_GUEST_CR0] = 0x80010021,
		[FIELD_GUEST_CR3] = 0x40000,
		[FIELD_GUEST_CR4] = 0x2020,
		[FIELD_GUEST_DR7] = 0x400,
		[FIELD_GUEST_IA32_EFER] = 0xd01,
		[FIELD_GUEST_IA32_PAT] = 0x0007040600070406,
		[FIELD_GUEST_RIP] = 0x200000,
		[FIELD_GUEST_RFLAGS] = 0x202,
		[FIELD_GUEST_SSP] = 0x41000,
		[FIELD_GUEST_CS_SELECTOR] = 0x08,
		[FIELD_GUEST_CS_LIMIT] = 0xffffffff,
		[FIELD_GUEST_CS_ACCESS_RIGHTS] = 0xa09b,
		[FIELD_GUEST_SS_SELECTOR] = 0x10,
		[FIELD_GUEST_SS_LIMIT] = 0xffffffff,
		[FIELD_GUEST_SS_ACCESS_RIGHTS] = 0xc093,
		[FIELD_GUEST_DS_SELECTOR] = 0x10,
		[FIELD_GUEST_DS_LIMIT] = 0xffffffff,
		[FIELD_GUEST_DS_ACCESS_RIGHTS] = 0xc093,
		[FIELD_GUEST_ES_SELECTOR] = 0x10,
		[FIELD_GUEST_ES_LIMIT] = 0xffffffff,
		[FIELD_GUEST_ES_ACCESS_RIGHTS] = 0xc093,
		[FIELD_GUEST_FS_SELECTOR] = 0x10,
		[FIELD_GUEST_FS_LIMIT] = 0xffffffff,
		[FIELD_GUEST_FS_ACCESS_RIGHTS] = 0xc093,
		[FIELD_GUEST_GS_SELECTOR] = 0x10,
		[FIELD_GUEST_GS_LIMIT] = 0xffffffff,
		[FIELD_GUEST_GS_ACCESS_RIGHTS] = 0xc093,
		[FIELD_GUEST_TR_SELECTOR] = 0x18,
		[FIELD_GUEST_TR_LIMIT] = 0x67,
		[FIELD_GUEST_TR_ACCESS_RIGHTS] = 0x8b,
		[FIELD_GUEST_LDTR_SELECTOR] = 0x20,
		[FIELD_GUEST_LDTR_LIMIT] = 0x27,
		[FIELD_GUEST_LDTR_ACCESS_RIGHTS] = 0x82,
		[FIELD_GUEST_GDTR_LIMIT] = 0x2f,
		[FIELD_GUEST_IDTR_LIMIT] = 0xfff,
		[FIELD_VMCS_LINK_POINTER] = 0x6000,
	},
};

/* The others, each made of one before it. */
static struct vmx_state MINIMAL, TPR, UNPAGED, REAL, PROTECTED, V8086, PAE, PAE_EPT, HOST32, IA32;

/* Controls that ask for nothing but exits on external interrupts. */
static const struct change minimal[] = {
	SET(PIN_CONTROLS, 0x17),
	SET(PROC_CONTROLS, 0x8401e172),
	SET(PROC2_CONTROLS, 0),
	SET(VM_EXIT_CONTROLS, 0x36fff),
	SET(VM_ENTRY_CONTROLS, 0x13ff),
	SET(VMCS_LINK_POINTER, 0xffffffffffffffff),
};
static const struct change tpr[] = { OR(PROC_CONTROLS, BIT(21)), WORD(vtpr, 0x50) };
/* 32-bit protected mode: with paging, and without for an unrestricted guest under EPT. */
static const struct change protected[] = {
	SET(VM_ENTRY_CONTROLS, 0x11ff),
	SET(GUEST_CR4, 0x2000),
	SET(GUEST_CS_ACCESS_RIGHTS, 0xc09b),
	SET(GUEST_IA32_EFER, 0),
};
static const struct change unpaged[] = { SET(PROC2_CONTROLS, 0x82), SET(GUEST_CR0, 0x10021) };
static const struct change real[] = {
	SET(GUEST_CR0, 0x10020),
	SET(GUEST_CS_SELECTOR, 0xf000),
	SET(GUEST_CS_BASE, 0xffff0000),
	SET(GUEST_CS_LIMIT, 0xffff),
	SET(GUEST_CS_ACCESS_RIGHTS, 0x93),
	SET(GUEST_RIP, 0xfff0),
};
#define SEGMENT_V8086(SEG)                                                                         \
	SET(GUEST_##SEG##_SELECTOR, 0x1234), SET(GUEST_##SEG##_BASE, 0x12340),                     \
		SET(GUEST_##SEG##_LIMIT, 0xffff), SET(GUEST_##SEG##_ACCESS_RIGHTS, 0xf3)
static const struct change v8086[] = {
	OR(GUEST_RFLAGS, BIT(17)),
	SEGMENT_V8086(CS),
	SEGMENT_V8086(SS),
	SEGMENT_V8086(DS),
	SEGMENT_V8086(ES),
	SEGMENT_V8086(FS),
	SEGMENT_V8086(GS),
};
static const struct change pae[] = {
	OR(GUEST_CR4, BIT(5)),
	WORD(pdpte[0], 0x50001),
	WORD(pdpte[1], 0),
	WORD(pdpte[2], 0x51001),
	WORD(pdpte[3], 0x7ffffff019),
};
static const struct change pae_ept[] = {
	SET(PROC2_CONTROLS, 0x2),
	FORGET(pdpte[0]),
	FORGET(pdpte[1]),
	FORGET(pdpte[2]),
	FORGET(pdpte[3]),
};
static const struct change host32[] = {
	SET(VM_EXIT_CONTROLS, 0x36dff),
	SET(HOST_CR4, 0x2000),
	FACT(ia32e, false),
};
static const struct change ia32[] = { FACT(intel64, false), FACT(linear_width, 32) };

static void derive(struct vmx_state *state, const struct vmx_state *from,
	const struct change *change, size_t changes)
{
	*state = *from;
	for (size_t i = 0; i < changes; i++)
		apply(state, change[i]);
}

#define DERIVE(state, from, changes) derive(&state, &from, changes, ARRAY_SIZE(changes))

static void derive_states(void)
{
	DERIVE(MINIMAL, RICH, minimal);
	DERIVE(TPR, MINIMAL, tpr);
	DERIVE(PROTECTED, MINIMAL, protected);
	DERIVE(UNPAGED, PROTECTED, unpaged);
	DERIVE(REAL, UNPAGED, real);
	DERIVE(V8086, PROTECTED, v8086);
	DERIVE(PAE, PROTECTED, pae);
	DERIVE(PAE_EPT, PAE, pae_ept);
	DERIVE(HOST32, PROTECTED, host32);
	DERIVE(IA32, HOST32, ia32);
}

/* ---- Running the cases ---- */

struct listener {
	struct vmx_check_listener base;
	const struct test_case *test;
	unsigned int expected, unexpected;
};

static bool covered[VMX_CHECKS];

static void hear(struct vmx_check_listener *base, const struct vmx_check *check,
	enum vmx_verdict verdict, const struct vmx_state *state)
{
	struct listener *listener = (struct listener *)base;
	enum vmx_check_index id = (enum vmx_check_index)(check - vmx_checks);
	const struct test_case *test = listener->test;

	if (verdict == test->verdict && (id == test->expected[0] || id == test->expected[1])) {
		listener->expected++;
		covered[id] |= verdict == VMX_BROKEN;
		return;
	}
	listener->unexpected++;
	printf("# line %u: %s: %s\n", test->line, check->id,
		verdict == VMX_BROKEN ? "broken" : "unknown");
}

static void judge(const struct test_case *test, const struct vmx_state *state, uint64_t bit)
{
	struct listener listener = { { hear }, test, 0, 0 };
	unsigned int wanted = (test->expected[0] != NONE) + (test->expected[1] != NONE);

	vmx_checks_run(state, VMX_CHECK_ALL, &listener.base);
	if (listener.expected != wanted)
		printf("# line %u, bit 0x%llx: %s%s%s: not found\n", test->line,
			(unsigned long long)bit, vmx_checks[test->expected[0]].id,
			wanted == 2 ? " and " : "",
			wanted == 2 ? vmx_checks[test->expected[1]].id : "");
	CHECK_EQ(listener.expected, wanted);
	CHECK_EQ(listener.unexpected, 0);
}

static void run_case(const struct test_case *test)
{
	struct vmx_state state = *test->base, variant;
	struct change each = test->each;

	for (unsigned int i = 0; i < CHANGES_MAX && test->change[i].size; i++)
		apply(&state, test->change[i]);
	if (!each.size)
		judge(test, &state, 0);
	for (unsigned int bit = 0; each.size && bit < 64; bit++) {
		if (!(test->each.value & BIT(bit)))
			continue;
		variant = state;
		each.value = BIT(bit);
		apply(&variant, each);
		judge(test, &variant, each.value);
	}
}

static void run_cases(const struct test_case *test, size_t cases)
{
	derive_states();
	for (size_t i = 0; i < cases; i++)
		run_case(&test[i]);
	printf("# %zu cases\n", cases);
}

#define RUN(cases) run_cases(cases, ARRAY_SIZE(cases))

static const struct test_case good_cases[] = { HOLDS(RICH) HOLDS(MINIMAL) HOLDS(TPR) HOLDS(UNPAGED)
		HOLDS(REAL) HOLDS(PROTECTED) HOLDS(V8086) HOLDS(PAE) HOLDS(PAE_EPT) HOLDS(HOST32)
			HOLDS(IA32) };

static const struct test_case control_cases[] = {
#include "tests/host/vmx_checks_control.def"
};

static const struct test_case host_cases[] = {
#include "tests/host/vmx_checks_host.def"
};

static const struct test_case guest_cases[] = {
#include "tests/host/vmx_checks_guest.def"
};

static const struct test_case segment_cases[] = {
#include "tests/host/vmx_checks_segment.def"
};

static void good_states_break_nothing(void)
{
	RUN(good_cases);
}

static void control_rules(void)
{
	RUN(control_cases);
}

static void host_rules(void)
{
	RUN(host_cases);
}

static void guest_rules(void)
{
	RUN(guest_cases);
}

static void guest_segment_rules(void)
{
	RUN(segment_cases);
}

/* After the tests above. */
static void every_rule_is_broken_by_a_case(void)
{
	for (unsigned int i = 0; i < VMX_CHECKS; i++) {
		if (!covered[i])
			printf("# %s: no case\n", vmx_checks[i].id);
		CHECK(covered[i]);
	}
}

/* ---- The table ---- */

static void rows_are_whole_and_in_order(void)
{
	for (unsigned int i = 0; i < VMX_CHECKS; i++) {
		const struct vmx_check *check = &vmx_checks[i];

		CHECK_ROW(i, (check->holds != NULL) + (check->judge != NULL), 1);
		CHECK_ROW(i, check->field < VMCS_FIELDS, 1);
		CHECK_ROW(i, strlen(check->rule) > 3, 1);
		if (i == 0)
			continue;
		CHECK_ROW(i, vmx_checks[i - 1].section <= check->section, 1);
		CHECK_ROW(i, vmx_check_group(&vmx_checks[i - 1]) <= vmx_check_group(check), 1);
	}
}

/* "VM Instruction Error Numbers"; "VM-Entry Failures During or After Loading Guest State". */
static void groups_fail_as_the_manual_says(void)
{
	CHECK_EQ(vmx_check_error(VMX_CHECK_CONTROL), 7);
	CHECK_EQ(vmx_check_error(VMX_CHECK_HOST), 8);
	CHECK_EQ(vmx_check_error(VMX_CHECK_GUEST), 0);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_cr0_pg_pe]), 0);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_pdpte0]), 2);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_pdpte3]), 2);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_sti_nmi]), 3);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_link_aligned]), 4);
	CHECK_EQ(vmx_check_qualification(&vmx_checks[VMX_CHECK_guest_link_shadow]), 4);
}

static void masks_choose_groups(void)
{
	struct vmx_state state;

	derive_states();
	state = MINIMAL;
	state.field[FIELD_CR3_TARGET_COUNT] = 5;
	state.field[FIELD_HOST_CS_SELECTOR] = 0;
	state.field[FIELD_GUEST_RFLAGS] = 0;
	CHECK_EQ(vmx_checks_run(&state, BIT(VMX_CHECK_CONTROL), NULL), 1);
	CHECK_EQ(vmx_checks_run(&state, BIT(VMX_CHECK_HOST), NULL), 1);
	CHECK_EQ(vmx_checks_run(&state, BIT(VMX_CHECK_GUEST), NULL), 1);
	CHECK_EQ(vmx_checks_run(&state, VMX_CHECK_ALL, NULL), 3);
	CHECK_EQ(vmx_checks_run(&state, 0, NULL), 0);
}

/* An optional rule is heard of, but does not count. */
static void optional_rules_do_not_count(void)
{
	struct vmx_state state;

	derive_states();
	state = MINIMAL;
	state.field[FIELD_GUEST_INTERRUPTIBILITY_STATE] = 1;
	state.field[FIELD_ENTRY_INTERRUPTION_INFORMATION] = 0x80000202;
	CHECK_EQ(vmx_checks_run(&state, VMX_CHECK_ALL, NULL), 0);
}

TAP_MAIN(TAP_TEST(good_states_break_nothing), TAP_TEST(control_rules), TAP_TEST(host_rules),
	TAP_TEST(guest_rules), TAP_TEST(guest_segment_rules),
	TAP_TEST(every_rule_is_broken_by_a_case), TAP_TEST(rows_are_whole_and_in_order),
	TAP_TEST(groups_fail_as_the_manual_says), TAP_TEST(masks_choose_groups),
	TAP_TEST(optional_rules_do_not_count))
