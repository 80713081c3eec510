#!/usr/bin/python3
"""`make doctor`: what this host offers, and so which platforms, suites and labs can run here."""

import os
import platform as python_platform
import sys
from pathlib import Path

from trapeze import ROOT, HostError, grade_sandbox, host, nested
from trapeze.platforms import PLATFORMS, WITHOUT_KVM

SUITES = {"vmx-tests": "intel", "svm-tests": "amd", "guests/probe": ""}


def show(name, value):
    """One line of the report."""
    print(f"{name:<12} {value}")


def nested_line(vendor):
    """Nested KVM for one vendor: yes or no, and why."""
    kvm = host.nested_kvm(vendor)
    return f"{'yes' if kvm.usable else 'no'}: {kvm.reason}"


def platform_state(platform):
    """"" when the platform can run here, else what is missing."""
    tool, version = (("bochs", host.bochs_version()) if "bochs" in platform.name
                     else ("qemu-system-x86_64", host.qemu_version()))
    if not version:
        return f"{tool} is not installed: tools/setup run"
    if platform.name.startswith("kvm-in-"):
        return outer_kernel()[0]
    if platform.name.startswith("kvm"):
        kvm = host.nested_kvm(platform.vendor)
        return "" if kvm.usable else kvm.reason
    return ""


def outer_kernel():
    """(what is missing, what there is) for the kernel that the platforms kvm-in-... boot."""
    try:
        return "", nested.base_state()
    except HostError as error:
        return " ".join(str(error).split()), ""


def usable_platforms():
    """Prints a line for each platform; returns the names of those that can run."""
    usable = []
    for name, platform in PLATFORMS.items():
        state = platform_state(platform)
        show("platform", f"{name:<18} {state or 'yes'}")
        if not state:
            usable.append(name)
    return usable


def suite_line(vendor, folder, usable):
    """Where a suite can run, or why it cannot."""
    if not any(folder.glob("**/*.c")):
        return "not in this tree yet"
    names = [name for name in usable if not vendor or name.endswith(vendor)]
    return "on " + ", ".join(names) if names else f"no platform for {host.TECHNOLOGY[vendor]}"


def lab_lines(usable):
    """(name, where it can run) for each lab."""
    labs = sorted((ROOT / "labs").glob("[0-9]*/lab.toml"))
    return [(lab.parent.name, "on " + ", ".join(usable) if usable else "no platform")
            for lab in labs]


def main():
    """Prints the report; status 1 when nothing at all can run."""
    vendor = host.cpu_vendor()
    show("system", f"{host.distribution()}, {python_platform.machine()}, {os.cpu_count()} CPUs")
    show("vendor", f"{vendor or 'neither Intel nor AMD'}: {host.cpu_field('model name')}")
    for name in [vendor] if vendor else list(host.FLAGS):
        show("nested KVM", nested_line(name))
    show("compiler", host.compiler_version(os.environ.get("CC", "gcc")) or "none: tools/setup run")
    show("Bochs", host.bochs_version() or "none: tools/setup run")
    show("QEMU", host.qemu_version() or "none: tools/setup run")
    show("Python", sys.version.split()[0])
    show("outer kernel", outer_kernel()[1] or "none: kvm-in-... needs Debian's packages")
    usable = usable_platforms()
    show("auto", ", ".join(f"CPU={cpu}: {'kvm' if host.nested_kvm(cpu).usable else on}"
                           for cpu, on in WITHOUT_KVM.items()))
    for name, suite_vendor in SUITES.items():
        show("suite", f"{Path(name).name:<12} {suite_line(suite_vendor, ROOT / name, usable)}")
    show("grade-all", grade_sandbox.problem() or "yes: bubblewrap confines the compiler")
    for name, where in lab_lines(usable) or [("(none)", "not in this tree yet")]:
        show("lab", f"{name:<12} {where}")
    return 0 if usable else 1


if __name__ == "__main__":
    sys.exit(main())
