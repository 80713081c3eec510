"""Runs a suite's tests, in as many boots as it takes: a test that ends the machine is an error of that
test, and the rest runs in a new boot. Tests of a group "alone" are booted one by one."""

import time
from dataclasses import dataclass, field, replace

from . import image, nested, verdict
from .background import Background
from .boot import Boot
from .session import Session
from .suite_log import FAILED, PASSED, Difference, LogReader, TestResult

ALONE_PATTERNS = ("alone/*", "*/alone/*")
BOOT_PATIENCE, TEST_PATIENCE = 60, 30  # seconds of silence: until the plan, and in a test
RUN_LIMIT = 3 * 3600
RESTARTS_MAX = 40
FORGE_WORDS, UNCOMPARED_WORDS = "forge=on", "forge=uncompared"


@dataclass
class SuiteRun:
    """What a run came to."""

    results: list = field(default_factory=list)
    fingerprint: list = field(default_factory=list)
    complaints: list = field(default_factory=list)  # what keeps it from passing, beside tests
    checks: int = 0
    boots: int = 0
    seed: int = None  # of a random order
    seconds: float = 0.0
    lines: list = field(default_factory=list)  # of the console, of all boots

    def add(self, other):
        """What another run, of other tests, came to."""
        self.results += other.results
        self.complaints += other.complaints
        self.lines += other.lines
        self.checks += other.checks
        self.boots += other.boots
        self.fingerprint = self.fingerprint or other.fingerprint


class Watchdog:
    """Says when a boot was silent for too long, or began again."""

    def __init__(self, reader, patience):
        self.reader = reader
        self.boot_patience, self.test_patience = patience
        self.heard = time.monotonic()

    def feed(self):
        """A line has come."""
        self.heard = time.monotonic()

    def __call__(self):
        if self.reader.restarted:
            return "the machine was reset"
        patience = self.test_patience if self.reader.headers else self.boot_patience
        if time.monotonic() - self.heard > patience:
            return f"nothing was printed for {patience} s"
        return ""


def how_it_ended(reader, result):
    """The outcome that the end of a boot is for the test that was running."""
    return verdict.RESET if reader.restarted else verdict.OUTCOMES.get(result.end, verdict.RESET)


class Runner:
    """Boots a suite's image until each of the selected records has its result."""

    def __init__(self, suite, platform, machine, progress, words="", slowness=1,
                 judge=lambda result: None, beside=""):
        self.suite, self.platform, self.beside = suite, platform, beside
        self.machine = replace(machine, suite=True)
        self.progress = progress
        self.judge = judge  # called with each result before it is shown: it may be a known failure
        self.words = words
        start = getattr(platform, "patience", 0)  # what the platform needs before the image starts
        self.boots_slowly = start > 0
        # A kernel around the image notices itself that a test hangs.
        self.patience = BOOT_PATIENCE + start, start or TEST_PATIENCE * slowness
        self.run = SuiteRun()

    def end(self, result):
        """A test has its result."""
        self.judge(result)
        self.progress.end(result)

    def log_name(self):
        """Of this boot, so that runs on several models do not share a log."""
        names = (self.suite, self.platform.name, self.machine.model, self.beside, str(self.run.boots))
        return "-".join(name for name in names if name)

    def boot(self, words, alone=()):
        """One boot. Returns (reader, session's result)."""
        self.run.boots += 1
        reader = LogReader(time.monotonic)
        watchdog = Watchdog(reader, self.patience)
        first = len(self.run.lines)

        def listen(line):
            nonlocal first
            watchdog.feed()
            self.run.lines.append(line)
            if line == nested.AGAIN_LINE and reader.running:
                ended = nested.judge_round(reader.notes, self.run.lines[first:])
                self.end_broken(reader, verdict.Result(*ended, [], 0, 0.0, None), alone)
                reader.start_again()
                first = len(self.run.lines)
                return
            running = reader.running
            result = reader.feed(line)
            if result:
                self.end(result)
            elif reader.running and reader.running != running:
                self.progress.start(reader.running)

        boot = Boot(image(self.suite), " ".join(word for word in (*words, self.words) if word))
        result = Session(self.platform, boot, self.machine,
                         self.log_name(), RUN_LIMIT,
                         listener=listen, watch=watchdog).run()
        self.run.seconds += result.seconds
        self.run.checks += reader.compared
        self.run.complaints += reader.complaints
        self.run.seed = self.run.seed if reader.seed is None else reader.seed
        if len(reader.fingerprint) > len(self.run.fingerprint):
            self.run.fingerprint = reader.fingerprint
        return reader, result

    def run_selected(self, patterns, records, order_words=()):
        """All of the records, which the patterns select."""
        alone = [record for record in records if record.alone]
        if self.boots_slowly:
            self.run_together(patterns, len(records), order_words, alone)
            return
        started = time.monotonic()
        beside = Background(self.run_beside, alone)
        if len(alone) < len(records):
            self.run_together(patterns, len(records) - len(alone), order_words)
        self.run.add(beside.result())
        self.run.seconds = time.monotonic() - started

    def run_beside(self, alone):
        """The tests that end their machine, for the time that the others' boot takes: a SuiteRun of its own."""
        other = Runner(self.suite, self.platform, self.machine, self.progress, self.words,
                       judge=self.judge, beside="alone")
        other.patience = self.patience
        for record in alone:
            other.run_alone(record)
        return other.run

    def run_together(self, patterns, planned, order_words=(), alone=()):
        """The tests that share boots. `planned` of them must be reported. `alone`: the records, when
        they are tests that may end the machine."""
        done = 0
        skip = "" if alone else f"skip={','.join(ALONE_PATTERNS)}"
        words = [f"tests={','.join(patterns)}", skip, *order_words]
        for _ in range(RESTARTS_MAX):
            reader, result = self.boot([*words, f"from={done}" if done else ""], alone)
            if reader.planned is not None and reader.planned != planned:
                self.run.complaints.append(f"the image plans {reader.planned} tests, not {planned}")
                planned = reader.planned
            broken = reader.running
            if broken:
                self.end_broken(reader, result, alone)
            self.run.results += reader.results
            done += len(reader.results)
            if done >= planned or not broken:
                break
        if done < planned:
            self.run.complaints.append(f"{planned - done} tests were not reached: {result}")
        elif not broken and (result.end not in (verdict.PASSED, verdict.FAILED)
                             or reader.checks is None):
            self.run.complaints.append(f"all tests were reported, but the run ended: {result}")

    def end_broken(self, reader, result, alone):
        """The boot ended under the running test: its result."""
        record = next((record for record in alone if record.name == reader.running), None)
        if record:
            reader.results.append(self.judge_end(record, reader, result))
            reader.running = ""
        else:
            came = how_it_ended(reader, result)
            reader.broke(came, f"{came}: {result}")
        self.end(reader.results[-1])

    def run_alone(self, record):
        """A test that ends the machine: how it ended is what it came to, unless it says so itself."""
        reader, result = self.boot([f"tests={record.name}"])
        if reader.running == record.name:
            self.run.results.append(self.judge_end(record, reader, result))
            self.end(self.run.results[-1])
        elif reader.results:
            self.run.results += reader.results
        else:
            self.run.complaints.append(f"{record.name} was not reached: {result}")

    def judge_end(self, record, reader, result):
        """The result of a test in which the machine ended. The end is known here only: with forge=uncompared
        any will do, and with forge=on every other end must have failed the test."""
        came = how_it_ended(reader, result)
        if UNCOMPARED_WORDS in self.words.split():
            return TestResult(record.name, PASSED, came=came, notes=reader.notes)
        found = compare_end(record, reader, result, came)
        if found.status == PASSED:
            self.run.checks += 1
            if FORGE_WORDS in self.words.split():
                others = [compare_end(record, reader, result, end) for end in verdict.BROKEN if end != found.came]
                noticed = sum(other.status == FAILED for other in others)
                found.notes = [*found.notes, f"forged: {int(noticed == len(others))} outcomes, "
                                             f"{noticed} of {len(others)} observations noticed"]
        return found


def compare_end(record, reader, result, came):
    """The result of a test that expects the machine to end, given how it did."""
    if came == record.expected:
        return TestResult(record.name, PASSED, came=came, notes=reader.notes)
    difference = Difference("", record.expected, came, str(result))
    return TestResult(record.name, FAILED, "", [*reader.differences, difference], reader.notes, came)


def read_log(lines, planned):
    """The SuiteRun of a recorded console, of a machine that no runner watched."""
    run, reader = SuiteRun(lines=lines), LogReader(resumes=True)
    for line in lines:
        reader.feed(line)
    if reader.planned is None:
        run.complaints.append("the log has no plan: is it a suite's?")
    elif reader.planned != planned:
        run.complaints.append(f"the log plans {reader.planned} tests, not {planned}")
    if reader.running:
        reader.broke("HANG", "HANG: the log ends here")
    elif reader.checks is None:
        run.complaints.append("the log ends before the totals")
    run.results, run.fingerprint, run.seed = reader.results, reader.fingerprint, reader.seed
    run.complaints += reader.complaints
    run.checks, run.boots = reader.checks or 0, reader.headers
    return run
