/* Accesses to the APIC-access page that end the machine on a platform that gets them wrong: each
   boots alone. The others are access.c's. */
#define TEST_FOLDER "apic/"
#include "runtime/harness.h"
#include "vmx-tests/apic/page.h"
#include "vmx-tests/needs.h"

TEST(alone, fetch, "SDM Exit Qualification for APIC-Access VM Exits",
	"an instruction fetch exits with type 2", EXIT(EXIT_REASON_APIC_ACCESS),
	.needs = NEEDS(&need_PROC_TPR_SHADOW, &need_PROC2_VIRTUALIZE_APIC_ACCESSES),
	.covers = "exit:APIC_ACCESS",
	VALUES({ VMCS_EXIT_QUALIFICATION,
		FIELD_PUT(APIC_ACCESS_LINEAR_FETCH, APIC_ACCESS_TYPE) | 0x40 }))
{
	apic_use_access_page();
	guest_set_mode(GUEST_64BIT, apic_access + 0x40, 1);
	return guest_run(NULL);
}
