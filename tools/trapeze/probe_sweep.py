"""Runs the probe's sweeps: one virtual machine tries to reach what is not its own, a second is the witness,
others make the attempts that end a virtual machine. What came of it is read from the console: violations
of resource control, each with its likely cause."""

import fnmatch
import re
import time
from dataclasses import dataclass, field

from . import image, probe_log
from .boot import Boot, Module
from .demo import lines_of
from .platforms import Machine
from .probe_run import GDB_LIMIT, GUEST
from .session import Session

WITNESS, WITNESS_NUMBER = "w", 1
QUICK_SAMPLE = 251  # quick: one access in so many, and those that matter
LIMIT, QUICK_LIMIT = 900, 180  # seconds, for a busy host too
SLICE = 50_000  # microseconds; each turn of the witness costs as much as a hundred accesses
# Neither a whole number of large pages, so that the memory ends within one.
MEMORY, SMALL_MEMORY = "32772K", "8M"

# Attempts that end a virtual machine: how it must end, and what it is that must end it.
ENDING = {
    "halt": (r"died: halted with interrupts off", "HLT with interrupts off, for good"),
    "triple": (r"died: triple fault", "a triple fault"),
    "nowhere": (r"died: executes at guest-physical address", "executing where there is no memory"),
    "unknown": (r"died: an instruction at RIP \S+ that cannot be emulated",
                "an instruction on a device's registers that no monitor emulates"),
    "cr3": (r"powered off, status 0|died: VM entry refused", "a reserved bit in CR3"),
}
ENDING_RULE = "such a virtual machine ends alone, with the reason, and the others go on"

AFTER_SWEEPS = 10  # seconds that the other virtual machines may take to end

END = re.compile(r"trapeze: vm (\S+) (?:powered off|died)")
START = re.compile(r"probe: sweep (\S+)")
DONE = re.compile(r"probe: sweep (\S+): (\d+) accesses, (\d+) wrong")
COUNT = re.compile(r"probe: (\d+) sweeps")
WITNESS_END = re.compile(r"probe: witness: (\d+) rounds, (\w+)")

# What a platform does against the manual: (its prefix, sweep, cause, where it begins, the reason).
PLATFORM_REASONS = (
    ("tcg", "cr0", "nofault", 0x20, "QEMU's TCG ignores the upper half of CR0, and intercepts no write "
                                    "that changes nothing else"),
    ("tcg", "cr8", "nofault", 4, "QEMU's TCG ignores reserved bits of CR8"),
)


@dataclass(frozen=True)
class Violation:
    """Something that the virtual machine reached, or that somebody else noticed."""

    sweep: str
    where: str
    what: str  # the record
    rule: str
    cause: str
    explained: str = ""


@dataclass
class Sweeps:
    """All that one run said."""

    result: object  # verdict.Result
    lines: list
    log: probe_log.Log
    started: list = field(default_factory=list)  # names, in order
    done: dict = field(default_factory=dict)  # name: accesses
    asked: list = field(default_factory=list)  # names of the attempts that had a machine of their own
    promised: int = None

    @property
    def accesses(self):
        """How many there were in all."""
        return sum(self.done.values())


def chosen_endings(patterns):
    """The attempts of ENDING that match one of the globs."""
    return [name for name in ENDING if any(fnmatch.fnmatch(name, one) for one in patterns.split(","))]


def boot_of(patterns, sample):
    """The hypervisor with all of the virtual machines."""
    def module(name, memory, words):
        return Module(image("probe"), f"name={name} mem={memory} -- {words}")

    sweep = f"part=sweep sweeps={patterns} sample={sample} witness={WITNESS_NUMBER}"
    modules = [module(GUEST, MEMORY, sweep), module(WITNESS, f"{SMALL_MEMORY} pages=4K", "part=witness")]
    modules += [module(name, SMALL_MEMORY, f"part=attempt attempt={name}")
                for name in chosen_endings(patterns)]
    return Boot(image("trapeze"), f"console=lines stats=off canaries=on slice={SLICE}", tuple(modules))


def parse(lines, result=None):
    """The Sweeps of a console."""
    said = lines_of(GUEST, lines)
    sweeps = Sweeps(result, lines, probe_log.parse(said))
    for line in said:
        start, done, count = START.fullmatch(line), DONE.fullmatch(line), COUNT.fullmatch(line)
        if start:
            sweeps.started.append(start[1])
        elif done:
            sweeps.done[done[1]] = int(done[2])
        elif count:
            sweeps.promised = int(count[1])
    return sweeps


class Patience:
    """Ends a run in which the sweeps are over and some virtual machine goes on for ever."""

    def __init__(self):
        self.waiting = {GUEST, WITNESS}
        self.since = None

    def listen(self, line):
        """A console line."""
        match = END.match(line)
        if match:
            self.waiting.discard(match[1])
            if not self.waiting and self.since is None:
                self.since = time.monotonic()

    def watch(self):
        """Why the run has to be ended, or ""."""
        over = self.since is not None and time.monotonic() - self.since > AFTER_SWEEPS
        return "a virtual machine that had to end goes on" if over else ""


def run(platform, patterns, quick=False, model="", gdb=0, limit=0, cpus=1):
    """Sweeps, however it ended; limit 0: what is usual, in seconds."""
    patience = Patience()
    limit = limit or (QUICK_LIMIT if quick else LIMIT)
    loader = "own" if platform.name.startswith("tcg") else "fast"
    boot = boot_of(patterns, QUICK_SAMPLE if quick else 1)
    session = Session(platform, boot, Machine(model=model, cpus=cpus, loader=loader, gdb=gdb),
                      f"probe-{platform.name}-sweep", GDB_LIMIT if gdb else limit + platform.patience,
                      listener=patience.listen, watch=None if gdb else patience.watch)
    result = session.run()
    sweeps = parse(result.lines, result)
    sweeps.asked = chosen_endings(patterns)
    return sweeps


def port_cause(record, kind):
    """Of a violation by IN or OUT."""
    if kind == "noexit":
        return (f"port {record.mode} reached the hardware: its bit in the I/O bitmap (VT-x) or I/O permission "
                "map (AMD-V) is clear")
    if kind == "value":
        return (f"port {record.mode} reads {record.state['value']}, not {record.state['expected']}: a device "
                "answers that the virtual machine does not have, or the hardware does")
    return f"port {record.mode}: the monitor injects a fault into a port access that a PC carries out"


def msr_cause(record, kind):
    """Of a violation by RDMSR or WRMSR."""
    verb = "read" if record.form == "rdmsr" else "written"
    if kind == "noexit":
        return (f"MSR {record.mode} can be {verb} without an exit: its bit in the MSR bitmap (VT-x) or MSR "
                "permission map (AMD-V) is clear, the machine's own register was reached")
    if kind == "nofault":
        return (f"MSR {record.mode} can be {verb}: the monitor lets through, or emulates, what the virtual "
                "CPU does not have")
    if kind == "fault":
        return f"MSR {record.mode}: the monitor refuses what the virtual CPU has"
    return f"MSR {record.mode}: what the guest writes does not reach its own register, or comes back changed"


def memory_cause(record, kind):
    """Of a violation by an access to memory."""
    if record.form == "memory_fresh":
        return ("memory that the virtual machine uses for the first time shows what somebody else left in it: "
                "it is not zeroed before it is mapped")
    if kind == "fault":
        return f"guest-physical address {record.mode}: the monitor injects a fault where a PC's bus answers ones"
    return (f"guest-physical address {record.mode} is mapped: stage 2 gives the guest a page, or a right to it, "
            "that is not its own (one page too many, a stale or a too large entry)")


def register_cause(record, kind):
    """Of a violation by a bit of a control register."""
    name = record.form.upper()
    if kind == "nofault":
        return f"{name} bit 0x{record.mode}: accepted, though CPUID does not show it or the manual forbids it"
    if kind == "fault":
        return f"{name} bit 0x{record.mode}: refused, though CPUID shows it and the manual allows it"
    return f"{name} bit 0x{record.mode}: not read back as the guest wrote it: mask, shadow or switching is wrong"


def attempt_cause(record, kind):
    """Of a violation by a step of an attempt."""
    if record.form == "loops":
        return (f"a guest that goes on for ever ({record.mode}) keeps the CPU: nothing ends its time "
                "(preemption timer, deadline, interrupt exit)")
    if kind == "noexit":
        return f"step {record.mode} reached the hardware without an exit"
    if kind == "nofault":
        return f"step {record.mode} was carried out instead of refused"
    if kind == "fault":
        return f"step {record.mode} was refused, though it is the guest's own affair"
    return f"step {record.mode} read {record.state['value']}, not {record.state['expected']}"


CAUSES = (("in*", port_cause), ("out*", port_cause), ("*msr*", msr_cause), ("memory_*", memory_cause),
          ("cr?", register_cause), ("xcr0", register_cause), ("dr", register_cause), ("*", attempt_cause))


def cause_of(record):
    """A sentence about what is likely wrong."""
    function = next(function for glob, function in CAUSES if fnmatch.fnmatch(record.form, glob))
    return function(record, record.state["cause"])


def afterwards_cause(record, lines):
    """The same for what somebody else noticed when a sweep was over."""
    kind = record.state["cause"]
    if kind == "canaries":
        dead = [line.partition("canary ")[2] for line in lines if "error: canary " in line]
        return f"{record.form} changed what is the hypervisor's: {'; '.join(dict.fromkeys(dead))}"
    if kind == "changed":
        said = [line for line in lines_of(WITNESS, lines) if " changed in round " in line]
        return f"{record.form} changed another virtual machine: {' '.join(said)}"
    if kind == "own":
        return (f"{record.state['changed']} changed during {record.form} and while another virtual machine ran: "
                "it is not switched between them, or not put back")
    if kind == "hypervisor":
        return "the hypervisor no longer answers hypercalls"
    how = "came to a standstill" if kind == "standstill" else "is gone"
    return f"another virtual machine {how} during {record.form}"


def explain(platform, record):
    """Why the platform itself does so, or ""."""
    for prefix, sweep, cause, first, reason in PLATFORM_REASONS:
        if (platform.startswith(prefix) and record.form == sweep and record.state["cause"] == cause
                and int(record.mode.partition("-")[0], 16) >= first):
            return reason
    return ""


def record_violations(platform, sweeps):
    """One for each record that tells of something wrong."""
    found = []
    for record in sweeps.log.records.values():
        if "cause" not in record.state:
            continue
        rule = sweeps.log.forms[record.form].section if record.form in sweeps.log.forms else ""
        if record.mode == "afterwards":
            found.append(Violation(record.form, record.mode, record.line, rule,
                                   afterwards_cause(record, sweeps.lines)))
        else:
            found.append(Violation(record.form, record.mode, record.line, rule, cause_of(record),
                                   explain(platform, record)))
    return found


def end_line(name, lines):
    """What the hypervisor said about the end of a virtual machine, or ""."""
    prefix = f"trapeze: vm {name} "
    return next((line[len(prefix):] for line in lines if line.startswith(prefix)), "")


def unfinished(sweeps):
    """A Violation for the sweep in which the virtual machine ended, or the whole machine."""
    if sweeps.promised is not None and not set(sweeps.started) - set(sweeps.done):
        return []
    name = sweeps.started[-1] if sweeps.started else "start"
    how = end_line(GUEST, sweeps.lines)
    said = (f"the virtual machine {how}" if how else f"the whole machine ended: {sweeps.result}")
    return [Violation(name, "nowhere", said, "a sweep ends nobody",
                      f"in sweep {name} {said}; see the log")]


def wrong_ends(sweeps):
    """Virtual machines that did not end as they must."""
    found = []
    for name in sweeps.asked:
        pattern, what = ENDING[name]
        how = end_line(name, sweeps.lines)
        if not re.match(pattern, how):
            found.append(Violation(name, "end", how or "it did not end", ENDING_RULE,
                                   f"after {what} the virtual machine must have ended by \"{pattern}\""))
    how = end_line(WITNESS, sweeps.lines)
    rounds = [match for line in lines_of(WITNESS, sweeps.lines) if (match := WITNESS_END.fullmatch(line))]
    if how != "powered off, status 0" or not rounds:
        found.append(Violation("witness", "end", how or "it did not end", ENDING_RULE,
                               "the witness must have gone on to the end and powered off with status 0"))
    return found


def violations(platform, sweeps):
    """All Violations of a run; those with a reason in `explained` are the platform's own."""
    found = record_violations(platform, sweeps) + unfinished(sweeps) + wrong_ends(sweeps)
    if not sweeps.log.complete:
        found.append(Violation("records", "log", sweeps.log.strange[0], "every record arrives whole",
                               "the console was cut or mixed"))
    return found


def count(sweeps, found):
    """How many sweeps were made, attempts with a machine of their own among them."""
    wrong = {violation.sweep for violation in found}
    return len(sweeps.done) + sum(name not in wrong for name in sweeps.asked)
