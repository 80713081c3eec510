/* How an image ends: the verdict on the console, then whatever the platform understands. */
#include "runtime/power.h"

#include "runtime/boot.h"
#include "runtime/console.h"
#include "runtime/hypercall.h"
#include "runtime/print.h"
#include "runtime/string.h"
#include "runtime/x86.h"
#include "spec/chipset.h"
#include "spec/cpuid.h"

bool hypercall_available(void)
{
	char signature[13] = "";
	struct cpuid id;

	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_HYPERVISOR))
		return false;
	id = cpuid(CPUID_HYPERVISOR, 0);
	memcpy(signature, &id.ebx, 4);
	memcpy(signature + 4, &id.ecx, 4);
	memcpy(signature + 8, &id.edx, 4);
	return strcmp(signature, HYPERVISOR_SIGNATURE) == 0;
}

static int call(bool vmcall, enum hypercall number, uint32_t ebx, uint32_t ecx)
{
	int result;

	if (vmcall)
		__asm__ volatile("vmcall"
				 : "=a"(result)
				 : "a"(number), "b"(ebx), "c"(ecx)
				 : "memory");
	else
		__asm__ volatile("vmmcall"
				 : "=a"(result)
				 : "a"(number), "b"(ebx), "c"(ecx)
				 : "memory");
	return result;
}

int hypercall(enum hypercall number, uint32_t ebx, uint32_t ecx)
{
	static uint32_t vendor; /* asked for once: CPUID costs as much as the call */

	if (vendor == 0)
		vendor = cpuid(CPUID_VENDOR, 0).ecx;
	return call(vendor == CPUID_VENDOR_ECX_INTEL, number, ebx, ecx);
}

static void leave(int status)
{
	char how[16] = "";

	console_drain();
	boot_word(boot.cmdline, "end", how, sizeof(how));
	if (strcmp(how, "qemu") == 0)
		out32(QEMU_DEBUG_EXIT_PORT,
			status == 0 ? QEMU_DEBUG_EXIT_PASSED : QEMU_DEBUG_EXIT_FAILED);
	else if (strcmp(how, "bochs") == 0)
		out8(BOCHS_SHUTDOWN_PORT, 'D');
	else if (strcmp(how, "vmcall") == 0 || strcmp(how, "vmmcall") == 0) /* CPUID is not asked */
		call(strcmp(how, "vmcall") == 0, HYPERCALL_POWEROFF, (uint32_t)status, 0);
	else if (strcmp(how, "halt") != 0 && hypercall_available())
		hypercall(HYPERCALL_POWEROFF, (uint32_t)status, 0);
}

static void __noreturn stop(void)
{
	for (;;) {
		interrupts_off();
		halt();
	}
}

void power_end(int status)
{
	if (status == 0)
		print("*** END passed\n");
	else
		print("*** END failed: %d\n", status);
	leave(status);
	stop();
}

void power_end_panic(void)
{
	print("*** END panic\n");
	leave(1);
	stop();
}
