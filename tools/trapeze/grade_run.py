"""Grades one submission: takes its files, builds, runs the lab's tests, gives points. A class of
submissions is grade_class's."""

import contextlib
import os
import shutil
import time
from dataclasses import dataclass

from . import ROOT, build_folder, grade_build, grade_points, grade_submission, lab_checks, lab_guest, lab_run
from .grade_build import BuildFailed
from .grade_points import FAILURES, State
from .lab import VENDORS, all_exercises


@dataclass(frozen=True)
class Task:
    """What is graded, and how."""

    labs: tuple  # all
    lab: object
    vendor: str = ""  # "" for whatever the submission has
    nonce: int = 0

    @property
    def wanted(self):
        """The files that may be taken: those of exercises of this lab and those before it."""
        return sorted({exercise.file for lab in self.labs if lab.number <= self.lab.number
                       for exercise in lab.exercises})

    def earlier(self, vendor):
        """The exercises of the labs before it."""
        return all_exercises([lab for lab in self.labs if lab.number < self.lab.number], vendor)


def state_of(task, submission):
    """What the files themselves say: which exercises are not written, which files were not taken."""
    stubs = set()
    for exercise in all_exercises(task.labs):
        if exercise.file in submission.absent:
            stubs.add(exercise.key)
        elif exercise.file in submission.files:
            if exercise.name in grade_submission.stubs(submission.files[exercise.file]):
                stubs.add(exercise.key)
    broken = {path: (FAILURES["REFUSED"][0], why) for path, why in submission.refused.items() if path}
    return State(frozenset(stubs), broken)


def vendors_of(task, state, is_given=lambda path: False):
    """The vendors that are graded: as asked, else those of which something is written. is_given: does a file
    hold what the hand-out for the other vendor gives away? That is nobody's work."""
    if task.vendor:
        return [task.vendor]
    written = [vendor for vendor in VENDORS
               if any(exercise.key not in state.stubs for exercise in task.lab.exercises
                      if exercise.vendor == vendor)]
    own = [vendor for vendor in written
           if not all(is_given(exercise.file) for exercise in task.lab.exercises if exercise.vendor == vendor)]
    return own or written or [VENDORS[0]]


def given(base, submission):
    """The question whether a file of the submission is the reference's, to the byte."""
    def is_given(path):
        reference = base.reference / path
        return reference.is_file() and submission.files.get(path) == reference.read_bytes()
    return is_given


def images(lab):
    """make's targets that a submission's part in the lab's tests needs: the tests' image that it is linked into
    and, where guests run, the hypervisor; guests and native runs are the pristine tree's."""
    names = [lab_checks.image_name(lab)]
    if any(lab_guest.wants_guests(lab, vendor) for vendor in VENDORS):
        names.append("trapeze")
    return [f"build/{name}.{kind}" for name in names for kind in ("elf", "elf32")]


def grade(task, base, submission, work):
    """The Grades of a submission, one for each vendor. work: a folder for it; logs are left in work/logs."""
    started = time.monotonic()
    state = state_of(task, submission)
    vendors = vendors_of(task, state, given(base, submission))
    tree = work / "tree"
    try:
        if "" in submission.refused:
            return refuse(task, state, submission)
        try:
            broken = grade_build.build_submission(base, submission, tree, images(task.lab))
        except BuildFailed as error:
            return finish([grade_points.grade_nothing(task.lab, vendor, state, "BUILD", str(error))
                           for vendor in vendors], task, submission, started)
        state = State(state.stubs, state.broken | broken)
        grades = [run_vendor(task, base, tree, vendor, state)
                  for vendor in vendors]
        return finish(grades, task, submission, started)
    finally:
        if (tree / "build/logs").is_dir():
            shutil.rmtree(work / "logs", ignore_errors=True)
            shutil.move(tree / "build/logs", work / "logs")
        shutil.rmtree(tree, ignore_errors=True)


def refuse(task, state, submission):
    """The Grades of a submission of which nothing is taken."""
    grades = [grade_points.grade_nothing(task.lab, vendor, State(), "REFUSED", submission.refused[""])
              for vendor in [task.vendor or VENDORS[0]]]
    return finish(grades, task, submission, time.monotonic())


def finish(grades, task, submission, started):
    """Fills in what is the same for all vendors."""
    seconds = time.monotonic() - started
    for grade_ in grades:
        files = task.lab.files
        grade_.notes += [grade_points.plain(why) for path, why in submission.refused.items()
                         if not path or path in files]
        if "" not in submission.refused:
            grade_.notes += [f"{path} is not in the submission" for path in submission.absent if path in files]
        grade_.nonce, grade_.seconds = task.nonce, seconds / len(grades)
        grade_.failure = grade_.failure or next((verdict.failure for verdict in grade_.verdicts
                                                 if verdict.failure), "")
    return grades


def run_vendor(task, base, tree, vendor, state):
    """The Grade for one vendor of a tree that is built. Where nothing is written nothing runs."""
    written = [exercise for exercise in task.lab.of_vendor(vendor)
               if exercise.key not in state.stubs and exercise.file not in state.broken]
    results = run_tests(task, base.build, tree, vendor) if written else []
    return grade_points.grade(task.lab, vendor, results, state, task.earlier(vendor))


def run_tests(task, pristine, tree, vendor, listener=None, patterns=("*",), progress=None):
    """The results of the lab's tests. (lab_run runs again what hit a limit of time where time is real.)"""
    build = build_folder() if tree == ROOT else tree / "build"
    with build_folder_is(build):
        return lab_run.run_lab(tree, build, task.lab, vendor, task.nonce, pristine, listener,
                               patterns, progress)


@contextlib.contextmanager
def build_folder_is(folder):
    """The parts that ask for the build folder get this one: logs go there."""
    before = os.environ.get("BUILD")
    os.environ["BUILD"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["BUILD"]
        else:
            os.environ["BUILD"] = before


def grading_failed(task, error):
    """The Grades when the grader itself cannot go on."""
    vendor = task.vendor or VENDORS[0]
    return [grade_points.grade_nothing(task.lab, vendor, State(), "GRADER", str(error))]

