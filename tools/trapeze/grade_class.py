"""Grades a class: each submission by a process of its own, several at a time, and what is finished is
kept, so that the same command goes on after an interruption. One submission is grade_run's."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from . import ROOT, HostError, grade_build, grade_report, grade_run, grade_submission
from .grade_local import MARK
from .grade_points import Grade
from .lab import all_exercises
from .session import die_with_parent

WORKER_LIMIT = 400  # seconds for a submission, before its grading counts as failed
LINE_LIMIT = 1 << 16


@dataclass(frozen=True)
class Session:
    """A class's folder of results, with the pristine tree in it."""

    folder: Path
    task: grade_run.Task
    base: grade_build.Base

    @property
    def results(self):
        """Where the finished ones are."""
        return self.folder / "results"

    def key(self, submission):
        """What a submission's result depends on: when this is the same, so is the result."""
        task = self.task
        return submission.digest(self.base.digest, task.lab.number, task.vendor, task.nonce)


def open_session(folder, labs, lab, vendor, nonce, isolated=False, root=ROOT):
    """The Session in a folder: a new one, or the one that is there when it is of the same tree. nonce: None
    for the session's own, else a new random one."""
    folder = Path(folder).resolve()
    for name in ("results", "work", "reports"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    known = read_json(folder / "session.json") or {}
    if nonce is None:
        nonce = known.get("nonce") if known.get("lab") == lab.number else None
    if nonce is None:
        nonce = int.from_bytes(os.urandom(4), "little")
    base = open_base(folder, labs, lab, root, isolated, known)
    task = grade_run.Task(tuple(labs), lab, vendor, nonce)
    grade_report.replace(folder / "session.json", json.dumps(
        {"lab": lab.number, "vendor": vendor, "nonce": nonce, "base": base.digest, "owners": base.owners,
         "isolated": isolated}, indent=1) + "\n")
    return Session(folder, task, base)


def open_base(folder, labs, lab, root, isolated, known):
    """The pristine tree, built; the one that is there if its sources are the same."""
    fresh, tree = folder / "base.new", folder / "base"
    shutil.rmtree(fresh, ignore_errors=True)
    write_pristine(fresh, labs, lab, root)
    digest = grade_build.digest_of(fresh)
    if known.get("base") == digest and known.get("owners") and tree.is_dir():
        shutil.rmtree(fresh)
        return grade_build.Base(tree, digest, known["owners"], Path(root), isolated)
    shutil.rmtree(tree, ignore_errors=True)
    fresh.rename(tree)
    return grade_build.build_base(tree, ["all"], root, isolated)


def write_pristine(out, labs, lab, root):
    """The hand-out of a lab in which the exercises of all labs are stubs; a tree that is a hand-out is
    taken for such a one."""
    if (Path(root) / MARK).exists():
        shutil.copytree(root, out, symlinks=True, ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
        return
    from . import handout  # a hand-out has none
    handout.write_handout(out, lab.number, root=root)
    handout.set_blanked(root, out, all_exercises(labs))
    shutil.rmtree(out / ".git", ignore_errors=True)


def read_json(file):
    """A JSON file's content, None when there is none that can be read."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError):
        return None


def find_submissions(folder):
    """The names of what lies in a folder of submissions, in order."""
    try:
        names = sorted(os.listdir(folder), key=os.fsencode)
    except OSError as error:
        raise HostError(f"SUBMISSIONS={folder}: {error.strerror}") from None
    found = [name for name in names if not name.startswith(".")]
    if not found:
        raise HostError(f"SUBMISSIONS={folder}: nothing is in there")
    return found


def finished(session, submission):
    """The Grades of a submission that were kept, None when there are none of this very one."""
    kept = read_json(session.results / f"{grade_submission.file_name(submission.name)}.json")
    if not kept or kept.get("key") != session.key(submission):
        return None
    return [Grade.from_table(table) for table in kept["grades"]]


def keep(session, submission, grades):
    """Writes a submission's result, whole or not at all, and its reports."""
    name = grade_submission.file_name(submission.name)
    grade_report.write_all(grades, session.folder / "reports" / name)
    grade_report.replace(session.results / f"{name}.json", json.dumps(
        {"key": session.key(submission), "submission": grade_submission.display(submission.name),
         "grades": [grade.table() for grade in grades]}, indent=1) + "\n")


def run_worker(session, folder, submission, running):
    """Grades one submission in a process of its own; its Grades."""
    work = session.folder / "work" / grade_submission.file_name(submission.name)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    job = {"session": str(session.folder), "work": str(work), "reference": str(session.base.reference),
           "submission": os.fsencode(Path(folder) / submission.name).hex(),
           "name": os.fsencode(submission.name).hex()}
    (work / "job.json").write_text(json.dumps(job))
    environment = {**os.environ, "BUILD": str(work / "tree/build")}
    process = subprocess.Popen([sys.executable, str(ROOT / "tools/grade.py"), "--worker", str(work / "job.json")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env=environment, start_new_session=True, preexec_fn=die_with_parent)
    running.add(process)
    try:
        output, _ = process.communicate(timeout=WORKER_LIMIT)
    except subprocess.TimeoutExpired:
        output = b"grading took too long"
    finally:
        running.discard(process)
        end(process)
    grades = read_json(work / "grades.json")
    logs = session.folder / "reports" / grade_submission.file_name(submission.name) / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    if (work / "logs").is_dir():
        logs.parent.mkdir(exist_ok=True)
        shutil.move(work / "logs", logs)
    shutil.rmtree(work, ignore_errors=True)
    if grades is None:
        told = output[-LINE_LIMIT:].decode("utf-8", "replace").strip().rpartition("\n")[2]
        return grade_run.grading_failed(session.task, told or f"status {process.returncode}")
    return [Grade.from_table(table) for table in grades]


def end(process):
    """Ends a worker and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def work_on(file):
    """The worker's side: grades what a job file says, and leaves grades.json."""
    job = json.loads(Path(file).read_text())
    folder = Path(job["session"])
    known = read_json(folder / "session.json")
    labs = load_labs_of(Path(job["reference"]))
    lab = next(lab for lab in labs if lab.number == known["lab"])
    task = grade_run.Task(tuple(labs), lab, known["vendor"], known["nonce"])
    base = grade_build.Base(folder / "base", known["base"], known["owners"], Path(job["reference"]),
                            known["isolated"])
    name = os.fsdecode(bytes.fromhex(job["name"]))
    submission = grade_submission.take(os.fsdecode(bytes.fromhex(job["submission"])), task.wanted, name)
    grades = grade_run.grade(task, base, submission, Path(job["work"]))
    grade_report.replace(Path(job["work"]) / "grades.json",
                         json.dumps([grade.table() for grade in grades]))
    return 0


def load_labs_of(root):
    """The labs of the reference's tree."""
    from .lab import load_labs
    return load_labs(root)


class Class:
    """All submissions of a folder."""

    def __init__(self, session, folder, progress, jobs=2, worker=run_worker):
        self.session, self.folder, self.progress, self.jobs = session, Path(folder), progress, jobs
        self.worker = worker
        self.rows = {}
        self.running, self.lock, self.stopped = set(), threading.Lock(), False

    def take(self, name):
        """The Submission of that name."""
        return grade_submission.take(self.folder / name, self.session.task.wanted, name)

    def grade_one(self, name):
        """Grades one, or finds its result. Returns its Grades; None when everything is to stop."""
        if self.stopped:
            return None
        submission = self.take(name)
        kept = finished(self.session, submission)
        if kept is None:
            with self.lock:
                self.progress.start(grade_submission.display(name))
            kept = self.worker(self.session, self.folder, submission, self.running)
            if self.stopped:
                return None
            keep(self.session, submission, kept)
            again = False
        else:
            again = True
        with self.lock:
            self.progress.end(grade_submission.display(name), kept, again)
        return kept

    def run(self):
        """Grades all; the rows of the table. The table is written as it grows."""
        names = find_submissions(self.folder)
        with self.progress, ThreadPoolExecutor(self.jobs) as pool:
            futures = {pool.submit(self.grade_one, name): name for name in names}
            try:
                for future in as_completed(futures):
                    grades = future.result()
                    if grades is not None:
                        self.rows[futures[future]] = grades
                        self.write_table(names)
            except BaseException:
                self.stop(futures)
                raise
        return self.table(names)

    def stop(self, futures):
        """Ends what runs; what is finished is kept."""
        self.stopped = True
        for future in futures:
            future.cancel()
        for process in list(self.running):
            end(process)

    def table(self, names):
        """The rows that there are, in order."""
        return [(name, self.rows[name]) for name in names if name in self.rows]

    def write_table(self, names):
        """The class as CSV."""
        grade_report.replace(self.session.folder / "grades.csv", grade_report.table(self.table(names)))
