/* What CPUID says of the machine: who made it, and which interface for virtual machines it has.
   What more a back end needs it asks itself. */
#include "kernel/machine.h"

#include "runtime/print.h"
#include "runtime/string.h"
#include "spec/cpuid.h"

void machine_vendor(const struct cpuid *leaf_0, char name[MACHINE_VENDOR_BYTES])
{
	memcpy(name, &leaf_0->ebx, 4);
	memcpy(name + 4, &leaf_0->edx, 4);
	memcpy(name + 8, &leaf_0->ecx, 4);
	name[12] = '\0';
}

enum machine_interface machine_interface(
	const struct cpuid *leaf_1, const struct cpuid *ext_max, const struct cpuid *ext_features)
{
	if (leaf_1->ecx & CPUID_1_ECX_VMX)
		return MACHINE_VMX;
	if (ext_max->eax >= CPUID_EXT_FEATURES && (ext_features->ecx & CPUID_EXT_ECX_SVM))
		return MACHINE_SVM;
	return MACHINE_NONE;
}

void machine_print(void)
{
	static const char *const names[] = {
		[MACHINE_NONE] = "none", [MACHINE_VMX] = "VT-x", [MACHINE_SVM] = "AMD-V"
	};
	struct cpuid leaf_0 = cpuid(CPUID_VENDOR, 0), leaf_1 = cpuid(CPUID_FEATURES, 0);
	struct cpuid ext_max = cpuid(CPUID_EXT_MAX, 0), ext = cpuid(CPUID_EXT_FEATURES, 0);
	char vendor[MACHINE_VENDOR_BYTES] = "";

	machine_vendor(&leaf_0, vendor);
	print("machine: vendor \"%s\", highest leaf %#x, highest extended leaf %#x\n", vendor,
		leaf_0.eax, ext_max.eax);
	print("machine: interface for virtual machines: %s\n",
		names[machine_interface(&leaf_1, &ext_max, &ext)]);
}
