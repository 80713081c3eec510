"""One call of run_lab(), as its parts need it, and one boot of what a submission has built: watched, limited,
and with a name for each way in which it can end."""

import re
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from . import verdict
from .console import symbolise
from .session import Session

OUTPUT_LIMIT = 1_000_000  # bytes of one boot's console
LINE_LIMIT = 20_000  # and of one line
MISSING = re.compile(r"exercise missing: (\S+) \(lab \d+, page \S+\)")
ENDS = verdict.OUTCOMES | {verdict.PASSED: "EARLY_EXIT", verdict.FAILED: "EARLY_EXIT"}
HARNESS_LINE = re.compile(r"(?:last line: )?# run \S+(?: ~[0-9a-f]{8})?$")  # which test it was is said anyway
# The RIP: of Bochs' debugger when it stops, of QEMU's register dump.
STOPPED = re.compile(r"^\(0\)\S* \[0x[0-9a-f]+\] [0-9a-f]{4}:([0-9a-f]{16}) |^RIP=([0-9a-f]{16})", re.MULTILINE)
# What an end means, for people.
ENDINGS = {
    "SHUTDOWN": "an exception came while the CPU was delivering a double fault, and it shut down",
    "PANIC": "the image panicked",
    "HANG": "it never came back",
    "EMULATOR_ERROR": "the emulator stopped",
    "EARLY_EXIT": "the image ended before its tests did",
    "RESET": "the machine was reset",
    "FLOOD": "it printed without end",
    "EMPTY": "nothing was printed",
    "FORGED": "the report is not one that the tests print",
}


@dataclass(frozen=True)
class Job:
    """The arguments of run_lab(), and the platform."""

    root: Path
    build: Path
    pristine: Path
    lab: object
    vendor: str
    nonce: int
    platform: object
    patterns: tuple
    progress: object = None  # called while a boot runs: (a test's name, did it pass: None for not known yet)

    def tell(self, name, good):
        """A test's result has come, whatever it will be taken for."""
        if self.progress:
            self.progress(name, good)

    def wants(self, name):
        """Was the test asked for?"""
        return any(fnmatchcase(name, pattern) for pattern in self.patterns)

    def log(self, name):
        """Where the console of a boot is kept; a Session's name."""
        folder = self.build.resolve() / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / f"lab{self.lab.number}-{self.vendor}-{name}")


class Watch:
    """Counts what comes; says why a boot has to be ended, "" for not at all."""

    def __init__(self, silence, restarted=lambda: False, output=OUTPUT_LIMIT):
        self.silence, self.restarted, self.output = silence, restarted, output
        self.partial = lambda: b""  # the line that has not ended
        self.heard, self.bytes = time.monotonic(), 0
        self.end = ""

    def feed(self, line):
        """A line has come."""
        self.heard = time.monotonic()
        self.bytes += len(line) + 1

    def __call__(self):
        if self.bytes > self.output or len(self.partial()) > LINE_LIMIT:
            self.end = "FLOOD"
            return f"more than {LINE_LIMIT if self.partial() else self.output} bytes were printed"
        if self.restarted():
            self.end = "RESET"
            return "the machine was reset"
        if time.monotonic() - self.heard > self.silence:
            self.end = "HANG"
            return f"nothing was printed for {self.silence} s"
        return ""


@dataclass(frozen=True)
class Ended:
    """How a boot ended."""

    end: str  # a key of ENDINGS
    text: str  # that and the details
    lines: list
    result: object  # verdict.Result


def boot(job, what, machine, name, limit, silence, listener, restarted=lambda: False, output=OUTPUT_LIMIT):
    """Boots `what` (a boot.Boot) and watches it; an Ended."""
    watch = Watch(silence, restarted, output)

    def listen(line):
        watch.feed(line)
        listener(line)

    session = Session(job.platform, what, machine, job.log(name), limit, listener=listen, watch=watch)
    watch.partial = lambda: session.console.partial
    result = session.run()
    end = watch.end or ENDS[result.end]
    if end in ("EARLY_EXIT", "HANG") and not any(line.strip() for line in result.lines):
        end = "EMPTY"
    return Ended(end, describe(end, result, what), result.lines, result)


def describe(end, result, what):
    """A boot's end in a sentence: what it means, what is known, and where the CPU was, if that is known."""
    detail = HARNESS_LINE.sub("", str(result.detail)).strip("; ")
    place = "" if what.modules else place_of_cpu(result.log, what.kernel)  # a guest's addresses are its own
    known = "; ".join(part for part in (detail, place and f"the CPU was in {place}") if part)
    return f"{ENDINGS[end]}: {known}" if known else ENDINGS[end]


def place_of_cpu(log, kernel):
    """The function in which Bochs stopped at its limit, or QEMU shut down; "" where nobody says."""
    try:
        text = log.with_suffix(".emulator.log").read_text(errors="replace")
    except OSError:
        return ""
    found = [match[1] or match[2] for match in STOPPED.finditer(text)]
    names = symbolise(kernel, [f"0x{found[-1]}"]) if found else []
    return names[0] if names and not names[0].startswith("??") else ""


def missing_exercises(lines):
    """The names of those that a boot says are not written."""
    return [match[1] for match in map(MISSING.fullmatch, lines) if match]
