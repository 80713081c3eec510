"""Suites on machines that do not exist: recorded consoles, and boots that end in every way."""

import itertools

import pytest

from trapeze import suite_run, verdict
from trapeze.platforms import Machine
from trapeze.records import Record
from trapeze.suite_log import LogReader
from trapeze.suite_progress import PlainProgress, RichProgress
from trapeze.verdict import Result

HEAD = ["# cpu GenuineIntel signature 0x50654", "# msr 0x480 IA32_VMX_BASIC 0x2b", "KTAP version 1",
        "# suite vmx-tests"]
GOOD = [*HEAD, "1..3", "# run a/x", "ok 1 a/x", "ok 2 a/y # SKIP no luck (LUCK bit 7)", "# run a/z",
        "ok 3 a/z", "# totals: 2 passed, 0 failed, 0 errors, 1 skipped, 5 checks", "*** END passed"]


def read(lines):
    """A reader that has read the lines."""
    reader = LogReader()
    for line in lines:
        reader.feed(line)
    return reader


def results(reader):
    """What the reader found, short."""
    return [(result.name, result.status, result.reason) for result in reader.results]


def test_good_log():
    reader = read(GOOD)
    assert results(reader) == [("a/x", "passed", ""), ("a/y", "skipped", "no luck (LUCK bit 7)"),
                               ("a/z", "passed", "")]
    assert (reader.planned, reader.checks, reader.running, reader.complaints) == (3, 5, "", [])
    assert reader.fingerprint == [("cpu", "GenuineIntel signature 0x50654"),
                                  ("msr", "0x480 IA32_VMX_BASIC 0x2b")]


@pytest.mark.parametrize("line, difference", [
    ("# expected OK, came FAULT(GP, 0x18): at RIP 0x1, CR2 0", ("", "OK", "FAULT(GP, 0x18)",
                                                                 "at RIP 0x1, CR2 0")),
    ("# 64-bit, CPL 3: expected EXIT(18), came OK", ("64-bit, CPL 3", "EXIT(18)", "OK", "")),
    ("# 1: R--, read: expected EXIT(48), came a wrong value at line 27: x is 0xa, not 0xb",
     ("1: R--, read", "EXIT(48)", "a wrong value at line 27", "x is 0xa, not 0xb")),
    ("# GUEST_RIP is 0x1, not 0x2", ("GUEST_RIP", "0x2", "0x1", "")),
])
def test_differences(line, difference):
    reader = read([*HEAD, "1..1", "# run a/x", line, "# rule: x (SDM x)", "not ok 1 a/x"])
    found, = reader.results[0].differences
    assert (found.row, found.expected, found.came, found.note) == difference
    assert reader.results[0].notes == [] and reader.results[0].status == "failed"


def test_error_of_a_test():
    reader = read([*HEAD, "1..1", "# run a/x", "# lost", "not ok 1 a/x # ERROR"])
    assert results(reader) == [("a/x", "error", "")] and reader.results[0].notes == ["lost"]


@pytest.mark.parametrize("lines, complaint", [
    (["# run a/x", "ok 1 a/x", "# run a/z", "ok 3 a/z"], "number 3 where 2 was due"),
    (["ok 1 a/x"], "no test was running"),
    (["# run a/x", "ok 1 a/y"], "a/x was running")])
def test_complaints(lines, complaint):
    assert complaint in read([*HEAD, "1..3", *lines]).complaints[0]


class FakeSession:
    """Boots from a list: (lines, end, detail) each."""

    boots, words = [], []

    def __init__(self, platform, boot, machine, name, limit, listener=None, watch=None):
        self.listener, self.watch = listener, watch
        FakeSession.words.append(boot.cmdline)

    def run(self):
        """Plays the next boot; stops where the runner would."""
        lines, end, detail = FakeSession.boots.pop(0)
        for line in lines:
            self.listener(line)
            if self.watch():
                end, detail = verdict.TIMED_OUT, self.watch()
                break
        return Result(end, detail, lines, 0, 1.0, None)


class FakePlatform:
    """Nothing but a name."""

    name, vendor = "fake-intel", "intel"


def run(monkeypatch, boots, planned=3, alone=(), words=""):
    """Runs a suite in the given boots; returns (SuiteRun, command lines)."""
    FakeSession.boots, FakeSession.words = list(boots), []
    monkeypatch.setattr(suite_run, "Session", FakeSession)
    runner = suite_run.Runner("vmx-tests", FakePlatform, Machine(), PlainProgress(9), words)
    if planned:
        runner.run_together(["*"], planned, ["seed=4"])
    for record in alone:
        runner.run_alone(record)
    assert not FakeSession.boots
    return runner.run, FakeSession.words


def statuses(found):
    """Names and statuses."""
    return [(result.name, result.status) for result in found.results]


def test_one_boot(monkeypatch):
    found, words = run(monkeypatch, [(GOOD, verdict.PASSED, "")])
    assert statuses(found) == [("a/x", "passed"), ("a/y", "skipped"), ("a/z", "passed")]
    assert (found.checks, found.boots, found.complaints) == (5, 1, [])
    assert words == ["tests=* skip=alone/*,*/alone/* seed=4"]


AGAIN = [*HEAD, "1..3", "# run a/z", "ok 3 a/z",
         "# totals: 1 passed, 0 failed, 0 errors, 0 skipped, 1 checks", "*** END passed"]
ENDS = [([], verdict.TRIPLE_FAULT, "SHUTDOWN"), ([], verdict.TIMED_OUT, "HANG"),
        (["*** PANIC: lost"], verdict.PANIC, "PANIC"), ([], verdict.FAILED, "RESET"),
        ([], verdict.EMULATOR_ERROR, "EMULATOR_ERROR"), (HEAD, verdict.FAILED, "RESET")]


@pytest.mark.parametrize("lines, end, came", ENDS)
def test_an_end_is_the_running_tests_and_the_rest_runs(monkeypatch, lines, end, came):
    first = [*HEAD, "1..3", "# run a/x", "ok 1 a/x", "# run a/y", *lines]
    found, words = run(monkeypatch, [(first, end, "why"), (AGAIN, verdict.PASSED, "")])
    assert statuses(found) == [("a/x", "passed"), ("a/y", "error"), ("a/z", "passed")]
    assert found.results[1].came == came and found.results[1].reason.startswith(f"{came}: ")
    assert words[1].endswith("seed=4 from=2") and found.complaints == []


def test_end_between_tests_is_a_complaint(monkeypatch):
    found, _ = run(monkeypatch, [([*HEAD, "1..3", "# run a/x", "ok 1 a/x"], verdict.TIMED_OUT, "")])
    assert found.complaints == ["2 tests were not reached: timed out"]


def test_end_after_the_last_test_is_a_complaint(monkeypatch):
    found, _ = run(monkeypatch, [(GOOD, verdict.TRIPLE_FAULT, "late")])
    assert found.complaints == ["all tests were reported, but the run ended: triple fault (late)"]


def test_end_without_totals_is_a_complaint(monkeypatch):
    found, _ = run(monkeypatch, [(GOOD[:-2], verdict.FAILED, "stopped")])
    assert found.complaints == ["all tests were reported, but the run ended: failed (stopped)"]


def test_last_test_may_end_the_machine(monkeypatch):
    found, _ = run(monkeypatch, [([*GOOD[:8], "# run a/z"], verdict.TRIPLE_FAULT, "")])
    assert statuses(found)[2] == ("a/z", "error") and found.complaints == []


def test_another_plan_is_a_complaint(monkeypatch):
    found, _ = run(monkeypatch, [(GOOD, verdict.PASSED, "")], planned=4)
    assert found.complaints == ["the image plans 3 tests, not 4"]


def test_machine_that_always_ends_does_not_run_for_ever(monkeypatch):
    boots = [([*HEAD, "1..99", f"# run a/{i}"], verdict.TRIPLE_FAULT, "") for i in range(40)]
    found, _ = run(monkeypatch, boots, planned=99)
    assert len(found.results) == 40 and "59 tests were not reached" in found.complaints[0]


def test_known_failures_are_known_at_once(monkeypatch, capsys):
    lines = [*HEAD, "1..1", "# run a/x", "# expected OK, came RESET", "not ok 1 a/x",
             "# totals: 0 passed, 1 failed, 0 errors, 0 skipped, 1 checks"]
    FakeSession.boots = [(lines, verdict.FAILED, "status 1")]
    monkeypatch.setattr(suite_run, "Session", FakeSession)

    def judge(result):
        result.status = "known"

    runner = suite_run.Runner("vmx-tests", FakePlatform, Machine(), PlainProgress(1), judge=judge)
    runner.run_together(["*"], 1)
    assert capsys.readouterr().out == "[1/1] 0 failed, 1 known\n"


ALONE = Record("a/alone/end", "", "", "SHUTDOWN")


@pytest.mark.parametrize("end, status", [
    (verdict.TRIPLE_FAULT, "passed"), (verdict.TIMED_OUT, "failed"),
    (verdict.EMULATOR_ERROR, "failed"), (verdict.PANIC, "failed")])
def test_alone(monkeypatch, end, status):
    lines = [*HEAD, "1..1", "# run a/alone/end"]
    found, words = run(monkeypatch, [(lines, end, "")], planned=0, alone=[ALONE])
    assert statuses(found) == [("a/alone/end", status)] and words == ["tests=a/alone/end"]


def test_alone_is_falsified_by_other_ends(monkeypatch):
    lines = [*HEAD, "1..1", "# run a/alone/end"]
    boot = (lines, verdict.TRIPLE_FAULT, "")
    found, _ = run(monkeypatch, [boot], planned=0, alone=[ALONE], words="forge=on")
    assert found.results[0].notes == ["forged: 1 outcomes, 4 of 4 observations noticed"]
    monkeypatch.setattr(suite_run, "compare_end", lambda record, reader, result, came:
                        suite_run.TestResult(record.name, "passed", came=came))
    found, _ = run(monkeypatch, [boot], planned=0, alone=[ALONE], words="forge=on")
    assert found.results[0].notes == ["forged: 0 outcomes, 0 of 4 observations noticed"], "count_forgeries() refuses it"


def test_alone_runs_beside_the_others(monkeypatch):
    """Whichever boots first: the runs are told apart by what they were asked for."""
    together = [*HEAD, "1..1", "# run a/x", "ok 1 a/x",
                "# totals: 1 passed, 0 failed, 0 errors, 0 skipped, 1 checks"]
    alone = [*HEAD, "1..1", "# run a/alone/end"]

    class ByWords(FakeSession):
        def run(self):
            lines, end = (alone, verdict.TRIPLE_FAULT) if "skip=" not in self.words_of else (together, verdict.PASSED)
            for line in lines:
                self.listener(line)
            return Result(end, "", lines, 0, 1.0, None)

        def __init__(self, platform, boot, *rest, **more):
            self.words_of = boot.cmdline
            super().__init__(platform, boot, *rest, **more)

    monkeypatch.setattr(suite_run, "Session", ByWords)
    runner = suite_run.Runner("vmx-tests", FakePlatform, Machine(), PlainProgress(2))
    runner.run_selected(["*"], [Record("a/x", "", "", "OK"), ALONE], [])
    assert sorted(statuses(runner.run)) == [("a/alone/end", "passed"), ("a/x", "passed")]
    assert runner.run.boots == 2 and runner.run.checks == 2 and runner.run.complaints == []


def test_display_in_a_terminal():
    progress = RichProgress(1)
    with progress:
        progress.start("a/x")
        progress.end(suite_run.TestResult("a/x", "known"))
    assert (progress.done, progress.running, progress.counts()) == (1, "a/x", "0 failed, 1 known")


def test_alone_uncompared(monkeypatch):
    lines = [*HEAD, "1..1", "# run a/alone/end"]
    found, _ = run(monkeypatch, [(lines, verdict.PANIC, "")], planned=0, alone=[ALONE], words="forge=uncompared")
    assert statuses(found) == [("a/alone/end", "passed")] and found.checks == 0, "so the run does not pass"


def test_alone_that_reports_itself(monkeypatch):
    lines = [*HEAD, "1..1", "# run a/alone/end", "ok 1 a/alone/end"]
    found, _ = run(monkeypatch, [(lines, verdict.PASSED, "")], planned=0, alone=[ALONE])
    assert statuses(found) == [("a/alone/end", "passed")]


def test_alone_that_does_not_even_start(monkeypatch):
    found, _ = run(monkeypatch, [([], verdict.TIMED_OUT, "")], planned=0, alone=[ALONE])
    assert found.complaints == ["a/alone/end was not reached: timed out"]


class SlowPlatform(FakePlatform):
    """One with a kernel around the image."""

    patience = 600


def run_slowly(monkeypatch, boots, records):
    """Runs the records where a boot takes long; returns (SuiteRun, command lines)."""
    FakeSession.boots, FakeSession.words = list(boots), []
    monkeypatch.setattr(suite_run, "Session", FakeSession)
    runner = suite_run.Runner("vmx-tests", SlowPlatform, Machine(), PlainProgress(9))
    runner.run_selected(["a/*"], records)
    assert not FakeSession.boots
    return runner.run, FakeSession.words


def test_in_few_boots_where_a_boot_takes_long(monkeypatch):
    records = [Record("a/x", "", "", "OK"), ALONE, Record("a/alone/y", "", "", "OK")]
    found, words = run_slowly(monkeypatch, [
        ([*HEAD, "1..3", "# run a/x", "ok 1 a/x", "# run a/alone/end"], verdict.TRIPLE_FAULT, ""),
        ([*HEAD, "1..3", "# run a/alone/y", "ok 3 a/alone/y", GOOD[-2], "*** END passed"],
         verdict.PASSED, "")], records)
    assert [result.status for result in found.results] == ["passed"] * 3
    assert words == ["tests=a/*", "tests=a/* from=2"]
    assert found.complaints == []


# What the kernel around an image says when a test has ended it, and what that comes to.
ROUNDS = [(["status 0", "KVM_EXIT_SHUTDOWN (8)"], "SHUTDOWN"), (["status 0"], "RESET"),
          (["status 1", "error: kvm run failed Input/output error"], "EMULATOR_ERROR"),
          (["status 143", "hung: nothing was printed for 60 s"], "HANG")]


@pytest.mark.parametrize("said, came", ROUNDS)
def test_image_starts_again_in_one_boot(monkeypatch, said, came):
    lines = [*HEAD, "1..4", "# run a/x", "ok 1 a/x", "# so far: 7 checks", "# run a/y", "",
             *(f"# outer: {line}" for line in [*said, "again"]), *HEAD, "1..4", "# run a/z", "ok 3 a/z",
             "# run a/alone/end", "# outer: status 0", "# outer: KVM_EXIT_SHUTDOWN (8)",
             "# outer: again", *HEAD, "1..4", GOOD[-2], "*** END passed"]
    records = [*(Record(f"a/{name}", "", "", "OK") for name in "xyz"), ALONE]
    found, words = run_slowly(monkeypatch, [(lines, verdict.PASSED, "")], records)
    assert statuses(found) == [("a/x", "passed"), ("a/y", "error"), ("a/z", "passed"),
                               ("a/alone/end", "passed")]
    assert found.results[1].came == came and len(words) == 1
    assert found.checks == 7 + 5 + 1  # so far, in the last round, and of the test that ends it all
    assert found.complaints == [] and len(found.fingerprint) == 2


def test_watchdog(monkeypatch):
    clock = itertools.count(0, 20)
    monkeypatch.setattr(suite_run.time, "monotonic", lambda: next(clock))
    reader = LogReader()
    watchdog = suite_run.Watchdog(reader, (60, 30))  # made at 0
    assert [watchdog(), watchdog(), watchdog()] == ["", "", ""]  # at 20, 40, 60
    assert watchdog() == "nothing was printed for 60 s"
    reader.feed("KTAP version 1")
    watchdog.feed()  # at 100
    assert watchdog() == ""
    assert watchdog() == "nothing was printed for 30 s"


def test_recorded_log_of_a_machine_that_was_reset():
    lines = [*HEAD, "1..3", "# run a/x", "ok 1 a/x", "# run a/y", *HEAD, "1..3", "# run a/y",
             "# expected OK, came RESET", "# rule: y (SDM y)", "not ok 2 a/y # ERROR", "# run a/z",
             "ok 3 a/z", "# totals: 1 passed, 0 failed, 1 errors, 0 skipped, 4 checks"]
    found = suite_run.read_log(lines, 3)
    assert statuses(found) == [("a/x", "passed"), ("a/y", "error"), ("a/z", "passed")]
    assert (found.complaints, found.boots, found.checks) == ([], 2, 4)


@pytest.mark.parametrize("lines, planned, complaint", [
    (["hello"], 3, "the log has no plan: is it a suite's?"),
    (GOOD, 4, "the log plans 3 tests, not 4"),
    (GOOD[:7], 3, "the log ends before the totals")])
def test_bad_logs(lines, planned, complaint):
    assert complaint in suite_run.read_log(lines, planned).complaints


def test_log_that_ends_in_a_test():
    assert suite_run.read_log(GOOD[:6], 3).results[-1].came == "HANG"
