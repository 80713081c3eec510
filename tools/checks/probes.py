"""The probe's quick selection, natively and as a guest, on both vendors: no unexplained difference."""

import os
import subprocess
import sys

from trapeze import ROOT
from trapeze.testing import FAILED, PASSED, Job, Outcome

PLATFORMS = (("intel", "bochs"), ("amd", "tcg"))


def run_probe(cpu, on):
    """One outcome; what it printed when it failed."""
    result = subprocess.run([sys.executable, ROOT / "tools" / "probe.py", "--cpu", cpu, "--on", on,
                             "--quick", "1"], capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, env=os.environ)
    failed = result.returncode != 0
    return [Outcome(f"probe/{on}-{cpu}", FAILED if failed else PASSED,
                    result.stdout + result.stderr if failed else "")]


def jobs():
    """A job for each platform."""
    return [Job(f"probe/{on}-{cpu}", lambda cpu=cpu, on=on: run_probe(cpu, on), 12)
            for cpu, on in PLATFORMS]
