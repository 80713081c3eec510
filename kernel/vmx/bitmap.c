/* The I/O and MSR bitmaps, filled from const tables of what passes through. What a guest gets for
   the rest is left to the policy in kernel/exit.c. */
#include "kernel/vmx/bitmap.h"

#include "runtime/console.h"
#include "runtime/string.h"
#include "spec/uart.h"
#include "spec/vmx.h"

static uint8_t io_closed[2 * PAGE_SIZE] __aligned(4096);
static uint8_t io_com1[2 * PAGE_SIZE] __aligned(4096);
static uint8_t msrs[PAGE_SIZE] __aligned(4096);

/* Each is loaded and saved by VM entry and exit, or switched in software between vCPUs. */
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
	MSR_IA32_PAT,
	MSR_IA32_TSC_AUX,
};

static void clear_bit(uint8_t *bitmap, uint32_t bit)
{
	bitmap[bit / 8] &= (uint8_t)~BIT(bit % 8);
}

/* Lets reads and writes of an MSR pass; it is in one of the two ranges that have bitmaps. */
static void pass_msr(uint32_t msr)
{
	bool high = msr >= MSR_BITMAP_HIGH_FIRST;
	uint32_t bit = msr - (high ? MSR_BITMAP_HIGH_FIRST : MSR_BITMAP_LOW_FIRST);

	clear_bit(msrs + (high ? MSR_BITMAP_READ_HIGH : MSR_BITMAP_READ_LOW), bit);
	clear_bit(msrs + (high ? MSR_BITMAP_WRITE_HIGH : MSR_BITMAP_WRITE_LOW), bit);
}

void bitmap_init(void)
{
	memset(io_closed, 0xff, sizeof(io_closed));
	memset(io_com1, 0xff, sizeof(io_com1));
	memset(msrs, 0xff, sizeof(msrs));
	for (uint32_t port = CONSOLE_PORT; port < CONSOLE_PORT + UART_PORTS; port++)
		clear_bit(io_com1, port);
	for (size_t i = 0; i < ARRAY_SIZE(passed_msrs); i++)
		pass_msr(passed_msrs[i]);
}

const uint8_t *bitmap_io(bool stage2)
{
	return stage2 ? io_closed : io_com1;
}

const uint8_t *bitmap_msr(void)
{
	return msrs;
}
