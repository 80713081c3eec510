#!/usr/bin/python3
"""`make grade`, `make grade-all SUBMISSIONS=dir`, `make hint`, `make progress`, `make gradescope`: what works of
a lab's exercises, in points, and why the rest does not."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from trapeze import ROOT, HostError, build_folder, grade_hint, grade_local, grade_points, grade_progress, \
    grade_report, grade_sandbox, grade_submission
from trapeze.host import TECHNOLOGY
from trapeze.lab import VENDORS, load_labs
from trapeze.platforms import NO_GDB


def parse_arguments():
    """The words of make; it passes "" for the ones not given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", default="", help="the lab's number; default: the hand-out's")
    parser.add_argument("--vendor", default="", help="intel or amd; default: whatever is written")
    parser.add_argument("--seed", default="", help="of what the probe executes; default: random")
    parser.add_argument("--tests", default="", help="only tests whose names match one of these globs")
    parser.add_argument("--format", default="", help=f"what is printed: {', '.join(grade_report.FORMATS)}")
    parser.add_argument("--gdb", default="", help="says how to run a test under gdb")
    parser.add_argument("--out", default="", help="a folder for the reports in all formats")
    parser.add_argument("--submissions", default="", help="grade each submission in this folder")
    parser.add_argument("--jobs", default="", help="how many at once; default: 2")
    parser.add_argument("--already-isolated", action="store_true",
                        help="this host is a sandbox: compile without bubblewrap")
    parser.add_argument("--one", default="", help="grade this submission against --session")
    parser.add_argument("--prepare", default="", help="make a session's folder only")
    parser.add_argument("--session", default="", help="the folder that --prepare made")
    parser.add_argument("--hint", default=None, help="the next hint for this exercise")
    parser.add_argument("--progress", action="store_true", help="the points of all labs")
    parser.add_argument("--gradescope", action="store_true", help="write Gradescope's zip")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def number(text, name, default=None):
    """A number of a word of make."""
    if not text:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise HostError(f"{name}={text}: not a number")
    return int(text)


def debugging(lab, vendor, port):
    """How to run a lab's test under a debugger: gradings have limits of time."""
    if vendor == "intel":
        return NO_GDB["intel"].format(build=os.path.relpath(build_folder())).replace("labN", f"lab{lab}")
    return (f"GDB={port}: a grading waits for nobody; for one test say make run CPU=amd ON=tcg "
            f"IMAGE=lab{lab}-tests WORDS=tests=NAME GDB={port}, for a row of the probe make probe's line behind \"rerun\"")


class Command:
    """One call."""

    def __init__(self, arguments):
        self.arguments = arguments
        own, vendor = grade_local.handout_of()
        if arguments.vendor not in ("", *VENDORS):
            raise HostError(f"VENDOR={arguments.vendor}: not intel or amd")
        if arguments.format not in ("", *grade_report.FORMATS):
            raise HostError(f"FORMAT={arguments.format}: not one of {', '.join(grade_report.FORMATS)}")
        if vendor and arguments.vendor not in ("", vendor):
            raise HostError(f"VENDOR={arguments.vendor}: this is a hand-out for {TECHNOLOGY[vendor]} (VENDOR={vendor}); "
                            f"nothing of {TECHNOLOGY[arguments.vendor]} is an exercise in it")
        if arguments.gdb:
            raise HostError(debugging(own if own is not None else arguments.lab, arguments.vendor or vendor,
                                      arguments.gdb))
        self.labs = load_labs()
        self.vendor = arguments.vendor or vendor
        self.lab = number(arguments.lab, "N", own)
        self.seed = number(arguments.seed, "SEED")

    def nonce(self):
        """The seed, or a random number."""
        return int.from_bytes(os.urandom(4), "little") if self.seed is None else self.seed

    def run(self):
        """Does what was asked for; the exit status."""
        arguments = self.arguments
        if arguments.hint is not None:
            print(grade_hint.hint(ROOT, self.labs, arguments.hint, self.vendor), end="")
            return 0
        if arguments.progress:
            for line in grade_local.progress(self.labs, self.vendor, self.nonce()):
                print(line, flush=True)
            return 0
        if arguments.gradescope:
            return self.gradescope()
        if arguments.submissions or arguments.prepare or arguments.one:
            return self.grade_others()
        return self.grade_own()

    def grade_own(self):
        """`make grade`: this tree."""
        task = grade_local.task_of(self.labs, self.lab, self.vendor, self.nonce())
        if self.arguments.tests:
            return self.run_tests(task)
        grades = grade_local.grade(task, display=self.arguments.format in ("", "text"))
        if grade_local.handout_of()[0] is not None:
            others = grade_local.changed_files(task)
            if others:
                print("grade: not graded, because no exercise is in it: " + ", ".join(others[:8]))
        return self.show(grades, self.arguments.out or build_folder() / f"reports/grade-lab{task.lab.number}",
                         f"make grade N={task.lab.number} SEED={task.nonce}",
                         os.path.relpath(build_folder() / f"logs/lab{task.lab.number}-*.log"))

    def run_tests(self, task):
        """`make grade TESTS=...`: only some tests, and no points."""
        results = [result for results in grade_local.run_some(task, self.arguments.tests) for result in results]
        for result in results:
            print(result.status + ": " + "\n  ".join(grade_report.test_lines(grade_points.detail_of(result))))
            for line in result.printed:
                print(f"  printed: {grade_points.plain(line)}")
        logs = sorted({os.path.relpath(result.log) for result in results if result.log})
        if logs:
            print(f"all that was printed: {' '.join(logs)}")
        if not results:
            raise HostError(f"TESTS={self.arguments.tests}: no test of lab {task.lab.number} matches")
        return 0 if all(result.good for result in results) else 1

    def show(self, grades, folder, repeat, logs=""):
        """Prints and writes the reports; the exit status is 0 whatever was earned."""
        form = self.arguments.format or "text"
        print(grade_report.FORMATS[form](grades), end="")
        grade_report.write_all(grades, Path(folder))
        if form == "text":
            print(f"reports: {folder}; the same again: {repeat}")
        if form == "text" and logs:
            print(f"what the tests printed, yours too: {logs}")
        return 0

    def need_confinement(self):
        """HostError unless compiling strangers' files is safe here."""
        if not self.arguments.already_isolated:
            why = grade_sandbox.problem()
            if why:
                raise HostError(f"submissions are not compiled unconfined: {why}. In a container or a virtual "
                                "machine of its own: ISOLATED=1 (--already-isolated)")

    def grade_others(self):
        """`make grade-all`, and one submission."""
        from trapeze import grade_class  # a hand-out has none
        self.need_confinement()
        arguments = self.arguments
        if arguments.submissions:
            grade_class.find_submissions(arguments.submissions)
        task = grade_local.task_of(self.labs, self.lab, self.vendor, 0)
        folder = Path(arguments.prepare or arguments.session or arguments.submissions and arguments.out
                      or build_folder() / f"grades-lab{task.lab.number}")
        # A class has one nonce, which its session keeps; a submission that comes alone has its own.
        nonce = self.nonce() if arguments.one else self.seed
        session = grade_class.open_session(folder, self.labs, task.lab, self.vendor, nonce,
                                           arguments.already_isolated)
        if arguments.prepare:
            print(f"grade: {folder} is ready")
            return 0
        if arguments.one:
            one = Path(arguments.one).resolve()
            submission = grade_submission.take(one, session.task.wanted, one.name)
            grades = grade_class.run_worker(session, one.parent, submission, set())
            return self.show(grades, arguments.out or folder / "one", f"SEED={session.task.nonce}")
        return self.grade_class(session, number(arguments.jobs, "JOBS", 2))

    def grade_class(self, session, jobs):
        """All submissions of a folder."""
        from trapeze import grade_class
        folder = Path(self.arguments.submissions)
        total = len(grade_class.find_submissions(folder))
        print(f"grade: {grade_report.plural(total, 'submission')}, lab {session.task.lab.number}, "
              f"nonce {session.task.nonce}, {session.folder}", flush=True)
        rows = grade_class.Class(session, folder, grade_progress.for_class(total), max(1, jobs)).run()
        full = sum(grade_report.best_of(grades).earned == grade_report.best_of(grades).points
                   for _, grades in rows)
        print(f"grade: {total} graded, {full} with full marks; {session.folder / 'grades.csv'}")
        return 0

    def gradescope(self):
        """`make gradescope`: the zip."""
        from trapeze import grade_gradescope
        task = grade_local.task_of(self.labs, self.lab, self.vendor, 0)
        build_folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="trapeze-gradescope-") as work:
            print("grade: " + grade_gradescope.write(build_folder() / f"gradescope-lab{task.lab.number}.zip",
                                                     self.labs, task.lab, self.vendor, work))
        return 0


def main():
    """Every error is a sentence and a status, never a traceback."""
    arguments = parse_arguments()
    try:
        if arguments.worker:
            from trapeze import grade_class
            return grade_class.work_on(arguments.worker)
        return Command(arguments).run()
    except HostError as error:
        print(f"grade: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has seen enough
        return 0
    except KeyboardInterrupt:
        print("grade: interrupted; what is finished is kept: the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
