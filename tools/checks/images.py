"""The images on the emulators: the runtime's own tests, tinyos natively and as a guest, several
guests at once, and the discs that GRUB boots."""

import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pexpect

from trapeze import ROOT, demo, image, ktap, nested
from trapeze.boot import Boot
from trapeze.platforms import PLATFORMS, Machine
from trapeze.session import Session
from trapeze.testing import FAILED, PASSED, SKIPPED, Job, Outcome

BOTH, BOCHS, TCG = ("bochs-intel", "tcg-amd"), ("bochs-intel",), ("tcg-amd",)


def verdict(name, complaints):
    """One outcome from a list of complaints."""
    return [Outcome(name, FAILED if complaints else PASSED, "\n".join(complaints))]


def bad_end(result):
    """A complaint about an end, with the console's last lines."""
    return "\n".join([f"it ended: {result}; {result.log}", *result.lines[-6:]])


def boot_image(name, platform, boot, limit=120, **machine):
    """Runs a boot for the test `name`."""
    platform = PLATFORMS[platform]
    return Session(platform, boot, Machine(**machine), name.replace("/", "-"),
                   limit + platform.patience).run()


@dataclass(frozen=True)
class Selftest:
    """The image that tests the runtime (and, by `image`, others that print KTAP)."""

    name: str
    platforms: tuple = BOTH
    words: str = ""
    machine: dict = field(default_factory=dict)
    seconds: float = 4

    def run(self, platform):
        """An outcome for each of its tests, and one for its end."""
        name = f"image/{self.name}/{platform}"
        result = boot_image(name, platform, Boot(image("selftest"), self.words), **self.machine)
        end = [] if result.passed else [bad_end(result)]
        return [*ktap.outcomes(result.lines, name), *verdict(f"{name}/end", end)]


EXPLAIN_LINE = re.compile(r"explain: (.*?):? ?\b(ok|FAILED|skipped)\b:? ?(.*)")
EXPLAIN_STATUS = {"ok": PASSED, "FAILED": FAILED, "skipped": SKIPPED}
EXPLAIN_AT_LEAST = 10


@dataclass(frozen=True)
class Explain:
    """The explainer against the CPU: states that the CPU refuses, each broken in one way."""

    name: str
    platforms: tuple = BOTH
    machine: dict = field(default_factory=dict)
    seconds: float = 4

    def run(self, platform):
        """An outcome for each state, and one for the whole."""
        name = f"explain/{self.name}/{platform}"
        boot = demo.boot_of(demo.parse_guests("tinyos", 1), "selftest=explain", False)
        result = boot_image(name, platform, boot, **self.machine)
        found = [Outcome(f"{name}/{match[1]}", EXPLAIN_STATUS[match[2]], match[3])
                 for match in map(EXPLAIN_LINE.fullmatch, result.lines) if match]
        good = sum(outcome.status == PASSED for outcome in found)
        complaints = [] if result.passed or any(outcome.status == FAILED for outcome in found) \
            else [bad_end(result)]
        if good < EXPLAIN_AT_LEAST:
            complaints.append(f"only {good} states, not {EXPLAIN_AT_LEAST}, were explained")
        return [*found, *verdict(f"{name}/end", complaints)]


@dataclass(frozen=True)
class Guests:
    """The hypervisor with guests that run the demonstration's script to its end."""

    name: str
    guests: str
    platforms: tuple = BOTH
    words: str = ""
    machine: dict = field(default_factory=dict)
    prefixed: bool = True  # a guest that owns the serial port prints without the hypervisor
    seconds: float = 5

    def run(self, platform):
        """Every guest has its results, powered off, and has its statistics printed."""
        name = f"run/{self.name}/{platform}"
        missing = nested.why_not(PLATFORMS[platform])
        if missing:
            return [Outcome(name, SKIPPED, missing)]
        guests = demo.parse_guests(self.guests, 1)
        boot = demo.boot_of(guests, self.words, interactive=False)
        result = boot_image(name, platform, boot, **self.machine)
        return verdict(name, [bad_end(result)] if not result.passed
                       else self.complaints(guests, result.lines))

    def complaints(self, guests, lines):
        """What is missing on the console of a run that passed."""
        found = demo.missing(guests, lines) if self.prefixed else demo.missing_lines(lines)
        for guest in guests:
            for line in (f"trapeze: vm {guest.name} powered off, status 0",
                         f"exits of vm {guest.name}:"):
                if line not in lines:
                    found.append(f"not printed: {line}")
        return found


KINDS = {Selftest: "image", Explain: "explain", Guests: "run"}

RUNS = (
    Selftest("selftest"),
    Selftest("selftest-smp4", machine={"cpus": 4}),
    Selftest("selftest-direct", TCG, machine={"loader": "own", "cpus": 2}),
    Selftest("selftest-icount", TCG, machine={"deterministic": True, "loader": "own"}),
    Selftest("selftest-sandy-bridge", BOCHS,
             machine={"model": "corei7_sandy_bridge_2600k"}),
    Selftest("selftest-lynnfield", BOCHS, machine={"model": "corei5_lynnfield_750"}),
    Selftest("selftest-ryzen", ("bochs-amd",)),
    Selftest("selftest-full-disc", machine={"loader": "full"}),
    Selftest("selftest-uefi", TCG, machine={"loader": "full", "firmware": "uefi"}),
    Selftest("selftest-resume", ("bochs-intel",), words="resume=on"),  # QEMU ends at a reset
    Selftest("selftest-seabios", BOCHS, machine={"firmware": "seabios"}),
    Selftest("selftest-3g", TCG, machine={"memory": 3584}),
    Explain("default"),
    Explain("haswell", BOCHS, {"model": "corei7_haswell_4770"}),
    Explain("icelake", BOCHS, {"model": "corei7_icelake_u"}),
    Guests("one-guest", "tinyos"),
    Guests("one-guest-uefi", "tinyos", TCG, machine={"loader": "full", "firmware": "uefi"}),
    Guests("one-guest-unlocked", "tinyos", BOCHS, machine={"firmware": "seabios"}),
    Guests("one-guest-haswell", "tinyos", BOCHS, machine={"model": "corei7_haswell_4770"}),
    Guests("one-guest-sandy-bridge", "tinyos", BOCHS,
           machine={"model": "corei7_sandy_bridge_2600k"}),
    Guests("two-guests", "tinyos tinyos"),
    Guests("two-guests-ryzen", "tinyos tinyos", ("bochs-amd",)),
    Guests("four-guests-smp4", "tinyos tinyos tinyos tinyos", machine={"cpus": 4}, seconds=10),
    Guests("three-guests-smp2", "tinyos tinyos tinyos", machine={"cpus": 2}, seconds=8),
    Guests("pages-4k", "tinyos:pages=4K"),
    Guests("pages-2m", "tinyos:pages=2M"),
    Guests("pages-1g", "tinyos:pages=1G,mem=1G", machine={"memory": 3072}, seconds=8),
    Guests("stage2-off", "tinyos-high", prefixed=False, words="stage2=off"),
    Guests("under-kvm", "tinyos tinyos", ("kvm-in-tcg-amd",), seconds=30),
    Guests("short-slices", "tinyos tinyos", words="slice=500"),
)


def without_machine_lines(lines):
    """What one tinyos said, by process: {"[7 tree]": [lines], "": the shell's}."""
    found = {}
    for line in lines:
        if not line.startswith("# "):
            process = re.match(r"(\[\d+ \w+\] )?", line)[0].strip()
            found.setdefault(process, []).append(line)
    return found


def same_as_guest(platform):
    """tinyos prints the same natively and as a guest, process by process."""
    name = f"image/tinyos-same-as-guest/{platform}"
    script = f'script="{demo.SCRIPT}"'
    native = boot_image(f"{name}-native", platform, Boot(image("tinyos"), script))
    guest = boot_image(f"{name}-guest", platform,
                       demo.boot_of(demo.parse_guests("tinyos", 1) , "", False))
    complaints = [bad_end(result) for result in (native, guest) if not result.passed]
    if complaints:
        return verdict(name, complaints)
    complaints = [f"native {complaint}" for complaint in demo.missing_lines(native.lines)]
    one = without_machine_lines(native.lines)
    other = without_machine_lines(demo.lines_of("a", guest.lines))
    for process in sorted({*one, *other}):
        if one.get(process) != other.get(process):
            complaints.append(f"{process or 'the shell'}: natively {one.get(process)}, "
                              f"as a guest {other.get(process)}")
    return verdict(name, complaints)


def guest_that_dies(platform):
    """A guest that ends badly is named, and the other one does not notice."""
    name = f"run/one-of-two-dies/{platform}"
    good, bad = demo.parse_guests("good=tinyos bad=tinyos", 1)
    boot = demo.boot_of([good], "", False)
    boot = Boot(boot.kernel, boot.cmdline, (*boot.modules, bad.module("panic on purpose")))
    result = boot_image(name, platform, boot)
    complaints = demo.missing([good], result.lines)
    if result.end != "failed":
        complaints.append(bad_end(result))
    for line in ("trapeze: vm good powered off, status 0", "[bad] *** PANIC: on purpose",
                 "trapeze: vm bad powered off, status 1"):
        if not any(said.startswith(line) for said in result.lines):
            complaints.append(f"not printed: {line}")
    return verdict(name, complaints)


def in_a_terminal(name, platform, words, steps):
    """`make run` in a pseudo-terminal: the steps (what a person types, and what must then come), to its end."""
    on, cpu = platform.split("-")
    child = pexpect.spawn(sys.executable, [str(ROOT / "tools/run.py"), "--on", on, "--cpu", cpu, *words],
                          timeout=90, encoding="utf-8", dimensions=(24, 200))
    try:
        for keys, answer in steps:
            child.send(keys)
            child.expect(answer)
        child.expect(pexpect.EOF)
    except pexpect.ExceptionPexpect:
        return verdict(name, [f"typed {keys!r}, expected {answer!r}, came {child.before[-500:]!r}"])
    finally:
        child.close(force=True)
    return verdict(name, [] if child.exitstatus == 0 else [f"exit status {child.exitstatus}"])


def shell_in_a_terminal(platform):
    """The shell answers to typing, Ctrl-A c changes the console, and Ctrl-A x is the hypervisor's."""
    return in_a_terminal(f"run/shell/{platform}", platform, (), TYPED)


def shell_that_owns_the_line(platform):
    """With stage2=off the guest has the UART: nobody else may take what is typed."""
    return in_a_terminal(f"run/shell-stage2-off/{platform}", platform,
                         ("--guests", "tinyos-high", "--words", "stage2=off"), TYPED_BY_KEYS)


# What a person types, and what must then come.
TYPED = (
    ("", "tinyos> "),
    ("run echo typed\r", r"\] typed\r\n(.*\n)*tinyos> "),
    ("run sieve 1000\r", "168 primes below 1000"),
    ("\x01c", ""),
    ("\r", "tinyos> "),
    ("run echo other\r", r"\] other"),
    ("\x01x", r"\*\*\* END [\s\S]*run: passed"),
)

# As a person types who looks at the screen: a UART holds 16 characters.
TYPED_BY_KEYS = (
    ("", "tinyos> "),
    *(step for number in range(10) for step in (
        *((key, re.escape(key)) for key in f"run echo typed{number}"),
        ("\r", rf"\] typed{number}\r\n(.*\n)*tinyos> "))),
    ("poweroff\r", r"powered off, status 0[\s\S]*run: passed"),
)

# How the disc of `make iso` is put into a machine, and the machine's firmware.
DISCS = {"cd-bios": ("-cdrom", ""), "cd-uefi": ("-cdrom", "uefi"),
         "stick-bios": ("-hda", ""), "stick-uefi": ("-hda", "uefi")}


def iso_boots(name, option, firmware):
    """What `make iso` writes starts as it stands, and its shell answers."""
    with tempfile.TemporaryDirectory() as folder:
        disc = Path(folder) / "trapeze.iso"
        done = subprocess.run([sys.executable, str(ROOT / "tools/run.py"), "--iso", str(disc)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            return verdict(name, [done.stderr])
        argv = PLATFORMS["tcg-amd"].machine_arguments(Machine(firmware=firmware),
                                                      Path(folder) / "qemu.log")
        child = pexpect.spawn(argv[0], [*argv[1:], option, str(disc)], timeout=60,
                              encoding="utf-8", codec_errors="replace")
        try:
            child.expect("tinyos> ")
            child.send("run echo typed\r")
            child.expect(r"\] typed")
            child.send("\x01x")
            child.expect(r"\*\*\* END passed")
        except pexpect.ExceptionPexpect:
            return verdict(name, [f"came: {child.before[-500:]!r}"])
        finally:
            child.close(force=True)
    return verdict(name, [])


EXTRAS = (
    ("run/shell", shell_in_a_terminal, 10),
    ("run/shell-stage2-off", shell_that_owns_the_line, 10),
    ("image/tinyos-same-as-guest", same_as_guest, 6),
    ("run/one-of-two-dies", guest_that_dies, 5),
)


def jobs():
    """A job for each run on each of its platforms."""
    found = [Job(f"{KINDS[type(run)]}/{run.name}/{platform}",
                 lambda run=run, platform=platform: run.run(platform), run.seconds)
             for run in RUNS for platform in run.platforms]
    found += [Job(f"{name}/{platform}", lambda check=check, platform=platform: check(platform),
                  seconds)
              for name, check, seconds in EXTRAS for platform in BOTH]
    found += [Job(f"iso/{name}", lambda name=name, wishes=wishes: iso_boots(f"iso/{name}", *wishes),
                  8) for name, wishes in DISCS.items()]
    return found
