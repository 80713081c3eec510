"""Known deviations of platforms from the manuals: docs/errata/PLATFORM.txt, and what they make of a
run's results. docs/errata/README.md describes the format."""

import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from . import ROOT, HostError
from .suite_log import ERROR, FAILED, KNOWN, PASSED
from .verdict import BROKEN

FOLDER = ROOT / "docs" / "errata"
REQUIRED = ("test", "versions", "rule", "platform", "explanation")
OPTIONAL = ("models", "rows", "ends", "fixed", "varies")
LISTS = ("versions", "models", "ends", "fixed")  # separated by commas; rows: one per line
VERSION = re.compile(r"[a-z][\w-]* \d[\w.-]*")


@dataclass(frozen=True)
class Erratum:
    """One entry."""

    suite: str
    test: str  # a name or a glob
    versions: tuple  # "bochs 2.7": seen there
    rule: str
    platform: str
    explanation: str
    place: str  # file:line
    models: tuple = ()  # globs; "!glob" excludes; () for all
    rows: tuple = ()  # of a sweep: globs; () for any
    ends: tuple = ()  # how the machine may end under it
    fixed: tuple = ()  # versions that were tried and are right
    varies: str = ""  # on what it depends whether the test fails: a pass is not an error

    def is_for(self, model):
        """Does the entry speak of this CPU model?"""
        wanted = [word for word in self.models if not word.startswith("!")]
        unwanted = [word[1:] for word in self.models if word.startswith("!")]
        return ((not wanted or any(fnmatchcase(model, word) for word in wanted))
                and not any(fnmatchcase(model, word) for word in unwanted))


def parse(text, place):
    """The entries of a file: stanzas of `field: value`, continued by indented lines. HostError with
    file:line when something is wrong."""
    stanzas, stanza, name = [], None, ""
    for number, line in enumerate(text.splitlines(), 1):
        here = f"{place}:{number}"
        if line.startswith("#"):
            continue
        if not line.strip():
            stanza = None
        elif line[0] in " \t":
            if stanza is None:
                raise HostError(f"{here}: an indented line continues nothing")
            stanza[name].append(line.strip())
        else:
            if stanza is None:
                stanza = {"": [here]}
                stanzas.append(stanza)
            name = parse_field(line, stanza, here)
    return [parse_stanza(stanza) for stanza in stanzas]


def parse_field(line, stanza, here):
    """Puts `field: value` into the stanza; returns the field."""
    name, colon, value = line.partition(":")
    if not colon or name not in REQUIRED + OPTIONAL:
        raise HostError(f"{here}: {name!r} is no field; there are "
                        + ", ".join(REQUIRED + OPTIONAL))
    if name in stanza:
        raise HostError(f"{here}: {name} is given twice")
    stanza[name] = [value.strip()] if value.strip() else []
    return name


def parse_stanza(stanza):
    """The Erratum of one stanza."""
    here = stanza.pop("")[0]
    for name in REQUIRED:
        if not stanza.get(name):
            raise HostError(f"{here}: the entry has no {name}")
    values = {name: " ".join(lines) for name, lines in stanza.items()}
    for name in LISTS:
        values[name] = tuple(filter(None, re.split(r"\s*,\s*", values.get(name, ""))))
    for version in values["versions"] + values["fixed"]:
        if not VERSION.fullmatch(version):
            raise HostError(f"{here}: {version!r} is no version, such as bochs 2.7")
    for end in values["ends"]:
        if end not in BROKEN:
            raise HostError(f"{here}: ends: {end!r} is not one of {', '.join(BROKEN)}")
    suite, _, test = values["test"].partition(" ")
    if not test or " " in test:
        raise HostError(f"{here}: test: must be SUITE NAME, such as vmx-tests insn/vmxon/success")
    return Erratum(**{**values, "suite": suite, "test": test, "place": here,
                      "rows": tuple(stanza.get("rows", ()))})


def read(name, folder=FOLDER):
    """The entries of docs/errata/NAME.txt; none when there is no such file."""
    file = Path(folder) / f"{name}.txt"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    place = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    return parse(text, str(place))


def below(entries):
    """The entries of a platform that another one runs on, whose tests fail there or not: what is in
    between may hide a deviation."""
    return [replace(entry, varies=entry.varies or "another platform is in between")
            for entry in entries]


def is_version(version, running):
    """Is the running version the listed one? "6.1" stands for "6.1.0-40" too."""
    return running == version or running.startswith((f"{version}.", f"{version}-"))


def listed(versions, running):
    """Is one of the listed versions ("bochs 2.7") what runs ({"bochs": "2.7"})?"""
    return any(product in running and is_version(version, running[product])
               for product, version in (word.split(" ", 1) for word in versions))


class Errata:
    """The entries that speak of one run: a suite, on versions of programs and a CPU model."""

    def __init__(self, entries, suite, versions, model):
        self.suite, self.versions, self.model = suite, versions, model
        self.all = [entry for entry in entries if entry.suite == suite]
        self.entries = [entry for entry in self.all
                        if entry.is_for(model) and not listed(entry.fixed, versions)]
        self.complaints, self.warnings = [], []

    def find_orphans(self, records):
        """Complains about entries that match no test."""
        for entry in self.all:
            if not any(fnmatchcase(name, entry.test) for name in records):
                self.complaints.append(f"{entry.place}: no test matches {entry.test}")

    def apply(self, result):
        """Makes a listed failure a known one, and complains when an entry is not true."""
        entries = [entry for entry in self.entries if fnmatchcase(result.name, entry.test)]
        if result.status == PASSED:
            for entry in entries:
                if entry.varies:
                    result.erratum = entry
                else:
                    self.complain_about(entry, f"{result.name} passes")
        elif entries and result.status in (FAILED, ERROR):
            self.judge(result, entries)

    def complain_about(self, entry, what):
        """An entry is not true: an error in a version that it lists, else worth a word."""
        words = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        if listed(entry.versions, self.versions):
            self.complaints.append(f"{entry.place}: stale: {what} on {words}, {self.model}")
        else:
            self.warnings.append(f"{entry.place}: {what} on {words}, which the entry does not name")

    def judge(self, result, entries):
        """A failure that has entries."""
        ended = result.came or ("" if result.status == FAILED else "an error of the test")
        if ended and not any(ended in entry.ends for entry in entries):
            return
        unlisted = self.unlisted_rows(result, entries)
        if unlisted:
            result.reason = "known, but not of " + ", ".join(unlisted)
            return
        for entry in entries:
            for row in () if entry.varies else entry.rows:
                if not any(fnmatchcase(difference.row, row) for difference in result.differences):
                    self.complain_about(entry, f"{result.name}: row {row} passes")
        result.status, result.erratum = KNOWN, entries[0]
        if not any(listed(entry.versions, self.versions) for entry in entries):
            self.warnings.append(f"{entries[0].place}: {result.name} fails on a version that the "
                                 "entry does not name")

    @staticmethod
    def unlisted_rows(result, entries):
        """The rows that differ without an entry."""
        if any(not entry.rows for entry in entries):
            return []
        rows = [row for entry in entries for row in entry.rows]
        found = [difference.row for difference in result.differences
                 if not any(fnmatchcase(difference.row, row) for row in rows)]
        return list(dict.fromkeys(found))
