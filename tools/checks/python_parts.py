"""The tests of the Python parts: each file of tools/tests, by pytest."""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

from trapeze import ROOT
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome

SECONDS = {"test_endings": 30, "test_run": 30, "test_grade_class": 40, "test_grade_build": 15}


def outcome_of(case, prefix):
    """The outcome of a <testcase> of pytest's report."""
    name = f"{prefix}/{case.get('name')}"
    for tag, status in (("failure", FAILED), ("error", FAILED), ("skipped", SKIPPED)):
        found = case.find(tag)
        if found is not None:
            return Outcome(name, status, found.get("message") or found.text or "")
    return Outcome(name, PASSED)


def run_file(file, prefix):
    """Runs one file and reads the report."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
             "--junitxml", str(report), str(file)], cwd=ROOT, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        if done.returncode not in (0, 1) or not report.exists():
            return [Outcome(prefix, FAILED, done.stdout)]
        cases = xml.parse(report).getroot().iter("testcase")
        return [outcome_of(case, prefix) for case in cases]


def jobs():
    """A job for each file."""
    files = sorted((ROOT / "tools/tests").glob("test_*.py"))
    return [Job(f"python/{file.stem[5:]}",
                lambda file=file: run_file(file, f"python/{file.stem[5:]}"),
                SECONDS.get(file.stem, 2))
            for file in files]
