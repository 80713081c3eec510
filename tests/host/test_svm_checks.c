/* VMRUN's checks against states made up from the manual: good ones that break no rule, and for
   every rule states just inside and just outside of it. And what svm_cpu_read() makes of forged
   CPUIDs.

   Links: spec/svm_checks.c spec/svm_names.c
*/
#include "spec/svm_checks.h"

#include "spec/cpuid.h"
#include "tests/host/tap.h"

/* ---- Changes to a state, and the cases made of them ---- */

struct change {
	uint16_t offset; /* in struct svm_state */
	uint8_t size;    /* bytes; 0: no change */
	uint64_t value;
};

#define SET(member, value)                                                                         \
	{                                                                                          \
		offsetof(struct svm_state, member), sizeof(((struct svm_state *)NULL)->member),    \
			value                                                                      \
	}

#define CHANGES_MAX 6
#define NONE        SVM_CHECKS

struct test_case {
	unsigned int line;
	enum svm_check_index broken; /* alone; or NONE */
	struct change change[CHANGES_MAX];
};

#define HOLDS(...)                                                                                 \
	{                                                                                          \
		__LINE__, NONE,                                                                    \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define BREAKS(id, ...)                                                                            \
	{                                                                                          \
		__LINE__, SVM_CHECK_##id,                                                          \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

/* ---- A good state: a 64-bit guest with nested paging on a CPU with 40 address bits ---- */

#define CR0_GOOD   UINT64_C(0x80000011) /* PG ET PE */
#define CR4_GOOD   UINT64_C(0x20)       /* PAE */
#define EFER_GOOD  UINT64_C(0x1500)     /* SVME LMA LME */
#define CS_64      0x0a9b               /* G L, present code */
#define CS_32      0x0c9b               /* G D, present code */
#define NP_ON      UINT64_C(1)
#define NMI_VECTOR UINT64_C(0x80000202)
#define PAT_GOOD   UINT64_C(0x0007040600070406)

static struct svm_state good_state(void)
{
	struct svm_state state = { 0 };

	state.vmcb.intercept_vector3 = 0x2; /* NMI */
	state.vmcb.intercept_vector4 = 0x1; /* VMRUN */
	state.vmcb.guest_asid = 1;
	state.vmcb.iopm_base_pa = 0x100000;
	state.vmcb.msrpm_base_pa = 0x110000;
	state.vmcb.nested_control = NP_ON;
	state.vmcb.n_cr3 = 0x120000;
	state.vmcb.efer = EFER_GOOD;
	state.vmcb.cr0 = CR0_GOOD;
	state.vmcb.cr3 = 0x1000;
	state.vmcb.cr4 = CR4_GOOD;
	state.vmcb.dr6 = 0xffff0ff0;
	state.vmcb.dr7 = 0x400;
	state.vmcb.rflags = 0x2;
	state.vmcb.cs.attributes = CS_64;
	state.vmcb.g_pat = PAT_GOOD;
	state.cpu.physical_width = 40;
	state.cpu.long_mode = true;
	state.cpu.cr4_reserved = ~UINT64_C(0x00f71fff);
	state.cpu.efer_reserved = ~UINT64_C(0xdd01);
	state.cpu.nasid = 16;
	/* NP, AVIC, x2AVIC, supervisor shadow stacks, VNMI */
	state.cpu.features = 0x1 | 1 << 13 | 1 << 18 | 1 << 19 | 1 << 25;
	state.cpu.host_cr0 = CR0_GOOD;
	return state;
}

/* Legacy modes: without LME; PAE paging where CR4 says so. */
#define LEGACY    SET(vmcb.efer, 0x1000), SET(vmcb.cs.attributes, CS_32)
#define NO_NESTED SET(vmcb.nested_control, 0)
#define LAST_40   UINT64_C(0xfffffff000) /* the last page of 40 address bits */

static const struct test_case cases[] = {
	HOLDS(),
	HOLDS(LEGACY, SET(vmcb.cr0, 0x11)),
	HOLDS(LEGACY, SET(vmcb.cr0, 0x60000010)),
	BREAKS(efer_svme, SET(vmcb.efer, 0x500)),
	HOLDS(SET(vmcb.cr0, CR0_GOOD | 0x40000000)),
	HOLDS(SET(vmcb.cr0, CR0_GOOD | 0x60000000)),
	BREAKS(cr0_nw_without_cd, SET(vmcb.cr0, CR0_GOOD | 0x20000000)),
	BREAKS(cr0_high, SET(vmcb.cr0, CR0_GOOD | UINT64_C(0x100000000))),
	BREAKS(cr0_high, SET(vmcb.cr0, CR0_GOOD | UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.cr3, UINT64_C(0x000000fffffff018))),
	BREAKS(cr3_mbz, SET(vmcb.cr3, UINT64_C(0x0000010000000000))),
	BREAKS(cr3_mbz, SET(vmcb.cr3, UINT64_C(0x0010000000000000))),
	BREAKS(cr3_mbz, SET(vmcb.cr3, UINT64_C(0x8000000000000000))),
	HOLDS(LEGACY, SET(vmcb.cr3, UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.cr4, 0x00771fff), SET(vmcb.cr0, CR0_GOOD | 0x10000)),
	HOLDS(SET(vmcb.cr4, 0x00f71fff), SET(vmcb.cr0, CR0_GOOD | 0x10000)),
	BREAKS(cr4_mbz, SET(vmcb.cr4, CR4_GOOD | 0x2000)), /* VMXE */
	BREAKS(cr4_mbz, SET(vmcb.cr4, CR4_GOOD | 0x8000)),
	BREAKS(cr4_mbz, SET(vmcb.cr4, CR4_GOOD | UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.dr6, 0xffffffff)),
	BREAKS(dr6_high, SET(vmcb.dr6, UINT64_C(0x1ffff0ff0))),
	HOLDS(SET(vmcb.dr7, 0xffffffff)),
	BREAKS(dr7_high, SET(vmcb.dr7, UINT64_C(0x8000000000000400))),
	HOLDS(SET(vmcb.efer, 0xdd01)),
	BREAKS(efer_mbz, SET(vmcb.efer, EFER_GOOD | 0x2)),
	BREAKS(efer_mbz, SET(vmcb.efer, EFER_GOOD | UINT64_C(0x8000000000000000))),
	HOLDS(LEGACY, SET(cpu.long_mode, false)),
	BREAKS(efer_long_mode, SET(cpu.long_mode, false)),
	BREAKS(efer_long_mode, SET(cpu.long_mode, false), LEGACY, SET(vmcb.efer, 0x1100),
		SET(vmcb.cr0, 0x11)),
	BREAKS(long_mode_needs_pae, SET(vmcb.cr4, 0)),
	HOLDS(SET(vmcb.cr4, 0), SET(vmcb.cr0, 0x11), SET(vmcb.cs.attributes, CS_32)),
	BREAKS(long_mode_needs_pe, SET(vmcb.cr0, 0x80000010)),
	HOLDS(LEGACY, SET(vmcb.cr0, 0x80000010)), /* paged real mode */
	HOLDS(SET(vmcb.cs.attributes, CS_32)),
	BREAKS(cs_l_and_d, SET(vmcb.cs.attributes, 0x0e9b)),
	HOLDS(SET(vmcb.cs.attributes, 0x0e9b), SET(vmcb.efer, 0x1000)),
	BREAKS(vmrun_intercept, SET(vmcb.intercept_vector4, 0xfffffffe)),
	BREAKS(asid_not_zero, SET(vmcb.guest_asid, 0)),
	HOLDS(SET(vmcb.guest_asid, 15)),
	BREAKS(asid_supported, SET(vmcb.guest_asid, 16)),
	HOLDS(SET(vmcb.guest_asid, 16), SET(cpu.nasid, 17)),
	HOLDS(SET(vmcb.s_cet, 0x3)),
	BREAKS(s_cet_reserved, SET(vmcb.s_cet, 0x4)),
	BREAKS(s_cet_reserved, SET(vmcb.s_cet, UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.s_cet, 0x4), SET(cpu.cr4_reserved, ~UINT64_C(0x00771fff))),
	BREAKS(cet_needs_wp, SET(vmcb.cr4, CR4_GOOD | 0x800000)),
	HOLDS(SET(vmcb.cr4, CR4_GOOD | 0x800000), SET(vmcb.cr0, CR0_GOOD | 0x10000)),
	HOLDS(SET(vmcb.rflags, 0x20002), SET(cpu.u_cet, 1)),
	HOLDS(SET(vmcb.rflags, 0x20002), SET(cpu.u_cet, 2), SET(vmcb.cr4, CR4_GOOD | 0x800000),
		SET(vmcb.cr0, CR0_GOOD | 0x10000)),
	BREAKS(shadow_stack_in_v86, SET(vmcb.rflags, 0x20002), SET(cpu.u_cet, 1),
		SET(vmcb.cr4, CR4_GOOD | 0x800000), SET(vmcb.cr0, CR0_GOOD | 0x10000)),
	HOLDS(NO_NESTED, LEGACY, SET(pdpes_known, true), SET(pdpe[0], UINT64_C(0xfffffff019))),
	BREAKS(pdpe_reserved, NO_NESTED, LEGACY, SET(pdpes_known, true), SET(pdpe[0], 0x1003)),
	BREAKS(pdpe_reserved, NO_NESTED, LEGACY, SET(pdpes_known, true), SET(pdpe[3], 0x1101)),
	BREAKS(pdpe_reserved, NO_NESTED, LEGACY, SET(pdpes_known, true),
		SET(pdpe[2], UINT64_C(0x0000010000000001))),
	HOLDS(NO_NESTED, LEGACY, SET(pdpes_known, true), SET(pdpe[0], 0x1002)), /* not present */
	HOLDS(LEGACY, SET(pdpes_known, true), SET(pdpe[0], 0x1003)),
	HOLDS(NO_NESTED, LEGACY, SET(pdpes_known, true), SET(pdpe[0], 0x1003), SET(vmcb.cr4, 0)),
	HOLDS(NO_NESTED, SET(pdpes_known, true), SET(pdpe[0], 0x1003)),
	/* 12 KiB and 8 KiB that end with the last address */
	HOLDS(SET(vmcb.iopm_base_pa, LAST_40 - 0x2000)),
	HOLDS(SET(vmcb.iopm_base_pa, LAST_40 - 0x2000 + 0xfff)), /* bits 11:0 are ignored */
	BREAKS(iopm_address, SET(vmcb.iopm_base_pa, LAST_40 - 0x1000)),
	BREAKS(iopm_address, SET(vmcb.iopm_base_pa, UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.msrpm_base_pa, LAST_40 - 0x1000)),
	BREAKS(msrpm_address, SET(vmcb.msrpm_base_pa, LAST_40)),
	BREAKS(msrpm_address, SET(vmcb.msrpm_base_pa, UINT64_C(0x0000010000000000))),
	HOLDS(SET(vmcb.eventinj, 0x80000020)), /* INTR */
	HOLDS(SET(vmcb.eventinj, NMI_VECTOR)),
	HOLDS(SET(vmcb.eventinj, 0x80000480)), /* INTn */
	HOLDS(SET(vmcb.eventinj, 0x00000120)), /* not valid */
	BREAKS(event_type, SET(vmcb.eventinj, 0x80000120)),
	BREAKS(event_type, SET(vmcb.eventinj, 0x80000520)),
	BREAKS(event_type, SET(vmcb.eventinj, 0x80000620)),
	BREAKS(event_type, SET(vmcb.eventinj, 0x80000720)),
	HOLDS(SET(vmcb.eventinj, 0x80000300)),                   /* #DE */
	HOLDS(SET(vmcb.eventinj, 0x80000303)),                   /* #BP */
	HOLDS(SET(vmcb.eventinj, UINT64_C(0x000000008000031e))), /* #SX */
	BREAKS(event_vector, SET(vmcb.eventinj, 0x80000302)),
	BREAKS(event_vector, SET(vmcb.eventinj, 0x80000309)),
	BREAKS(event_vector, SET(vmcb.eventinj, 0x8000030f)),
	BREAKS(event_vector, SET(vmcb.eventinj, 0x8000031f)),
	BREAKS(event_vector, SET(vmcb.eventinj, 0x80000320)),
	BREAKS(event_vector, SET(vmcb.eventinj, 0x800003ff)),
	BREAKS(event_possible, SET(vmcb.eventinj, 0x80000304)), /* #OF */
	BREAKS(event_possible, SET(vmcb.eventinj, 0x80000305)), /* #BR */
	HOLDS(SET(vmcb.eventinj, 0x80000305), SET(vmcb.cs.attributes, CS_32)),
	HOLDS(SET(vmcb.v_intr, 0x4000000)),
	BREAKS(v_nmi_intercept, SET(vmcb.v_intr, 0x4000000), SET(vmcb.intercept_vector3, 0x1)),
	HOLDS(SET(vmcb.v_intr, 0x4000000), SET(vmcb.intercept_vector3, 0x1), SET(cpu.features, 1)),
	BREAKS(np_host_paging, SET(cpu.host_cr0, 0x11)),
	HOLDS(SET(cpu.host_cr0, 0x11), NO_NESTED),
	HOLDS(SET(vmcb.n_cr3, LAST_40 | 0x18)),
	BREAKS(n_cr3_mbz, SET(vmcb.n_cr3, UINT64_C(0x0000010000000000))),
	BREAKS(n_cr3_mbz, SET(vmcb.n_cr3, UINT64_C(0x8000000000000000))),
	HOLDS(SET(vmcb.n_cr3, UINT64_C(0x8000000000000000)), NO_NESTED),
	HOLDS(SET(vmcb.g_pat, UINT64_C(0x0706050401000606))),
	BREAKS(g_pat_types, SET(vmcb.g_pat, UINT64_C(0x0007040600070402))),
	BREAKS(g_pat_types, SET(vmcb.g_pat, UINT64_C(0x0307040600070406))),
	BREAKS(g_pat_types, SET(vmcb.g_pat, UINT64_C(0x0007040608070406))),
	BREAKS(g_pat_types, SET(vmcb.g_pat, UINT64_C(0x8007040600070406))),
	HOLDS(SET(vmcb.g_pat, 2), NO_NESTED),
	HOLDS(SET(vmcb.nested_control, 0x11)),
	BREAKS(sss_needs_np, SET(vmcb.nested_control, 0x10)),
	HOLDS(SET(vmcb.nested_control, 0x10), SET(cpu.features, 1)),
	BREAKS(x2avic_needs_avic, SET(vmcb.v_intr, 0x40000000)),
	HOLDS(SET(vmcb.v_intr, 0xc0000000)),
	HOLDS(SET(vmcb.v_intr, 0x80000000), SET(vmcb.avic_backing_page, LAST_40)),
	BREAKS(avic_backing_page_address, SET(vmcb.v_intr, 0x80000000),
		SET(vmcb.avic_backing_page, UINT64_C(0x0000010000000000))),
	HOLDS(SET(vmcb.avic_backing_page, UINT64_C(0x0000010000000000))),
	BREAKS(avic_logical_table_address, SET(vmcb.v_intr, 0x80000000),
		SET(vmcb.avic_logical_table, UINT64_C(0x0000010000000000))),
	BREAKS(avic_physical_table_address, SET(vmcb.v_intr, 0x80000000),
		SET(vmcb.avic_physical_table, UINT64_C(0x0000010000000000))),
	HOLDS(SET(vmcb.v_intr, 0x80000000), SET(vmcb.avic_physical_table, 0x10ff)),
	BREAKS(avic_max_index, SET(vmcb.v_intr, 0x80000000), SET(vmcb.avic_physical_table, 0x1100)),
	HOLDS(SET(vmcb.v_intr, 0xc0000000), SET(vmcb.avic_physical_table, 0x11ff)),
	BREAKS(avic_max_index, SET(vmcb.v_intr, 0xc0000000), SET(vmcb.avic_physical_table, 0x1200)),
	HOLDS(SET(vmcb.v_intr, 0xc0000000), SET(vmcb.avic_physical_table, 0x1fff),
		SET(cpu.features_ecx, 0x40)),
};

static struct svm_state make_state(const struct test_case *test)
{
	struct svm_state state = good_state();

	for (unsigned int i = 0; i < CHANGES_MAX; i++)
		memcpy((uint8_t *)&state + test->change[i].offset, &test->change[i].value,
			test->change[i].size);
	return state;
}

/* Exactly the rule that the case names is broken. */
static void cases_break_their_rule(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		struct svm_state state = make_state(&cases[i]);
		unsigned int first = svm_check_next(&state, 0);
		unsigned int second = first < SVM_CHECKS ? svm_check_next(&state, first + 1) : NONE;

		CHECK_ROW(cases[i].line, first, cases[i].broken);
		CHECK_ROW(cases[i].line, second, NONE);
	}
}

static void every_rule_has_a_case(void)
{
	for (unsigned int check = 0; check < SVM_CHECKS; check++) {
		bool found = false;

		for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++)
			found |= cases[i].broken == check;
		if (!found)
			printf("# no case breaks %s\n", svm_checks[check].id);
		CHECK(found);
	}
}

static void every_rule_names_its_fields(void)
{
	for (unsigned int check = 0; check < SVM_CHECKS; check++) {
		CHECK(svm_checks[check].field[0] != VMCB_NONE);
		CHECK(strlen(svm_checks[check].rule) > 0);
		CHECK(strlen(svm_check_section(&svm_checks[check])) > 0);
	}
}

/* ---- CPUID ---- */

/* The first CPU with AMD-V: NP and little else; and one with everything. */
static void old_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	static const struct {
		uint32_t leaf, regs[4];
	} leaves[] = {
		{ 0x00000000, { 1 } },
		{ 0x00000001, { 0, 0, 0, 0x078bfbff } },
		{ 0x80000000, { 0x8000000a } },
		{ 0x80000001, { 0, 0, 0x4, 0x2bd3fbff } },
		{ 0x80000008, { 0x3028 } },
		{ 0x8000000a, { 1, 64, 0, 0x1 } },
	};

	memset(regs, 0xff, 4 * sizeof(regs[0])); /* a leaf that it has not must not be asked for */
	for (unsigned int i = 0; i < ARRAY_SIZE(leaves); i++)
		if (leaves[i].leaf == leaf)
			memcpy(regs, leaves[i].regs, sizeof(leaves[i].regs));
}

static void rich_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t regs[4])
{
	memset(regs, 0xff, 4 * sizeof(regs[0]));
	if (leaf == 0x80000008)
		regs[0] = 0x3034; /* 52 bits */
}

static void cpu_facts_of_an_old_cpu(void)
{
	static const struct svm_cpuid_source source = { old_cpuid };
	struct svm_cpu cpu = { 0 };

	svm_cpu_read(&cpu, &source);
	CHECK_EQ(cpu.physical_width, 40);
	CHECK(cpu.long_mode);
	CHECK_EQ(cpu.nasid, 64);
	CHECK_EQ(cpu.features, 1);
	CHECK_EQ(~cpu.cr4_reserved, 0x7ff);   /* up to OSXMMEXCPT */
	CHECK_EQ(~cpu.efer_reserved, 0x7d01); /* SCE LME LMA NXE SVME LMSLE FFXSR */
}

static void cpu_facts_of_a_rich_cpu(void)
{
	static const struct svm_cpuid_source source = { rich_cpuid };
	struct svm_cpu cpu = { 0 };

	svm_cpu_read(&cpu, &source);
	CHECK_EQ(cpu.physical_width, 52);
	CHECK_EQ(~cpu.cr4_reserved, 0x1f71fff);
	CHECK_EQ(~cpu.efer_reserved, 0x36dd01); /* the CPU says that it has no LMSLE */
}

/* ---- The tables ---- */

static void fields_read_and_write(void)
{
	struct svm_vmcb vmcb;

	for (unsigned int i = VMCB_NONE + 1; i < VMCB_FIELDS; i++) {
		unsigned int size = svm_vmcb_fields[i].size, offset = svm_vmcb_fields[i].offset;
		uint64_t ones = ~UINT64_C(0) >> (64 - 8 * size);

		memset(&vmcb, 0, sizeof(vmcb));
		svm_vmcb_write(&vmcb, i, ~UINT64_C(0));
		CHECK_ROW(i, svm_vmcb_read(&vmcb, i), ones);
		for (unsigned int byte = 0; byte < sizeof(vmcb); byte++)
			CHECK_ROW(i, vmcb.byte[byte], byte - offset < size ? 0xff : 0);
	}
}

static void exit_codes_have_names(void)
{
	CHECK(strcmp(svm_exit_name(0x72), "VMEXIT_CPUID") == 0);
	CHECK(strcmp(svm_exit_name(0x40 + 14), "VMEXIT_EXCP") == 0);
	CHECK(strcmp(svm_exit_name(0x400), "VMEXIT_NPF") == 0);
	CHECK(strcmp(svm_exit_name(~UINT64_C(0)), "VMEXIT_INVALID") == 0);
	CHECK(strcmp(svm_exit_name(UINT32_MAX), "VMEXIT_INVALID") == 0);
	CHECK(strcmp(svm_exit_name(0xa7), "reserved exit code") == 0);
}

TAP_MAIN(TAP_TEST(cases_break_their_rule), TAP_TEST(every_rule_has_a_case),
	TAP_TEST(every_rule_names_its_fields), TAP_TEST(cpu_facts_of_an_old_cpu),
	TAP_TEST(cpu_facts_of_a_rich_cpu), TAP_TEST(fields_read_and_write),
	TAP_TEST(exit_codes_have_names))
