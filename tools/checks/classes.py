"""The grader on a class: some generated submissions, a hostile one of each kind, each with what it must earn.
`make check-class` has all of them."""

import os
import subprocess
import sys

from trapeze import ROOT, grade_sandbox
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome

SAMPLE = ("reference-amd,empty,hostile-prints-passes,hostile-hangs,hostile-triple-faults,hostile-ends-with-the-verdict,"
          "hostile-takes-the-format-apart,hostile-embeds-the-tests,hostile-includes-a-host-file,strange-link,"
          "strange-gigabyte,strange-crlf,strange-extra")
AGAIN = 3  # times that the reference is graded once more: always the same points


def run_class():
    """One outcome; what was printed when it failed."""
    why = grade_sandbox.problem()
    if why:
        return [Outcome("class/lab1", SKIPPED, why)]
    result = subprocess.run([sys.executable, ROOT / "tools/class.py", "--lab", "1", "--only", SAMPLE,
                             "--again", str(AGAIN), "--jobs", "1", "--interrupt", "3"], capture_output=True, text=True,
                            check=False, stdin=subprocess.DEVNULL, env=os.environ)
    failed = result.returncode != 0
    return [Outcome("class/lab1", FAILED if failed else PASSED, result.stdout + result.stderr if failed else "")]


def jobs():
    """One job."""
    return [Job("class/lab1", run_class, 120)]
