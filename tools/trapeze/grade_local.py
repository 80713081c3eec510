"""Grading in a tree that is somebody's own: what `make grade` and `make progress` do there. It is built
already, by make, and trusted: the grader's tree is the student's. Trees of others are grade_class's."""

import subprocess
import time
import tomllib
from pathlib import Path

from . import ROOT, HostError, build_folder, grade_points, grade_progress, grade_report, grade_run, \
    grade_submission, lab_run
from .lab import HANDOUT as MARK
from .lab import VENDORS, all_exercises

BAR = 24


def handout_of(root=ROOT):
    """(number of the lab, vendor) of a hand-out; (None, "") for the finished tree."""
    try:
        table = tomllib.loads((Path(root) / MARK).read_text())
    except OSError:
        return None, ""
    except tomllib.TOMLDecodeError as error:
        raise HostError(f"{MARK}: {error}") from None
    vendor = table.get("vendor", "")
    return table.get("lab"), vendor if vendor in VENDORS else ""


def task_of(labs, number, vendor, nonce):
    """The Task; HostError when there is no such lab."""
    if number is None:
        raise HostError("which lab? Say N=, e.g. make grade N=1")
    lab = next((lab for lab in labs if lab.number == number), None)
    if lab is None:
        raise HostError(f"N={number}: there is no such lab; there are "
                        f"{', '.join(str(lab.number) for lab in labs) or 'none'}")
    return grade_run.Task(tuple(labs), lab, vendor, nonce)


def own_submission(task, root=ROOT):
    """The tree itself as a submission, for what its files say of stubs."""
    wanted = sorted({exercise.file for exercise in all_exercises(task.labs)})
    return grade_submission.take(root, wanted, "this tree")


def changed_files(task, root=ROOT):
    """The files outside the exercises that differ from the hand-out: they do not count when it is graded."""
    command = ["git", "-C", str(root), "rev-list", "--max-parents=0", "HEAD"]
    try:
        first = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        done = subprocess.run(["git", "-C", str(root), "diff", "--name-only", "--relative", first[-1]],
                              capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError, IndexError):
        return []
    wanted = {exercise.file for exercise in all_exercises(task.labs)}
    return [name for name in done.stdout.splitlines() if name not in wanted]


def grade(task, root=ROOT, display=True):
    """The Grades of the tree's own images, one for each vendor."""
    submission = own_submission(task, root)
    state = grade_run.state_of(task, submission)
    grades = []
    for vendor in grade_run.vendors_of(task, state):
        started = time.monotonic()
        results = run(task, root, vendor, state, display)
        graded = grade_points.grade(task.lab, vendor, results, state, task.earlier(vendor))
        graded.seconds, graded.nonce = time.monotonic() - started, task.nonce
        graded.failure = next((verdict.failure for verdict in graded.verdicts if verdict.failure), "")
        grades.append(graded)
    return grades


def run_some(task, patterns, root=ROOT):
    """The results of the tests that match one of the globs, a list for each vendor."""
    state = grade_run.state_of(task, own_submission(task, root))
    globs = tuple(patterns.replace(",", " ").split())
    return [grade_run.run_tests(task, build_folder(), root, vendor, patterns=globs)
            for vendor in grade_run.vendors_of(task, state)]


def run(task, root, vendor, state, display):
    """The results of the lab's tests, with a display of how it goes."""
    if not display:
        return grade_run.run_tests(task, build_folder(), root, vendor)
    planned = lab_run.planned(build_folder(), task.lab, vendor, task.nonce)
    points = grade_progress.Points(task.lab, vendor, planned, state, task.earlier(vendor))
    with grade_progress.for_tests(len(planned), points, task.lab.points(vendor)) as progress:
        results = grade_run.run_tests(task, build_folder(), root, vendor, progress=progress.seen)
        progress.settle(results)
        return results


def progress(labs, vendor, nonce, root=ROOT):
    """A line for each lab: a bar, the points, how many exercises are left. Yields text."""
    earned = worth = 0
    for lab in labs:
        graded = grade_report.best_of(grade(grade_run.Task(tuple(labs), lab, vendor, nonce), root, False))
        earned, worth = earned + graded.earned, worth + graded.points
        left = sum(verdict.status != grade_points.EARNED for verdict in graded.verdicts)
        yield (f"lab {lab.number}  {bar(graded.earned, graded.points)} {graded.earned:>4}/{graded.points:<4} "
               f"{lab.title}" + (f": {grade_report.plural(left, 'exercise')} to go" if left else ""))
    yield f"       {bar(earned, worth)} {grade_points.tidy(earned):>4}/{worth:<4} in all"


def bar(part, whole):
    """A bar of text."""
    full = round(BAR * part / whole) if whole else 0
    return "[" + "#" * full + "." * (BAR - full) + "]"
