/* Probes of what a monitor adds to a machine and no single instruction shows: the delivery of
   interrupts, what CPUID promises, and what another virtual machine's turn leaves alone. Like the
   table's, their lines are compared with those of the bare machine. */
#ifndef PROBE_MONITOR_H
#define PROBE_MONITOR_H

#include "guests/probe/machine.h"

struct monitor_request {
	const char *patterns; /* which probes, as table_run() has it */
	bool is_guest;        /* under a monitor: what must hold there is tested, not assumed */
	unsigned int salt; /* tells virtual machines that run at the same time apart; 1 is the one
			      compared */
	const struct machine *good; /* the state to go back to */
};

/* Each of these prints its probes' lines and returns how many records there were among them. */

/* Interrupts and exceptions where the monitor delivers them. */
unsigned int interrupt_run(const struct monitor_request *request);

/* What CPUID shows exists, and what it hides does not. */
unsigned int feature_run(const struct monitor_request *request);

/* State that must outlast the turns of other virtual machines. */
unsigned int turn_run(const struct monitor_request *request);

/* All of them: first those that want another virtual machine beside this one, in time with it. */
unsigned int monitor_run(const struct monitor_request *request);

/* Is the probe asked for? */
bool monitor_wants(const struct monitor_request *request, const char *id);

/* Prints the probe's row: its manual section, what it does, and the likely cause of a difference.
 */
void monitor_list(const char *id, const char *section, const char *text, const char *cause);

#endif
