#!/usr/bin/python3
"""`make check-class N=1`: grades a class of generated submissions (the reference, the empty hand-out, each planted
mistake, the hostile ones), stops half-way and goes on, and compares what each earned with what it must."""

import argparse
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from trapeze import ROOT, HostError, build_folder, grade_class, grade_generate, grade_progress, \
    grade_sandbox, grade_submission
from trapeze.grade_submission import display
from trapeze.lab import find_lab, load_labs

SEED = 20261122  # the same class every time


def parse_arguments():
    """The words of `make check-class`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="1")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="submissions whose names match one of these globs")
    parser.add_argument("--interrupt", type=int, default=0, help="stop when so many are graded, and go on")
    parser.add_argument("--again", type=int, default=0, help="grade the reference so many times more")
    parser.add_argument("--total", type=int, default=0, help="at least so many submissions")
    parser.add_argument("--out", default="")
    return parser.parse_args()


def generate(folder, labs, lab, only, total):
    """Writes the class; (the folder with the submissions, {name: Expected})."""
    submissions, pristine = folder / "submissions", folder / "stubs"
    for old in (submissions, pristine):
        shutil.rmtree(old, ignore_errors=True)
    grade_class.write_pristine(pristine, labs, lab, ROOT)
    expected = grade_generate.Generator(ROOT, pristine, labs, lab, submissions).all(total)
    for name in list(expected):
        if only and not grade_generate.mistakes.select([Named(name)], only):
            remove(submissions / name)
            del expected[name]
    return submissions, expected


class Named:
    """Something with a name, to be selected by it."""

    def __init__(self, name):
        self.name = name


def remove(path):
    """A file, a link or a tree."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def interrupted(folder, submissions, arguments):
    """Starts `make grade-all`'s command, and ends it as Ctrl-C does when some are graded. How many were kept."""
    command = [sys.executable, str(ROOT / "tools/grade.py"), "--lab", arguments.lab, "--submissions",
               str(submissions), "--jobs", str(arguments.jobs), "--out", str(folder / "grades"), "--seed", str(SEED)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and count_kept(folder) < arguments.interrupt:
        time.sleep(0.2)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)
    return count_kept(folder)


def count_kept(folder):
    """How many results there are."""
    return len(list((folder / "grades/results").glob("*.json")))


def check(session, expected, rows):
    """The complaints about a class, as sentences."""
    found = []
    graded = dict(rows)
    for name, wanted in expected.items():
        if name not in graded:
            found.append(f"{display(name)}: not graded")
            continue
        report = session.folder / "reports" / grade_submission.file_name(name) / "grade.txt"
        why = grade_generate.complaint(wanted, graded[name], report.read_text())
        if why:
            found.append(f"{display(name)}: {why}; see {report}")
    if not (session.folder / "grades.csv").is_file():
        found.append("no table was written")
    if Path("/tmp/trapeze-was-here").exists():
        found.append("a submission's Makefile was run")
    return found


def repeat(session, submissions, name, times):
    """Grades one submission again and again; a complaint for each result that differs from the first."""
    results = []
    for _ in range(times):
        submission = grade_submission.take(submissions / name, session.task.wanted, name)
        grades = grade_class.run_worker(session, submissions, submission, set())
        results.append([(verdict.name, verdict.status, verdict.earned) for grade in grades
                        for verdict in grade.verdicts])
        print(f"class: {name} once more: {sum(grade.earned for grade in grades)} points", flush=True)
    return [f"{name}: run {number} came to {result}" for number, result in enumerate(results)
            if result != results[0]]


def run(arguments):
    """The whole; the exit status."""
    why = grade_sandbox.problem()
    if why:
        raise HostError(why)
    labs, lab = load_labs(), find_lab(int(arguments.lab))
    folder = Path(arguments.out or build_folder() / f"class-lab{lab.number}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    submissions, expected = generate(folder, labs, lab, arguments.only, arguments.total)
    shutil.rmtree(folder / "grades/results", ignore_errors=True)
    started = time.monotonic()
    complaints = []
    if arguments.interrupt:
        kept = interrupted(folder, submissions, arguments)
        print(f"class: interrupted with {kept} of {len(expected)} graded; goes on", flush=True)
        if kept == len(expected):
            complaints.append("nothing was left to go on with after the interruption")
    session = grade_class.open_session(folder / "grades", labs, lab, "", SEED)
    rows = grade_class.Class(session, submissions, grade_progress.for_class(len(expected)), arguments.jobs).run()
    seconds = time.monotonic() - started
    complaints += check(session, expected, rows)
    if arguments.again:
        name = next((name for name in expected if name.startswith("reference-amd")), next(iter(expected)))
        complaints += repeat(session, submissions, name, arguments.again)
    for line in complaints:
        print(f"class: {line}")
    slowest = max((sum(grade.seconds for grade in grades), name) for name, grades in rows)
    print(f"class: {len(rows)} submissions in {seconds:.0f} s, the slowest {display(slowest[1])} in "
          f"{slowest[0]:.0f} s; {len(complaints)} not as expected; {session.folder / 'grades.csv'}")
    return 1 if complaints else 0


def main():
    """Every error is a sentence and a status."""
    try:
        arguments = parse_arguments()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # the graders inherit it: see interrupted()
        return run(arguments)
    except HostError as error:
        print(f"class: error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
