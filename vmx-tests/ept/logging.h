/* For tests of dirty flags and of page-modification logging: everything but the window is dirty
 * already. */
#ifndef VMX_TESTS_EPT_LOGGING_H
#define VMX_TESTS_EPT_LOGGING_H

#include "vmx-tests/ept/window.h"

#define LOG_ENTRIES 512

/* The page-modification log. */
extern uint64_t logging_log[LOG_ENTRIES];

/* Opens the window with a page of that level, with accessed and dirty flags enabled and set in
   every entry but the window page's own; turns "enable PML" on, with that index. The log is filled
   with LOGGING_UNUSED. */
void logging_open(unsigned int level, uint64_t index);
#define LOGGING_UNUSED UINT64_C(0x5555555555555555)

#endif
