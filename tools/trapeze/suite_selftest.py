"""The suite itself, tested: answers falsified one by one must turn each test red, a run that compares
nothing must not pass, and the order of the tests must not matter."""

import re
from dataclasses import dataclass

from .suite_log import FAILED, KNOWN, PASSED

FORGED = re.compile(r"forged: (\d+) outcomes, (\d+) of (\d+) observations noticed")


@dataclass
class Forgeries:
    """What a run with forge=on came to."""

    tests: int = 0
    outcomes: int = 0
    noticed: int = 0
    observations: int = 0


def count_forgeries(results):
    """(Forgeries, complaints): each test that passed must have been falsified."""
    found, complaints = Forgeries(), []
    for result in results:
        if result.status != PASSED:
            continue
        match = next(filter(None, map(FORGED.fullmatch, result.notes)), None)
        if match is None or int(match[1]) == 0:
            complaints.append(f"{result.name} passed without having been falsified")
            continue
        found.tests += 1
        found.outcomes += int(match[1])
        found.noticed += int(match[2])
        found.observations += int(match[3])
    return found, complaints


def unproven_rows(matrix, results):
    """(rows, rows whose tests were all skipped): rows that no falsified test stands for. A known failure is
    red without help."""
    status = {result.name: result.status for result in results}
    unproven, skipped = [], []
    for key, tests in matrix.tests.items():
        ran = {status[name] for name in tests if name in status}
        if ran and not ran & {PASSED, KNOWN}:
            (skipped if ran <= {"skipped"} else unproven).append(key)
    return unproven, skipped


def judge_forged(report, matrix):
    """Lines about a run with forge=on, and whether it is as it should be."""
    forgeries, complaints = count_forgeries(report.run.results)
    unproven, skipped = unproven_rows(matrix, report.run.results)
    complaints += [f"no falsified test stands for {key}" for key in unproven]
    complaints += report.complaints
    for result in report.run.results:
        if result.status == FAILED:
            complaints.append(f"{result.name}: {'; '.join(result.notes[:3]) or 'failed'}")
    lines = [f"falsified: {forgeries.tests} tests, {forgeries.outcomes} outcomes, all noticed; "
             f"{forgeries.noticed} of {forgeries.observations} single observations noticed"]
    if skipped:
        lines.append(f"not on this CPU: {len(skipped)} rows: " + " ".join(skipped[:8])
                     + (" ..." if len(skipped) > 8 else ""))
    return lines + complaints, report.status == 0 and not complaints


def judge_uncompared(report):
    """The same about a run with forge=uncompared: it must not pass, for the right reason."""
    good = report.status != 0 and "nothing was compared" in report.complaints
    return [f"without comparisons the run {'does not pass' if report.status else 'PASSES'}"], good


def essence(results):
    """What must be the same in any order: {name: (status, reason, differences)}. What a platform gets
    wrong in one order and right in another is not the suite's to settle."""
    return {result.name: (result.status, result.reason,
                          tuple((one.row, one.expected, one.came) for one in result.differences))
            if not (result.erratum and result.erratum.varies) else ("varies",)
            for result in results}


def judge_orders(first, others):
    """The same about runs in other orders, {seed: results}."""
    lines, good, wanted = [], True, essence(first)
    for seed, results in others.items():
        found = essence(results)
        differing = [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]
        for name in differing:
            lines.append(f"seed {seed}: {name}: {found.get(name)}, in order {wanted.get(name)}")
        good = good and not differing
        lines.append(f"seed {seed}: {len(found) - len(differing)} of {len(wanted)} tests came to the same")
    return lines, good
