"""The platforms that can run an image: Bochs, QEMU's TCG, QEMU with KVM. A platform turns a boot
and a machine into a command line; running it and judging it are left to session and verdict."""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import HostError, build_folder, host, iso, verdict
from .boot import qemu_arguments
from .nested import Nested

QEMU_PASSED, QEMU_FAILED = 33, 35  # what isa-debug-exit makes of 0x10 and 0x11
HUMAN_RATE = 50_000_000  # instructions per second
BOCHS_FILES = Path("/usr/share/bochs")
UEFI_FILE = Path("/usr/share/ovmf/OVMF.fd")
SEABIOS_FILE = Path("/usr/share/seabios/bios.bin")
# gdb needs an emulator that has both a stub for it and the vendor's instructions.
NO_GDB = {
    "intel": "GDB=: for VT-x there is no debugger: Bochs has no gdb stub, QEMU's TCG no VT-x. Instead: print() "
             "(runtime/print.h) in your code; its lines are on the console and in {build}/logs/run-bochs-intel.log, "
             "those of make grade's tests in {build}/logs/labN-intel-*.log",
    "amd": "GDB=: Bochs has no gdb stub: take ON=tcg",
}
WRITERS = {"fast": iso.write_fast, "full": iso.write_full}


@dataclass(frozen=True)
class Machine:
    """What is asked of a platform, beside what it boots."""

    memory: int = 256  # MiB
    cpus: int = 1
    model: str = ""  # the platform's name of a CPU; "" for its default
    interactive: bool = False  # time passes at human speed, and the serial line goes both ways
    deterministic: bool = False  # an instruction is a tick, runs repeat exactly
    loader: str = "fast"  # GRUB's disc: "fast" or "full" (see iso.py), or the emulator's "own"
    firmware: str = ""  # "uefi" (QEMU) or "seabios" (Bochs); "" for the platform's BIOS
    ticks: int = 40_000_000_000  # Bochs' own limit
    gdb: int = 0  # a TCP port at which QEMU waits for gdb
    for_linux: bool = False  # Bochs: a usual clock rate, and MSRs that it does not know read as 0
    suite: bool = False  # nested: after a test that ends the image it goes on with the next
    com2: Path = None  # the file that takes what is written to COM2


@dataclass(frozen=True)
class Launch:
    """A platform ready to start."""

    argv: list
    end_word: str  # how the image leaves this platform, for its command line
    serial: str  # where its console is: "stdio", "fifo" or "pty"
    passed: int  # the emulator's exit status when the image passed, or failed
    failed: int
    logs: tuple  # files in which the emulator speaks about itself
    judge: Callable = verdict.judge  # of Evidence: how the run ended
    stopped: Callable = lambda: False  # () -> whether nothing more will come from it


def need_tool(name):
    """Raises HostError unless the program is installed."""
    if shutil.which(name) is None:
        raise HostError(f"{name} is not installed: run tools/setup")


def need_file(file, package):
    """Raises HostError unless the file is there; else gives it back."""
    if not file.exists():
        raise HostError(f"{file} is missing: install {package}")
    return file


def need_free_port(port):
    """Raises HostError when the TCP port is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HostError(f"port {port} is already taken ({error.strerror})") from None


class Bochs:
    """VT-x (or, with model ryzen, AMD-V) in Bochs: slow, complete, deterministic."""

    end_word = "end=bochs"
    patience = 0  # seconds that pass before an image starts, beyond the usual few
    # For Linux: what reads it (GRUB), the file that is quickest so, no more than one CPU, as they
    # would only take turns, and the clock rate, which Linux takes from the model's CPUID otherwise.
    linux_loader, linux_file, linux_cpus = "fast", "unpacked", 1
    linux_words = f"tsc_early_khz={HUMAN_RATE // 1000}"
    # External interrupts do not end a guest with IF 0 in it, but KVM's timer for the image does.
    suite_words = "beat=on"
    models = {"intel": "corei7_skylake_x", "amd": "ryzen"}

    def __init__(self, vendor):
        self.vendor = vendor
        self.name = f"bochs-{vendor}"

    def prepare(self, boot, machine, work):
        """Writes the disc and Bochs' files into the folder `work`."""
        need_tool("bochs")
        if machine.gdb:
            raise HostError(NO_GDB[self.vendor].format(build=os.path.relpath(build_folder())))
        if machine.model and machine.model not in host.bochs_models():
            raise HostError(f"Bochs has no CPU model {machine.model}; it has: "
                            + " ".join(host.bochs_models()))
        WRITERS[machine.loader](boot.with_words(self.end_word), work / "iso", work / "boot.iso")
        (work / "commands").write_text(f"sb {machine.ticks}\nc\nquit\n")
        (work / "bochsrc").write_text(self.configuration(machine, work))
        argv = ["bochs", "-q", *host.bochs_debugger(), "-f", str(work / "bochsrc"),
                "-rc", str(work / "commands")]
        serial = "pty" if machine.interactive else "fifo"
        return Launch(argv, self.end_word, serial, 0, 0, (work / "bochs.log",))

    def configuration(self, machine, work):
        """The bochsrc. @SERIAL@ is put in by the session, which owns the serial line."""
        model = machine.model or self.models[self.vendor]
        mode = "term" if machine.interactive else "file"
        # At human speed the emulated clock follows the real one, so the CPU needs a real rate; so
        # does Linux, which its timer's interrupts would keep busy otherwise.
        rate = HUMAN_RATE if machine.interactive or machine.for_linux else 4_000_000
        sync = "slowdown" if machine.interactive else "none"
        bios = BOCHS_FILES / "BIOS-bochs-latest"
        if machine.firmware == "seabios":
            bios = need_file(SEABIOS_FILE, "seabios")
        return "\n".join([
            'display_library: rfb, options="timeout=0"',
            "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy",
            f"romimage: file={bios}",
            f"vgaromimage: file={BOCHS_FILES}/VGABIOS-lgpl-latest",
            # An MSR that the model does not have makes #GP, as the manual says, and is not 0.
            f"cpu: model={model}, count={machine.cpus}, ips={rate}, reset_on_triple_fault=0, "
            f"ignore_bad_msrs={int(machine.for_linux)}",
            f"memory: guest={machine.memory}, host={min(machine.memory, 2048)}",
            f"clock: sync={sync}, time0=946684800",
            f"ata0-master: type=cdrom, path={work}/boot.iso, status=inserted",
            "boot: cdrom",
            f"com1: enabled=1, mode={mode}, dev=@SERIAL@",
            *([f"com2: enabled=1, mode=file, dev={machine.com2}"] if machine.com2 else []),
            "panic: action=fatal",
            # Bochs tells of each read of an MSR that it does not know, and KVM reads one at each entry.
            f"error: action={'ignore' if machine.for_linux else 'report'}",
            "info: action=report",
            "debug: action=ignore",
            f"log: {work}/bochs.log",
        ]) + "\n"


class Qemu:
    """QEMU: AMD-V by its translator (TCG), or either vendor's by nested KVM."""

    end_word = "end=qemu"
    patience = 0
    linux_loader, linux_file, linux_cpus, linux_words = "own", "vmlinuz", 2, ""
    suite_words = ""

    def __init__(self, vendor, accelerator):
        self.vendor = vendor
        self.accelerator = accelerator
        self.name = f"{accelerator}-{vendor}"

    def prepare(self, boot, machine, work):
        """Writes the disc into the folder `work`, unless QEMU itself loads the image."""
        need_tool("qemu-system-x86_64")
        if machine.gdb:
            need_free_port(machine.gdb)
        boot = boot.with_words(self.end_word)
        boot.check()
        if machine.loader == "own":
            loader = qemu_arguments(boot)
        else:
            disc = WRITERS[machine.loader](boot, work / "iso", work / "boot.iso")
            loader = ["-boot", "d", "-cdrom", str(disc)]
        argv = [*self.machine_arguments(machine, work / "qemu.log"), *loader]
        return Launch(argv, self.end_word, "stdio", QEMU_PASSED, QEMU_FAILED, (work / "qemu.log",))

    def machine_arguments(self, machine, log):
        """Everything but what is booted."""
        model = machine.model or ("host" if self.accelerator == "kvm" else "max")
        argv = ["qemu-system-x86_64", "-accel", self.accelerator, "-cpu", model,
                "-m", str(machine.memory), "-smp", str(machine.cpus),
                "-display", "none", "-serial", "stdio", "-monitor", "none", "-net", "none",
                "-no-reboot", "-d", "cpu_reset", "-D", str(log),
                "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if machine.deterministic and self.accelerator == "tcg":
            argv += ["-icount", "shift=0,sleep=off", "-rtc", "base=2020-01-01,clock=vm"]
        if machine.com2:
            argv += ["-serial", f"file:{machine.com2}"]
        if machine.firmware == "uefi":
            argv += ["-bios", str(need_file(UEFI_FILE, "ovmf"))]
        if machine.gdb:
            argv += ["-gdb", f"tcp:127.0.0.1:{machine.gdb}", "-S"]
        return argv


PLATFORMS = {
    platform.name: platform
    for platform in (Bochs("intel"), Bochs("amd"), Qemu("amd", "tcg"),
                     Qemu("intel", "kvm"), Qemu("amd", "kvm"),
                     Nested(Bochs("intel"), Qemu("intel", "kvm"), patience=600),
                     # TCG lacks the XSETBV intercept, so KVM would not know its guest's XCR0.
                     Nested(Qemu("amd", "tcg"), Qemu("amd", "kvm"), "EPYC,+svm,+npt,-xsave", 120))
}
WITHOUT_KVM = {"intel": "bochs", "amd": "tcg"}


def choose(cpu="", on="auto", root=Path("/")):
    """The platform for `make run`'s words and a sentence that says why, or HostError."""
    if cpu not in ("", "intel", "amd"):
        raise HostError(f"CPU={cpu}: not intel or amd")
    if on not in ("auto", "bochs", "tcg", "kvm", "kvm-in-bochs", "kvm-in-tcg"):
        raise HostError(f"ON={on}: not auto, bochs, tcg, kvm, kvm-in-bochs or kvm-in-tcg")
    emulator = on.replace("kvm-in-", "")
    if not cpu:
        cpu = {"bochs": "intel", "tcg": "amd"}.get(emulator, host.cpu_vendor(root) or "intel")
    if emulator == "tcg" and cpu == "intel":
        raise HostError(f"QEMU's TCG has no VT-x: take ON={on.replace('tcg', 'bochs')}")
    if f"{on}-{cpu}" == "kvm-in-bochs-amd":
        raise HostError("for AMD-V take ON=kvm-in-tcg")
    kvm = host.nested_kvm(cpu, root)
    if on == "kvm" and not kvm.usable:
        raise HostError(f"no nested KVM for {cpu}: {kvm.reason}")
    if on == "auto":
        on = "kvm" if kvm.usable else WITHOUT_KVM[cpu]
        why = kvm.reason if kvm.usable else f"no nested KVM: {kvm.reason}"
    else:
        why = "as asked"
    return PLATFORMS[f"{on}-{cpu}"], why
