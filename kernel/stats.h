/* Exit statistics: how often each cause made an exit and how many TSC ticks it cost (on the
   deterministic platforms: instructions), and the ring of a CPU's last exits. */
#ifndef KERNEL_STATS_H
#define KERNEL_STATS_H

#include "kernel/backend.h"

struct exit_stats {
	uint64_t count[EXIT_KINDS];
	uint64_t ticks[EXIT_KINDS]; /* TSC ticks in the hypervisor, from exit to next entry */
	uint64_t guest_ticks;	    /* TSC ticks in the guest */
};

struct vm;

/* When the first guest's first instruction was about to run (TSC); 0 before. */
extern uint64_t stats_first_entry;

/* Prints a VM's table: cause, count, ticks, share. */
void stats_print(const struct vm *vm);

#define STATS_RING 64 /* exits a CPU remembers; a power of two */

struct ring_entry {
	uint64_t tsc, rip, raw, info;
	uint32_t vm;   /* its number */
	uint32_t kind; /* enum exit_kind */
};

struct ring {
	uint64_t next; /* exits so far */
	struct ring_entry entry[STATS_RING];
};

/* The ring of each physical CPU. */
extern struct ring stats_rings[];

/* Prints the calling CPU's ring, oldest first. */
void stats_print_ring(void);

#endif
