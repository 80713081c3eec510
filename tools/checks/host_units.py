"""The C tests that run on the host: each tests/host/test_*.c, with the sanitizers on."""

import subprocess

from trapeze import ROOT, build_folder
from trapeze.ktap import outcomes
from trapeze.testing import FAILED, Job, Outcome


def build(name):
    """Builds one test; returns make's complaint, "" for none."""
    done = subprocess.run(
        ["make", "-s", "-f", "tests/host/Makefile", f"BUILD={build_folder()}",
         f"{build_folder()}/host/{name}"], cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode else ""


def run_test(name, prefix):
    """Builds and runs one file; the TAP and the exit status have to agree."""
    complaint = build(name)
    if complaint:
        return [Outcome(prefix, FAILED, complaint)]
    try:
        done = subprocess.run([f"{build_folder()}/host/{name}"], cwd=ROOT, text=True, timeout=120,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except subprocess.TimeoutExpired:
        return [Outcome(prefix, FAILED, "timed out")]
    found = outcomes(done.stdout.splitlines(), prefix)
    if done.returncode and all(outcome.status != FAILED for outcome in found):
        found.append(Outcome(prefix, FAILED, f"exit status {done.returncode}: {done.stderr}"))
    return found


def jobs():
    """A job for each file."""
    names = sorted(file.stem for file in (ROOT / "tests/host").glob("test_*.c"))
    return [Job(f"host/{name[5:]}", lambda name=name: run_test(name, f"host/{name[5:]}"), 5)
            for name in names]
