"""The tests of the labs in which no guest runs yet: they are part of an image, build/labN-tests.elf. A test that
ends the machine is an error of that test, and the rest runs in a new boot; the cases that firmware makes are
boots of their own, in which GRUB does firmware's part."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import HostError
from .boot import Boot
from .console import symbolise
from .lab_job import boot, missing_exercises
from .lab_result import ERROR, FAILED, NOT_REACHED, PASSED, SKIPPED, TestResult, needs_of
from .platforms import Machine
from .records import read_records
from .suite_log import LogReader

LIMIT, SILENCE = 90, 30  # seconds of one boot, and without a line in it; a machine that is busy needs some
SILENCE_TCG = 8
OUTPUT = 200_000  # bytes of one boot's console; the reference prints a tenth of it
ENDLESS = ("HANG", "FLOOD")  # ends that cost much time: the exercise's other tests do not run after one
TICKS = {"bochs": 700_000_000}  # the limit that counts where time does not
RESTARTS_MAX = 12
PARALLEL = 2  # boots
OTHERS = {"intel": "no AMD-V", "amd": "no VT-x"}  # how the needs of the other vendor's tests begin
CAUSE = " | "  # between a test's rule and the likely cause of its failure


@dataclass(frozen=True)
class Firmware:
    """How a machine was left by its firmware."""

    firmware: str = ""
    commands: tuple = ()  # of GRUB
    cpus: int = 2


def feature_control(value):
    """SeaBIOS leaves IA32_FEATURE_CONTROL 0 and unlocked; it does not tell of a second CPU."""
    return Firmware("seabios", (f"wrmsr 0x3a {value:#x}",) if value else (), 1)


# Tests that need another machine than the usual one.
FIRMWARE = {
    "lab1/on_unlock/unlocked": feature_control(0),
    "lab1/on_unlock/locked_off": feature_control(1),
    "lab1/vmx_cpu_on/locked_off": feature_control(1),
    "lab1/on_unlock/locked_smx_only": feature_control(3),
}
USUAL = Firmware()

RETURNS = re.compile(r"(.*) returns (.*), not (.*)")
VALUE = re.compile(r"(?P<what>.*) is (?P<came>\S+), not (?:(?P<name>.*) \()?(?P<wanted>[^\s()]+)\)?")
SENTENCES = re.compile(r"wanted: (.*); came: (.*)")
FAULT = re.compile(r"FAULT\((\w+)(?:, (0x[0-9a-f]+|0))?\)")
PLACE = re.compile(r"at RIP (0x[0-9a-f]+), CR2 (0x[0-9a-f]+|0)")
NUMBER = re.compile(r"-?(0x)?[0-9a-fA-F]+U?L*|true|false")
PRESENT, WRITE, FETCH = 1, 2, 16  # of a page fault's error code
FAULTS = {"DE": "a division by 0, or with a quotient too large", "UD": "an instruction that the CPU does not take now",
          "GP": "a general protection fault", "SS": "a stack fault", "BP": "an INT3", "DF": "a double fault",
          "NM": "no floating point here", "NP": "a segment that is not present", "AC": "an access that is not aligned"}


def image_name(lab):
    """The image that holds the lab's tests."""
    return f"lab{lab.number}-tests"


def all_records(pristine, lab):
    """{name: Record} of all tests of the image."""
    return read_records(pristine / f"{image_name(lab)}.elf")


def records_of(pristine, lab, vendor):
    """{name: Record} of the lab's tests for the vendor: those of the exercises that the other vendor's are not."""
    names = {exercise.name for exercise in lab.of_vendor(vendor)}
    return {name: record for name, record in all_records(pristine, lab).items()
            if name.startswith(f"lab{lab.number}/") and name.split("/")[1] in names
            and not any(need.startswith(OTHERS[vendor]) for need in record.needs)}


def planned(pristine, lab, vendor, _nonce=0):
    """The names of all tests, in order."""
    return list(records_of(pristine, lab, vendor))


def run(job):
    """(a TestResult for each test, the names of exercises that are not written)."""
    runner = Runner(job)
    machines = dict.fromkeys(FIRMWARE.get(name, USUAL) for name in runner.records)
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(runner.run_on, machines))
    results = [runner.results[name] for name in runner.records]
    if runner.forged:
        note = f"{runner.forged} lines looked like the report's, and the harness had not written them"
        results = [result if result.good else result.with_(note=note) for result in results]
    return results, runner.missing


class Runner:
    """Boots the image until each test has its result."""

    def __init__(self, job):
        self.job = job
        self.image = job.build / f"{image_name(job.lab)}.elf"
        if not self.image.exists():
            raise HostError(f"{self.image}: no such file (is it built?)")
        self.records = {name: record for name, record in
                        records_of(job.pristine, job.lab, job.vendor).items() if job.wants(name)}
        self.results, self.missing, self.boots, self.forged = {}, [], 0, 0
        self.said = {}  # by test: lines on the console that are not the report's

    def run_on(self, firmware):
        """The tests of one machine, in as many boots as it takes."""
        names = [name for name in self.records if FIRMWARE.get(name, USUAL) == firmware]
        done, again = 0, None
        for _ in range(RESTARTS_MAX):
            reader, ended = self.boot(firmware, names, done)
            if self.is_foreign(reader, names[done:], ended):
                break
            for result in reader.results:
                self.keep(result, ended)
            done += len(reader.results)
            running = reader.running
            if running and ended.end == "HANG" and running != again and self.job.vendor == "amd":
                again = running  # time is real there: a second try decides
                continue
            if running:
                self.keep_broken(running, ended)
                done += 1
                if ended.end in ENDLESS:
                    done = self.leave_exercise(names, done, running, ended)
                done = self.leave_blocked(names, done, ended)
            if done >= len(names) or not running:
                break
        for name in names:
            self.results.setdefault(name, self.result(name, NOT_REACHED, got=ended.text, end=ended.end))

    def leave_exercise(self, names, done, broken, ended):
        """The tests of the same exercise that follow the broken one are not run. How many are done then."""
        while done < len(names) and names[done].rpartition("/")[0] == broken.rpartition("/")[0]:
            self.results[names[done]] = self.result(names[done], ERROR, end=ended.end,
                                                    got=f"it did not run, because {broken} never ended")
            done += 1
        return done

    def leave_blocked(self, names, done, ended):
        """After a boot that a missing routine may have ended: tests of exercises that are missing, or need one
        that is, are not run. How many are done then."""
        exercises = {exercise.name: exercise for exercise in self.job.lab.of_vendor(self.job.vendor)}
        missing = set(self.missing)
        blocked = {name for name in exercises if ({name} | needs_of([name], exercises)) & missing}
        while done < len(names) and names[done].split("/")[1] in blocked:
            self.results[names[done]] = self.result(names[done], NOT_REACHED, got=ended.text)
            done += 1
        return done

    def boot(self, firmware, names, done):
        """One boot. Returns (reader, Ended)."""
        self.boots += 1
        name = f"boot{self.boots}"
        key = hashlib.sha256(f"{self.job.nonce} {self.boots}".encode()).hexdigest()[:16]
        reader = LogReader(key=key)

        def listen(line):
            result = reader.feed(line)
            if result:
                self.job.tell(result.name, result.status == "passed")
            elif reader.running and not line.startswith("#"):
                self.said.setdefault(reader.running, []).append(line)

        words = f"key={key} tests={','.join(self.patterns(names))} skip={','.join(self.unwanted(names))} from={done}"
        machine = Machine(cpus=firmware.cpus, memory=128, firmware=firmware.firmware,
                          loader="own" if self.job.vendor == "amd" else "fast",
                          ticks=TICKS.get(self.job.platform.name.partition("-")[0], 0))
        what = Boot(self.image, words.replace("skip= ", ""), commands=firmware.commands)
        ended = boot(self.job, what, machine, name, LIMIT,
                     SILENCE_TCG if self.job.vendor == "amd" else SILENCE, listen,
                     lambda: reader.restarted, OUTPUT)
        self.missing = self.missing or missing_exercises(ended.lines)
        self.forged += reader.forged
        return reader, ended

    def patterns(self, names):
        """Patterns that select the names, a few."""
        if len(names) <= 4:
            return names
        return dict.fromkeys(f"{name.rpartition('/')[0]}/*" for name in names)

    def unwanted(self, names):
        """Those of the image's tests that the patterns would select, too."""
        if len(names) <= 4:
            return []
        groups = {name.rpartition("/")[0] for name in names}
        return [name for name in all_records(self.job.pristine, self.job.lab)
                if name.rpartition("/")[0] in groups and name not in names]

    def is_foreign(self, reader, names, ended):
        """Is it no report of these tests? Then each of them is an error."""
        foreign = [result.name for result in reader.results if result.name not in self.records]
        if not reader.complaints and not foreign and reader.planned in (None, len(self.planned_of(names))):
            return False
        what = (reader.complaints + [f"{name} is none of its tests" for name in foreign]
                + [f"{reader.planned} tests are planned"])[0]
        for name in names:
            self.results[name] = self.result(name, ERROR, got=f"the report is not one that the tests print: "
                                             f"{what}", end="FORGED")
        return True

    def planned_of(self, names):
        """All tests of the machine that the names are of: the plan counts the ones that are done, too."""
        firmware = FIRMWARE.get(names[0], USUAL) if names else USUAL
        return [name for name in self.records if FIRMWARE.get(name, USUAL) == firmware]

    def result(self, name, status, **more):
        """A TestResult with what the record says."""
        record = self.records[name]
        rule, _, cause = record.rule.partition(CAUSE)
        words = {"rule": f"{rule} ({record.citation})", "cause": cause,
                 "rerun": f"make grade N={self.job.lab.number} VENDOR={self.job.vendor} TESTS={name}"}
        return TestResult(name, status, **(words | more))

    def keep(self, reported, ended):
        """What the image reported about a test."""
        status = {"passed": PASSED, "skipped": SKIPPED, "error": ERROR}.get(reported.status, FAILED)
        words = {}
        if reported.differences:
            words = self.explain(reported.differences[0])
        elif reported.reason or reported.notes:
            words = {"got": reported.reason or "; ".join(reported.notes)}
        self.results[reported.name] = self.result(reported.name, status, **words, **self.printed(reported.name, ended))

    def keep_broken(self, name, ended):
        """The machine ended under a test."""
        expected = self.records[name].expected
        self.results[name] = self.result(name, ERROR, got=ended.text, end=ended.end, **self.printed(name, ended),
                                         expected="that the test comes to its end" if expected == "OK" else expected)

    def printed(self, name, ended):
        """What came on the console while the test ran, and where all of it is."""
        return {"printed": tuple(self.said.get(name, ())), "log": str(getattr(ended.result, "log", ""))}

    def explain(self, difference):
        """expected, got and cause from what the harness printed."""
        row = f"{difference.row}: " if difference.row else ""
        said = self.say_values(difference.note)
        if not said and difference.came.startswith("a wrong value"):
            said = f"that {difference.note}", "it is not so"
        if not said:
            expected = "no exception, and all values as they must be" if difference.expected == "OK" \
                else difference.expected
            said = expected, self.say_fault(difference)
        return {"expected": row + said[0], "got": row + said[1]}

    @staticmethod
    def say_values(note):
        """(expected, came) of a note that has both; None for another."""
        match = SENTENCES.fullmatch(note)
        if match:
            return match[1], match[2]
        match = RETURNS.fullmatch(note)
        if match:
            return f"{match[1]} returns {match[3]}", f"it returns {match[2]}"
        match = VALUE.fullmatch(note)
        if not match:
            return None
        name = match["name"]
        wanted = match["wanted"] if not name or NUMBER.fullmatch(name) else f"{name} ({match['wanted']})"
        return f"{match['what']} = {wanted}", f"{match['what']} = {match['came']}"

    def say_fault(self, difference):
        """An exception: which, in which function, and what it means."""
        place, fault = PLACE.fullmatch(difference.note), FAULT.fullmatch(difference.came)
        where = ", ".join(symbolise(self.image, [place[1]])) if place else ""
        meaning = ""
        if fault and place and fault[1] == "PF":
            code = int(fault[2] or "0", 16)
            access = "an instruction fetch from" if code & FETCH else "a write to" if code & WRITE else "a read from"
            meaning = f": {access} address {place[2]}, " + ("which is protected" if code & PRESENT else "where no page is")
        elif fault:
            meaning = f": {FAULTS[fault[1]]}" if fault[1] in FAULTS else ""
        return difference.came + (f" in {where}" if where else "") + meaning
