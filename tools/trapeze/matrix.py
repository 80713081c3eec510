"""The rows of the manuals' tables in spec/ against the tests that say they cover them."""

from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from subprocess import run

from . import ROOT, HostError, build_folder


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    kind: str  # field, control, exit, ...
    name: str
    number: int  # an encoding, a bit, an exit reason
    text: str  # the section's title, or the rule

    @property
    def key(self):
        """As a test's .covers spells it."""
        return f"{self.kind}:{self.name}"


def read_rows(suite):
    """The rows that concern a suite, by key, in the order of the tables."""
    program = build_folder() / "spec-rows"
    try:
        text = run([program], capture_output=True, text=True, check=True).stdout
    except OSError as error:
        raise HostError(f"{program}: {error.strerror} (is it built? `make`)") from None
    found = {}
    for line in text.splitlines():
        owner, kind, name, number, rule = line.split("\t")
        if owner == suite:
            row = Row(kind, name, int(number), rule)
            found[row.key] = row
    return found


def read_reasons(file):
    """[(pattern, reason, place)] of a suite's uncovered.txt: `kind:NAME reason`."""
    try:
        text = Path(file).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    place = file.relative_to(ROOT) if Path(file).is_relative_to(ROOT) else file
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.strip().partition(" ")
        if ":" not in pattern or not reason.strip():
            raise HostError(f"{place}:{number}: must be `kind:NAME reason`")
        found.append((pattern, reason.strip(), f"{place}:{number}"))
    return found


class Matrix:
    """Which tests cover which rows."""

    def __init__(self, rows, records, reasons=()):
        self.rows = rows
        self.reasons = reasons
        self.complaints = []
        self.tests = {key: [] for key in rows}  # key: names of tests
        self.excuses = {}  # key: reason
        kinds = {row.kind for row in rows.values()}
        for record in records.values():
            for word in record.covers:
                self.add(record.name, word, kinds)
        self.put_specific_first()
        for pattern, reason, place in reasons:
            self.excuse(pattern, reason, place)

    def add(self, test, word, kinds):
        """A test covers what the word names. Kinds without a table (insn, msr) have no rows."""
        kind, colon, name = word.partition(":")
        if not colon:
            self.complaints.append(f"{test}: .covers: {word!r} is not kind:NAME")
        elif kind in kinds:
            matched = [key for key, row in self.rows.items()
                       if row.kind == kind and fnmatchcase(row.name, name)]
            if not matched:
                self.complaints.append(f"{test}: .covers: there is no row {word}")
            for key in matched:
                if test not in self.tests[key]:
                    self.tests[key].append(test)

    def put_specific_first(self):
        """Of a row's tests, those that cover few rows tell most about it."""
        breadth = Counter(name for tests in self.tests.values() for name in tests)
        for tests in self.tests.values():
            tests.sort(key=lambda name: breadth[name])

    def excuse(self, pattern, reason, place):
        """A reason why rows have no test; it must be one for a row that has none."""
        matched = [key for key in self.rows if fnmatchcase(key, pattern)]
        if not matched:
            self.complaints.append(f"{place}: there is no row {pattern}")
        elif all(self.tests[key] for key in matched):
            self.complaints.append(f"{place}: {pattern} has a test: "
                                   + self.tests[matched[0]][0])
        for key in matched:
            self.excuses.setdefault(key, reason)

    def empty(self):
        """The rows without a test or a reason."""
        return [row for key, row in self.rows.items()
                if not self.tests[key] and key not in self.excuses]

    def counts(self):
        """{kind: (rows, with a test, with a reason)}"""
        found = {}
        for key, row in self.rows.items():
            total, tested, excused = found.get(row.kind, (0, 0, 0))
            found[row.kind] = (total + 1, tested + bool(self.tests[key]),
                               excused + (not self.tests[key] and key in self.excuses))
        return found


def matrix_of(suite, records):
    """The matrix of a suite."""
    return Matrix(read_rows(suite), records, read_reasons(ROOT / suite / "uncovered.txt"))


def show(matrix):
    """Prints what lacks a test; returns the exit status."""
    for row in matrix.empty():
        print(f"no test: {row.key} ({row.text})")
    for complaint in matrix.complaints:
        print(complaint)
    for kind, (total, tested, excused) in matrix.counts().items():
        print(f"{kind + 's:':<12}{total:>4} rows, {tested:>4} with a test, {excused:>4} with a reason, "
              f"{total - tested - excused:>4} without")
    return 1 if matrix.empty() or matrix.complaints else 0
