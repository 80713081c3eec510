/* Rounds of comparing what is the witness's own with what it was. Who asks it is sweep.c's. */
#include "guests/probe/witness.h"

#include "guests/probe/observe.h"
#include "runtime/hypercall.h"
#include "runtime/print.h"
#include "runtime/x86.h"

#define OBSERVED 0 /* the number of the virtual machine it is the witness of */
#define MARK     0xa7
#define MAX_GAP  BIT(40) /* TSC ticks between two rounds: some minutes */

bool witness_run(void)
{
	static struct observation before;
	uint64_t tsc, last = rdtsc();
	const char *changed = NULL;
	unsigned int round;

	observe_start(&before, MARK);
	for (round = 1; hypercall(HYPERCALL_ASK, OBSERVED, 0) >= 0; round++) {
		tsc = rdtsc();
		if (changed == NULL) {
			changed = tsc - last >= MAX_GAP ? "clock" : observe_compare(&before, true);
			if (changed != NULL)
				print("probe: witness: %s changed in round %u\n", changed, round);
		}
		last = tsc;
		hypercall(HYPERCALL_TELL, changed != NULL ? WITNESS_CHANGED : round, 0);
		hypercall(HYPERCALL_YIELD, 0, 0);
	}
	print("probe: witness: %u rounds, %s\n", round, changed != NULL ? "changed" : "unchanged");
	return changed == NULL;
}
