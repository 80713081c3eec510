"""What this host offers: its CPU, nested KVM or not and why, and the versions of its tools."""

import os
import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd"}
FLAGS = {"intel": "vmx", "amd": "svm"}
TECHNOLOGY = {"intel": "VT-x", "amd": "AMD-V"}


@dataclass(frozen=True)
class NestedKvm:
    """Whether a guest of this host's KVM may itself run guests."""

    usable: bool
    reason: str


def cpu_field(name, root=Path("/")):
    """A field of the first CPU in /proc/cpuinfo, or ""."""
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        return ""
    match = re.search(rf"^{name}\s*: *(.*)$", text, re.MULTILINE)
    return match.group(1).strip() if match else ""


def cpu_vendor(root=Path("/")):
    """"intel", "amd" or "" for any other."""
    return VENDORS.get(cpu_field("vendor_id", root), "")


def nested_kvm(vendor, root=Path("/")):
    """Decides from the CPU flag and the module's parameter; the device node proves nothing."""
    if vendor != cpu_vendor(root):
        return NestedKvm(False, f"this host's CPU is not {vendor}'s")
    flag, module = FLAGS[vendor], f"kvm_{vendor}"
    if flag not in cpu_field("flags", root).split():
        return NestedKvm(False, f"the CPU does not show {TECHNOLOGY[vendor]} ({flag})")
    parameter = root / "sys/module" / module / "parameters/nested"
    if not parameter.exists():
        return NestedKvm(False, f"the module {module} is not loaded")
    if parameter.read_text().strip() not in ("Y", "1"):
        return NestedKvm(False, f"{module} has nested={parameter.read_text().strip()}")
    if not os.access(root / "dev/kvm", os.R_OK | os.W_OK):
        return NestedKvm(False, "/dev/kvm cannot be opened: join the group kvm")
    return NestedKvm(True, f"{flag} in the CPU, nested=Y in {module}")


def tool_output(*command):
    """What a command prints, or "" when it is not installed or hangs."""
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace", timeout=20,
                              check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def version(pattern, *command):
    """The first group of pattern in a command's output, or ""."""
    match = re.search(pattern, tool_output(*command))
    return match.group(1) if match else ""


@lru_cache(maxsize=None)
def bochs_help():
    """Bochs' own list of options."""
    return tool_output("bochs", "--help")


def bochs_debugger():
    """The option that turns Bochs' debugger on, where it is an option at all."""
    return ["-debugger"] if "-debugger" in bochs_help() else []


def bochs_models():
    """The CPU models that Bochs knows."""
    return re.findall(r"^([a-z0-9_]+)$", tool_output("bochs", "--help", "cpu"), re.MULTILINE)


def bochs_version():
    """Bochs' version, or "" when it is not installed."""
    return version(r"Bochs x86 Emulator (\S+)", "bochs", "--help")


def qemu_version():
    """QEMU's version, or "" when it is not installed."""
    return version(r"version (\S+)", "qemu-system-x86_64", "--version")


def kernel_version():
    """The running kernel's version."""
    return os.uname().release


def compiler_version(compiler="gcc"):
    """The compiler's version line, or ""."""
    return tool_output(compiler, "--version").partition("\n")[0]


def distribution(root=Path("/")):
    """The distribution's name as it gives it itself."""
    try:
        text = (root / "etc/os-release").read_text()
    except OSError:
        return "unknown"
    match = re.search(r'^PRETTY_NAME="?([^"\n]*)', text, re.MULTILINE)
    return match.group(1) if match else "unknown"
