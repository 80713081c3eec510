/* What the tests of I/O share: the two bitmaps, and the guest's TSS with an I/O permission bitmap.
 */
#ifndef VMX_TESTS_EXIT_IO_H
#define VMX_TESTS_EXIT_IO_H

#include "vmx-tests/exit/exit.h"
#include "vmx-tests/guest_tables.h"

/* Bitmap A covers ports 0 to 0x7fff, bitmap B the others ("I/O-Bitmap Addresses"); they lie side by
   side, so that bit p of both together is port p's. */
extern uint8_t io_bitmaps[2][4096];

/* Fills both and sets "use I/O bitmaps". */
void io_use_bitmaps(uint8_t fill);

static inline void io_flip(uint32_t port)
{
	io_bitmaps[0][port / 8 % sizeof(io_bitmaps)] ^= (uint8_t)(1 << port % 8);
}

/* The I/O map base of the guest's TSS: at byte 102 of both forms. */
#define IO_TSS_BASE 102
#define IO_TSS_LIMIT                                                                               \
	0x7f /* the whole of struct guest_tss: enough of a bitmap for ports up to 0xb7 */

static inline void io_tss_bitmap(uint16_t offset)
{
	guest_tss.bytes[IO_TSS_BASE] = (uint8_t)offset;
	guest_tss.bytes[IO_TSS_BASE + 1] = (uint8_t)(offset >> 8);
}

static inline void io_tss_fill(uint8_t permissions)
{
	uint32_t i;

	for (i = GUEST_TSS_LIMIT + 1; i <= IO_TSS_LIMIT; i++)
		guest_tss.bytes[i] = permissions;
}

#endif
