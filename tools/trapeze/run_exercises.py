"""What a boot says of exercises that are not written yet, put into words for the hand-out that it is of: this lab's
by their place in its text, those of later labs as a number. The lines are runtime/exercise.c's."""

import re

from . import ROOT, plural
from .lab import read_handout
from .lab_page import place_of
from .verdict import FAILED, PASSED

LINE = re.compile(r"exercise (?P<what>missing|reached): (?P<name>\w+) \(lab (?P<lab>\d+), page (?P<page>\w+)\)")
START = b"exercise "
NO_INTERFACE = "has neither VT-x"  # what the hypervisor says where it knows no interface
INTERFACE = "machine_interface"  # the exercise that would


class Exercises:
    """Follows one boot's console, line by line."""

    def __init__(self, root=ROOT):
        self.root = root
        self.lab, _ = read_handout(root)
        self.missing, self.reached = {}, {}  # name: lab
        self.summed_up = False  # have later labs' been told?

    @property
    def own(self):
        """Those not written of this lab and of the ones before; all in the finished tree."""
        return [name for name, lab in self.missing.items() if self.lab is None or lab <= self.lab]

    @property
    def later(self):
        """How many of later labs are not."""
        return len(self.missing) - len(self.own)

    def lines(self, line):
        """What is shown in place of a line of the console."""
        match = LINE.fullmatch(line.rstrip())
        if match and match["what"] == "missing":
            self.missing[match["name"]] = int(match["lab"])
            return [self.told(match)] if match["name"] in self.own else []
        if match:
            self.reached[match["name"]] = int(match["lab"])
        return [*self.summary(), self.told(match) if match else self.explained(line)]

    def summary(self):
        """Behind the missing ones, once: how many more there are."""
        if self.summed_up or not self.later:
            return []
        self.summed_up = True
        return [f"exercise missing: {'and ' if self.own else ''}{self.later} of later labs"]

    def told(self, match):
        """A line about an exercise, with its place in the lab's text."""
        return f"exercise {match['what']}: {match['name']} (lab {match['lab']}: {place_of(match['page'], self.root)})"

    def explained(self, line):
        """A line that says something else; one that is wrong while an exercise is missing is put right."""
        if NO_INTERFACE in line and INTERFACE in self.missing:
            return f"trapeze: error: {INTERFACE}() is not written yet: it would say whether this CPU has VT-x or AMD-V"
        return line

    def outcome(self, result, complaints):
        """(how the run ended, in words; did it pass; what to say before) of a verdict.Result and what the guests
        that should have run to their end did not say."""
        notes = [f"{plural(self.later, 'exercise')} of later labs {'is' if self.later == 1 else 'are'} not written yet"
                 ] if self.later else []
        if self.own:
            verb = "is" if len(self.own) == 1 else "are"
            notes.insert(0, f"{plural(len(self.own), 'exercise')} {verb} not written yet")
            return ("failed (exercises missing)" if result.passed else str(result)), False, notes
        ahead = [f"{name} of lab {lab}" for name, lab in self.reached.items() if self.lab is not None and lab > self.lab]
        if ahead and result.end in (PASSED, FAILED):
            return f"passed as far as lab {self.lab} goes: next is {ahead[0]}", True, notes
        if complaints:
            if result.passed:
                return "failed (results missing)", False, notes + few(complaints)
            notes.append(f"{plural(len(complaints), 'result')} of the guests did not come")
        return str(result), result.passed, notes


class Screen:
    """The same for a terminal, whose bytes are passed on as they come: only lines that begin like those about
    exercises are waited for."""

    def __init__(self, exercises):
        self.exercises = exercises
        self.held = b""
        self.at_start = True  # of a line

    def __call__(self, data):
        """What is shown of some more bytes."""
        shown = b""
        for part in re.split(rb"(?<=\n)", self.held + data):
            ended = part.endswith(b"\n")
            if self.at_start and not ended and (START.startswith(part) or part.startswith(START)):
                self.held = part
                return shown
            if self.at_start and part.startswith(START):
                shown += self.in_lines(self.exercises.lines(part.decode("utf-8", "replace").rstrip("\r\n")))
            elif self.at_start:
                line = part.decode("utf-8", "replace").rstrip("\r\n")
                told = self.exercises.explained(line)
                shown += self.in_lines(self.exercises.summary())
                shown += part if told == line else self.in_lines([told])
            else:
                shown += part
            self.at_start = ended
        self.held = b""
        return shown

    @staticmethod
    def in_lines(lines):
        """Lines for a raw terminal."""
        return "".join(f"{line}\r\n" for line in lines).encode()


def few(complaints, shown=3):
    """The first of them and how many more there are."""
    more = len(complaints) - shown
    return complaints[:shown] + ([f"and {more} more like it"] if more > 0 else [])
