/* Workloads of which the efficiency of a monitor is measured: each a fixed amount of work, of one
   kind, whose instructions are counted where a TSC tick is one. */
#ifndef PROBE_WORKLOAD_H
#define PROBE_WORKLOAD_H

#include "guests/probe/machine.h"

/* Runs the workloads whose names match one of the patterns (see table_selects()) and prints a line
   of fixed length for each: its name and its TSC ticks. Returns how many there were. */
unsigned int workload_run(const char *patterns, const struct machine *good);

/* The line of the workload "integer" alone, which needs neither a clock nor a monitor's answer. */
void workload_run_integer(void);

#endif
