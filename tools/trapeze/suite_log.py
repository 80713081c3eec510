"""What a suite says on its console, read line by line while it runs: the plan, the fingerprint, the
results, and which test was running when it fell silent. The lines are those of runtime/harness.c."""

import re
from dataclasses import dataclass, field

PASSED, FAILED, ERROR, SKIPPED, KNOWN = "passed", "failed", "error", "skipped", "known"

HEADER = re.compile(r"KTAP version 1")
SUITE = re.compile(r"# suite (\S+)")
PLAN = re.compile(r"1\.\.(\d+)")
ORDER = re.compile(r"# order=shuffle seed=(\d+)")
RUN = re.compile(r"# run (\S+)")
TEST = re.compile(r"(not )?ok (\d+) (\S+)(?: # (SKIP|ERROR) ?(.*))?")
TOTALS = re.compile(r"# totals: (\d+) passed, (\d+) failed, (\d+) errors, (\d+) skipped, (\d+) checks")
SO_FAR = re.compile(r"# so far: (\d+) checks")
RULE = re.compile(r"# rule: .*")
FINGERPRINT = re.compile(r"# (\w+) (.*)")

MARKED = re.compile(r"(KTAP version 1|1\.\.\d+|# run \S+|(?:not )?ok \d+ \S+(?: # (?:SKIP|ERROR).*)?|# totals: .*)"
                    r" ~([0-9a-f]{8})$")

OUTCOME = (r"(?:a wrong value at line \d+|an error of the test at line \d+|unknown outcome \S+"
           r"|[A-Z_]+(?:\([^)]*\))?)")
DIFFERENCE = re.compile(rf"(?:(?P<row>.*?): )??expected (?P<expected>{OUTCOME}), "
                        rf"came (?P<came>{OUTCOME})(?:: (?P<note>.*))?")
WRONG_VALUE = re.compile(r"(?P<row>\w[\w ]*) is (?P<came>\S+), not (?P<expected>\S+)")


def mark_of(key, number, line):
    """The mark of the line with that number, as runtime/harness_mark.c makes it."""
    value = 0x811c9dc5
    for byte in key.encode() + number.to_bytes(4, "little") + line.encode():
        value = (value ^ byte) * 0x01000193 & 0xffffffff
    return f"{value:08x}"


@dataclass(frozen=True)
class Difference:
    """Where the CPU and the manual part: of a row of a sweep, or a field, or "" for the whole test."""

    row: str
    expected: str
    came: str
    note: str = ""


@dataclass
class TestResult:
    """One test as it ended."""

    __test__ = False  # for pytest: not a class of tests
    name: str
    status: str  # PASSED, FAILED, ERROR, SKIPPED; KNOWN is given by the errata
    reason: str = ""  # of a skip or an error
    differences: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # other lines that it printed
    came: str = ""  # how the machine ended under it: SHUTDOWN, RESET, ...
    seconds: float = 0.0
    erratum: object = None


class LogReader:
    """Reads the lines of one boot."""

    def __init__(self, clock=lambda: 0.0, resumes=False, key=""):
        self.clock = clock
        self.key = key  # the image's word key=: only lines that it marks count
        self.marked, self.forged = 0, 0  # lines with the right mark; lines that should have one and have not
        self.resumes = resumes  # the image goes on by itself after a reset (resume=on)
        self.suite, self.planned, self.seed = "", None, None
        self.fingerprint = []  # (word, rest)
        self.results = []
        self.running = ""  # the test that has begun and not ended
        self.started = 0.0
        self.notes, self.differences = [], []
        self.checks = None  # from the totals; None until the suite came to its end
        self.checks_lost = 0  # of rounds that never came to their totals, as far as they were told
        self.checks_so_far = 0
        self.headers = 0
        self.complaints = []  # what a harness would not print
        self.number = None  # of the last result

    @property
    def restarted(self):
        """Did the machine start a second time in one boot?"""
        return self.headers > 1 and not self.resumes

    def feed(self, line):
        """Takes one line; returns the TestResult that it completes, or None."""
        if self.restarted:
            return None
        if self.key:
            line = self.unmark(line)
        if HEADER.fullmatch(line):
            self.headers += 1
            return None
        test, run = TEST.fullmatch(line), RUN.fullmatch(line)
        if test and self.headers:
            return self.end(test)
        if run:
            self.running, self.started = run[1], self.clock()
            self.notes, self.differences = [], []
        elif line.startswith("#"):
            self.comment(line)
        elif self.planned is None and PLAN.fullmatch(line):
            self.planned = int(PLAN.fullmatch(line)[1])
        return None

    def unmark(self, line):
        """A line of the harness without its mark; "" for one that only looks like it. What a test printed
        without ending the line stands in front, and does not count."""
        match = MARKED.search(line)
        if match and match[2] == mark_of(self.key, self.marked, match[1]):
            self.marked += 1
            return match[1]
        if match or any(form.fullmatch(line) for form in (HEADER, PLAN, RUN, TEST, TOTALS)):
            self.forged += 1
            return ""
        return line

    def comment(self, line):
        """A line that is for people, or about the whole run."""
        totals = TOTALS.fullmatch(line)
        if totals:
            self.checks = (self.checks or 0) + int(totals[5])
            self.checks_so_far = 0
        elif not self.headers:
            word = FINGERPRINT.fullmatch(line)
            if word:
                self.fingerprint.append((word[1], word[2]))
        elif self.running:
            if not RULE.fullmatch(line):
                self.note(line[1:].strip())
        elif SO_FAR.fullmatch(line):
            self.checks_so_far = int(SO_FAR.fullmatch(line)[1])
        elif SUITE.fullmatch(line):
            self.suite = SUITE.fullmatch(line)[1]
        elif ORDER.fullmatch(line):
            self.seed = int(ORDER.fullmatch(line)[1])

    def note(self, text):
        """A line of the running test."""
        for form in (DIFFERENCE, WRONG_VALUE):
            match = form.fullmatch(text)
            if match:
                words = match.groupdict()
                self.differences.append(Difference(words["row"] or "", words["expected"],
                                                   words["came"], words.get("note") or ""))
                return
        self.notes.append(text)

    def end(self, match):
        """A test has ended."""
        bad, number, name, word, reason = match.groups()
        if self.number is not None and int(number) != self.number + 1:
            self.complaints.append(f"test number {number} where {self.number + 1} was due")
        self.number = int(number)
        if word == "SKIP" and not bad:
            status = SKIPPED
        elif bad:
            status = ERROR if word == "ERROR" else FAILED
        else:
            status = PASSED
        if status != SKIPPED and self.running != name:
            self.complaints.append(f"{name} ended, but "
                                   f"{self.running or 'no test'} was running")
        result = TestResult(name, status, reason or "", self.differences, self.notes,
                            seconds=self.clock() - self.started if status != SKIPPED else 0.0)
        if status == SKIPPED and not result.reason:
            result.reason = "no reason was given"
        self.results.append(result)
        self.running, self.notes, self.differences = "", [], []
        return result

    def broke(self, came, detail):
        """The boot ended under the running test: its result, an error."""
        self.results.append(TestResult(self.running, ERROR, detail, self.differences, self.notes,
                                       came, self.clock() - self.started))
        self.running = ""
        return self.results[-1]

    @property
    def compared(self):
        """The comparisons that are known to have been made."""
        return (self.checks or 0) + self.checks_lost + self.checks_so_far

    def start_again(self):
        """The image starts again, in the same boot, after the test that the last result is of."""
        self.checks_lost += self.checks_so_far
        self.checks_so_far = 0
        self.headers, self.fingerprint, self.marked = 0, [], 0
        if self.number is not None:
            self.number += 1
