/* The virtual-APIC page and the APIC-access page of the APIC-virtualization tests, and the guest's
   way to the latter: a page of its own at a linear address, mapped by a 4-KByte entry as the manual
   asks. */
#ifndef VMX_TESTS_APIC_PAGE_H
#define VMX_TESTS_APIC_PAGE_H

#include "spec/apic.h"
#include "vmx-tests/guest.h"

extern uint8_t apic_page[4096];   /* the virtual-APIC page */
extern uint8_t apic_access[4096]; /* the APIC-access page; its contents must never be seen */
#define APIC_ACCESS_PATTERN 0xa5

/* Zeroes the virtual-APIC page, fills the access page with the pattern, turns on "use TPR shadow".
 */
void apic_use_tpr_shadow(void);
/* And "virtualize APIC accesses", with the access page mapped by a 4-KByte page. */
void apic_use_access_page(void);
/* The same with APIC-register virtualization, or with virtual-interrupt delivery. */
void apic_use_registers(void);
void apic_use_delivery(void);

/* A register of the virtual-APIC page, 32 bits, at `offset` bytes. */
uint32_t apic_get(unsigned int offset); /* observed */
void apic_put(unsigned int offset, uint32_t value);

/* The bit of a vector in VISR, VTMR or VIRR (offset of the first register). */
#define APIC_REG_VERSION 0x030
#define APIC_REG_LDR     0x0d0
#define APIC_REG_DFR     0x0e0
#define APIC_REG_PPR     0x0a0
#define APIC_REG_ISR     0x100
#define APIC_REG_TMR     0x180
#define APIC_REG_IRR     0x200
bool apic_vector(unsigned int first, uint8_t vector);
void apic_set_vector(unsigned int first, uint8_t vector);

/* Guest code: reads or writes the register at guest_gpr[RDI] (offset) through the access page, the
   value in RAX, then VMCALL. */
extern const uint8_t apic_read_code[], apic_read_code_end[];
extern const uint8_t apic_write_code[], apic_write_code_end[];
outcome apic_guest_read(unsigned int offset, uint32_t *value);
outcome apic_guest_write(unsigned int offset, uint32_t value);

/* Moves to and from CR8, RDMSR and WRMSR in the guest. */
outcome apic_guest_cr8_write(uint64_t value);
outcome apic_guest_cr8_read(uint64_t *value);
outcome apic_guest_rdmsr(uint32_t msr, uint64_t *value);
outcome apic_guest_wrmsr(uint32_t msr, uint64_t value);

#endif
