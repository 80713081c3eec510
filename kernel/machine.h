/* What CPUID says of the machine, as pure functions of register values, so that tests can ask about
   machines that are not there. What is done with the answers is left to backend.c. */
#ifndef KERNEL_MACHINE_H
#define KERNEL_MACHINE_H

#include "runtime/x86.h"

#define MACHINE_VENDOR_BYTES 13 /* twelve letters and the final NUL */

enum machine_interface {
	MACHINE_NONE,
	MACHINE_VMX, /* VT-x: Intel, and others who took it */
	MACHINE_SVM, /* AMD-V */
};

/* Puts the vendor's name, e.g. "GenuineIntel", into name. leaf_0 is what CPUID says for EAX = 0
   ("CPUID - CPU Identification", vendor identification string): four letters in EBX, four in EDX,
   four in ECX, in this order, each register's low byte first. */
void machine_vendor(const struct cpuid *leaf_0, char name[MACHINE_VENDOR_BYTES]);

/* Which interface for virtual machines the CPU has. leaf_1 is CPUID's leaf CPUID_FEATURES; ext_max
   the leaf CPUID_EXT_MAX, whose EAX is the highest extended leaf; ext_features the leaf
   CPUID_EXT_FEATURES, which means something only where that highest leaf is not below it: elsewhere
   its registers hold anything. VT-x is a bit of leaf_1's ECX ("Discovering Support for VMX"), AMD-V
   one of ext_features' ECX ("Enabling SVM"). A CPU that claims both is taken for VT-x. */
enum machine_interface machine_interface(
	const struct cpuid *leaf_1, const struct cpuid *ext_max, const struct cpuid *ext_features);

/* Prints the vendor, the interface, and what it offers. */
void machine_print(void);

#endif
