"""What is left of a suite's run: the verdict, and the files in build/reports."""

import json

from . import build_folder
from .suite_log import ERROR, FAILED, KNOWN, PASSED, SKIPPED

HEAD = ("tests", "checks", "passed", "failed", "known", "errors", "skipped", "seconds")


def platform_name(platform):
    """"bochs" for bochs-intel: the suite already says whose virtualization it is."""
    return platform.name.removesuffix(f"-{platform.vendor}")


class Report:
    """One run of a suite on one platform."""

    def __init__(self, suite, platform, model, records, selected, run):
        self.suite, self.run = suite, run
        self.platform = platform_name(platform)
        self.model = model or getattr(platform, "models", {}).get(platform.vendor, "default")
        self.records, self.selected = records, selected
        self.complaints = list(run.complaints) + self.missing()
        self.warnings = []

    def missing(self):
        """Selected tests without a result, and results without a test."""
        seen = [result.name for result in self.run.results]
        found = [f"{name} has no result" for name in self.selected if name not in seen]
        found += [f"{name} was reported, but not asked for" for name in seen
                  if name not in self.selected]
        return found + [f"{name} was reported twice" for name in sorted(set(seen))
                        if seen.count(name) > 1]

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
                "boots": self.run.boots, "complaints": self.complaints, "warnings": self.warnings,
                "fingerprint": self.run.fingerprint,
                "results": [self.result_data(result) for result in self.run.results]}

    def result_data(self, result):
        """One test."""
        data = {"name": result.name, "status": result.status}
        record = self.records.get(result.name)
        if record:
            data |= {"rule": record.rule, "citation": record.citation,
                     "expected": record.expected, "rows": len(record.rows),
                     "covers": list(record.covers)}
        for key in ("reason", "came", "notes"):
            if getattr(result, key):
                data[key] = getattr(result, key)
        if result.differences:
            data["differences"] = [vars(difference) for difference in result.differences]
        return data | {"seconds": round(result.seconds, 3)}

    def write(self):
        """The files of the run."""
        folder = build_folder() / "reports"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.as_data(), indent=1, ensure_ascii=False)
        (folder / f"{self.name}.json").write_text(text + "\n")

    def show(self):
        """The last lines of the run."""
        for complaint in self.complaints:
            print(f"{self.suite}: {complaint}")
        for warning in self.warnings:
            print(f"{self.suite}: warning: {warning}")
        head = self.head
        print(f"{self.suite}: " + ", ".join(f"{head[key]} {key}" for key in HEAD[:-1])
              + f"; {head['seconds']} s, {self.run.boots} boots")
        print(f"{self.suite}: {'passed' if self.status == 0 else 'FAILED'}; "
              f"report {build_folder() / 'reports' / self.name}.json")
