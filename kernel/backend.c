/* The choice between the vendors, made once: nothing else in the kernel asks who made the CPU. */
#include "kernel/backend.h"

#include "kernel/machine.h"
#include "runtime/errno.h"
#include "runtime/print.h"
#include "runtime/x86.h"
#include "spec/cpuid.h"

const struct backend *backend;

int backend_choose(bool stage2)
{
	static const struct backend *const backends[] = {
		[MACHINE_NONE] = NULL, [MACHINE_VMX] = &vmx_backend, [MACHINE_SVM] = &svm_backend
	};
	struct cpuid leaf_1 = cpuid(CPUID_FEATURES, 0), ext_max = cpuid(CPUID_EXT_MAX, 0);
	struct cpuid ext_features = cpuid(CPUID_EXT_FEATURES, 0);

	backend = backends[machine_interface(&leaf_1, &ext_max, &ext_features)];
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
