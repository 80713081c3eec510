"""The conformance suites on several CPU models, with every failure known, and no row of the manual's
tables without a test."""

import json
import subprocess
import sys
from dataclasses import dataclass

from trapeze import ROOT, build_folder, image, matrix
from trapeze.records import read_records
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome


@dataclass(frozen=True)
class SuiteCheck:
    """One run of a suite."""

    platform: str
    model: str
    tests: str = ""
    suite: str = "vmx-tests"
    seconds: float = 60

    @property
    def name(self):
        """Of the job."""
        return f"suite/{self.suite}/{self.platform}/{self.model}"

    @property
    def file(self):
        """The JSON report."""
        return build_folder() / "reports" / f"{self.suite}-{self.platform}-{self.model}.json"

    def run(self):
        """An outcome for each test, and one for the run. The skips of a model are one skip."""
        self.file.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/suite.py"), self.suite, "--on", self.platform,
             "--model", self.model, "--tests", self.tests], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        found = self.outcomes() if self.file.exists() else []
        end = PASSED if done.returncode == 0 else FAILED
        return [*found, Outcome(f"{self.name}/run", end, "\n".join(done.stdout.splitlines()[-12:]))]

    def outcomes(self):
        """From the JSON report."""
        results = json.loads(self.file.read_text(encoding="utf-8"))["results"]
        found = [self.outcome(result) for result in results if result["status"] != "skipped"]
        skips = len(results) - len(found)
        if skips:
            found.append(Outcome(f"{self.name}/skips", SKIPPED,
                                 f"{skips} tests: {self.model} lacks what they need"))
        return found

    def outcome(self, result):
        """One test's."""
        good = result["status"] in ("passed", "known")
        return Outcome(f"{self.name}/{result['name']}", PASSED if good else FAILED,
                       result.get("reason", "") or json.dumps(result.get("differences", "")))


CHECKS = (
    SuiteCheck("bochs", "corei7_skylake_x"),
    SuiteCheck("bochs", "corei5_lynnfield_750"),
    SuiteCheck("bochs", "corei7_icelake_u"),
)


def check_matrix(suite):
    """Every row of the tables has a test, or a written reason."""
    found = matrix.matrix_of(suite, read_records(image(suite)))
    complaints = [f"no test: {row.key}" for row in found.empty()] + found.complaints
    name = f"suite/{suite}/matrix"
    if not complaints:
        return [Outcome(name, PASSED)]
    more = [f"and {len(complaints) - 20} more: make matrix"] if len(complaints) > 20 else []
    return [Outcome(name, FAILED, "\n".join(complaints[:20] + more))]


def jobs():
    """A job for each run, and one for the matrix of each suite."""
    suites = dict.fromkeys(check.suite for check in CHECKS)
    return [*(Job(check.name, check.run, check.seconds) for check in CHECKS),
            *(Job(f"suite/{suite}/matrix", lambda suite=suite: check_matrix(suite), 1)
              for suite in suites)]
