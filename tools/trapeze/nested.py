"""The nested platforms: Debian's own kernel boots in an emulator, and Debian's QEMU runs the image
under its KVM, which is a real one. The emulator is another platform's; this makes what it boots, and
reads from the outer kernel's console (COM2) how the image's run ended. The image has COM1."""

import contextlib
import fcntl
import hashlib
import lzma
import re
import shlex
import struct
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from platform import machine as host_architecture

from . import HostError, build_folder, debian, linux_image
from .boot import Boot, Module, qemu_arguments
from .cpio import Archive
from .verdict import EMULATOR_ERROR, TIMED_OUT, Evidence, complaint, judge

QEMU = Path("/usr/bin/qemu-system-x86_64")
FIRMWARE = [Path("/usr/share/seabios/bios-256k.bin"), Path("/usr/share/qemu/kvmvapic.bin"),
            Path("/usr/share/qemu/multiboot.bin"), Path("/usr/share/qemu/multiboot_dma.bin")]
APPLETS = "sh cat mount insmod stty sleep grep kill dmesg tail dd wc poweroff".split()
INIT = Path(__file__).with_name("outer-init")
KVM_MODULES = {"intel": "kvm_intel", "amd": "kvm_amd"}

OUTER_MEMORY = 640  # MiB for the outer kernel, the file system in its memory, and QEMU itself
# Console on COM2, silent but for a panic. All but the first line saves the outer kernel time.
OUTER_WORDS = ("console=ttyS1 loglevel=1 panic=0 nokaslr tsc=reliable nowatchdog "
               "mitigations=off cryptomgr.notests "
               "initcall_blacklist=crypto_kdf108_init,cubictcp_register,init_blk_tracer")
OUTER_TICKS = 10**12
SUITE_SILENCE = 30  # seconds of the outer kernel's time after which a test hangs
FIRST_TEST = re.compile(r"(?:^| )from=(\d+)")

SHARED_OBJECT = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")
DEPENDENCIES = re.compile(rb"\0depends=([^\0]*)\0")
SIGNATURE_END = b"~Module signature appended~\n"
MORE_WORDS = "@MORE@"
REPORT_LINE = re.compile(r"^outer: (\w+)(?: (.*))?\n", re.MULTILINE)
OUTER_PANIC = re.compile(r"Kernel panic - not syncing: (.*)|end Kernel panic")


# What the outer kernel finds in its memory

def shared_objects(program):
    """The libraries that a program of this host is loaded with, the loader included."""
    output = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    return [Path(path) for path in SHARED_OBJECT.findall(output)]


def without_signature(module):
    """A kernel module, shorter: to check a signature takes an emulated CPU seconds."""
    if not module.endswith(SIGNATURE_END):
        return module
    rest = module[:-len(SIGNATURE_END)]
    length, = struct.unpack(">I", rest[-4:])  # the last of 12 bytes about the signature before them
    return rest[:-12 - length]


def module_content(file):
    """A kernel module as insmod takes it."""
    content = file.read_bytes()
    return without_signature(lzma.decompress(content) if file.suffix == ".xz" else content)


def module_chain(name, contents):
    """The modules to load for `name`, in order; `contents` is all of them by their name."""
    if name not in contents:
        raise HostError(f"the kernel's package has no module {name}")
    chain = []
    for needed in DEPENDENCIES.search(contents[name])[1].decode().split(","):
        if needed:
            chain += [one for one in module_chain(needed.replace("-", "_"), contents)
                      if one not in chain]
    return [*chain, name]


def kernel_modules(folder):
    """{name: content} of the modules of an unpacked kernel package that have to do with KVM."""
    wanted = re.compile(r"(kvm|kvm[-_](?:intel|amd)|irqbypass|ccp)\.ko(?:\.xz)?")
    return {wanted.fullmatch(file.name)[1].replace("-", "_"): module_content(file)
            for file in sorted(folder.glob("**/lib/modules/**/*.ko*"))
            if wanted.fullmatch(file.name)}


def base_archive(kernel, busybox, files):
    """The first and large part of the file system: all that every run needs."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "run", "tmp"):
        archive.folder(folder)
    archive.file("/bin/busybox", (busybox / "bin/busybox").read_bytes(), 0o755)
    for applet in APPLETS:
        archive.link(f"/bin/{applet}", "busybox")
    for file in files:
        archive.file(str(file), file.read_bytes(), 0o755)
    contents = kernel_modules(kernel)
    for name, content in contents.items():
        archive.file(f"/lib/modules/{name}.ko", content)
    for name in KVM_MODULES.values():
        paths = [f"/lib/modules/{one}.ko\n" for one in module_chain(name, contents)]
        archive.file(f"/boot/{name}", "".join(paths).encode())
    return archive.data()


def run_archive(boot, arguments):
    """The second and small part: the init script, the image, and QEMU's command line for it, which
    takes a word for the image."""
    archive = Archive()
    archive.file("/init", INIT.read_bytes(), 0o755)
    container = Path(boot.kernel).with_suffix(".elf32")
    paths = {}
    for file in [container if container.exists() else boot.kernel,
                 *(module.file for module in boot.modules)]:
        if file not in paths:
            paths[file] = Path(f"/boot/{len(paths)}-{Path(file).name}")
            archive.file(str(paths[file]), Path(file).read_bytes())
    inside = Boot(next(iter(paths.values())), f"{MORE_WORDS} {boot.cmdline}",
                  tuple(Module(paths[module.file], module.cmdline) for module in boot.modules))
    command = shlex.join(["exec", *arguments, *qemu_arguments(inside)])
    command = command.replace(MORE_WORDS, "'\"$1\"'")
    archive.file("/boot/run", f"#!/bin/sh\n{command}\n".encode(), 0o755)
    return archive.data()


def console_to_file(arguments):
    """QEMU's arguments, for a console that /run/console gets too."""
    at = arguments.index("-serial")
    return [*arguments[:at], "-chardev", "stdio,id=console,logfile=/run/console", "-serial",
            "chardev:console", *arguments[at + 2:]]


# The cache

def cache_folder():
    """Where packages and what was made of them stay between runs."""
    return build_folder() / "cache" / "nested"


@contextlib.contextmanager
def one_at_a_time():
    """Waits until no other run is making what the cache holds."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def key_of(versions, files):
    """A short name for what a base is made of: packages' versions and this host's files."""
    recipe = hashlib.sha256()
    for file in (Path(__file__), Path(linux_image.__file__), linux_image.ENTRY):
        recipe.update(file.read_bytes())
    for word in versions:
        recipe.update(f"{word}\n".encode())
    for file in files:
        facts = file.stat()
        recipe.update(f"{file} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return recipe.hexdigest()[:16]


def host_files():
    """What the base takes from this host: QEMU, its libraries and its firmware."""
    if host_architecture() != "x86_64":
        raise HostError("the nested platforms take their QEMU from an x86-64 host")
    for file in [QEMU, *FIRMWARE]:
        if not file.exists():
            raise HostError(f"{file} is missing: run tools/setup run")
    return [QEMU, *shared_objects(QEMU), *FIRMWARE]


def base_folder(kernel, version, busybox, files):
    """Where the base made of these is, or will be."""
    return cache_folder() / key_of([kernel, version, busybox], files)


def base_state():
    """A sentence about what a run would start with; HostError when it could not."""
    kernel, version = debian.current_kernel()
    folder = base_folder(kernel, version, debian.current_version("busybox-static"), host_files())
    done = "made" if folder.exists() else "to be fetched at the first run, about 70 MB"
    return f"{kernel} {version}: {done}"


def write_base(folder, kernel, data):
    """Fills the folder: the first part of the file system; the kernel, as it is and unpacked."""
    image = kernel.read_bytes()
    (folder / "base.cpio").write_bytes(data)
    (folder / "vmlinuz").write_bytes(image)
    with tempfile.TemporaryDirectory() as work:
        (folder / "unpacked").write_bytes(linux_image.without_decompression(image, Path(work)))


def make_base(folder, kernel, version, busybox, files):
    """Makes the folder that base() gives."""
    packages = cache_folder() / "packages"
    unpacked = debian.unpacked(kernel, version, packages)
    data = base_archive(unpacked, debian.unpacked("busybox-static", busybox, packages), files)
    kernels = list(unpacked.glob("boot/vmlinuz-*"))
    if len(kernels) != 1:
        raise HostError(f"{kernel} holds {len(kernels)} kernels")
    partial = folder.with_suffix(".partial")
    partial.mkdir(exist_ok=True)
    write_base(partial, kernels[0], data)
    partial.rename(folder)


def base(note=print):
    """The folder with what every run boots, made at the first call."""
    kernel, version = debian.current_kernel()
    busybox = debian.current_version("busybox-static")
    files = host_files()
    folder = base_folder(kernel, version, busybox, files)
    with one_at_a_time():
        if not folder.exists():
            note(f"nested: making the outer system from {kernel} {version} and QEMU (once)")
            make_base(folder, kernel, version, busybox, files)
    return folder


def why_not(platform):
    """Why the outer system that the platform boots cannot be had here, or ""."""
    if not isinstance(platform, Nested):
        return ""
    try:
        base(note=lambda text: None)
    except HostError as error:
        return str(error)
    return ""


# What comes back

# A suite's image went down with the test that was running, and starts again with the next: what
# outer-init then prints on COM1 comes before this line.
AGAIN_LINE = "# outer: again"
AGAIN_NOTE = re.compile(r"outer: (.*)")


def last_round(lines):
    """The lines since the image was started the last time."""
    again = [at for at, line in enumerate(lines) if line == AGAIN_LINE]
    return lines[again[-1] + 1:] if again else lines


def judge_round(notes, lines):
    """(end, detail) of the image's run before AGAIN_LINE, from the comments there and the image's own
    lines."""
    said = [match[1] for match in map(AGAIN_NOTE.fullmatch, notes) if match]
    status = next((int(text[7:]) for text in said if re.fullmatch(r"status \d+", text)), 1)
    hung = next((text[6:] for text in said if text.startswith("hung: ")), "")
    own = [line for line in lines if not line.startswith("# outer: ")]
    return judge(Evidence(own, status, Nested.passed, Nested.failed, "\n".join(said), hung))


class Report:
    """What the outer kernel and its init have said on COM2."""

    def __init__(self, file):
        self.file = file

    def text(self):
        """All of it so far."""
        try:
            return self.file.read_text(errors="replace").replace("\r", "")
        except OSError:
            return ""

    def word(self, name):
        """What stands after "outer: NAME", "" for nothing, None when there is no such line."""
        found = [rest or "" for word, rest in REPORT_LINE.findall(self.text()) if word == name]
        return found[0] if found else None

    def failure(self):
        """Why the image could not be run to its end, or ""."""
        panic = OUTER_PANIC.search(self.text())
        if panic:
            return f"the outer kernel failed: {panic[1] or 'panic'}"
        failed = self.word("fail")
        return "" if failed is None else f"the outer kernel failed: {failed}"

    def stopped(self):
        """Whether nothing more will come, though the emulator may go on."""
        return bool(self.failure()) or self.word("done") is not None

    def judge(self, evidence):
        """(end, detail) of the image's run: what stands in the report decides, not how the emulator
        was left."""
        if self.failure():
            return EMULATOR_ERROR, self.failure()
        evidence = replace(evidence, lines=last_round(evidence.lines))
        status = self.word("status")
        if status is not None:
            said = self.text().partition("outer: status ")[2].partition("\n")[2]
            return judge(replace(evidence, status=int(status), emulator=said, overtime=""))
        if evidence.overtime and self.word("begin") is not None:
            return judge(replace(evidence, emulator=""))
        if evidence.overtime:
            return TIMED_OUT, f"{evidence.overtime}; the outer kernel had not started the image"
        why = complaint(evidence) or f"the emulator's exit status is {evidence.status}"
        return EMULATOR_ERROR, f"the outer kernel failed without a word: {why}"


class Nested:
    """One vendor's KVM in Linux in another platform."""

    passed, failed = 33, 35  # QEMU's exit status inside

    def __init__(self, outer, inner, model="", patience=0):
        self.outer, self.inner, self.model = outer, inner, model
        self.vendor = outer.vendor
        self.name = f"kvm-in-{outer.name}"
        self.patience = patience  # seconds that the outer kernel may take

    def prepare(self, boot, machine, work):
        """Writes the second part of the file system and lets the outer platform do the rest."""
        for word in ("gdb", "firmware"):
            if getattr(machine, word):
                raise HostError(f"{self.name} has no {word}")
        boot = boot.with_words(self.inner.end_word, self.outer.suite_words if machine.suite else "")
        boot.check()
        parts = base()
        initrd = work / "initrd"
        arguments = console_to_file(self.inner.machine_arguments(replace(machine, model=""),
                                                                 Path("/run/qemu.log")))
        initrd.write_bytes((parts / "base.cpio").read_bytes()
                           + run_archive(boot, [*arguments, "-nodefaults"]))
        words = f"{OUTER_WORDS} {self.outer.linux_words} module={KVM_MODULES[self.vendor]}"
        if machine.suite:
            first = FIRST_TEST.search(boot.cmdline)
            words += f" suite={SUITE_SILENCE}" + (f" from={first[1]}" if first else "")
        report = Report(work / "com2")
        launch = self.outer.prepare(
            Boot(parts / self.outer.linux_file, words, (Module(initrd),), protocol="linux"),
            replace(machine, memory=machine.memory + OUTER_MEMORY, loader=self.outer.linux_loader,
                    model=machine.model or self.model, ticks=OUTER_TICKS, for_linux=True,
                    cpus=min(machine.cpus, self.outer.linux_cpus), com2=report.file), work)
        return replace(launch, passed=self.passed, failed=self.failed, logs=(*launch.logs, report.file),
                       judge=report.judge, stopped=report.stopped)
