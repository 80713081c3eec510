"""How grading goes, while it goes: a bar with the points so far in a terminal, lines elsewhere."""

import contextlib
import sys
import time

from . import grade_points
from .grade_points import State
from .grade_report import best_of
from .lab_result import FAILED, PASSED, TestResult

EVERY = 0.3  # seconds between two countings of points


class Points:
    """The points that a run has earned so far: of the exercises whose tests all have passed."""

    def __init__(self, lab, vendor, planned, state=State(), earlier=()):
        self.lab, self.vendor, self.planned, self.state = lab, vendor, dict.fromkeys(planned), state
        self.earlier = earlier
        self.results = {}  # by name: TestResult, or None for one that is not judged yet

    def add(self, name, result):
        """A test has ended."""
        self.results[name] = result

    def counts(self, name):
        """Is it a test of an exercise that is written? The others are told at the end."""
        return not any(grade_points.fnmatchcase(name, glob) for exercise in self.lab.of_vendor(self.vendor)
                       if exercise.key in self.state.stubs for glob in exercise.tests)

    @property
    def earned(self):
        """Points of the exercises that nothing can change any more."""
        judged = [result for result in self.results.values() if result]
        waiting = [name for name in self.planned if not self.results.get(name)]
        graded = grade_points.grade(self.lab, self.vendor, judged, self.state, self.earlier)
        done = {exercise.name for exercise in self.lab.of_vendor(self.vendor)
                if not any(grade_points.fnmatchcase(name, glob) for glob in exercise.tests for name in waiting)}
        return grade_points.tidy(sum(verdict.earned for verdict in graded.verdicts if verdict.name in done))


class PlainTests:
    """Lines: what does not pass, as it comes, and the points at the end."""

    def __init__(self, total, points, worth):
        self.total, self.points, self.worth = total, points, worth
        self.shown = 0.0  # when the points were counted last: that takes time where there are many tests

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @property
    def done(self):
        """How many tests have ended."""
        return len(self.points.results)

    def seen(self, name, good):
        """A result has come from the machine. good: None where it has to be compared first."""
        if name not in self.points.planned or name in self.points.results:
            return
        result = None if good is None else TestResult(name, PASSED if good else FAILED)
        self.points.add(name, result)
        if good is False and self.points.counts(name):
            self.say(f"[{self.done}/{self.total}] failed: {grade_points.plain(name)}")
        if time.monotonic() - self.shown > EVERY:
            self.show(self.points.earned)
            self.shown = time.monotonic()

    def settle(self, results):
        """All results are there, and what they are taken for."""
        for result in results:
            self.points.results[result.name] = result
        self.show(self.points.earned)
        self.finish()

    def say(self, line):
        """A line that stays."""
        print(line, flush=True)

    def show(self, earned):
        """How far it is."""

    def finish(self):
        """The run is over."""
        self.say(f"[{self.done}/{self.total}] {self.points.earned} of {self.worth} points")


class RichTests(PlainTests):
    """The same as a bar."""

    def __init__(self, total, points, worth):
        super().__init__(total, points, worth)
        self.bar = make_bar()
        self.task = self.bar.add_task(f"0 of {worth} points so far", total=total)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def say(self, line):
        self.bar.console.print(line, markup=False, highlight=False, style="red")

    def show(self, earned):
        self.bar.update(self.task, completed=self.done,
                        description=f"{earned} of {self.worth} points so far")

    def finish(self):
        """The bar goes; the report follows."""


class PlainClass:
    """A line for each submission."""

    def __init__(self, total):
        self.total, self.done = total, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def start(self, name):
        """A submission begins."""

    def end(self, name, grades, again):
        """A submission is graded, or was before."""
        self.done += 1
        best = best_of(grades)
        why = f"; {best.failure}" if best.failure else ""
        kept = "; as before" if again else f"; {sum(grade.seconds for grade in grades):.1f} s"
        self.say(f"[{self.done:>{len(str(self.total))}}/{self.total}] {name:<32} "
                 f"{best.earned:>5}/{best.points}{why}{kept}")

    def say(self, line):
        """A line that stays."""
        print(line, flush=True)


class RichClass(PlainClass):
    """The same above a bar that names what runs."""

    def __init__(self, total):
        super().__init__(total)
        self.running = []
        self.bar = make_bar()
        self.task = self.bar.add_task("", total=total)

    def __enter__(self):
        self.bar.start()
        return self

    def __exit__(self, *_):
        self.bar.stop()

    def start(self, name):
        self.running.append(name)
        self.show()

    def end(self, name, grades, again):
        super().end(name, grades, again)
        if name in self.running:
            self.running.remove(name)
        self.show()

    def say(self, line):
        self.bar.console.print(line, markup=False, highlight=False)

    def show(self):
        """Names what is running."""
        self.bar.update(self.task, completed=self.done, description=", ".join(self.running)[:60])


def make_bar():
    """A bar of rich's."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    return Progress(BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                    TextColumn("{task.description}", markup=False), transient=True)


def for_tests(total, points, worth):
    """A display of tests that fits where the output goes."""
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            return RichTests(total, points, worth)
    return PlainTests(total, points, worth)


def for_class(total):
    """A display of submissions that fits where the output goes."""
    if sys.stdout.isatty():
        with contextlib.suppress(ImportError):
            return RichClass(total)
    return PlainClass(total)
