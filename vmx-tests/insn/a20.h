/* A20M: the suite with address bit 20 masked, for as long as one instruction takes. */
#ifndef VMX_TESTS_INSN_A20_H
#define VMX_TESTS_INSN_A20_H

#include "runtime/compiler.h"
#include "runtime/outcome.h"

enum a20_step { A20_NOTHING, A20_VMXON, A20_VMXOFF };

struct a20_result {
	bool masked_before; /* was address bit 20 masked after A20M was asserted ... */
	bool masked_after;  /* ... and after the instruction? */
	outcome result;     /* of the instruction */
};

/* Asserts A20M at the system control port, executes the instruction (VMXON of that region), and
   takes A20M back. Outside or inside VMX operation, as it is called. */
struct a20_result a20_run(enum a20_step step, uint64_t region);

#endif
