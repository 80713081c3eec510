"""Runs the probe, natively or as a guest of the hypervisor, on one platform, and brings back its log.
On a nested platform the hypervisor is KVM, and natively is what KVM itself runs on."""

from dataclasses import dataclass

from . import HostError, image, probe_log
from .boot import Boot, Module
from .demo import lines_of
from .platforms import Machine
from .session import Session

GUEST = "p"  # the virtual machine's name
UNRESTRICTED = "lacks the control PROC2_UNRESTRICTED_GUEST"  # as the hypervisor says it
LIMIT = 300  # seconds
GDB_LIMIT = 4 * 3600


@dataclass(frozen=True)
class Run:
    """One run of the probe."""

    log: probe_log.Log
    result: object  # verdict.Result
    lines: list  # all of the console

    @property
    def lacks_unrestricted_guest(self):
        """Did the hypervisor refuse because the CPU cannot run a guest without paging?"""
        return any(UNRESTRICTED in line for line in self.lines)


def boot_of(words, as_guest, stage2=True):
    """The probe alone, or under the hypervisor; without second-level paging it has a place of its own."""
    probe = image("probe" if stage2 else "probe-high")
    if not as_guest:
        return Boot(probe, words)
    module = Module(probe, f"name={GUEST} mem=64M -- {words}")
    return Boot(image("trapeze"), "console=lines" + ("" if stage2 else " stage2=off"), (module,))


def side_of(platform, model, as_guest):
    """(platform, model, whether the hypervisor is Trapeze) of one side."""
    if not hasattr(platform, "outer"):
        return platform, model, as_guest
    if as_guest:
        return platform, model, False
    return platform.outer, model or platform.model, False


def run(platform, words, as_guest, model="", limit=LIMIT, gdb=0, deterministic=False, stage2=True):
    """A Run, however it ended."""
    name = f"probe-{platform.name}-{'guest' if as_guest else 'native'}"
    platform, model, under_trapeze = side_of(platform, model, as_guest)
    loader = "own" if platform.name.startswith("tcg") else "fast"
    machine = Machine(model=model, loader=loader, gdb=gdb, deterministic=deterministic)
    session = Session(platform, boot_of(words, under_trapeze, stage2), machine, name,
                      GDB_LIMIT if gdb else limit + platform.patience)
    result = session.run()
    # With stage2=off the serial line is the guest's own.
    said = lines_of(GUEST, result.lines) if under_trapeze and stage2 else result.lines
    return Run(probe_log.parse(said), result, result.lines)


def need_passed(what):
    """Raises HostError unless the run passed."""
    if not what.result.passed:
        raise HostError(f"the probe ended: {what.result}; see {what.result.log}")
    return what
