/* Prints exit statistics and the ring of last exits; counting is vcpu.c's. */
#include "kernel/stats.h"

#include "kernel/vm.h"
#include "runtime/print.h"
#include "runtime/smp.h"

struct ring stats_rings[SMP_MAX_CPUS];
uint64_t stats_first_entry;

void stats_print(const struct vm *vm)
{
	const struct exit_stats *stats = &vm->vcpu.stats;
	uint64_t exits = 0, ticks = 0, average;
	unsigned int i;

	print("exits of vm %s:\n", vm->name);
	print("  %-22s %12s %14s %10s\n", "cause", "count", "ticks", "average");
	for (i = 0; i < EXIT_KINDS; i++) {
		if (stats->by_kind[i].count == 0)
			continue;
		average = stats->by_kind[i].ticks / stats->by_kind[i].count;
		print("  %-22s %12lu %14lu %10lu\n", exit_kind_name((enum exit_kind)i),
			stats->by_kind[i].count, stats->by_kind[i].ticks, average);
		exits += stats->by_kind[i].count;
		ticks += stats->by_kind[i].ticks;
	}
	print("  %-22s %12lu %14lu\n", "all", exits, ticks);
	print("  %-22s %12s %14lu\n", "in the guest", "", stats->run_ticks - ticks);
}

void stats_print_ring(void)
{
	const struct ring *ring = &stats_rings[smp_this()->number];
	uint64_t i = ring->next > STATS_RING ? ring->next - STATS_RING : 0;

	print("last exits of CPU %u:\n", smp_this()->number);
	for (; i < ring->next; i++) {
		const struct exit *exit = &ring->exit[i % STATS_RING];

		print("  %16lu vm %-2u rip %016lx %-22s %s information %#lx\n", exit->tsc, exit->vm,
			exit->rip, exit_kind_name(exit->kind), exit_raw_name(exit), exit->info);
	}
}
