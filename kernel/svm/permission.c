/* The I/O and MSR permission maps, filled from const tables of what passes through. What a guest
   gets for the rest is left to the policy in kernel/exit.c. */
#include "kernel/svm/permission.h"

#include "runtime/console.h"
#include "runtime/string.h"
#include "spec/svm.h"
#include "spec/uart.h"

static uint8_t io_closed[IOPM_BYTES] __aligned(4096);
static uint8_t io_com1[IOPM_BYTES] __aligned(4096);
static uint8_t msrs[MSRPM_BYTES] __aligned(4096);

/* Each is loaded and saved by VMLOAD and VMSAVE, or switched in software between vCPUs. IA32_PAT is not among
   them: without nested paging there is none but the host's ("Combining Memory Types, MTRRs"), and with it some
   implementations have one for all. */
static const uint32_t passed_msrs[] = {
	MSR_IA32_FS_BASE,
	MSR_IA32_GS_BASE,
	MSR_IA32_KERNEL_GS_BASE,
	MSR_IA32_STAR,
	MSR_IA32_LSTAR,
	MSR_IA32_CSTAR,
	MSR_IA32_FMASK,
	MSR_IA32_SYSENTER_CS,
	MSR_IA32_SYSENTER_ESP,
	MSR_IA32_SYSENTER_EIP,
	MSR_IA32_TSC_AUX,
};

/* Clears `rights` (MSRPM_READ, MSRPM_WRITE) of an MSR in the map: such accesses then pass ("MSR
   Intercepts"). The map has 2 bits for each MSR, four MSRs to a byte from the low bits up:
   MSRPM_RANGES ranges of MSRPM_RANGE_MSRS MSRs, which begin at the MSRs of MSRPM_RANGE_FIRST and in
   the map MSRPM_RANGE_BYTES apart. An MSR in no range is not in the map; nothing is done. */
static void pass_msr(uint8_t *map, uint32_t msr, uint64_t rights)
{
	static const uint32_t first[MSRPM_RANGES] = MSRPM_RANGE_FIRST;

	for (unsigned int range = 0; range < MSRPM_RANGES; range++) {
		uint32_t index = msr - first[range];

		if (index < MSRPM_RANGE_MSRS)
			map[range * MSRPM_RANGE_BYTES + index / 4] &=
				(uint8_t) ~(rights << (index % 4 * 2));
	}
}

/* Lets accesses to one port pass: clears its bit in the map, which has one for each port, eight to
   a byte from the low bits up ("I/O Permissions Map"). */
static void pass_port(uint8_t *map, uint16_t port)
{
	map[port / 8] &= (uint8_t)~BIT(port % 8);
}

void svm_permission_init(void)
{
	memset(io_closed, 0xff, sizeof(io_closed));
	memset(io_com1, 0xff, sizeof(io_com1));
	memset(msrs, 0xff, sizeof(msrs));
	for (uint16_t port = CONSOLE_PORT; port < CONSOLE_PORT + UART_PORTS; port++)
		pass_port(io_com1, port);
	for (size_t i = 0; i < ARRAY_SIZE(passed_msrs); i++)
		pass_msr(msrs, passed_msrs[i], MSRPM_READ | MSRPM_WRITE);
}

const uint8_t *svm_permission_io(bool stage2)
{
	return stage2 ? io_closed : io_com1;
}

const uint8_t *svm_permission_msr(void)
{
	return msrs;
}
