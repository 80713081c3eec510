/* What CPUID shows exists, and what it hides does not: a program chooses by CPUID what it executes,
   so a monitor that withholds a feature must do both. */
#include "guests/probe/monitor.h"

#include "runtime/print.h"
#include "runtime/trap.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

enum cpuid_register { EBX, ECX, EDX };

/* A feature, and something that can be done exactly where it exists. */
struct feature {
	const char *id, *text;
	uint32_t leaf;
	enum cpuid_register from;
	uint32_t bit;
	void (*use)(void *argument);
	uint64_t argument;
};

static void set_cr4(void *argument)
{
	uint64_t cr4 = read_cr4();

	write_cr4(cr4 | *(const uint64_t *)argument);
	write_cr4(cr4);
}

static void read_msr(void *argument)
{
	rdmsr((uint32_t) * (const uint64_t *)argument);
}

static void set_efer(void *argument)
{
	uint64_t efer = rdmsr(MSR_IA32_EFER);

	wrmsr(MSR_IA32_EFER, efer | *(const uint64_t *)argument);
	wrmsr(MSR_IA32_EFER, efer);
}

static void execute_monitor(void *argument)
{
	__asm__ volatile("monitor" : : "a"(argument), "c"(0), "d"(0));
}

static void execute_rdtscp(void *argument)
{
	__asm__ volatile("rdtscp" : : : "eax", "ecx", "edx");
}

static void execute_rdrand(void *argument)
{
	__asm__ volatile("rdrand %%eax" : : : "eax", "cc");
}

static const struct feature features[] = {
	{ "feature_vmx", "CR4.VMXE", CPUID_FEATURES, ECX, CPUID_1_ECX_VMX, set_cr4, CR4_VMXE },
	{ "feature_svm", "EFER.SVME", CPUID_EXT_FEATURES, ECX, CPUID_EXT_ECX_SVM, set_efer,
		EFER_SVME },
	{ "feature_smx", "CR4.SMXE", CPUID_FEATURES, ECX, CPUID_1_ECX_SMX, set_cr4, CR4_SMXE },
	{ "feature_monitor", "MONITOR", CPUID_FEATURES, ECX, CPUID_1_ECX_MONITOR, execute_monitor,
		0 },
	{ "feature_pcid", "CR4.PCIDE", CPUID_FEATURES, ECX, CPUID_1_ECX_PCID, set_cr4, CR4_PCIDE },
	{ "feature_xsave", "CR4.OSXSAVE", CPUID_FEATURES, ECX, CPUID_1_ECX_XSAVE, set_cr4,
		CR4_OSXSAVE },
	{ "feature_rdrand", "RDRAND", CPUID_FEATURES, ECX, CPUID_1_ECX_RDRAND, execute_rdrand, 0 },
	{ "feature_tsc_deadline", "RDMSR of IA32_TSC_DEADLINE", CPUID_FEATURES, ECX,
		CPUID_1_ECX_TSC_DEADLINE, read_msr, MSR_IA32_TSC_DEADLINE },
	{ "feature_apic", "RDMSR of IA32_APIC_BASE", CPUID_FEATURES, EDX, CPUID_1_EDX_APIC,
		read_msr, MSR_IA32_APIC_BASE },
	{ "feature_mtrr", "RDMSR of IA32_MTRRCAP", CPUID_FEATURES, EDX, CPUID_1_EDX_MTRR, read_msr,
		MSR_IA32_MTRRCAP },
	{ "feature_mca", "RDMSR of IA32_MCG_CAP", CPUID_FEATURES, EDX, CPUID_1_EDX_MCA, read_msr,
		MSR_IA32_MCG_CAP },
	{ "feature_mce", "CR4.MCE", CPUID_FEATURES, EDX, CPUID_1_EDX_MCE, set_cr4, CR4_MCE },
	{ "feature_fsgsbase", "CR4.FSGSBASE", CPUID_STRUCTURED, EBX, CPUID_7_EBX_FSGSBASE, set_cr4,
		CR4_FSGSBASE },
	{ "feature_smep", "CR4.SMEP", CPUID_STRUCTURED, EBX, CPUID_7_EBX_SMEP, set_cr4, CR4_SMEP },
	{ "feature_smap", "CR4.SMAP", CPUID_STRUCTURED, EBX, CPUID_7_EBX_SMAP, set_cr4, CR4_SMAP },
	{ "feature_umip", "CR4.UMIP", CPUID_STRUCTURED, ECX, CPUID_7_ECX_UMIP, set_cr4, CR4_UMIP },
	{ "feature_pku", "CR4.PKE", CPUID_STRUCTURED, ECX, CPUID_7_ECX_PKU, set_cr4, CR4_PKE },
	{ "feature_la57", "CR4.LA57", CPUID_STRUCTURED, ECX, CPUID_7_ECX_LA57, set_cr4, CR4_LA57 },
	{ "feature_rdtscp", "RDTSCP", CPUID_EXT_FEATURES, EDX, CPUID_EXT_EDX_RDTSCP, execute_rdtscp,
		0 },
};

static bool is_shown(const struct feature *feature)
{
	struct cpuid id = cpuid(feature->leaf, 0);
	uint32_t value = feature->from == EBX ? id.ebx : feature->from == ECX ? id.ecx : id.edx;

	return value & feature->bit;
}

static bool works(const struct feature *feature)
{
	uint64_t argument = feature->argument;

	return trap_catch(feature->use, &argument, NULL) == TRAP_NONE;
}

/* CR4.LA57 cannot be set in IA-32e mode, whether it exists or not. */
static bool agrees(const struct feature *feature)
{
	bool shown = is_shown(feature);

	if (shown && feature->use == set_cr4 && feature->argument == CR4_LA57)
		return true;
	return shown == works(feature);
}

/* The bare machine is what it is: emulators of one are not always as they tell. */
unsigned int feature_run(const struct monitor_request *request)
{
	unsigned int i, records = 0;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *feature = &features[i];

		if (!monitor_wants(request, feature->id))
			continue;
		monitor_list(feature->id, "CPUID", feature->text,
			"CPUID shows a feature that the virtual CPU does not have, or it has one "
			"that "
			"CPUID hides");
		print("@ %s 64/0 end agrees=%u\n", feature->id,
			!request->is_guest || agrees(feature));
		records++;
	}
	return records;
}
