/* NMIs of the CPU to itself, for the tests of exits by NMIs. */
#ifndef VMX_TESTS_EXIT_NMI_H
#define VMX_TESTS_EXIT_NMI_H

#include "vmx-tests/exit/interrupt.h"

#define OTHER_CAUSES "SDM Other Causes of VM Exits"
#define COVERS       "control:PIN_NMI_EXITING exit:EXCEPTION_OR_NMI"
#define VIRTUAL      "control:PIN_VIRTUAL_NMIS control:PIN_NMI_EXITING"
#define WINDOW       "control:PROC_NMI_WINDOW_EXITING exit:NMI_WINDOW control:PIN_VIRTUAL_NMIS"
#define NMI_EVENT    (INTERRUPTION_VALID | VECTOR_NMI | FIELD_PUT(INTERRUPTION_NMI, INTERRUPTION_TYPE))

/* IRET ends blocking by NMI, the next NMI comes at once. Returns how many came, observed. */
unsigned int nmi_unblock(void);

/* Guest code: sends an NMI, and waits for ever. */
void nmi_send(void);

/* The two controls, gates that exit for each exception, and the watchdog soon. */
void nmi_set_controls(bool exiting, bool virtual);

#endif
