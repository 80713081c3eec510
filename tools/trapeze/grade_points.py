"""From the results of tests to points: what each exercise earned, and why not more. Where results come
from is lab_run's, how they are shown is grade_report's."""

import re
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction

from .lab_result import ERROR, PASSED, SKIPPED

# What became of an exercise.
EARNED, PARTLY, WRONG, MISSING, NOT_REACHED, UNTESTED = ("earned", "partly", "wrong", "missing",
                                                         "not reached", "skipped")
# Why no points were given, where it is no wrong answer: the classes of failure, by the end of the machine.
FAILURES = {
    "HANG": ("hang", "the machine never came back: it ran until the limit"),
    "FLOOD": ("flood", "it printed more than a run may"),
    "PANIC": ("crash", "an exception or a panic in the hypervisor"),
    "SHUTDOWN": ("triple fault", "the machine shut down by a triple fault"),
    "RESET": ("reset", "the machine was reset, or powered off, under the test"),
    "EARLY_EXIT": ("early exit", "the run ended itself before its tests were done"),
    "EMPTY": ("empty report", "nothing was reported"),
    "CUT": ("cut report", "the report ends in the middle"),
    "FORGED": ("forged report", "the report has lines that the test harness did not write"),
    "EMULATOR_ERROR": ("emulator error", "the emulator stopped with an error of its own"),
    "BUILD": ("does not build", "the files could not be compiled or linked"),
    "REFUSED": ("refused", "a file of the submission was not taken"),
    "GRADER": ("grading failed", "the grader itself could not come to a result"),
}
TEXT_LIMIT = 600  # letters of one text that a submission may have had a hand in
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]")


def plain(text):
    """A text as it may be shown anywhere: one line, no control characters, not too long."""
    text = CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", str(text))
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "..."


@dataclass
class Verdict:
    """One exercise, graded."""

    name: str
    lab: int
    vendor: str  # "" for both
    points: int  # that it is worth
    earned: float
    status: str  # EARNED, PARTLY, WRONG, ...
    why: str = ""  # a sentence, where it did not earn all
    failure: str = ""  # a class of failure: "hang", "crash", ...
    page: str = ""
    file: str = ""
    tests: list = field(default_factory=list)  # (name, status) of all
    details: list = field(default_factory=list)  # dictionaries of the tests that are not passed


    @property
    def is_absent(self):
        """Is it not there at all for those that need it?"""
        return (self.status in (MISSING, NOT_REACHED)
                or self.failure in (FAILURES["BUILD"][0], FAILURES["REFUSED"][0]))


@dataclass(frozen=True)
class State:
    """What is known of a submission's files before anything runs."""

    stubs: frozenset = frozenset()  # keys of exercises that are not written
    broken: dict = field(default_factory=dict)  # file: (class of failure, sentence)


@dataclass
class Grade:
    """A submission's exercises of one lab, for one vendor."""

    lab: int
    title: str
    vendor: str
    verdicts: list = field(default_factory=list)
    notes: list = field(default_factory=list)  # sentences about the whole submission
    lessons: list = field(default_factory=list)  # dictionaries of tests that fail until a later lab, and cost nothing
    failure: str = ""  # a class of failure of the whole
    seconds: float = 0.0
    nonce: int = 0

    @property
    def earned(self):
        """Points, at most two places behind the point."""
        return tidy(sum(Fraction(verdict.earned).limit_denominator(1000) for verdict in self.verdicts))

    @property
    def points(self):
        """That could be earned."""
        return sum(verdict.points for verdict in self.verdicts)

    def table(self):
        """As a dictionary for JSON."""
        return asdict(self) | {"earned": self.earned, "points": self.points}

    @staticmethod
    def from_table(table):
        """The Grade that table() described."""
        names = Grade.__dataclass_fields__
        grade = Grade(**{key: value for key, value in table.items() if key in names})
        grade.verdicts = [Verdict(**verdict) for verdict in grade.verdicts]
        return grade


def tidy(points):
    """A number of points: whole where it is, else with two places."""
    value = round(float(points), 2)
    return int(value) if value == int(value) else value


def detail_of(result):
    """A test's result as a dictionary, its texts safe to show."""
    names = ("name", "status", "rule", "expected", "got", "cause", "rerun", "end", "note")
    table = {name: plain(getattr(result, name, "")) for name in names} | {"cause": plain(result.told_cause)}
    if result.cause != result.told_cause:
        table["looked_for"] = plain(result.cause)  # what the test was made to find: not shown, it came otherwise
    return {name: text for name, text in table.items() if text}


def failure_of(results):
    """The class of failure that the first ended test names, or ""."""
    for result in results:
        if result.status == ERROR:
            return FAILURES.get(result.end, (result.end.lower().replace("_", " ") or "no report", ""))[0]
    return ""


def shares(exercise, results):
    """(the share of its points that is earned, its results): each glob is worth the same, but the others, a
    guest's results, nothing without the first, which names the exercise's own tests."""
    matched, good = {}, []
    for glob in exercise.tests:
        found = [result for result in results if fnmatchcase(result.name, glob)]
        matched |= {result.name: result for result in found}
        good.append(bool(found) and all(result.status == PASSED for result in found))
    return Fraction(sum(good) if good[0] else 0, len(good)), list(matched.values())


def judge(exercise, results, state, done):
    """The Verdict of one exercise. done: {name: Verdict} of those before it, of this lab and of earlier ones."""
    share, own = shares(exercise, results)
    verdict = Verdict(exercise.name, exercise.lab, exercise.vendor, exercise.points, 0, WRONG,
                      page=exercise.page, file=exercise.file)
    verdict.tests = [(result.name, result.status) for result in own]
    verdict.details = [detail_of(result) for result in own if result.status != PASSED]
    absent = [name for name in exercise.needs if name in done and done[name].is_absent]
    if exercise.file in state.broken:
        verdict.failure, verdict.why = state.broken[exercise.file]
    elif exercise.key in state.stubs:
        verdict.status, verdict.why = MISSING, "not written yet"
    elif absent:
        verdict.status = NOT_REACHED
        verdict.why = f"needs {' and '.join(absent)} first"
    else:
        weigh(verdict, exercise, share, own, done)
    return verdict


def weigh(verdict, exercise, share, own, done):
    """Fills in what an exercise that is written, and can be reached, earned."""
    earned = exercise.points * share
    verdict.earned = tidy(earned)
    bad = [result for result in own if result.status != PASSED]
    if share == 1:
        verdict.status = EARNED
    elif not own:
        verdict.failure, verdict.why = "no report", "no result of its tests arrived"
    elif all(result.status in (PASSED, SKIPPED) for result in own):
        verdict.status = PARTLY if share else UNTESTED
        verdict.why = f"{len(bad)} of {len(own)} tests were skipped, which earns nothing"
    else:
        verdict.status = PARTLY if share else WRONG
        verdict.failure = failure_of(bad)
        worst = next(result for result in bad if result.status != SKIPPED)
        verdict.why = plain(why_of(worst, verdict.failure))
        wrong = [name for name in exercise.needs if name in done and done[name].status in (WRONG, PARTLY)]
        if wrong:
            verdict.why += f"; mend {' and '.join(wrong)} first, which it needs"


def why_of(result, failure):
    """A sentence about a test that is not passed."""
    if failure and result.status == ERROR:
        known = {name: text for name, text in FAILURES.values()}
        return f"{failure}: {result.got or known.get(failure) or result.name}"
    if result.got:
        return f"came {result.got}"
    return f"expected {result.expected}" if result.expected else result.status


def grade(lab, vendor, results, state, earlier=()):
    """The Grade of one lab for one vendor. earlier: exercises of labs before it, for their needs."""
    graded = Grade(lab.number, lab.title, vendor)
    graded.lessons = [detail_of(result) for result in results if result.is_lesson]
    done = {}
    for exercise in [*earlier, *lab.of_vendor(vendor)]:
        if exercise.lab == lab.number:
            done[exercise.name] = judge(exercise, results, state, done)
            graded.verdicts.append(done[exercise.name])
        elif exercise.key in state.stubs or exercise.file in state.broken:
            done[exercise.name] = Verdict(exercise.name, exercise.lab, exercise.vendor, exercise.points, 0,
                                          MISSING)
    return graded


def grade_nothing(lab, vendor, state, failure, note):
    """The Grade of a submission of which nothing could run. Those not written are still told as such."""
    kind = FAILURES[failure][0]
    graded = Grade(lab.number, lab.title, vendor, failure=kind)
    for exercise in lab.of_vendor(vendor):
        verdict = Verdict(exercise.name, exercise.lab, exercise.vendor, exercise.points, 0, WRONG,
                          plain(note.partition("\n")[0]), kind, exercise.page, exercise.file)
        if exercise.key in state.stubs and exercise.file not in state.broken:
            verdict.status, verdict.why, verdict.failure = MISSING, "not written yet", ""
        graded.verdicts.append(verdict)
    return graded
