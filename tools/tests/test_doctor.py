"""tools/doctor.py: every question that it answers has a line."""

import subprocess
import sys

import pytest

import doctor
from conftest import TOOLS


def test_report():
    done = subprocess.run([sys.executable, str(TOOLS / "doctor.py")], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert done.returncode == 0
    names = [line.split("  ")[0] for line in done.stdout.splitlines()]
    for name in ("system", "vendor", "nested KVM", "compiler", "Bochs", "QEMU", "platform", "suite",
                 "lab"):
        assert name in names


@pytest.mark.parametrize("usable, words", [
    (["bochs-intel", "tcg-amd"], "on bochs-intel"),
    (["tcg-amd"], "no platform for VT-x"),
])
def test_suites_say_where_they_run(tmp_path, usable, words):
    (tmp_path / "test.c").touch()
    assert doctor.suite_line("intel", tmp_path, usable) == words


def test_suites_that_are_not_there(tmp_path):
    assert doctor.suite_line("intel", tmp_path / "none", ["bochs-intel"]) == "not in this tree yet"
