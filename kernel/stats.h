/* Exit statistics: how often each cause made an exit and how many TSC ticks it cost (on the
   deterministic platforms: instructions), and the ring of a CPU's last exits. */
#ifndef KERNEL_STATS_H
#define KERNEL_STATS_H

#include "kernel/backend.h"

struct exit_stats {
	struct {
		uint64_t count;
		uint64_t ticks; /* TSC ticks in the hypervisor, from exit to next entry */
	} by_kind[EXIT_KINDS];
	uint64_t run_ticks; /* TSC ticks of its turns, in the guest and in the hypervisor */
};

struct vm;

/* When the first guest's first instruction was about to run (TSC); 0 before. */
extern uint64_t stats_first_entry;

/* Prints a VM's table: cause, count, ticks, share. */
void stats_print(const struct vm *vm);

#define STATS_RING 64 /* exits a CPU remembers; a power of two */

struct ring {
	uint64_t next; /* exits so far */
	struct exit exit[STATS_RING];
};

/* The ring of each physical CPU. */
extern struct ring stats_rings[];

/* Prints the calling CPU's ring, oldest first. */
void stats_print_ring(void);

#endif
