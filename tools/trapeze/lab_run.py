"""Runs a lab's tests on images that are built already, and says what each came to.

    results = run_lab(root, build, lab, vendor, nonce)

root     the tree that the images were made from (Path); only for messages
build    its build folder (Path): labN-tests.elf, trapeze.elf; logs go to build/logs
lab      a lab.Lab
vendor   "intel" or "amd"
nonce    a number of the caller's choice that seeds what the probe executes (labs 3 to 5)
pristine the grader's own build folder, where the list of tests, guests and native runs come from; default:
         build
listener called with each TestResult, in the order of running
patterns only the tests whose names match one of these globs
progress called while it runs with (a test's name, did it pass: None where that is not known yet)

The same arguments give the same results: run_lab() draws no random numbers and keeps nothing. It raises
HostError only when this host cannot run the platform at all, or the pristine images are not there; whatever a
submission does becomes a result."""

from functools import lru_cache
from pathlib import Path

from . import lab_checks, lab_guest
from .lab import all_exercises, load_labs
from .lab_job import Job
from .lab_result import blame
from .platforms import PLATFORMS, WITHOUT_KVM

KINDS = (lab_checks, lab_guest)  # tests inside an image, and guests


def planned(pristine, lab, vendor, nonce):
    """The names of all tests of the lab for the vendor, in the order of running. With the nonce of the run that
    follows, what this takes is not taken again."""
    return [name for kind in KINDS for name in kind.planned(Path(pristine), lab, vendor, nonce)]


@lru_cache
def exercises_of(tree, vendor):
    """The exercises of all labs of a tree for a vendor."""
    return tuple(all_exercises(load_labs(tree), vendor))


def run_lab(root, build, lab, vendor, nonce, pristine=None, listener=None, patterns=("*",), progress=None):
    """A TestResult for each planned test."""
    platform = PLATFORMS[f"{WITHOUT_KVM[vendor]}-{vendor}"]
    job = Job(Path(root), Path(build), Path(pristine or build), lab, vendor, nonce, platform,
              tuple(patterns), progress)
    results, missing = lab_checks.run(job)
    # A tree has stubs of later labs too: no guest of this one needs them.
    known = {exercise.name for exercise in exercises_of(lab.folder.parents[1], vendor)
             if exercise.lab <= lab.number}
    results += lab_guest.run(job, [name for name in missing if name in known])
    results = blame(results, lab, exercises_of(lab.folder.parents[1], vendor), missing)
    for result in results:
        if listener:
            listener(result)
    return results
