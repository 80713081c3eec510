"""The judgement over the tests of the suite itself."""

import pytest

from trapeze import suite_selftest as selftest
from trapeze.matrix import Matrix, Row
from trapeze.records import Record
from trapeze.suite_log import Difference, TestResult
from trapeze.suite_run import SuiteRun

ROWS = {row.key: row for row in (Row("exit", "HLT", 12, "HLT"), Row("field", "EPTP", 1, "EPTP"))}
RECORDS = {"a/x": Record("a/x", "", "", covers=("exit:HLT",)),
           "a/y": Record("a/y", "", "", covers=("field:EPTP",))}
NOTE = "forged: 2 outcomes, 3 of 4 observations noticed"


class Report:
    """A run, as far as the self-test looks at it."""

    def __init__(self, *results, status=0, complaints=()):
        self.run, self.status, self.complaints = SuiteRun(list(results)), status, list(complaints)


def result(name, status, *notes, **more):
    """A result."""
    return TestResult(name, status, notes=list(notes), **more)


@pytest.mark.parametrize("results, good, word", [
    ((result("a/x", "passed", NOTE), result("a/y", "passed", NOTE)), True, "2 tests, 4 outcomes"),
    ((result("a/x", "passed", NOTE), result("a/y", "known")), True, "1 tests"),
    ((result("a/x", "passed", NOTE), result("a/y", "skipped")), True, "1 rows: field:EPTP"),
    ((result("a/x", "passed", NOTE), result("a/y", "passed")), False, "a/y passed without"),
    ((result("a/x", "passed", NOTE), result("a/y", "failed", "blind")), False, "a/y: blind"),
    ((result("a/x", "passed", NOTE), result("a/y", "failed")), False, "stands for field:EPTP"),
])
def test_forged(results, good, word):
    lines, verdict = selftest.judge_forged(Report(*results), Matrix(ROWS, RECORDS))
    assert verdict == good and any(word in line for line in lines)


@pytest.mark.parametrize("status, complaints, good", [
    (1, ["nothing was compared"], True), (0, [], False), (1, ["it did not boot"], False)])
def test_uncompared(status, complaints, good):
    report = Report(result("a/x", "passed"), status=status, complaints=complaints)
    assert selftest.judge_uncompared(report)[1] == good


def test_orders():
    first = [result("a/x", "passed"), result("a/y", "known", differences=[Difference("r", "OK", "RESET")])]
    assert selftest.judge_orders(first, {1: first[::-1], 2: first})[1]
    for other in (first[:1], [first[0], result("a/y", "known")], [*first, result("a/z", "passed")],
                  [result("a/x", "failed"), first[1]]):
        lines, good = selftest.judge_orders(first, {7: other})
        assert not good and lines[0].startswith("seed 7: a/")
