/* Whether AMD-V can be turned on, with register values that no CPU at hand has.
   Links: kernel/svm/on.c
*/
#include "tests/host/tap.h"

#include <stdarg.h>

#include "kernel/svm/on.h"
#include "kernel/svm/permission.h"
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

void svm_permission_init(void)
{
}

void *page_alloc_zeroed(unsigned int order)
{
	return NULL;
}

void page_free(void *block, unsigned int order)
{
}

/* ---- A CPU that has everything ---- */

#define SVM    0x4 /* CPUID Fn8000_0001_ECX */
#define NP     0x1 /* CPUID Fn8000_000A_EDX */
#define SVML   0x4
#define LOCK   0x8 /* VM_CR */
#define SVMDIS 0x10

static const struct svm_on_registers good = {
	.ext_features_ecx = SVM,
	.svm_eax = 1,
	.svm_ebx = 16,
	.svm_edx = NP,
};

/* Runs the check, and compares its result and a part of what it prints. */
static void expect(struct svm_on_registers registers, bool stage2, int result, const char *words)
{
	printed[0] = 0;
	CHECK_EQ(svm_on_check(&registers, stage2), result);
	if (!strstr(printed, words))
		printf("# printed \"%s\", not \"%s\"\n", printed, words);
	CHECK(strstr(printed, words) != NULL);
	CHECK((result == 0) == (printed[0] == 0));
}

static void good_cpu_is_taken(void)
{
	expect(good, true, 0, "");
	expect(good, false, 0, "");
}

static void no_svm(void)
{
	struct svm_on_registers registers = good;

	registers.ext_features_ecx = ~SVM;
	expect(registers, true, -ENODEV, "this CPU has no AMD-V");
}

static void disabled_and_locked(void)
{
	struct svm_on_registers registers = good;

	registers.vm_cr = SVMDIS | LOCK;
	expect(registers, true, -EPERM, "firmware has locked AMD-V off");
	CHECK(strstr(printed, "key") == NULL);
	registers.svm_edx |= SVML;
	expect(registers, true, -EPERM, "a key can unlock it");
}

static void disabled_but_not_locked(void)
{
	struct svm_on_registers registers = good;
	uint64_t wanted;

	registers.vm_cr = SVMDIS;
	expect(registers, true, 0, "");
	CHECK_EQ(svm_on_vm_cr(SVMDIS | 0x1, &wanted), 0);
	CHECK_EQ(wanted, 0x1);
}

static void locked_on(void)
{
	struct svm_on_registers registers = good;
	uint64_t wanted;

	registers.vm_cr = LOCK;
	expect(registers, true, 0, "");
	CHECK_EQ(svm_on_vm_cr(LOCK, &wanted), 0);
	CHECK_EQ(wanted, LOCK);
}

static void no_nested_paging(void)
{
	struct svm_on_registers registers = good;

	registers.svm_edx = ~NP & ~SVML;
	expect(registers, true, -ENODEV, "lacks nested paging");
	expect(registers, false, 0, "");
}

static void no_asid_for_a_guest(void)
{
	struct svm_on_registers registers = good;

	registers.svm_ebx = 1;
	expect(registers, true, -ENODEV, "no address space identifier");
}

TAP_MAIN(TAP_TEST(good_cpu_is_taken), TAP_TEST(no_svm), TAP_TEST(disabled_and_locked),
	TAP_TEST(disabled_but_not_locked), TAP_TEST(locked_on), TAP_TEST(no_nested_paging),
	TAP_TEST(no_asid_for_a_guest))
