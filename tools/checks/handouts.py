"""Hand-outs of the labs: each is written, built without a word from the compiler, and booted; it has to name
the exercises that are missing, all of them and no others. all_jobs() has every lab for every vendor."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from trapeze.handout import write_handout
from trapeze.lab import STAGE2_LAB, VENDORS, all_exercises, load_labs
from trapeze.lab_page import place_of
from trapeze.platforms import WITHOUT_KVM
from trapeze.testing import FAILED, PASSED, Job, Outcome

SAMPLE = ((0, "amd"), (1, ""), (2, "amd"), (3, "intel"), (4, "amd"), (5, "intel"))
MISSING = re.compile(r"^exercise missing: (\S+) \(lab (\d+): (.+)\)$", re.MULTILINE)
LATER = re.compile(r"^exercise missing: (?:and )?(\d+) of later labs$", re.MULTILINE)


def build(tree, guest):
    """What make said; nothing is right."""
    images = [f"build/{name}" for name in ("trapeze.elf", "trapeze.elf32", guest)]
    environment = {key: value for key, value in os.environ.items() if key not in ("BUILD", "MAKEFLAGS")}
    done = subprocess.run(["make", "-s", "BUILD=build", *images], cwd=tree, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout or ("" if done.returncode == 0 else "make failed without a word")


def boot(tree, vendor):
    """What a run of it printed."""
    done = subprocess.run([sys.executable, "tools/run.py", "--cpu", vendor, "--on", WITHOUT_KVM[vendor],
                           "--batch"], cwd=tree, env={**os.environ, "BUILD": "build"}, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout


def complaint_about(output, number, vendor, labs):
    """What is wrong with a boot, or ""."""
    exercises = [exercise for exercise in all_exercises(labs, vendor) if exercise.lab >= number]
    wanted = {(exercise.name, str(exercise.lab), place_of(exercise.page))
              for exercise in exercises if exercise.lab == number}
    found = set(MISSING.findall(output))
    if found != wanted:
        return f"named wrongly: {sorted(wanted ^ found)}\n{output}"
    later = sum(map(int, LATER.findall(output)))
    if later != len(exercises) - len(wanted):
        return f"{later} of later labs are counted, not {len(exercises) - len(wanted)}\n{output}"
    if "*** END failed: 1" not in output or "exercise reached: " not in output:
        return f"it did not end at an exercise:\n{output}"
    return ""


def check(number, vendor):
    """The outcomes for one hand-out."""
    name, labs = f"handout/{number}-{vendor or 'both'}", load_labs()
    with tempfile.TemporaryDirectory(prefix="handout-") as folder:
        tree = Path(folder) / "lab"
        write_handout(tree, number, vendor)
        said = build(tree, "tinyos.elf" if number >= STAGE2_LAB else "tinyos-high.elf")
        outcomes = [Outcome(f"{name}/build", FAILED if said else PASSED, said)]
        for cpu in [] if said else [vendor] if vendor else VENDORS:
            wrong = complaint_about(boot(tree, cpu), number, cpu, labs)
            outcomes.append(Outcome(f"{name}/boot-{cpu}", FAILED if wrong else PASSED, wrong))
        return outcomes


def job(number, vendor):
    """One job."""
    return Job(f"handout/{number}-{vendor or 'both'}", lambda: check(number, vendor), 15)


def all_jobs():
    """Every lab, for each vendor and for both."""
    return [job(lab.number, vendor) for lab in load_labs() for vendor in ("", *VENDORS)]


def jobs():
    """Each lab once."""
    return [job(number, vendor) for number, vendor in SAMPLE]
