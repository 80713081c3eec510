"""Runs the probe, natively or as a guest of the hypervisor, on one platform, and brings back its log.
On a nested platform the hypervisor is KVM, and natively is what KVM itself runs on."""

import hashlib
import pickle
from dataclasses import dataclass

from . import HostError, image, probe_log
from .boot import Boot, Module
from .demo import lines_of
from .platforms import Machine
from .session import Session

GUEST = "p"  # the virtual machine's name
UNRESTRICTED = "lacks the control PROC2_UNRESTRICTED_GUEST"  # as the hypervisor says it
OTHER = "w"  # that of another one, whose state must not show in the first
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


def takes_turns(words):
    """Are probes asked for that want another virtual machine beside this one?"""
    word = dict(word.split("=", 1) for word in words.split() if "=" in word)
    patterns = word.get("forms", "*").split(",")
    return "monitor" in word.get("part", "") and any(pattern.startswith(("turn", "*")) for pattern in patterns)


def boot_of(words, as_guest, stage2=True, plain=False):
    """The probe alone, or under the hypervisor; without second-level paging it has a place of its own. plain: the
    one that needs no answers."""
    probe = image("probe" if stage2 else "probe-plain-high" if plain else "probe-high")
    if not as_guest:
        return Boot(probe, words)
    modules = [Module(probe, f"name={GUEST} mem=64M -- {words}")]
    if stage2 and takes_turns(words):
        modules.append(Module(probe, f"name={OTHER} mem=64M -- part=monitor forms=turn_* salt=2"))
    return Boot(image("trapeze"), "console=lines" + ("" if stage2 else " stage2=off"), tuple(modules))


def side_of(platform, model, as_guest):
    """(platform, model, whether the hypervisor is Trapeze) of one side."""
    if not hasattr(platform, "outer"):
        return platform, model, as_guest
    if as_guest:
        return platform, model, False
    return platform.outer, model or platform.model, False


def power_off(cpu):
    """The instruction by which a guest powers off that cannot ask what CPU it is on."""
    return {"intel": "vmcall", "amd": "vmmcall"}[cpu]


def run(platform, words, as_guest, model="", limit=LIMIT, gdb=0, stage2=True, plain=False):
    """A Run, however it ended. Under TCG time is counted in instructions: a busy host must not let an
    interrupt come early."""
    name = f"probe-{platform.name}-{'guest' if as_guest else 'native'}"
    platform, model, under_trapeze = side_of(platform, model, as_guest)
    if as_guest:
        words += f" end={power_off(platform.name.rpartition('-')[2])}" if plain else " guest"
    loader = "own" if platform.name.startswith("tcg") else "fast"
    machine = Machine(model=model, loader=loader, gdb=gdb,
                      deterministic=platform.name.startswith("tcg"))
    session = Session(platform, boot_of(words, under_trapeze, stage2, plain), machine, name,
                      GDB_LIMIT if gdb else limit + platform.patience)
    result = session.run()
    # With stage2=off the serial line is the guest's own.
    said = lines_of(GUEST, result.lines) if under_trapeze and stage2 else result.lines
    return Run(probe_log.parse(said), result, result.lines)


def run_once(folder, platform, words, model=""):
    """run(), natively, but a run that passed is kept in the folder and not repeated: for many comparisons
    with one and the same native side."""
    key = f"{platform.name} {model} {words}".encode() + image("probe").read_bytes()
    file = folder / f"native-{hashlib.sha256(key).hexdigest()[:16]}"
    if file.exists():
        return pickle.loads(file.read_bytes())
    done = run(platform, words, False, model)
    if done.result.passed:
        folder.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{id(done)}")
        new.write_bytes(pickle.dumps(done))
        new.replace(file)
    return done


def need_passed(what):
    """Raises HostError unless the run passed."""
    if not what.result.passed:
        raise HostError(f"the probe ended: {what.result}; see {what.result.log}")
    return what
