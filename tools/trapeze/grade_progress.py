"""How grading goes, while it goes: a bar with the points so far in a terminal, lines elsewhere."""

import contextlib
import sys

from . import grade_points
from .grade_points import State
from .grade_report import best_of
from .lab_result import PASSED


class Points:
    """The points that a run has earned so far: of the exercises whose tests all have ended."""

    def __init__(self, lab, vendor, planned, state=State(), earlier=()):
        self.lab, self.vendor, self.planned, self.state = lab, vendor, set(planned), state
        self.earlier = earlier
        self.results = {}

    def add(self, result):
        """A test has ended; the points so far."""
        self.results[result.name] = result
        return self.earned

    @property
    def earned(self):
        """Points of the exercises that nothing can change any more."""
        ended = [self.results[name] for name in self.results]
        waiting = self.planned - set(self.results)
        graded = grade_points.grade(self.lab, self.vendor, ended, self.state, self.earlier)
        done = {exercise.name for exercise in self.lab.of_vendor(self.vendor)
                if not any(grade_points.fnmatchcase(name, glob) for glob in exercise.tests for name in waiting)}
        return grade_points.tidy(sum(verdict.earned for verdict in graded.verdicts if verdict.name in done))


class PlainTests:
    """Lines: every test that is not passed, as it comes."""

    def __init__(self, total, points, worth):
        self.total, self.points, self.worth, self.done = total, points, worth, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def end(self, result):
        """A test has ended."""
        self.done += 1
        earned = self.points.add(result)
        if result.status != PASSED:
            self.say(f"[{self.done}/{self.total}] {result.status}: {grade_points.plain(result.name)}")
        self.show(earned)

    def say(self, line):
        """A line that stays."""
        print(line, flush=True)

    def show(self, earned):
        """How far it is."""
        if self.done == self.total:
            self.say(f"[{self.done}/{self.total}] {earned} of {self.worth} points so far")


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
