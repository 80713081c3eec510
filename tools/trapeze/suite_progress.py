"""How a suite's run goes, while it runs: a bar in a terminal, lines elsewhere."""

import contextlib
import sys
import threading
import time

from .suite_log import ERROR, FAILED, KNOWN

EVERY = 5  # seconds between two lines that only say how far it is


def describe(result):
    """A result that is not good, as lines."""
    lines = [f"{result.status}: {result.name}" + (f": {result.reason}" if result.reason else "")]
    for difference in result.differences:
        row = f"{difference.row}: " if difference.row else ""
        note = f" ({difference.note})" if difference.note else ""
        lines.append(f"    {row}expected {difference.expected}, came {difference.came}{note}")
    return lines


class PlainProgress:
    """Lines: each failure as it comes, and now and then how far it is."""

    def __init__(self, total):
        self.total, self.done, self.bad, self.known = total, 0, 0, 0
        self.spoke = time.monotonic()
        self.lock = threading.Lock()  # two boots may run at the same time

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, name):
        """A test begins."""

    def end(self, result):
        """A test has ended."""
        with self.lock:
            self.done += 1
            if result.status in (FAILED, ERROR):
                self.bad += 1
                for line in describe(result):
                    self.say(line)
            self.known += result.status == KNOWN
            self.show()

    def say(self, line):
        """A line that stays."""
        print(line, flush=True)

    def counts(self):
        """What is not as it should be, in words."""
        known = f", {self.known} known" if self.known else ""
        return f"{self.bad} failed{known}"

    def show(self):
        """How far it is."""
        if time.monotonic() - self.spoke >= EVERY or self.done == self.total:
            self.spoke = time.monotonic()
            self.say(f"[{self.done:>{len(str(self.total))}}/{self.total}] {self.counts()}")


class RichProgress(PlainProgress):
    """The same above a bar that names what is running."""

    def __init__(self, total):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn
        super().__init__(total)
        self.running = ""
        self.bar = Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                            TextColumn("{task.description}", markup=False), transient=True)
        self.task = self.bar.add_task("", total=total)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def start(self, name):
        self.running = name
        self.show()

    def say(self, line):
        self.bar.console.print(line, markup=False, highlight=False,
                               style="red" if line.startswith(("failed", "error")) else None)

    def show(self):
        self.bar.update(self.task, completed=self.done,
                        description=f"{self.counts()}  {self.running}")


def progress_for(total):
    """A display that fits where the output goes."""
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            return RichProgress(total)
    return PlainProgress(total)
