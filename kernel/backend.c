/* The choice between the vendors, made once: nothing else in the kernel asks who made the CPU. */
#include "kernel/backend.h"

#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

const struct backend *backend;

int backend_choose(bool stage2)
{
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX)
		backend = &vmx_backend;
	else if (cpuid(CPUID_EXT_MAX, 0).eax >= CPUID_EXT_FEATURES &&
		(cpuid(CPUID_EXT_FEATURES, 0).ecx & CPUID_EXT_ECX_SVM))
		backend = &svm_backend;
	if (backend == NULL) {
		print("trapeze: error: this CPU has neither VT-x (CPUID.1:ECX.VMX) nor AMD-V "
		      "(CPUID.80000001H:ECX.SVM)\n");
		return -ENODEV;
	}
	return backend->check(stage2);
}

const char *exit_raw_name(const struct exit *exit)
{
	return backend->exit_name(exit);
}
