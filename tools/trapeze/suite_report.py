"""What is left of a suite's run: the verdict, and the files in build/reports."""

import json
import re
from datetime import datetime, timezone

from . import build_folder, debian, errata, host, suite_files
from .suite_log import ERROR, FAILED, KNOWN, PASSED, SKIPPED

HEAD = ("tests", "checks", "passed", "failed", "known", "errors", "skipped", "seconds")
ERRATA_FILES = {"bochs": "bochs", "kvm": "kvm", "kvm-in-bochs": "kvm", "kvm-in-tcg": "kvm",
                "tcg": "qemu-tcg"}
NUMBERED = re.compile(r"\b(EXIT|ENTRY_FAIL|FAIL_VALID)\((\d+)\)")
KIND_OF = {"EXIT": "exit", "ENTRY_FAIL": "exit", "FAIL_VALID": "error"}


def platform_name(platform):
    """"bochs" for bochs-intel: the suite already says whose virtualization it is."""
    return platform.name.removesuffix(f"-{platform.vendor}")


def default_model(platform):
    """The CPU model that a platform takes when none is asked for; of an emulator around it, its."""
    if hasattr(platform, "outer"):
        return platform.model or default_model(platform.outer)
    if platform.name.startswith("kvm"):
        return "host"
    return getattr(platform, "models", {}).get(platform.vendor, "default")


def versions_of(name):
    """{program: version} of what a platform consists of."""
    found = {}
    if name.startswith("kvm-in-"):
        found["kvm"] = debian.current_kernel()[1]
    elif name == "kvm":
        found["kvm"] = host.kernel_version()
    if name.endswith("bochs"):
        found["bochs"] = host.bochs_version()
    if name.startswith("kvm") or name.endswith("tcg"):
        found["qemu"] = host.qemu_version()
    return found


def errata_for(suite, platform, model, records):
    """The errata that speak of a run, which make its failures known ones."""
    name = platform_name(platform)
    entries = errata.read(ERRATA_FILES.get(name, name))
    if hasattr(platform, "outer"):
        entries += errata.below(errata.read(ERRATA_FILES[platform_name(platform.outer)]))
    known = errata.Errata(entries, suite, versions_of(name), model or default_model(platform))
    known.find_orphans(records)
    return known


class Names:
    """Numbers in outcomes, by their names in the manual's tables."""

    def __init__(self, rows):
        self.names = {(row.kind, row.number): row.name for row in rows.values()
                      if row.kind in ("exit", "error", "intercept")}

    def name(self, match):
        """EXIT(HLT) for EXIT(12)."""
        kind, number = KIND_OF[match[1]], int(match[2])
        name = self.names.get((kind, number)) or self.names.get(("intercept", number))
        return f"{match[1]}({name})" if name else match[0]

    def readable(self, text):
        """An outcome with names for its numbers."""
        return NUMBERED.sub(self.name, text)


class Report:
    """One run of a suite on one platform; `known` has been applied to its results."""

    def __init__(self, platform, known, records, selected, run, rows=None):
        self.suite, self.run = known.suite, run
        self.platform = platform_name(platform)
        self.model, self.versions = known.model, known.versions
        self.records, self.selected = records, selected
        self.selection = ""  # the patterns that chose the tests, "" for all
        self.when = datetime.now(timezone.utc)
        self.names = Names(rows or {})
        self.warnings = known.warnings
        self.complaints = run.complaints + self.missing() + known.complaints

    def missing(self):
        """Selected tests without a result, and results without a test."""
        seen = [result.name for result in self.run.results]
        lost = [name for name in self.selected if name not in seen]
        found = [f"{name} has no result" for name in lost[:5]]
        if len(lost) > 5:
            found.append(f"{len(lost) - 5} more tests have no result")
        found += [f"{name} was reported, but not asked for" for name in seen
                  if name not in self.selected]
        found += [f"{name} was reported twice" for name in sorted(set(seen)) if seen.count(name) > 1]
        if self.run.checks == 0 and self.count(PASSED):
            found.append("nothing was compared")
        return [line for line in self.run.lines if line.startswith(f"{self.suite}: error: ")] + found

    def count(self, status):
        """How many tests ended so."""
        return sum(result.status == status for result in self.run.results)

    @property
    def head(self):
        """The numbers, in the order in which the report opens."""
        values = (len(self.run.results), self.run.checks, self.count(PASSED), self.count(FAILED),
                  self.count(KNOWN), self.count(ERROR), self.count(SKIPPED),
                  round(self.run.seconds, 1))
        return dict(zip(HEAD, values))

    @property
    def status(self):
        """The exit status."""
        head = self.head
        ran = head["passed"] + head["known"] > 0
        return 0 if ran and not (head["failed"] or head["errors"] or self.complaints) else 1

    @property
    def name(self):
        """The files' name."""
        return f"{self.suite}-{self.platform}-{self.model}"

    def as_data(self):
        """Everything, for JSON."""
        return {**self.head, "suite": self.suite, "platform": self.platform, "model": self.model,
                "status": self.status, "versions": self.versions,
                "when": self.when.isoformat(timespec="seconds"), "seed": self.run.seed,
                "selection": self.selection, "boots": self.run.boots, "complaints": self.complaints, "warnings": self.warnings,
                "fingerprint": self.run.fingerprint,
                "results": [self.result_data(result) for result in self.run.results]}

    def result_data(self, result):
        """One test."""
        data = {"name": result.name, "status": result.status}
        record = self.records.get(result.name)
        if record:
            data |= {"rule": record.rule, "citation": record.citation,
                     "expected": self.names.readable(record.every_expected), "rows": len(record.rows),
                     "covers": list(record.covers)}
        for key in ("reason", "came", "notes"):
            if getattr(result, key):
                data[key] = getattr(result, key)
        if result.differences:
            data["differences"] = [self.difference_data(difference)
                                   for difference in result.differences]
        if result.erratum:
            data["erratum"] = {key: getattr(result.erratum, key)
                               for key in ("place", "rule", "platform", "explanation")}
        return data | {"seconds": round(result.seconds, 3)}

    def difference_data(self, difference):
        """One difference, with names for numbers."""
        return {key: self.names.readable(value) for key, value in vars(difference).items() if value}

    def write(self):
        """The files of the run; returns the folder."""
        folder = build_folder() / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_data(), indent=1, ensure_ascii=False)
        suite_files.write(folder / f"{self.name}.json", text + "\n")
        suite_files.write(folder / f"{self.name}.tap", suite_files.tap(self))
        suite_files.write(folder / f"{self.name}.xml", suite_files.junit(self))
        return folder

    def show(self):
        """The last lines of the run."""
        for complaint in self.complaints:
            print(f"{self.suite}: {complaint}")
        for warning in self.warnings:
            print(f"{self.suite}: warning: {warning}")
        head = self.head
        print(f"{self.suite}: " + ", ".join(f"{head[key]} {key}" for key in HEAD[:-1])
              + f"; {head['seconds']} s, {self.run.boots} boots")
