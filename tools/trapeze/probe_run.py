"""Runs the probe, natively or as a guest of the hypervisor, on one platform, and brings back its log."""

from dataclasses import dataclass

from . import HostError, image, probe_log
from .boot import Boot, Module
from .demo import lines_of
from .platforms import Machine
from .session import Session

GUEST = "p"  # the virtual machine's name
LIMIT = 300  # seconds
GDB_LIMIT = 4 * 3600


@dataclass(frozen=True)
class Run:
    """One run of the probe."""

    log: probe_log.Log
    result: object  # verdict.Result
    lines: list  # all of the console


def boot_of(words, as_guest):
    """The probe alone, or under the hypervisor."""
    if not as_guest:
        return Boot(image("probe"), words)
    module = Module(image("probe"), f"name={GUEST} mem=64M -- {words}")
    return Boot(image("trapeze"), "console=lines", (module,))


def run(platform, words, as_guest, model="", limit=LIMIT, gdb=0,
        deterministic=False):
    """A Run, however it ended."""
    kind = "guest" if as_guest else "native"
    loader = "own" if platform.name.startswith("tcg") else "fast"
    machine = Machine(model=model, loader=loader, gdb=gdb, deterministic=deterministic)
    session = Session(platform, boot_of(words, as_guest), machine,
                      f"probe-{platform.name}-{kind}", GDB_LIMIT if gdb else limit)
    result = session.run()
    said = lines_of(GUEST, result.lines) if as_guest else result.lines
    return Run(probe_log.parse(said), result, result.lines)


def need_passed(what):
    """Raises HostError unless the run passed."""
    if not what.result.passed:
        raise HostError(f"the probe ended: {what.result}; see {what.result.log}")
    return what
