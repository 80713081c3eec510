/* A back end without a CPU behind it: registers are variables, entries do not happen. For what a
   guest gets for its exits, which is the same for both vendors. */
#ifndef LABS_SCRIPT_H
#define LABS_SCRIPT_H

#include "kernel/vcpu.h"

/* What the code under test did; the registers may be set before. */
struct script {
	uint64_t reg[REGS];
	unsigned int advances; /* calls of advance() with the exit that was handled */
	const struct exit *exit;
};
extern struct script script;

/* A virtual machine with nothing in it, all registers 0 but RFLAGS, CR0 and CR4 of 64-bit code. */
struct vcpu *script_vcpu(void);

/* Lets handler(vcpu, exit) run with that back end. */
void script_handle(struct vcpu *vcpu, const struct exit *exit,
	void (*handler)(struct vcpu *, const struct exit *));

#endif
