"""What a lab's tests come to, one TestResult each: the words that the grader, its reports and the labs' own
tests share. Running the tests is lab_run's, points are the grader's."""

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
MISSING = "missing"  # an exercise that the test is about is not written yet
NOT_REACHED = "not-reached"  # an exercise that it needs is missing, or the machine ended before it
ERROR = "error"  # the machine ended under it (a hang, a panic, a triple fault), or the report is no report
STATUSES = (PASSED, FAILED, SKIPPED, MISSING, NOT_REACHED, ERROR)


FAULT = re.compile(r"(?:[^:]*: )?FAULT\((\w+)")  # how an outcome that is an exception begins, after its row


@dataclass(frozen=True)
class TestResult:
    """One test as it ended. All texts are plain sentences or values, "" where there is nothing to say."""

    __test__ = False  # for pytest: not a class of tests
    name: str  # "lab1/on_fix_bits/sets_fixed0", "probe/cpuid_vendor/64-0"
    status: str  # one of STATUSES
    rule: str = ""  # what must be, and the manual's section in parentheses
    expected: str = ""
    got: str = ""
    cause: str = ""  # the likely one
    rerun: str = ""  # the command that runs it again, under a debugger where there is one
    end: str = ""  # how the machine ended under it: HANG, PANIC, SHUTDOWN, RESET, ... or ""
    exercises: tuple = ()  # the missing ones that MISSING and NOT_REACHED speak of
    printed: tuple = ()  # lines that came while it ran and are not the report's: the student's
    log: str = ""  # the file with the console of its boot
    note: str = ""  # e.g. "from lab 5": the failure is known and is this lab's lesson

    @property
    def is_lesson(self):
        """Is it a failure that a later lab mends, and that costs nothing until then?"""
        return self.status == FAILED and self.note.startswith("from lab ")

    @property
    def good(self):
        """Does it earn its points?"""
        return self.status == PASSED

    @property
    def told_cause(self):
        """The likely cause, unless what came is none of the wrong answers that it was thought of for: the machine
        ended, or an exception that no instruction of virtualization makes."""
        fault = FAULT.match(self.got)
        return "" if self.status == ERROR or fault and fault[1] not in ("UD", "GP") else self.cause

    def with_(self, **changes):
        """The same with some of it changed."""
        return replace(self, **changes)

    def sentence(self):
        """One line about it."""
        parts = [f"{self.status}: {self.name}"]
        if self.exercises:
            parts.append("not written: " + ", ".join(self.exercises))
        for what, text in (("expected", self.expected), ("got", self.got), ("likely cause", self.cause)):
            if text and self.status != PASSED:
                parts.append(f"{what}: {text}")
        return "; ".join(parts)


def serves(exercise, name):
    """Is a test one of those that earn the exercise's points?"""
    return any(fnmatchcase(name, pattern) for pattern in exercise.tests)


def needs_of(names, by_name):
    """All exercises without which these cannot be reached, themselves left out."""
    found, waiting = set(), list(names)
    while waiting:
        exercise = by_name.get(waiting.pop())
        for need in exercise.needs if exercise else ():
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found - set(names)


def blame(results, lab, exercises, missing):
    """The results with MISSING and NOT_REACHED where exercises that are not written are the reason.
    exercises: those of all labs for the vendor; missing: names."""
    return [blame_one(result, lab, {exercise.name: exercise for exercise in exercises}, set(missing))
            for result in results]


def blame_one(result, lab, by_name, missing):
    """The same for one result."""
    if result.status not in (FAILED, ERROR, NOT_REACHED) or not missing:
        return result
    own = [exercise.name for exercise in by_name.values()
           if exercise.lab == lab.number and serves(exercise, result.name)]
    guilty = [name for name in own if name in missing]
    if guilty:
        return result.with_(status=MISSING, exercises=tuple(guilty))
    earlier = {name for name in missing if name in by_name and by_name[name].lab < lab.number}
    guilty = needs_of(own, by_name) & missing | earlier
    if guilty:
        return result.with_(status=NOT_REACHED, exercises=tuple(sorted(guilty)))
    return result
