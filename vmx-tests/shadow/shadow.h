/* A guest with VMCS shadowing: the shadow VMCS, its two bitmaps, and guest code that executes
   VMREAD and VMWRITE. */
#ifndef VMX_TESTS_SHADOW_H
#define VMX_TESTS_SHADOW_H

#include "vmx-tests/guest.h"

#define SHADOW_BITMAP_BITS 32768 /* one per encoding, bits 14:0 */
extern uint8_t shadow_vmread_bitmap[4096], shadow_vmwrite_bitmap[4096];

/* Makes the spare region a shadow VMCS with nothing written in it, links it to the current VMCS,
   turns "VMCS shadowing" on with bitmaps in which every encoding exits but `encoding`, which does
   for neither instruction. */
void shadow_use(uint64_t encoding);

/* A field of the shadow VMCS, from the host: the current VMCS is the same afterwards. */
uint64_t shadow_read(uint64_t encoding);
void shadow_write(uint64_t encoding, uint64_t value);

/* VMREAD and VMWRITE in the guest. The result is the guest's exit; what the instruction itself came
   to is in shadow_flags: VMX_FLAGS of RFLAGS behind it. */
extern uint64_t shadow_flags;
outcome shadow_guest_vmread(uint64_t encoding, uint64_t *value);
outcome shadow_guest_vmwrite(uint64_t encoding, uint64_t value);

#endif
