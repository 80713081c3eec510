/* Whether VT-x can be turned on, with register values that no CPU at hand has; and the computation
   of the controls.
   Links: kernel/vmx/on.c kernel/vmx/control.c spec/vmx_names.c
*/
#include "tests/host/tap.h"

#include <stdarg.h>

#include "kernel/vmx/bitmap.h"
#include "kernel/vmx/control.h"
#include "kernel/vmx/on.h"
#include "kernel/vmx/vmcs.h"
#include "runtime/errno.h"
#include "runtime/page_alloc.h"
#include "runtime/print.h"
#include "runtime/x86.h"

/* ---- What the code under test calls on a real machine only; and what it printed ---- */

static char printed[4096];

void print(const char *format, ...)
{
	size_t used = strlen(printed);
	va_list args;

	va_start(args, format);
	(vsnprintf)(printed + used, sizeof(printed) - used, format, args);
	va_end(args);
}

int rdmsr_safe(uint32_t number, uint64_t *value)
{
	*value = 0;
	return -EFAULT;
}

void bitmap_init(void)
{
}

struct vmcs_region *vmcs_alloc(void)
{
	return NULL;
}

int vmcs_write(uint32_t field, uint64_t value)
{
	return -EIO;
}

void page_free(void *block, unsigned int order)
{
}

/* ---- A CPU that has everything ---- */

#define ANYTHING    UINT64_C(0xffffffff00000000) /* each control may be 0 and may be 1 */
#define REGION_SIZE 1024
#define ALL_OF_EPT                                                                                 \
	(VMX_EPT_VPID_CAP_WALK_4 | VMX_EPT_VPID_CAP_EPTP_WB | VMX_EPT_VPID_CAP_INVEPT |            \
		VMX_EPT_VPID_CAP_INVEPT_SINGLE)

static struct on_registers good_cpu(void)
{
	struct on_registers cpu = {
		.cpuid_1_ecx = CPUID_1_ECX_VMX,
		.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX,
		.basic = FIELD_PUT(REGION_SIZE, VMX_BASIC_REGION_SIZE),
		.ept_vpid_cap = ALL_OF_EPT,
	};

	for (int i = 0; i < CONTROL_WORDS; i++)
		cpu.controls.word[i] = ANYTHING;
	printed[0] = '\0';
	return cpu;
}

/* Takes a control away from the CPU. */
static void lack(struct on_registers *cpu, enum vmx_control_word word, uint32_t control)
{
	cpu->controls.word[word] &= ~FIELD_PUT(control, CAPABILITY_MAY_BE_1);
}

static void accepts_a_good_cpu(void)
{
	struct on_registers cpu = good_cpu();

	CHECK_EQ(on_check(&cpu, true), 0);
	CHECK_EQ(on_check(&cpu, false), 0);
	CHECK_EQ(printed[0], '\0');
}

static void refuses_a_cpu_without_vmx(void)
{
	struct on_registers cpu = good_cpu();

	cpu.cpuid_1_ecx = ~(uint32_t)CPUID_1_ECX_VMX;
	CHECK_EQ(on_check(&cpu, false), -ENODEV);
	CHECK(strstr(printed, "trapeze: error: this CPU has no VT-x"));
}

/* "Enabling and Entering VMX Operation": bit 0 locks, bit 1 allows VMX inside SMX operation, bit 2
   outside. */
static void reads_feature_control(void)
{
	static const struct {
		uint64_t value;
		int result;
		uint64_t wanted;
	} rows[] = {
		{ 0x0, 0, 0x5 }, /* unlocked: ours to set */
		{ 0x2, 0, 0x7 }, /* unlocked, other bits stay */
		{ 0x4, 0, 0x5 },
		{ 0x1, -EPERM, 0x1 }, /* locked off */
		{ 0x3, -EPERM, 0x3 }, /* locked with VMX inside SMX only */
		{ 0x5, 0, 0x5 },      /* locked on */
		{ 0x7, 0, 0x7 },
		{ 0x100000, 0, 0x100005 }, /* LMCE stays */
		{ 0xff07, 0, 0xff07 },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t wanted;

		CHECK_ROW(i, on_feature_control(rows[i].value, &wanted), rows[i].result);
		CHECK_ROW(i, wanted, rows[i].wanted);
	}
}

static void says_who_locked_vmx_off(void)
{
	struct on_registers cpu = good_cpu();

	cpu.feature_control = FEATURE_CONTROL_LOCK;
	CHECK_EQ(on_check(&cpu, true), -EPERM);
	CHECK(strstr(printed, "trapeze: error: firmware has locked VT-x off"));
}

static void needs_ept_only_with_stage2(void)
{
	struct on_registers cpu = good_cpu();

	lack(&cpu, CONTROL_WORD_PROC2, PROC2_ENABLE_EPT);
	CHECK_EQ(on_check(&cpu, true), -ENODEV);
	CHECK(strstr(
		printed, "trapeze: error: this CPU's VT-x lacks the control PROC2_ENABLE_EPT"));
	CHECK(strstr(printed, "stage2=off"));
	CHECK_EQ(on_check(&cpu, false), 0);
}

static void names_every_control_that_is_missing(void)
{
	struct on_registers cpu = good_cpu();

	lack(&cpu, CONTROL_WORD_PIN, PIN_PREEMPTION_TIMER);
	lack(&cpu, CONTROL_WORD_VM_EXIT, VM_EXIT_SAVE_EFER);
	CHECK_EQ(on_check(&cpu, true), -ENODEV);
	CHECK(strstr(printed, "PIN_PREEMPTION_TIMER"));
	CHECK(strstr(printed, "VM_EXIT_SAVE_EFER"));
	CHECK(!strstr(printed, "stage2=off"));
}

static void does_without_optional_controls(void)
{
	struct on_registers cpu = good_cpu();

	lack(&cpu, CONTROL_WORD_PIN, PIN_VIRTUAL_NMIS);
	lack(&cpu, CONTROL_WORD_PROC2, PROC2_ENABLE_VPID | PROC2_ENABLE_RDTSCP);
	CHECK_EQ(on_check(&cpu, true), 0);
	CHECK_EQ(printed[0], '\0');
}

static void needs_each_part_of_ept(void)
{
	static const struct {
		uint64_t missing;
		const char *text;
	} rows[] = {
		{ VMX_EPT_VPID_CAP_WALK_4, "4 levels" },
		{ VMX_EPT_VPID_CAP_EPTP_WB, "memory type" },
		{ VMX_EPT_VPID_CAP_INVEPT, "lacks INVEPT" },
		{ VMX_EPT_VPID_CAP_INVEPT_SINGLE, "type of INVEPT" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct on_registers cpu = good_cpu();

		cpu.ept_vpid_cap &= ~rows[i].missing;
		CHECK_ROW(i, on_check(&cpu, true), -ENODEV);
		CHECK_ROW(i, strstr(printed, rows[i].text) != NULL, true);
		CHECK_ROW(i, on_check(&cpu, false), 0);
	}
}

/* "Reserved Controls and Default Settings" */
static void adjusts_controls(void)
{
	static const struct {
		uint32_t required, optional;
		uint64_t capability; /* may be 1 : must be 1 */
		int result;
		uint32_t value;
	} rows[] = {
		{ 0x0, 0x0, 0xffffffff00000000, 0, 0x0 }, { 0x0, 0x0, 0xffffffff00000016, 0, 0x16 },
		{ 0x81, 0x0, 0x000000ff00000016, 0, 0x97 },
		{ 0x81, 0x300, 0x000001ff00000016, 0, 0x197 },
		{ 0x181, 0x0, 0x000000ff00000016, -ENODEV, 0x100 },
		{ 0x80000000, 0x0, 0x7fffffff00000000, -ENODEV, 0x80000000 },
		{ 0x80000000, 0x1, 0x8000000000000000, 0, 0x80000000 },
		{ 0x1, 0x0, 0x0, -ENODEV, 0x1 }, /* a word that the CPU does not have */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t value;

		CHECK_ROW(i,
			control_adjust(
				rows[i].required, rows[i].optional, rows[i].capability, &value),
			rows[i].result);
		CHECK_ROW(i, value, rows[i].value);
	}
}

static void fixes_bits(void)
{
	CHECK_EQ(on_fix_bits(0x0, 0x80000021, 0xffffffff), 0x80000021);
	CHECK_EQ(on_fix_bits(0xe0000031, 0x80000021, 0x9fffffff), 0x80000031);
	CHECK_EQ(on_fix_bits(0x620, 0x2000, 0x3767ff), 0x2620);
}

TAP_MAIN(TAP_TEST(accepts_a_good_cpu), TAP_TEST(refuses_a_cpu_without_vmx),
	TAP_TEST(reads_feature_control), TAP_TEST(says_who_locked_vmx_off),
	TAP_TEST(needs_ept_only_with_stage2), TAP_TEST(names_every_control_that_is_missing),
	TAP_TEST(does_without_optional_controls), TAP_TEST(needs_each_part_of_ept),
	TAP_TEST(adjusts_controls), TAP_TEST(fixes_bits))
