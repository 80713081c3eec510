"""The probe's quick selection, natively and as a guest, on both vendors: no unexplained difference; and the
experiment natively: it finds the published list by itself."""

import os
import subprocess
import sys

from trapeze import ROOT
from trapeze.testing import FAILED, PASSED, Job, Outcome

PLATFORMS = (("intel", "bochs"), ("amd", "tcg"))


def run_tool(name, *argv):
    """One outcome; what it printed when it failed."""
    result = subprocess.run([sys.executable, *argv], capture_output=True, text=True, check=False,
                            stdin=subprocess.DEVNULL, env=os.environ)
    failed = result.returncode != 0
    return [Outcome(name, FAILED if failed else PASSED, result.stdout + result.stderr if failed else "")]


def run_probe(cpu, on):
    """`make probe` QUICK=1."""
    return run_tool(f"probe/{on}-{cpu}", ROOT / "tools" / "probe.py", "--cpu", cpu, "--on", on, "--quick", "1")


def run_goldberg():
    """`make goldberg`, natively."""
    return run_tool("probe/goldberg", ROOT / "tools" / "goldberg.py", "--natively", "tcg-amd")


def jobs():
    """A job for each platform, and the experiment."""
    return [Job("probe/goldberg", run_goldberg, 5),
            *(Job(f"probe/{on}-{cpu}", lambda cpu=cpu, on=on: run_probe(cpu, on), 12)
              for cpu, on in PLATFORMS)]
