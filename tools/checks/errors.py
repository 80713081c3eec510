"""Every error that a user can meet at start: a clear message and a failed end, never a hang.
Errors of the host's side are tested in tools/tests."""

import re
import struct
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from trapeze import image
from trapeze.boot import Boot, Module
from trapeze.testing import Job

from .images import BOCHS, BOTH, TCG, boot_image, verdict

ELF_MACHINE, ELF_ENTRY, ELF_SEGMENTS = 18, 24, 32  # offsets in an ELF64 header
SEGMENT_SIZE = 56
SEGMENT_ADDRESS, SEGMENT_FILE_BYTES, SEGMENT_MEMORY_BYTES = 24, 32, 40  # and in a segment's


def patch(data, offset, form, value):
    """The bytes with a value put in."""
    data = bytearray(data)
    struct.pack_into(form, data, offset, value)
    return bytes(data)


def segment(data, number):
    """The offset of a program header."""
    return struct.unpack_from("<Q", data, ELF_SEGMENTS)[0] + number * SEGMENT_SIZE


def overlap_segments(data):
    """The second segment is loaded over the first."""
    first = struct.unpack_from("<Q", data, segment(data, 0) + SEGMENT_ADDRESS)[0]
    return patch(data, segment(data, 1) + SEGMENT_ADDRESS, "<Q", first)


BROKEN = {
    "not-an-elf": lambda data: b"#!/bin/sh\necho not an image\n" + bytes(4096),
    "empty": lambda data: b"",
    "truncated-header": lambda data: data[:40],
    "truncated-segments": lambda data: data[:5000],
    "wrong-machine": lambda data: patch(data, ELF_MACHINE, "<H", 0xb7),  # AArch64
    "too-large": lambda data: patch(data, segment(data, 0) + SEGMENT_MEMORY_BYTES, "<Q", 1 << 30),
    "overlapping": overlap_segments,
    "entry-outside": lambda data: patch(data, ELF_ENTRY, "<Q", 0x1000),
}


@dataclass(frozen=True)
class Error:
    """A boot that has to fail with a line that matches `message`."""

    name: str
    message: str
    words: str = ""  # for the hypervisor
    guests: tuple = ("name=a mem=32M",)  # the command line of each
    broken: str = ""  # how the guests' image is broken
    platforms: tuple = BOTH
    machine: dict = field(default_factory=dict)
    image: str = "trapeze"

    def run(self, platform):
        """Boots, and looks for the message."""
        name = f"error/{self.name}/{platform}"
        with tempfile.TemporaryDirectory() as folder:
            file = image("tinyos")
            if self.broken:
                file = Path(folder) / "guest.elf"
                file.write_bytes(BROKEN[self.broken](image("tinyos").read_bytes()))
            modules = tuple(Module(file, line) for line in self.guests)
            boot = Boot(image(self.image), self.words, modules)
            loader = "own" if platform.startswith("tcg") else "fast"
            result = boot_image(name, platform, boot, limit=90,
                                **{"loader": loader, **self.machine})
        complaints = [] if result.end == "failed" and "status" in result.detail else [
            f"it ended: {result}; {result.log}"]
        if not any(re.search(f"^{self.image}: error: .*{self.message}", line)
                   for line in result.lines):
            complaints.append(f"no such error: {self.message}; it said:\n"
                              + "\n".join(result.lines[-5:]))
        return verdict(name, complaints)


ERRORS = (
    Error("no-vmx", "neither VT-x", platforms=BOCHS, machine={"model": "athlon64_venice"}),
    Error("no-svm", "neither VT-x", platforms=TCG, machine={"model": "qemu64,-svm"}),
    Error("no-ept", "EPT", platforms=BOCHS, machine={"model": "core2_penryn_t9600"}),
    Error("no-unrestricted-guest", "PROC2_UNRESTRICTED_GUEST", platforms=BOCHS,
          machine={"model": "corei5_lynnfield_750"}),
    Error("no-npt", "nested paging", platforms=TCG, machine={"model": "max,-npt"}),
    Error("no-guest", "no guest", guests=()),
    Error("unknown-word", "unknown word.*nosuch", words="nosuch=1"),
    Error("bad-stage2", "stage2=maybe: must be", words="stage2=maybe"),
    Error("bad-slice", "slice=soon: must be", words="slice=soon"),
    Error("bad-console", "console=tv: must be", words="console=tv"),
    Error("bad-serial", "serial= must be", words="serial=none"),
    Error("unknown-guest-word", "unknown word.*colour", guests=("name=a colour=red",)),
    Error("bad-memory", "mem=lots", guests=("name=a mem=lots",)),
    Error("zero-memory", "mem=0", guests=("name=a mem=0",)),
    Error("bad-pages", "pages=3M", guests=("name=a pages=3M",)),
    Error("bad-vcpus", "vcpus=2", guests=("name=a vcpus=2",)),
    Error("bad-name", "name=", guests=("name=a/b",)),
    Error("same-name", "name=a", guests=("name=a", "name=a")),
    Error("machine-too-small", "memory|MiB", platforms=TCG, machine={"memory": 8}),
    Error("too-little-memory", "mem=1024M is more than", guests=("name=a mem=1G",)),
    Error("too-little-memory-together", "is more than", guests=("name=a mem=100M",
                                                               "name=b mem=200M")),
    *(Error(f"guest-{name}", message, broken=name, platforms=TCG) for name, message in (
        ("not-an-elf", "vm a: .*not an ELF"),
        ("empty", "vm a: "),
        ("truncated-header", "vm a: .*truncated|cut"),
        ("truncated-segments", "vm a: .*truncated|cut"),
        ("wrong-machine", "vm a: .*machine"),
        ("too-large", "vm a: "),
        ("overlapping", "vm a: .*overlap"),
        ("entry-outside", "vm a: .*entry"),
    )),
)


def jobs():
    """A job for each error on each of its platforms. TCG boots them directly, which is faster."""
    return [Job(f"error/{error.name}/{platform}",
                lambda error=error, platform=platform: error.run(platform), 2)
            for error in ERRORS for platform in error.platforms]
