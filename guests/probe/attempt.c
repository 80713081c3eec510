/* The attempts of attempt.h. How a hypervisor must end such a virtual machine is told by the tools
   that start it. */
#include "guests/probe/attempt.h"

#include "runtime/errno.h"
#include "runtime/paging.h"
#include "runtime/power.h"
#include "runtime/string.h"
#include "runtime/trap.h"
#include "runtime/x86.h"

#define NOWHERE (UINT64_C(3) << 30) /* guest-physical: above the memory, below the devices */

static void halt_for_good(void)
{
	interrupts_off();
	halt();
}

/* No gate for the exception, none for the #GP that follows, none for the #DF. */
static void fault_thrice(void)
{
	write_idtr((struct descriptor_table){ 0, 0 });
	__asm__ volatile("ud2");
}

static void run_nowhere(void)
{
	if (paging_map(NOWHERE, PAGE_SIZE, PAGING_EXECUTE) == 0)
		((void (*)(void))NOWHERE)();
}

/* No hypervisor has 512 bytes of a device's registers to load. */
static void load_fpu_from_nowhere(void)
{
	__asm__ volatile("fxrstor64 (%0)" : : "r"(NOWHERE) : "memory");
}

static void load_cr3(void *arg)
{
	write_cr3(read_cr3() | BIT(51));
}

/* Reserved in CR3: #GP. An implementation that takes it must not let the guest run with it. */
static void reserve_cr3(void)
{
	if (trap_catch(load_cr3, NULL, NULL) == VECTOR_GP)
		power_end(0);
}

int attempt_end(const char *name)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} attempts[] = {
		{ "halt", halt_for_good },
		{ "triple", fault_thrice },
		{ "nowhere", run_nowhere },
		{ "unknown", load_fpu_from_nowhere },
		{ "cr3", reserve_cr3 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(attempts); i++)
		if (strcmp(attempts[i].name, name) == 0) {
			attempts[i].run();
			return 0;
		}
	return -ENOENT;
}
