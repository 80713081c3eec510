/* The suite's EPT: an identity map of the first 4 GiB with all rights and write-back memory, off
   until a test asks for it. Tests then change single entries. */
#ifndef VMX_TESTS_EPT_H
#define VMX_TESTS_EPT_H

#include "vmx-tests/vmx.h"

#define EPT_ALL (EPT_READ | EPT_WRITE | EPT_EXECUTE)

/* Back to no tables in use. The harness calls it before each test. */
void ept_reset(void);

/* Can the CPU do EPT with 4 levels, write-back structures and 2 MiB pages? An unrestricted guest?
 */
bool ept_available(void);
bool unrestricted_guest_available(void);

/* Builds the identity map and turns "enable EPT" on in the current VMCS. */
void ept_enable(void);
/* And "unrestricted guest". */
void ept_enable_unrestricted(void);

/* The EPT pointer that ept_enable() wrote. */
uint64_t ept_pointer(void);

/* The entry that maps gpa at level (1: 4 KiB ... 4: root), after splitting what is larger so that
   it exists. The caller changes it and then invalidates. Never NULL: panics when out of tables. */
uint64_t *ept_entry(uint64_t gpa, unsigned int level);

/* INVEPT of everything, on the calling CPU. */
void ept_invalidate(void);

/* Sets a secondary control, activating the secondary controls. */
void proc2_set(uint64_t bits);

#endif
