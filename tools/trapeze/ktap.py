"""The tests that an image reports on its console, as KTAP (TAP with a plan in front)."""

import re

from .testing import FAILED, PASSED, SKIPPED, Outcome

PLAN = re.compile(r"1\.\.(\d+)")
RUN = re.compile(r"# run (\S+)")
TEST = re.compile(r"(not )?ok (\d+) ?(?:- )?(\S*)(?: # SKIP ?(.*))?.*")


def outcomes(lines, prefix):
    """An Outcome for each test; a test that is missing, cut or out of order is a failed one."""
    found, notes, planned, running = [], [], None, ""
    for line in lines:
        plan, run, test = PLAN.fullmatch(line), RUN.fullmatch(line), TEST.fullmatch(line)
        if plan and planned is None:
            planned = int(plan[1])
        elif run:
            running, notes = run[1], []
        elif test:
            found.append(test_outcome(test, prefix, len(found) + 1, notes))
            running, notes = "", []
        elif line.startswith("#"):
            notes.append(line[1:].strip())
    if planned is None:
        return [Outcome(prefix, FAILED, "no plan was printed")]
    for number in range(len(found) + 1, planned + 1):
        detail = "it never ended" if running else "it was not reached"
        found.append(Outcome(f"{prefix}/{running or number}", FAILED, detail))
        running = ""
    return found


def test_outcome(match, prefix, expected, notes):
    """The outcome of one "ok" or "not ok" line."""
    name = f"{prefix}/{match[3] or match[2]}"
    if int(match[2]) != expected:
        return Outcome(name, FAILED, f"number {match[2]} where {expected} was due")
    if match[1]:
        return Outcome(name, FAILED, "; ".join(notes))
    if match[4] is not None:
        return Outcome(name, SKIPPED, match[4] or "no reason was given")
    return Outcome(name, PASSED)
