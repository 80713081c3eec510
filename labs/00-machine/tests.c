/* Lab 0: what CPUID says, from register values that no CPU at hand has, and what the experiment
   with sensitive instructions says, on the CPU at hand. */
#define TEST_FOLDER "lab0/"
#include "kernel/machine.h"
#include "kernel/sensitive.h"
#include "labs/suite.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

#define CPUID_TITLE "SDM CPUID - CPU Identification; APM CPUID"

/* ---- machine_vendor ---- */

/* The name that these registers spell, in a buffer that was full of something else. */
static const char *spell(const char ebx[4], const char edx[4], const char ecx[4])
{
	static char name[MACHINE_VENDOR_BYTES + 1];
	struct cpuid leaf_0 = { .eax = 0x16 };

	memset(name, '?', sizeof(name));
	memcpy(&leaf_0.ebx, ebx, 4);
	memcpy(&leaf_0.edx, edx, 4);
	memcpy(&leaf_0.ecx, ecx, 4);
	machine_vendor(&leaf_0, name);
	return name[MACHINE_VENDOR_BYTES] == '?' ? name : "(more than its 13 bytes)";
}

#define CHECK_NAME(came, wanted)                                                                   \
	do {                                                                                       \
		const char *came_ = (came);                                                        \
		if (strncmp(came_, wanted, MACHINE_VENDOR_BYTES) != 0)                             \
			return test_mismatch(                                                      \
				__LINE__, "the name is %.13s, not %s", came_, wanted);             \
	} while (0)

TEST(machine_vendor, order, CPUID_TITLE,
	"four letters each in EBX, EDX, ECX, in this order" CAUSE(
		"the registers are taken in the order of their names: EBX, ECX, EDX"),
	OK)
{
	CHECK_NAME(spell("Genu", "ineI", "ntel"), "GenuineIntel");
	CHECK_NAME(spell("Auth", "enti", "cAMD"), "AuthenticAMD");
	return OK;
}

TEST(machine_vendor, bytes, CPUID_TITLE,
	"the low byte of each register comes first" CAUSE(
		"the letters of a register are in the opposite order"),
	OK)
{
	CHECK_NAME(spell("abcd", "efgh", "ijkl"), "abcdefghijkl");
	return OK;
}

TEST(machine_vendor, ends, "kernel/machine.h",
	"a final NUL, and nothing behind it is touched" CAUSE(
		"the thirteenth byte is not written, or one too many"),
	OK)
{
	const char *name = spell("abcd", "efgh", "ijkl");

	CHECK_EQUAL(strlen(name), MACHINE_VENDOR_BYTES - 1);
	return OK;
}

TEST(machine_vendor, this_cpu, CPUID_TITLE,
	"this CPU's name" CAUSE("the name is a constant, or of another leaf"), OK)
{
	struct cpuid leaf_0 = cpuid(CPUID_VENDOR, 0);
	char name[MACHINE_VENDOR_BYTES] = "";

	machine_vendor(&leaf_0, name);
	CHECK_EQUAL(memcmp(name, &leaf_0.ebx, 4), 0);
	CHECK_EQUAL(memcmp(name + 8, &leaf_0.ecx, 4), 0);
	return OK;
}

/* ---- machine_interface ---- */

static enum machine_interface ask(uint32_t leaf_1_ecx, uint32_t ext_max, uint32_t ext_ecx)
{
	struct cpuid leaf_1 = { .ecx = leaf_1_ecx }, max = { .eax = ext_max },
		     ext = { .ecx = ext_ecx };

	return machine_interface(&leaf_1, &max, &ext);
}

#define OTHER_ECX ~(uint32_t)CPUID_1_ECX_VMX
#define OTHER_EXT ~(uint32_t)CPUID_EXT_ECX_SVM

TEST(machine_interface, vmx, CPUID_TITLE,
	"CPUID.1:ECX.VMX (bit 5) is VT-x" CAUSE(
		"another bit or register than ECX's bit 5 of leaf 1"),
	OK)
{
	CHECK_EQUAL(ask(CPUID_1_ECX_VMX, CPUID_EXT_FEATURES, 0), MACHINE_VMX);
	CHECK_EQUAL(ask(CPUID_1_ECX_VMX, 0, 0), MACHINE_VMX);
	return OK;
}

TEST(machine_interface, svm, CPUID_TITLE,
	"CPUID.80000001H:ECX.SVM (bit 2) is AMD-V" CAUSE(
		"another bit or register than ECX's bit 2 of leaf 80000001H"),
	OK)
{
	CHECK_EQUAL(ask(0, CPUID_EXT_FEATURES, CPUID_EXT_ECX_SVM), MACHINE_SVM);
	return OK;
}

TEST(machine_interface, none, CPUID_TITLE,
	"neither bit: none, whatever the others say" CAUSE(
		"a whole register is compared with 0 where one bit counts"),
	OK)
{
	CHECK_EQUAL(ask(OTHER_ECX, CPUID_EXT_FEATURES, OTHER_EXT), MACHINE_NONE);
	CHECK_EQUAL(ask(0, CPUID_EXT_FEATURES, 0), MACHINE_NONE);
	return OK;
}

TEST(machine_interface, no_leaf, CPUID_TITLE,
	"a leaf beyond the highest one says nothing: SVM does not count" CAUSE(
		"the highest extended leaf is not looked at: a CPU answers for a leaf that it has "
		"not with another's"),
	OK)
{
	CHECK_EQUAL(ask(0, CPUID_EXT_FEATURES - 1, CPUID_EXT_ECX_SVM), MACHINE_NONE);
	CHECK_EQUAL(ask(0, 0, CPUID_EXT_ECX_SVM), MACHINE_NONE);
	return OK;
}

/* ---- sensitive_classify ---- */

#define PAPER                                                                                      \
	"Popek and Goldberg, Formal Requirements for Virtualizable Third Generation Architectures"

static enum sensitive_class classify(int supervisor, uint64_t at_0, int user, uint64_t at_3)
{
	struct sensitive_outcome first = { supervisor, at_0 }, second = { user, at_3 };

	return sensitive_classify(&first, &second);
}

TEST(sensitive_classify, traps, PAPER,
	"no exception at CPL 0, one at CPL 3: it traps" CAUSE(
		"the vectors are not compared with TRAP_NONE, or only one of them"),
	OK)
{
	CHECK_EQUAL(classify(TRAP_NONE, 5, VECTOR_GP, 0), SENSITIVE_TRAPS);
	CHECK_EQUAL(classify(TRAP_NONE, 0, VECTOR_DE, 0), SENSITIVE_TRAPS);
	return OK;
}

TEST(sensitive_classify, shows, PAPER,
	"the same result at both levels: it shows the machine's own state" CAUSE(
		"equal results and different ones have changed places"),
	OK)
{
	CHECK_EQUAL(classify(TRAP_NONE, 5, TRAP_NONE, 5), SENSITIVE_SHOWS);
	CHECK_EQUAL(classify(TRAP_NONE, 0, TRAP_NONE, 0), SENSITIVE_SHOWS);
	return OK;
}

TEST(sensitive_classify, differs, PAPER,
	"another result without an exception: it silently does something else" CAUSE(
		"the results are not compared, or not all 64 bits"),
	OK)
{
	CHECK_EQUAL(classify(TRAP_NONE, 5, TRAP_NONE, 6), SENSITIVE_DIFFERS);
	CHECK_EQUAL(classify(TRAP_NONE, BIT(40), TRAP_NONE, 0), SENSITIVE_DIFFERS);
	return OK;
}

TEST(sensitive_classify, nothing, PAPER,
	"an exception at CPL 0 already: nothing can be told" CAUSE(
		"the outcome at CPL 0 must be looked at first"),
	OK)
{
	CHECK_EQUAL(classify(VECTOR_UD, 0, VECTOR_UD, 0), SENSITIVE_NOTHING);
	CHECK_EQUAL(classify(VECTOR_GP, 0, TRAP_NONE, 0), SENSITIVE_NOTHING);
	return OK;
}

/* The class of one of the experiment's instructions on this CPU. */
static enum sensitive_class experiment(const char *name)
{
	for (unsigned int i = 0; i < sensitive_insn_count; i++) {
		struct sensitive_outcome supervisor, user;

		if (strcmp(sensitive_insns[i].name, name) != 0)
			continue;
		supervisor = sensitive_run(&sensitive_insns[i], false);
		user = sensitive_run(&sensitive_insns[i], true);
		return sensitive_classify(&supervisor, &user);
	}
	return SENSITIVE_UNKNOWN;
}

TEST(sensitive_classify, experiment,
	"Robin and Irvine, Analysis of the Intel Pentium's Ability to Support a Secure VMM",
	"on this CPU: SGDT shows, POPF silently differs, CLI traps" CAUSE(
		"the outcomes of CPL 0 and CPL 3 have changed places"),
	OK)
{
	CHECK_EQUAL(experiment("SGDT"), SENSITIVE_SHOWS);
	CHECK_EQUAL(experiment("POPF"), SENSITIVE_DIFFERS);
	CHECK_EQUAL(experiment("CLI"), SENSITIVE_TRAPS);
	return OK;
}

/* ---- sensitive_escapes ---- */

TEST(sensitive_escapes, shows, PAPER,
	"what shows the machine's state without a trap escapes" CAUSE(
		"SENSITIVE_SHOWS is left out: a guest reads from it where it runs"),
	OK)
{
	CHECK(sensitive_escapes(SENSITIVE_SHOWS));
	return OK;
}

TEST(sensitive_escapes, differs, PAPER,
	"what silently does something else escapes" CAUSE(
		"SENSITIVE_DIFFERS is left out: the guest's instruction had no effect, and nobody "
		"noticed"),
	OK)
{
	CHECK(sensitive_escapes(SENSITIVE_DIFFERS));
	return OK;
}

TEST(sensitive_escapes, others, PAPER,
	"what traps does not, and of what faults everywhere nothing is known" CAUSE(
		"only the two classes without any exception escape"),
	OK)
{
	CHECK(!sensitive_escapes(SENSITIVE_TRAPS));
	CHECK(!sensitive_escapes(SENSITIVE_NOTHING));
	CHECK(!sensitive_escapes(SENSITIVE_UNKNOWN));
	return OK;
}
