"""How a run ended, judged from its last console line and what the emulator says, never from
silence. The session gathers the evidence; nothing here runs anything."""

import re
from dataclasses import dataclass
from pathlib import Path

PASSED, FAILED, TRIPLE_FAULT = "passed", "failed", "triple fault"
PANIC, TIMED_OUT, EMULATOR_ERROR = "panic", "timed out", "emulator error"
ENDS = (PASSED, FAILED, TRIPLE_FAULT, PANIC, TIMED_OUT, EMULATOR_ERROR)
# What an end under a test is as that test's outcome; any other than these is as good as a reset.
OUTCOMES = {TRIPLE_FAULT: "SHUTDOWN", PANIC: "PANIC", TIMED_OUT: "HANG", EMULATOR_ERROR: "EMULATOR_ERROR"}
RESET = "RESET"
BROKEN = (RESET, *OUTCOMES.values())

END_LINE = re.compile(r"\*\*\* END (passed|failed: (-?\d+)|panic)")
# "Triple fault" is QEMU's, then come Bochs' and (in a nested run's trace) KVM's words for it.
TRIPLE_FAULT_LINE = re.compile(r"^Triple fault|exception with no resolution|^KVM_EXIT_SHUTDOWN",
                               re.MULTILINE)
COMPLAINT_LINE = re.compile(r">>PANIC<< *(.*)|^(KVM internal error.*|error: kvm run failed.*)"
                            r"|^qemu-system-x86_64: (?!.*warning: )(.*)", re.MULTILINE)
BOCHS_LIMIT = re.compile(r"^\(0\) Breakpoint|Caught time breakpoint", re.MULTILINE)


@dataclass(frozen=True)
class Evidence:
    """What is left when a run is over."""

    lines: list  # the console's
    status: int  # the emulator's exit status; negative: a signal
    passed: int  # what it should be when the image passed, or failed
    failed: int
    emulator: str = ""  # what the emulator logged and printed, beside the console
    overtime: str = ""  # why the runner ended it, or ""


@dataclass(frozen=True)
class Result:
    """One run, judged."""

    end: str  # one of ENDS
    detail: str
    lines: list
    status: int
    seconds: float
    log: Path

    @property
    def passed(self):
        """Is it the one good end?"""
        return self.end == PASSED

    def __str__(self):
        return f"{self.end} ({self.detail})" if self.detail else self.end


def last_line(lines):
    """The last console line that is not empty, or ""."""
    return next((line for line in reversed(lines) if line.strip()), "")


def judge_end_line(match, evidence):
    """The image gave its verdict; the emulator must have been left accordingly."""
    word, status = match.group(1), match.group(2)
    if word == "panic":
        return PANIC, panic_message(evidence.lines)
    expected = evidence.passed if word == "passed" else evidence.failed
    if evidence.status != expected:
        return EMULATOR_ERROR, (f"the console says {word}, but the emulator's exit status is "
                                f"{evidence.status}, not {expected}")
    return (PASSED, "") if word == "passed" else (FAILED, f"status {status}")


def panic_message(lines):
    """What the image said when it panicked, or ""."""
    return next((line[len("*** PANIC: "):] for line in lines if line.startswith("*** PANIC: ")), "")


def complaint(evidence):
    """The emulator's own words about its failure, or ""."""
    match = COMPLAINT_LINE.search(evidence.emulator)
    return next((group for group in match.groups() if group), "").strip() if match else ""


def judge(evidence):
    """(end, detail): the end is one of ENDS."""
    last = last_line(evidence.lines)
    if TRIPLE_FAULT_LINE.search(evidence.emulator):
        return TRIPLE_FAULT, f"last line: {last}" if last else "nothing was printed"
    if evidence.overtime:
        if panic_message(evidence.lines):
            return PANIC, panic_message(evidence.lines)
        return TIMED_OUT, f"{evidence.overtime}; " + (f"last line: {last}" if last else
                                                      "nothing was printed")
    match = END_LINE.fullmatch(last.strip())
    if match:
        return judge_end_line(match, evidence)
    if panic_message(evidence.lines):
        return PANIC, panic_message(evidence.lines)
    if evidence.status < 0:
        return EMULATOR_ERROR, f"it died of signal {-evidence.status}"
    if complaint(evidence):
        return EMULATOR_ERROR, complaint(evidence)
    if BOCHS_LIMIT.search(evidence.emulator):
        return TIMED_OUT, f"at the limit of emulated ticks; last line: {last}"
    if evidence.status not in (0, evidence.passed, evidence.failed):
        return EMULATOR_ERROR, f"exit status {evidence.status}"
    return FAILED, f"the machine stopped without a verdict; last line: {last or '(none)'}"
