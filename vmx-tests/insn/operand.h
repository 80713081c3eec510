/* What the tests of operands share: registers in which nothing is right by accident. */
#ifndef VMX_TESTS_INSN_OPERAND_H
#define VMX_TESTS_INSN_OPERAND_H

#include "vmx-tests/host_mode.h"

/* All registers hold something that is no field, no type and no address. */
struct host_registers operand_registers(void);

#endif
