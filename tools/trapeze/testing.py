"""Running many jobs at once, showing how they go, and counting. A job is anything that returns
outcomes; what it does is its own."""

import contextlib
import os
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Callable

from . import HostError

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Outcome:
    """What became of one test; a skip has its reason in `detail`."""

    name: str
    status: str  # PASSED, FAILED or SKIPPED
    detail: str = ""


@dataclass(frozen=True)
class Job:
    """A piece of work that yields one or more outcomes."""

    name: str
    run: Callable  # () -> list of Outcome
    seconds: float = 2  # about, on a small machine: long ones start first


def run_job(job):
    """Its outcomes and seconds; an error of the job itself is a failed outcome."""
    started = time.monotonic()
    try:
        outcomes = job.run()
    except HostError as error:
        outcomes = [Outcome(job.name, FAILED, str(error))]
    except Exception:  # a job must never take the others down
        outcomes = [Outcome(job.name, FAILED, traceback.format_exc())]
    if not outcomes:
        outcomes = [Outcome(job.name, FAILED, "it tested nothing")]
    return outcomes, time.monotonic() - started


class PlainProgress:
    """A line for each job that has ended."""

    def __init__(self, total):
        self.total, self.done = total, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, job):
        """A job begins."""

    def end(self, job, outcomes, seconds):
        """A job has ended."""
        self.done += 1
        print(f"[{self.done:>{len(str(self.total))}}/{self.total}] {summary(job, outcomes, seconds)}",
              flush=True)


class RichProgress(PlainProgress):
    """The same above a bar that names what is running."""

    def __init__(self, total):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn
        super().__init__(total)
        self.running = []
        self.bar = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                            TextColumn("{task.description}"), transient=True)
        self.task = self.bar.add_task("", total=total)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def show(self):
        """Names what is running."""
        self.bar.update(self.task, completed=self.done, description=", ".join(self.running))

    def start(self, job):
        self.running.append(job.name)
        self.show()

    def end(self, job, outcomes, seconds):
        self.done += 1
        self.running.remove(job.name)
        colour = "red" if any(outcome.status == FAILED for outcome in outcomes) else "green"
        self.bar.print(f"[{colour}]{summary(job, outcomes, seconds)}".replace("[/", "\\[/"))
        self.show()


def summary(job, outcomes, seconds):
    """One line about a job that has ended."""
    counts = count(outcomes)
    words = [f"{counts[status]} {status}" for status in (PASSED, FAILED, SKIPPED) if counts[status]]
    return f"{job.name:<34} {', '.join(words):<22} {seconds:5.1f} s"


def count(outcomes):
    """How many there are of each status."""
    return {status: sum(outcome.status == status for outcome in outcomes)
            for status in (PASSED, FAILED, SKIPPED)}


def progress_for(total):
    """A display that fits where the output goes."""
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            return RichProgress(total)
    return PlainProgress(total)


def run_jobs(jobs, workers=None):
    """Runs all jobs, the longest first, and returns all outcomes."""
    workers = workers or os.cpu_count() or 1
    everything, lock = [], threading.Lock()
    with progress_for(len(jobs)) as progress, ThreadPoolExecutor(workers) as pool:
        def work(job):
            with lock:
                progress.start(job)
            outcomes, seconds = run_job(job)
            with lock:
                progress.end(job, outcomes, seconds)
            return outcomes

        ordered = sorted(jobs, key=lambda job: -job.seconds)
        for future in as_completed([pool.submit(work, job) for job in ordered]):
            everything += future.result()
    return everything


def report(outcomes):
    """Prints what failed and what was skipped, and the closing line; returns the exit status."""
    for status in (SKIPPED, FAILED):
        for outcome in sorted(outcomes, key=lambda outcome: outcome.name):
            if outcome.status == status:
                detail = outcome.detail.strip().replace("\n", "\n    ")
                print(f"{status}: {outcome.name}: {detail}")
    counts = count(outcomes)
    print(f"{counts[PASSED]} passed, {counts[FAILED]} failed, {counts[SKIPPED]} skipped")
    return 1 if counts[FAILED] or not counts[PASSED] else 0
