"""Decisions about hosts that this one is not: forged /proc and /sys."""

import pytest

from trapeze import HostError, host
from trapeze.platforms import choose

CPUINFO = "processor\t: 0\nvendor_id\t: {vendor}\nflags\t\t: fpu {flags}\n"


def forge(root, vendor="GenuineIntel", flags="vmx", module="kvm_intel", nested="Y", device=True):
    """A host's root folder."""
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(CPUINFO.format(vendor=vendor, flags=flags))
    if module:
        parameters = root / "sys/module" / module / "parameters"
        parameters.mkdir(parents=True)
        (parameters / "nested").write_text(nested + "\n")
    (root / "dev").mkdir()
    if device:
        (root / "dev/kvm").touch()
    return root


CASES = [
    ({}, True, "nested=Y"),
    ({"nested": "1"}, True, "nested=Y"),
    ({"nested": "N"}, False, "nested=N"),
    ({"flags": "sse"}, False, "does not show VT-x"),
    ({"module": ""}, False, "not loaded"),
    ({"module": "kvm_pvm"}, False, "not loaded"),
    ({"device": False}, False, "/dev/kvm"),
    ({"vendor": "AuthenticAMD"}, False, "not intel's"),
]


@pytest.mark.parametrize("forgery, usable, word", CASES)
def test_nested_kvm(tmp_path, forgery, usable, word):
    kvm = host.nested_kvm("intel", forge(tmp_path, **forgery))
    assert kvm.usable == usable
    assert word in kvm.reason


CHOICES = [
    ({}, "", "auto", "kvm-intel"),
    ({}, "amd", "auto", "tcg-amd"),
    ({"nested": "N"}, "", "auto", "bochs-intel"),
    ({"vendor": "AuthenticAMD", "flags": "svm", "module": "kvm_amd"}, "", "auto", "kvm-amd"),
    ({"vendor": "AuthenticAMD", "flags": "", "module": ""}, "", "auto", "tcg-amd"),
    ({"vendor": "Strange"}, "", "auto", "bochs-intel"),
    ({}, "", "tcg", "tcg-amd"),
    ({}, "", "bochs", "bochs-intel"),
    ({}, "amd", "bochs", "bochs-amd"),
    ({}, "", "kvm-in-bochs", "kvm-in-bochs-intel"),
    ({"nested": "N"}, "amd", "kvm-in-tcg", "kvm-in-tcg-amd"),
    ({}, "", "kvm-in-tcg", "kvm-in-tcg-amd"),
]


@pytest.mark.parametrize("forgery, cpu, on, name", CHOICES)
def test_choose(tmp_path, forgery, cpu, on, name):
    assert choose(cpu, on, forge(tmp_path, **forgery))[0].name == name


REFUSALS = [
    ("arm", "auto", "not intel or amd"),
    ("", "vmware", "not auto, bochs"),
    ("intel", "tcg", "no VT-x"),
    ("intel", "kvm-in-tcg", "no VT-x: take ON=kvm-in-bochs"),
    ("amd", "kvm-in-bochs", "take ON=kvm-in-tcg"),
    ("intel", "kvm", "no nested KVM for intel: .*nested=N"),
]


@pytest.mark.parametrize("cpu, on, word", REFUSALS)
def test_choose_refuses(tmp_path, cpu, on, word):
    with pytest.raises(HostError, match=word):
        choose(cpu, on, forge(tmp_path, nested="N"))


def test_nothing_known_about_the_host(tmp_path):
    assert host.cpu_vendor(tmp_path) == ""
    assert host.distribution(tmp_path) == "unknown"
    assert not host.nested_kvm("amd", tmp_path).usable
