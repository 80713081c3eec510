"""Counting: what a report is read as, and that nothing silent counts as passed."""

import pytest

from trapeze import HostError
from trapeze.ktap import outcomes
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome, count, report, run_job, run_jobs

GOOD = ["KTAP version 1", "1..3", "# run a/b", "ok 1 a/b", "# run a/c", "# it broke", "not ok 2 a/c",
        "# run a/d", "ok 3 a/d # SKIP no EPT"]

CASES = [
    (GOOD, [PASSED, FAILED, SKIPPED]),
    (GOOD[:-2], [PASSED, FAILED, FAILED]),
    (GOOD[:3], [FAILED, FAILED, FAILED]),
    (GOOD[:1], [FAILED]),
    ([], [FAILED]),
    (["1..1", "ok 2 late"], [FAILED]),
    (["1..1", "ok 1 - name with words"], [PASSED]),
    (["1..0"], []),
]


@pytest.mark.parametrize("lines, statuses", CASES)
def test_ktap(lines, statuses):
    assert [outcome.status for outcome in outcomes(lines, "x")] == statuses


def test_ktap_tells_names_and_reasons():
    first, second, third = outcomes(GOOD, "x")
    assert first.name == "x/a/b"
    assert second.detail == "it broke"
    assert third.detail == "no EPT"


def test_ktap_names_the_test_that_never_ended():
    last = outcomes(GOOD[:5], "x")[1]
    assert (last.name, last.detail) == ("x/a/c", "it never ended")


def fail():
    """A job that cannot do its work."""
    raise HostError("no such tool")


@pytest.mark.parametrize("run", [fail, lambda: [], lambda: 1 / 0])
def test_broken_job_is_failed(run):
    found, _ = run_job(Job("job", run))
    assert [outcome.status for outcome in found] == [FAILED]


def test_jobs_run_and_are_counted(capsys):
    jobs = [Job(str(number), lambda number=number: [Outcome(str(number), PASSED)])
            for number in range(9)]
    assert count(run_jobs(jobs, 3)) == {PASSED: 9, FAILED: 0, SKIPPED: 0}
    assert "[9/9]" in capsys.readouterr().out


ONE = [Outcome("a", PASSED)]


@pytest.mark.parametrize("found, status, line", [
    (ONE, 0, "1 passed, 0 failed, 0 skipped"),
    (ONE + [Outcome("b", SKIPPED, "why")], 0, "1 passed, 0 failed, 1 skipped"),
    (ONE + [Outcome("b", FAILED, "how")], 1, "1 passed, 1 failed, 0 skipped"),
    ([], 1, "0 passed, 0 failed, 0 skipped"),
    ([Outcome("b", SKIPPED, "why")], 1, "0 passed, 0 failed, 1 skipped"),
])
def test_report_closes_with_the_counts(found, status, line, capsys):
    assert report(found) == status
    assert capsys.readouterr().out.splitlines()[-1] == line
