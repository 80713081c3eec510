"""The efficiency figures: that two runs give the same to the digit, and that what needs no monitor has none."""

from trapeze import probe_efficiency
from trapeze.testing import FAILED, PASSED, Job, Outcome

PLATFORM = "tcg-amd"  # the faster of the deterministic ones
ALONE = ("integer", "system_calls", "page_faults", "context_switches")


def measure_twice():
    """One outcome for the repetition, one for each workload that runs without an exit."""
    first, second = (probe_efficiency.measure(PLATFORM) for _ in range(2))
    outcomes = [Outcome("efficiency/same", PASSED if first == second else FAILED, f"{first}\n{second}")]
    for row in first:
        if row.workload in ALONE:
            alone = not row.exits and row.guest == row.native
            outcomes.append(Outcome(f"efficiency/{row.workload}", PASSED if alone else FAILED, str(row)))
    return outcomes


def jobs():
    """One."""
    return [Job("efficiency", measure_twice, 8)]
