"""The conformance suites on several CPU models, with every failure known, and no row of the manual's
tables without a test."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from trapeze import ROOT, build_folder, errata, image, matrix, nested, platforms
from trapeze.platforms import PLATFORMS, Machine
from trapeze.records import read_records
from trapeze.suite_report import ERRATA_FILES
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome

SUITE_CPU = {"vmx-tests": "intel", "svm-tests": "amd"}


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
        missing = nested.why_not(platforms.choose(SUITE_CPU[self.suite], self.platform)[0])
        if missing:
            return [Outcome(f"{self.name}/run", SKIPPED, missing)]
        self.file.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, str(ROOT / "tools/suite.py"), self.suite, "--on", self.platform,
             "--model", self.model, "--tests", self.tests], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        untried = self.untried_version() if self.file.exists() else ""
        if untried:
            return [Outcome(f"{self.name}/run", SKIPPED,
                            f"{untried}: docs/errata/ has no entry for this version yet; "
                            f"the report is {self.file.with_suffix('.html')}")]
        found = self.outcomes() if self.file.exists() else []
        end = PASSED if done.returncode == 0 else FAILED
        return [*found, Outcome(f"{self.name}/run", end, "\n".join(done.stdout.splitlines()[-12:]))]

    def untried_version(self):
        """The platform's version, when nobody has yet read its failures against the manual; else ""."""
        versions = json.loads(self.file.read_text(encoding="utf-8"))["versions"]
        name, version = next(iter(versions.items()))
        known = [entry.versions for entry in errata.read(ERRATA_FILES[self.platform])]
        listed = any(errata.listed(words, {name: version}) for words in known)
        return "" if listed else f"{name} {version}"

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


# Under a real KVM, after a boot of Linux in Bochs. One of them ends the image, which starts again.
NESTED_TESTS = "insn/vmxon/ entry/check_control/a*"

CHECKS = (
    SuiteCheck("bochs", "corei7_skylake_x"),
    SuiteCheck("bochs", "corei5_lynnfield_750"),
    SuiteCheck("bochs", "corei7_icelake_u"),
    SuiteCheck("kvm-in-bochs", "corei7_skylake_x", NESTED_TESTS, seconds=120),
)

# What the suite's own test runs here; all tests take it several minutes.
SELFTEST_TESTS = "insn/vmxon/ insn/vmptrld/ exit/unconditional/"


def check_suite_itself(suite):
    """make vmx-tests-selftest over a few tests."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools/suite.py"), suite, "--selftest", "--on", "bochs",
         "--tests", SELFTEST_TESTS, "--seeds", "1"], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return [Outcome(f"suite/{suite}/selftest", FAILED if done.returncode else PASSED,
                    "\n".join(done.stdout.splitlines()[-12:]))]


def check_disc(suite, firmware):
    """make vmx-tests-iso: the disc starts by itself and takes its words. QEMU's CPU has no VT-x, so the
    suite can only say so."""
    name = f"suite/{suite}/iso-{firmware or 'bios'}"
    with tempfile.TemporaryDirectory() as folder:
        disc = Path(folder) / "suite.iso"
        subprocess.run([sys.executable, str(ROOT / "tools/suite.py"), suite, "--iso", str(disc),
                        "--words", "end=qemu"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        argv = PLATFORMS["tcg-amd"].machine_arguments(Machine(firmware=firmware), Path(folder) / "log")
        done = subprocess.run([*argv, "-cdrom", str(disc)], stdin=subprocess.DEVNULL, timeout=90,
                              stdout=subprocess.PIPE, text=True, errors="replace", check=False)
    good = "has no VT-x" in done.stdout and "*** END failed" in done.stdout
    return [Outcome(name, PASSED if good else FAILED, done.stdout[-800:])]


def check_matrix(suite):
    """What the matrix says of itself is right. Rows that have neither a test nor a written reason are
    work that is left, which `make matrix` fails for: no pass here."""
    found = matrix.matrix_of(suite, read_records(image(suite)))
    name = f"suite/{suite}/matrix"
    if found.complaints:
        return [Outcome(name, FAILED, "\n".join(found.complaints[:20]))]
    if found.empty():
        return [Outcome(name, SKIPPED, f"{len(found.empty())} rows without test or reason: make matrix")]
    return [Outcome(name, PASSED)]


def jobs():
    """A job for each run of a suite, and for each suite its matrix, its own test, and its disc."""
    found = [Job(check.name, check.run, check.seconds) for check in CHECKS]
    for suite in dict.fromkeys(check.suite for check in CHECKS):
        found += [Job(f"suite/{suite}/matrix", partial(check_matrix, suite), 1),
                  Job(f"suite/{suite}/selftest", partial(check_suite_itself, suite), 60),
                  Job(f"suite/{suite}/iso-bios", partial(check_disc, suite, ""), 5),
                  Job(f"suite/{suite}/iso-uefi", partial(check_disc, suite, "uefi"), 15)]
    return found
